"""Checks of destinations, stage by stage: at once, or as it happens."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from gatepost.admin.answers.checks import CheckJson, CheckStep, ValidationJson
from gatepost.admin.api.app import Operator, Reader, Use
from gatepost.admin.api.described import EVENTS, LINES, Answer, DescribedRoute
from gatepost.admin.api.documentation import Body, media
from gatepost.admin.api.insights import lang_of
from gatepost.admin.checks import Wanted

router = APIRouter(tags=["checks"], route_class=DescribedRoute)
Step = Mapping[str, Any]
Steps = Annotated[StreamingResponse, Answer(CheckStep, (LINES, EVENTS))]
HEARTBEAT = 10.0


class CheckBody(Body):
    """What to check: one of connector, draft, smart_host, recipient."""

    connector: str = Field("", max_length=200)
    draft: dict[str, Any] | None = Field(None, description="A connector that is not saved.")
    smart_host: str = Field("", max_length=300)
    tls: str = Field("", max_length=40)
    tls_domain: str = Field("", max_length=255)
    recipient: str = Field("", max_length=320, description="Also MAIL and RCPT; never DATA.")
    auth: bool = Field(default=True, description="Log in where the connector does.")

    def wanted(self) -> Wanted:
        """Return it as the use cases want it."""
        return Wanted(**self.model_dump())


@router.post("/check")
async def check(request: Request, service: Use, caller: Operator, wanted: CheckBody) -> CheckJson:
    """Resolve, connect, banner, EHLO, STARTTLS, certificate, AUTH, and with a recipient MAIL and RCPT."""
    return await service.checks.check(caller, wanted.wanted(), lang_of(request))


@router.post("/check/stream", response_class=StreamingResponse, responses=media(LINES, EVENTS))
async def stream(request: Request, service: Use, caller: Operator, wanted: CheckBody) -> Steps:
    """The same as it happens: `{"stage": ...}` for each stage, `{"result": ...}` last.

    One JSON object a line; server-sent events (`stage`, `result`) for whoever accepts `text/event-stream`.
    """
    steps = service.checks.stream(caller, wanted.wanted(), lang_of(request))
    first = await anext(steps)  # what is not possible or not allowed is said before the answer begins
    events = EVENTS in request.headers.get("accept", "")
    return StreamingResponse(
        written(first, steps, events=events),
        media_type=EVENTS if events else LINES,
        headers={"X-Accel-Buffering": "no"},
    )


async def written(first: Step, steps: AsyncGenerator[Step, None], *, events: bool) -> AsyncGenerator[bytes]:
    """Yield the steps as lines or events; something now and then shows that we live."""
    coming: asyncio.Future[Step] = asyncio.get_running_loop().create_future()
    coming.set_result(first)
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=HEARTBEAT)
            if not done:
                yield b": still here\n\n" if events else b"\n"
                continue
            try:
                step = coming.result()
            except StopAsyncIteration:
                return
            yield _event(step) if events else json.dumps(step).encode() + b"\n"
            coming = asyncio.ensure_future(anext(steps))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await steps.aclose()


def _event(step: Step) -> bytes:
    ((kind, data),) = step.items()
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


@router.get("/probes")
async def probes(
    request: Request,
    service: Use,
    _caller: Reader,
    connector: Annotated[str, Query(max_length=200)] = "",
    destination: Annotated[str, Query(max_length=40, description="The id of a destination.")] = "",
) -> list[CheckJson]:
    """Return the latest checks of a connector or a destination, by whomever, newest first."""
    return await service.checks.kept(connector, destination, lang_of(request))


class ValidateBody(Body):
    """How to validate a connector."""

    recipients: list[str] = Field(min_length=1, max_length=20, description="Mailboxes behind the connector.")
    message: bool = Field(default=False, description="Also send each a test message.")


@router.post("/connectors/{name}/validate")
async def validate(service: Use, caller: Operator, name: str, wanted: ValidateBody) -> ValidationJson:
    """Check a connector with test recipients, and keep the result."""
    return await service.checks.validate(caller, name, wanted.recipients, message=wanted.message)


@router.get("/validations")
async def all_validations(service: Use, _caller: Reader) -> list[ValidationJson]:
    """Return the latest validations of all connectors, newest first."""
    return await service.checks.validations()


@router.get("/connectors/{name}/validations")
async def validations(service: Use, _caller: Reader, name: str) -> list[ValidationJson]:
    """Return the validations of a connector, newest first."""
    return await service.checks.validations(name)
