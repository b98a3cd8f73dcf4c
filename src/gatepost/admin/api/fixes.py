"""Fixes: offered, previewed, applied, undone."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from gatepost.admin.answers.fixes import AppliedJson, DomainDryRun, FixAnswer, FixDetail, FixJson, PlanJson
from gatepost.admin.api.app import TRUSTED, Operator, Reader, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.documentation import Body
from gatepost.i18n import Translator, accepted, translator

router = APIRouter(tags=["fixes"], route_class=DescribedRoute)


class FixRequest(Body):
    """Which fix, with which parameters, and why."""

    parameters: dict[str, Any] = Field(default_factory=dict, description="Over those that would be chosen.")
    reason: str = Field("", max_length=500)
    dry_run: bool = Field(default=False, description="Only return the preview.")
    probe: bool = Field(default=False, description="With dry_run: probe the connector as it would be, too.")


def say_of(request: Request) -> Translator:
    """Return the translator for the language that the caller prefers."""
    return translator(accepted(request.headers.get("accept-language", "")))


def via_of(request: Request) -> str:
    """Return from where somebody asks, for the audit."""
    return "socket" if request.scope.get(TRUSTED) is True else "api"


@router.get("/fixes")
async def listed(
    request: Request, service: Use, _caller: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[FixJson]:
    """Return the fixes that were applied, newest first."""
    return await service.fixes.listed(limit, say_of(request))


@router.get("/fixes/plan")
async def plan(
    request: Request, service: Use, _caller: Reader, target: Annotated[str, Query(max_length=200)]
) -> PlanJson:
    """Return which fixes fit an insight, a connector or a destination."""
    return await service.fixes.plan(target, say_of(request))


@router.get("/fixes/{change}")
async def show(request: Request, service: Use, _caller: Reader, change: str) -> FixDetail:
    """Return an applied fix with its preview."""
    return await service.fixes.show(change, say_of(request))


@router.post("/fixes/apply/{action}")
async def apply(
    request: Request,
    service: Use,
    caller: Operator,
    action: str,
    target: Annotated[str, Query(max_length=200)],
    wanted: FixRequest,
) -> AppliedJson:
    """Apply a fix, or with `dry_run` return exactly what it would do."""
    return await service.fixes.apply(
        target,
        action,
        wanted.parameters,
        caller,
        say_of(request),
        via=via_of(request),
        reason=wanted.reason,
        dry_run=wanted.dry_run,
        probe=wanted.probe,
    )


@router.post("/fixes/{change}/undo")
async def undo(request: Request, service: Use, caller: Operator, change: str) -> FixAnswer:
    """Undo a fix."""
    return await service.fixes.undo(change, caller, say_of(request))


@router.post("/fixes/{change}/verify")
async def verify(request: Request, service: Use, caller: Operator, change: str) -> FixAnswer:
    """Look now whether the error is gone: by a probe, or by whether anything still waits."""
    return await service.fixes.verify(change, caller, say_of(request))


@router.get("/domains/{name}/dry-run")
async def domain_dry_run(
    service: Use, _caller: Reader, name: str, days: Annotated[int, Query(ge=1, le=90)] = 7
) -> DomainDryRun:
    """Return what would be refused if a domain became authoritative, and which recipients could be imported."""
    return await service.domains.dry_run(name, days)
