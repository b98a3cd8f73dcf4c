"""Messages that wait and messages of the past."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from gatepost.admin.answers.messages import (
    CancelledJson,
    CancelStep,
    JobJson,
    MessageJson,
    MessagePage,
    TestJson,
    TracePage,
)
from gatepost.admin.api.app import Operator, Reader, Use
from gatepost.admin.api.checks import written
from gatepost.admin.api.described import LINES, Answer, DescribedRoute
from gatepost.admin.api.documentation import Body, media
from gatepost.admin.api.fixes import say_of, via_of
from gatepost.admin.jobs import Wanted
from gatepost.admin.messages import MessageQuery, number_of, past
from gatepost.model.ids import to_text
from gatepost.storage.interface import TraceFilter

router = APIRouter(tags=["messages"], route_class=DescribedRoute)
CancelSteps = Annotated[StreamingResponse, Answer(CancelStep, (LINES,))]


class Which(BaseModel):
    """Which queued messages; what is not given matches all."""

    connector: str = Field("", max_length=200)
    destination: str = Field("", max_length=1000)
    sender: str | None = Field(None, max_length=1000, description="An empty text means the null sender.")
    recipient: str = Field("", max_length=1000, description="An address, or @domain.")
    code: str = Field("", max_length=20, description="The code of the last error, 4.4.316.")
    state: str = Field("", max_length=20, description="ready, active, retry, suspended or deferred.")
    older_than: str = Field("", max_length=20, description="A duration: 4h.")
    filter: str = Field(
        "",
        max_length=2000,
        description="Terms that must all hold: `from:ann@a.example age>4h code:4.4.316,4.4.315 -to:@b.example`.",
    )

    def query(self, ids: list[str] | None = None) -> MessageQuery:
        """Return the query of the use cases."""
        return MessageQuery(
            self.connector,
            self.destination,
            self.sender,
            self.recipient,
            self.code,
            self.state,
            self.older_than,
            tuple(ids or ()),
            self.filter,
        )


class Page(Which):
    """Which queued messages, and which page of them."""

    limit: int = Field(100, ge=1, le=1000)
    after: str = Field("", max_length=50, description="`next` of the page before.")


class Cancel(Which):
    """Which messages to end: by id, by filter, or all."""

    model_config = Body.model_config

    ids: list[str] = Field(default_factory=list, max_length=10_000)
    all: bool = Field(default=False, description="Needed where nothing is named, so that all are meant.")
    ndr: bool = Field(default=True, description="Whether the senders get a report.")
    dry_run: bool = False


class Act(Which):
    """Which messages to act on (by id, by filter, or all), with what, and why."""

    model_config = Body.model_config

    ids: list[str] = Field(default_factory=list, max_length=10_000)
    all: bool = Field(default=False, description="Needed where nothing is named, so that all are meant.")
    until: str = Field("", max_length=40, description="suspend, expire: a duration from now (4h) or a time.")
    by: str = Field("", max_length=200, description="reroute: the connector to send by.")
    reason: str = Field("", max_length=500)
    dry_run: bool = Field(default=False, description="Only count what would be touched.")
    wait: float = Field(2.0, ge=0, le=20, description="Seconds to wait for the end of the job.")


class Trace(BaseModel):
    """Which messages of the past and present."""

    sender: str | None = Field(
        None, max_length=1000, description="An address, or @domain; an empty text means the null sender."
    )
    recipient: str = Field("", max_length=1000, description="An address, or @domain.")
    header_id: str = Field("", max_length=1000, description="The Message-ID.")
    source: str = Field("", max_length=200)
    destination: str = Field("", max_length=1000)
    state: str = Field("", max_length=20, description="queued, delivered, returned, cancelled or failed.")
    since: str = Field("", max_length=40, description="A duration ago (4h) or a time.")
    until: str = Field("", max_length=40, description="A duration ago (4h) or a time.")
    limit: int = Field(100, ge=1, le=1000)
    before: str = Field("", max_length=13, description="`next` of the page before.")


@router.get("/messages")
async def listed(service: Use, _caller: Reader, page: Annotated[Page, Query()]) -> MessagePage:
    """Return queued messages, oldest first at each destination; `next` leads to the next page."""
    return await service.messages.listed(page.query(), page.limit, page.after)


@router.post("/messages/cancel")
async def cancel(service: Use, caller: Operator, which: Cancel) -> CancelledJson:
    """End messages for good."""
    return await service.jobs.cancel(
        which.query(which.ids), caller.name, ndr=which.ndr, everything=which.all, dry_run=which.dry_run
    )


@router.post("/messages/cancel/stream", response_class=StreamingResponse, responses=media(LINES))
async def cancel_stream(service: Use, caller: Operator, which: Cancel) -> CancelSteps:
    """The same, and how far it is: a JSON object a line, `{"progress": {"done", "of"}}`, `{"result": ...}` last."""
    steps = service.jobs.cancelling(
        which.query(which.ids), caller.name, ndr=which.ndr, everything=which.all, dry_run=which.dry_run
    )
    first = await anext(steps)  # what makes no sense is said before the answer begins
    return StreamingResponse(written(first, steps, events=False), media_type=LINES)


@router.post("/messages/actions/{action}")
async def act(request: Request, service: Use, caller: Operator, action: str, wanted: Act) -> JobJson:
    """Begin an action on any set of queued mail, or its preview; answers with the job.

    Actions: retry, suspend, resume, reroute, expire, return_now, delete. Ask /jobs/{id} for the rest of a long one.
    """
    parameters = {"until": wanted.until, "by": wanted.by}
    order = Wanted(
        action,
        wanted.query(wanted.ids),
        parameters,
        wanted.reason,
        via_of(request),
        everything=wanted.all,
        dry_run=wanted.dry_run,
    )
    return await service.jobs.start(order, caller, say_of(request), wanted.wait)


@router.get("/jobs")
async def jobs(
    request: Request, service: Use, _caller: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[JobJson]:
    """Return jobs, newest first."""
    return await service.jobs.listed(limit, say_of(request))


@router.get("/jobs/{job}")
async def job(
    request: Request,
    service: Use,
    _caller: Reader,
    job: str,
    wait: Annotated[float, Query(ge=0, le=20, description="Seconds to wait for its end.")] = 0,
) -> JobJson:
    """Return a job with how far it is."""
    return await service.jobs.show(job, say_of(request), wait)


@router.post("/jobs/{job}/stop")
async def stop(request: Request, service: Use, caller: Operator, job: str) -> JobJson:
    """Stop a job that runs; what it has done so far stays done."""
    return await service.jobs.stop(job, caller, say_of(request))


@router.post("/jobs/{job}/undo")
async def undo(request: Request, service: Use, caller: Operator, job: str) -> JobJson:
    """Put back what a job changed, where the mail still waits."""
    return await service.jobs.undo(job, caller, say_of(request))


class Test(Body):
    """Where a test message goes."""

    recipient: str = Field(max_length=320)


@router.post("/messages/test")
async def test(request: Request, service: Use, caller: Operator, wanted: Test) -> TestJson:
    """Send a test message by the ordinary route, to see it arrive; returns its id."""
    return await service.send_test(wanted.recipient, caller.name, say_of(request))


@router.get("/messages/export", response_class=StreamingResponse, responses=media("application/mbox"))
async def export(service: Use, caller: Operator, which: Annotated[Which, Query()]) -> StreamingResponse:
    """Return the content of every message that the filters mean, as one mbox (mboxrd)."""
    query = which.query()
    query.filtered()  # what makes no sense is said before the answer begins
    headers = {
        "Content-Disposition": 'attachment; filename="messages.mbox"',
        "Content-Security-Policy": "sandbox",
    }
    return StreamingResponse(
        service.messages.export(query, caller.name), media_type="application/mbox", headers=headers
    )


@router.get("/messages/{message_id}")
async def show(service: Use, _caller: Reader, message_id: str) -> MessageJson:
    """Return a message with recipients, events and all attempts."""
    return await service.messages.show(message_id)


@router.get(
    "/messages/{message_id}/content",
    response_class=StreamingResponse,
    responses=media("message/rfc822", description="The message as it came in."),
)
async def content(service: Use, caller: Operator, message_id: str) -> StreamingResponse:
    """Return the content of a queued message as an .eml file."""
    pieces = await service.messages.content(message_id, caller.name)
    name = f'attachment; filename="{to_text(number_of(message_id))}.eml"'
    headers = {"Content-Disposition": name, "Content-Security-Policy": "sandbox"}
    return StreamingResponse(pieces, media_type="message/rfc822", headers=headers)


@router.get("/trace")
async def trace(service: Use, _caller: Reader, which: Annotated[Trace, Query()]) -> TracePage:
    """Return messages of the past and present, newest first; `next` leads to the next page (`before`).

    Each answer is a bounded look at the past: it may hold fewer than `limit`, or none, and still have a `next`.
    """
    now = service.gateway.now()
    destination_id = await service.messages.destination_id(which.destination) if which.destination else 0
    wanted = TraceFilter(
        since=past(which.since, now),
        until=past(which.until, now),
        sender=which.sender,
        recipient=which.recipient,
        header_id=which.header_id,
        source=which.source,
        destination_id=destination_id,
        state=which.state,
        before=number_of(which.before) if which.before else 0,
    )
    return await service.messages.trace(wanted, which.limit)
