"""Insights: what is broken, why, and who looks after it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from gatepost.admin.answers.insights import (
    ForecastJson,
    InsightHistory,
    InsightJson,
    InsightRow,
    NotedJson,
    WhyOfInsight,
)
from gatepost.admin.api.app import Operator, Reader, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.documentation import Body
from gatepost.admin.insights import InsightFilter
from gatepost.i18n import accepted

router = APIRouter(tags=["insights"], route_class=DescribedRoute)


class Which(BaseModel):
    """Which insights; what is not given matches all."""

    state: str = Field("open", max_length=20, description="open, all, or one of the states.")
    severity: str = Field("", max_length=20, description="This one or worse.")
    failure_class: str = Field("", max_length=40, alias="class")
    code: str = Field("", max_length=20)
    scope: str = Field("", max_length=20)
    connector: str = Field("", max_length=200, description="`*` matches any characters.")
    destination: str = Field("", max_length=1000, description="Name, host or id; `*` matches any characters.")
    explained: bool = Field(default=False, description="Also what another insight explains.")
    limit: int = Field(200, ge=1, le=1000)

    def filter(self) -> InsightFilter:
        """Return the filter of the use cases."""
        return InsightFilter(**self.model_dump())


class DryRun(Body):
    """Whether to do it or only to say what would be done."""

    dry_run: bool = Field(default=False, description="Only say what would happen.")


class Note(DryRun):
    """A note about an insight."""

    text: str = Field("", max_length=2000, description="Empty: take the note away.")


def lang_of(request: Request) -> str:
    """Return the language that the caller prefers."""
    return accepted(request.headers.get("accept-language", ""))


@router.get("/insights")
async def insights(
    request: Request, service: Use, _caller: Reader, which: Annotated[Which, Query()]
) -> list[InsightRow]:
    """Return what is broken, what matters most first."""
    return await service.insights.listed(which.filter(), lang_of(request))


@router.get("/foresight")
async def foresight(request: Request, service: Use, _caller: Reader) -> list[ForecastJson]:
    """Return what will stop mail if nobody does anything, what matters most first."""
    return service.insights.foreseen(lang_of(request))


@router.get("/insights/{insight}")
async def show(request: Request, service: Use, _caller: Reader, insight: str) -> InsightJson:
    """Return everything about an insight: causes with evidence, fixes, hosts, expiry, whose mail waits."""
    return await service.insights.show(insight, lang_of(request))


@router.get("/insights/{insight}/why")
async def why(request: Request, service: Use, _caller: Reader, insight: str) -> WhyOfInsight:
    """Return why failures were counted as this insight."""
    return service.insights.why(insight, lang_of(request))


@router.get("/insights/{insight}/history")
async def history(service: Use, _caller: Reader, insight: str) -> InsightHistory:
    """Return when it was open before, and the latest attempts."""
    return await service.insights.history(insight)


@router.post("/insights/{insight}/acknowledge")
async def acknowledge(service: Use, caller: Operator, insight: str, wanted: DryRun) -> NotedJson:
    """Say that you look after it."""
    return service.insights.acknowledge(insight, caller.name, dry_run=wanted.dry_run)


@router.post("/insights/{insight}/unacknowledge")
async def unacknowledge(service: Use, caller: Operator, insight: str, wanted: DryRun) -> NotedJson:
    """Say that nobody looks after it."""
    return service.insights.acknowledge(insight, caller.name, taken_back=True, dry_run=wanted.dry_run)


@router.post("/insights/{insight}/note")
async def note(service: Use, _caller: Operator, insight: str, wanted: Note) -> NotedJson:
    """Keep a note about it."""
    return service.insights.note(insight, wanted.text, dry_run=wanted.dry_run)


@router.post("/insights/{insight}/resolve")
async def resolve(service: Use, caller: Operator, insight: str, wanted: DryRun) -> NotedJson:
    """Call it over; the next failure of its kind opens it again."""
    return service.insights.resolve(insight, caller.name, dry_run=wanted.dry_run)
