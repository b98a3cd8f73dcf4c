"""Explain errors, bounces and logs of any mail system; what foreign systems tell."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from gatepost.admin.answers.explain import ExplainedJson, ForeignSystem, ForgottenJson, ReportedJson
from gatepost.admin.api.app import Operator, Reader, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.documentation import Body
from gatepost.admin.api.insights import lang_of
from gatepost.admin.foreign import MAX_INSIGHTS, report_of
from gatepost.model.foreign import ForeignReport

router = APIRouter(tags=["explain"], route_class=DescribedRoute)
OCTETS = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }
}  # fmt: skip


class Evidence(Body):
    """A text to explain."""

    text: str = Field(min_length=1, max_length=1_000_000, description="An error, a bounce, lines of a log.")
    kind: str = Field("", max_length=20, description="Read it as this; else recognised by itself.")
    keep_as: str = Field(
        "", max_length=200, description="Keep its insights as those of the foreign system of this name."
    )
    dry_run: bool = Field(default=False, description="With keep_as: only say what would be kept.")


class ForeignInsight(Body):
    """What a log of a foreign system says of one destination in one class."""

    destination: str | None = Field(None, max_length=300)
    failure_class: str = Field(max_length=40, alias="class")
    sub: str | None = Field(None, max_length=40)
    phase: str = Field("", max_length=20)
    stuck: int = Field(0, ge=0, le=10**12, description="Recipients that wait.")
    attempts: int = Field(0, ge=0, le=10**12, description="Failed attempts so far; what is new is counted.")
    returned: int = Field(0, ge=0, le=10**12)
    oldest_at: str | None = Field(None, max_length=40, description="When the oldest waiting message came.")
    over: bool = Field(default=False, description="It has not failed lately, or works again.")
    server: str | None = Field(None, max_length=300)
    address: str | None = Field(None, max_length=100)
    text: str = Field("", max_length=2000)


class Foreign(Body):
    """What a log of a foreign system says now; a later report of the same system replaces it."""

    system: str = Field(min_length=1, max_length=100, description="What to call the system.")
    source_kind: str = Field("", max_length=20)
    insights: list[ForeignInsight] = Field(max_length=MAX_INSIGHTS)
    dry_run: bool = Field(default=False, description="Only say what would happen.")

    def report(self) -> ForeignReport:
        """Return it as the use cases want it."""
        return report_of(self.system, self.source_kind, [insight.model_dump() for insight in self.insights])


@router.post("/explain")
async def explain(request: Request, service: Use, caller: Reader, wanted: Evidence) -> ExplainedJson:
    """Explain a text: the failures in it, and for a log its picture; nothing is kept unless `keep_as` asks."""
    return await service.explain.explain(
        wanted.text.encode("utf-8", "replace"), wanted.kind, lang_of(request), caller,
        keep_as=wanted.keep_as, dry_run=wanted.dry_run,
    )  # fmt: skip


@router.post("/explain/file", openapi_extra=OCTETS)
async def explain_file(
    request: Request,
    service: Use,
    caller: Reader,
    kind: Annotated[str, Query(max_length=20, description="Read it as this.")] = "",
    keep_as: Annotated[str, Query(max_length=200, description="Keep its insights under this name.")] = "",
) -> ExplainedJson:
    """Explain a file of at most 4 MB: a bounce, an mbox, a log, packed or not; the body is the file."""
    return await service.explain.explain(
        await request.body(), kind, lang_of(request), caller, keep_as=keep_as
    )


@router.get("/foreign")
async def systems(service: Use, _caller: Reader) -> list[ForeignSystem]:
    """Return the foreign mail systems that have told something, and when."""
    return service.foreign.listed()


@router.post("/foreign")
async def report(service: Use, _caller: Operator, wanted: Foreign) -> ReportedJson:
    """Take what a log of a foreign mail system says now: its insights open, move and end like those of our own."""
    return service.foreign.report(wanted.report(), dry_run=wanted.dry_run)


@router.delete("/foreign/{system}")
async def forget(service: Use, _caller: Operator, system: str) -> ForgottenJson:
    """Forget a foreign mail system: its insights are over."""
    return service.foreign.forget(system)
