"""The gateway itself: health, doctor, reload, tokens."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field

from gatepost.admin.answers.system import (
    DoctorJson,
    HealthJson,
    ReloadedJson,
    TokenDeleted,
    TokenJson,
    TokenMade,
)
from gatepost.admin.api.app import Administrator, Reader, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.documentation import Body
from gatepost.i18n import accepted, translator

router = APIRouter(tags=["system"], route_class=DescribedRoute)


class NewToken(Body):
    """A token to make."""

    name: str = Field(max_length=64)
    scope: str = Field("read", description="read, operate or admin; each includes those before it.")
    expires: str = Field("", max_length=40, description="A duration (90d) or a time; empty: never.")
    dry_run: bool = False


@router.get("/openapi.json")
async def openapi(request: Request, _caller: Reader) -> dict[str, Any]:
    """Return this document."""
    found: dict[str, Any] = await asyncio.to_thread(request.app.openapi)
    return found


@router.get("/health")
async def health(service: Use, _caller: Reader) -> HealthJson:
    """Return how the process, its store and its resources are."""
    return {**service.health(), **service.ready()}


@router.get("/doctor")
async def doctor(request: Request, service: Use, _caller: Reader) -> DoctorJson:
    """Return what would stop mail."""
    return await service.doctor(translator(accepted(request.headers.get("accept-language", ""))))


@router.post("/reload")
async def reload(service: Use, _caller: Administrator) -> ReloadedJson:
    """Read the settings again."""
    return await service.reload()


@router.get("/tokens")
async def tokens(service: Use, _caller: Administrator) -> list[TokenJson]:
    """Return the tokens, without what they are."""
    return await service.tokens.listed()


@router.post("/tokens")
async def create(service: Use, caller: Administrator, new: NewToken) -> TokenMade:
    """Make a token; `token` of the answer is the only time that it is seen."""
    return await service.tokens.create(new.name, new.scope, new.expires, caller.name, dry_run=new.dry_run)


@router.delete("/tokens/{name}")
async def delete(service: Use, caller: Administrator, name: str, dry_run: bool = False) -> TokenDeleted:
    """Delete a token."""
    return await service.tokens.delete(name, caller.name, dry_run=dry_run)
