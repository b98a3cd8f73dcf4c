"""What people did: changes, fixes, actions on mail, looks at its content."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from gatepost.admin.answers.audit import AuditEntry, LookJson
from gatepost.admin.api.app import Reader, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.fixes import say_of

router = APIRouter(tags=["audit"], route_class=DescribedRoute)
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]


@router.get("/audit")
async def audit(
    request: Request,
    service: Use,
    _caller: Reader,
    limit: Limit = 100,
    kind: Annotated[str, Query(max_length=20, description="change, fix, action or look; empty: all.")] = "",
) -> list[AuditEntry]:
    """Return what people did, newest first."""
    return await service.audit.listed(say_of(request), limit, kind)


@router.get("/audit/looks")
async def looks(service: Use, _caller: Reader, limit: Limit = 100) -> list[LookJson]:
    """Return who looked at the content of which mail, newest first."""
    return await service.audit.looks(limit)
