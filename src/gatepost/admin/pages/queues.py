"""Queues by destination with their ages, queued messages, the trace, one message."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from gatepost.admin.api.app import Use
from gatepost.admin.errors import AdminError, NotFound, tr
from gatepost.admin.messages import MessageQuery, number_of, past
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page, say_of
from gatepost.admin.queue import DestinationFilter
from gatepost.fix.actions import ACTIONS
from gatepost.fix.bulk import BULK
from gatepost.storage.interface import TraceFilter

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Query(max_length=1000)]
PAGE = 50
# ages in minutes at which a column of the heat map begins
AGES = (0, 5, 15, 60, 240, 720, 1440)


@router.get("/queues")
async def queues(
    request: Request, service: Use, visitor: Looking, connector: Text = "", state: Text = ""
) -> Response:
    """Show what waits, destination by destination, and for how long."""
    rows = await service.queue.rows(DestinationFilter(connector, "", state))
    summaries = {
        str(s.state.id): s for s in await service.gateway.store.destinations(service.gateway.expiry_of)
    }
    now = service.gateway.now()
    heat = {row["id"]: ages(summaries[str(row["id"])].ages, now) for row in rows if row["id"] in summaries}
    return page(
        request, "queues.html", visitor, rows=rows, heat=heat, columns=AGES, connector=connector, state=state,
        connectors=[c.name for c in service.gateway.objects.connectors], states=STATES,
    )  # fmt: skip


@router.get("/queues/{destination}")
async def queue(request: Request, service: Use, visitor: Looking, destination: str) -> Response:
    """Show one queue: its eight fields, why it waits, and what can be done with it."""
    rows = await service.queue.rows(DestinationFilter(destination=destination))
    row = next((row for row in rows if row["id"] == destination), None)
    if row is None:
        raise NotFound(tr("Nothing waits there any more."))
    report: Any = await service.reports.queued(language_of(request))
    fields: Any = next((r for r in report.rows if r["destination_id"] == destination), {})
    actions = [ACTIONS[name] for name in STEERING if _fits(name, str(row["state"]))]
    others = [c.name for c in service.gateway.objects.connectors if c.enabled and c.name != row["connector"]]
    return page(
        request, "queue.html", visitor, row=row, fields=fields, actions=actions, others=others,
        flyout="hx-request" in request.headers,
    )  # fmt: skip


def _fits(action: str, state: str) -> bool:
    return {"resume": state == "suspended", "suspend": state != "suspended"}.get(action, True)


def ages(buckets: Any, now: int) -> list[int]:
    """Return how many messages are of each age; `buckets` are (accepted since, messages)."""
    found = [0] * len(AGES)
    for since, number in buckets:
        minutes = (now - since) / 60_000
        column = max(i for i, start in enumerate(AGES) if minutes >= start or i == 0)
        found[column] += number
    return found


STATES = ("", "ready", "active", "retry", "suspended")
STEERING = ("retry", "suspend", "resume", "reroute", "extend_expiry", "return_now", "delete")


@router.post("/queues/{verb}")
async def steer(request: Request, service: Use, visitor: Looking, verb: str) -> Response:
    """Retry, suspend or resume one destination."""
    visitor.caller.need("operate")
    form = await request.form()
    which = DestinationFilter("", str(form.get("destination", "")), "")
    who = visitor.caller.name
    if verb == "retry":
        await service.queue.retry(which, dry_run=False)
    elif verb == "suspend":
        reason, until = str(form.get("reason", "")), str(form.get("until", ""))
        await service.queue.suspend(which, who, reason, until, everything=False, dry_run=False)
    elif verb == "resume":
        await service.queue.resume(which, who, dry_run=False)
    return RedirectResponse("/queues", 303)


@router.get("/messages")
async def messages(
    request: Request,
    service: Use,
    visitor: Looking,
    connector: Text = "",
    destination: Text = "",
    sender: Text = "",
    recipient: Text = "",
    code: Text = "",
    state: Text = "",
    older_than: Text = "",
    filter: Text = "",  # noqa: A002 - the field's name
    after: Text = "",
) -> Response:
    """Show queued messages that a filter means."""
    asked = {
        "filter": filter,
        "connector": connector, "destination": destination, "sender": sender, "recipient": recipient, "code": code,
        "state": state, "older_than": older_than,
    }  # fmt: skip
    sent = {**asked, "sender": {"": None, "<>": ""}.get(sender, sender)}
    query = MessageQuery(**sent)  # type: ignore[arg-type]
    found: Any = {"messages": [], "next": None}
    meant, error = filter, ""
    try:
        meant = query.filtered().text
        found = await service.messages.listed(query, PAGE, after)
    except AdminError as problem:
        error = problem.text(say_of(request))
    return page(
        request, "messages.html", visitor, status=422 if error else 200, found=found, asked=asked, meant=meant,
        error=error, actions=list(BULK.values()), connectors=[c.name for c in service.gateway.objects.connectors],
    )  # fmt: skip


@router.get("/messages/{message}")
async def message(request: Request, service: Use, visitor: Looking, message: str) -> Response:
    """Show one message with everything that happened to it."""
    data: Any = await service.messages.show(message)
    routes = [service.route_explain(str(r["address"]), say_of(request)) for r in data["recipients"][:20]]
    return page(request, "message.html", visitor, data=data, routes=routes, timeline=timeline(data))


def timeline(data: Any) -> list[dict[str, Any]]:
    """Return what happened to a message, in order: acceptance, attempts, events."""
    found: list[dict[str, Any]] = [
        {"at": data["accepted_at"], "kind": "accepted", "good": True, "data": data["client"], "error": None}
    ]
    found += [
        {
            "at": attempt["at"],
            "kind": attempt["outcome"],
            "good": attempt["outcome"] == "delivered",
            "data": attempt,
            "error": attempt["error"],
        }
        for attempt in data["attempts"]
    ]
    found += [
        {"at": event["at"], "kind": event["kind"], "good": True, "data": event["data"], "error": None}
        for event in data["events"]
    ]
    return sorted(found, key=lambda entry: str(entry["at"]))


@router.get("/messages/{message}/content")
async def content(service: Use, visitor: Looking, message: str) -> StreamingResponse:
    """Return the content of a message that waits; every look is written down."""
    visitor.caller.need("operate")
    pieces = await service.messages.content(message, visitor.caller.name)
    headers = {"Content-Disposition": f'attachment; filename="{message}.eml"'}
    return StreamingResponse(pieces, media_type="message/rfc822", headers=headers)


@router.get("/trace")
async def trace(
    request: Request,
    service: Use,
    visitor: Looking,
    q: Text = "",
    sender: Text = "",
    recipient: Text = "",
    state: Text = "",
    since: Text = "",
    before: Text = "",
) -> Response:
    """Find messages of the past and present: an id leads to the message, anything with @ is an address."""
    q = q.strip()
    if len(q) == 13 and "@" not in q and "." not in q:
        return RedirectResponse(f"/messages/{q}", 303)
    now = service.gateway.now()
    which = TraceFilter(
        since=past(since, now) if since else 0,
        sender=None if not sender else "" if sender == "<>" else sender,
        recipient=recipient or (q if "@" in q else f"@{q}" if q else ""),
        state=state,
        before=number_of(before) if before else 0,
    )
    found = await service.messages.trace(which, PAGE)
    asked = {"q": q, "sender": sender, "recipient": recipient, "state": state, "since": since}
    return page(request, "trace.html", visitor, found=found, asked=asked)
