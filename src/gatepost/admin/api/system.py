"""The gateway itself: health, doctor, reload, tokens."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from gatepost.admin.answers.nodes import NdrPreview, NodeJson
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
from gatepost.admin.ndr import SENDER, Wanted
from gatepost.i18n import accepted, translator

router = APIRouter(tags=["system"], route_class=DescribedRoute)
Word = Annotated[str, Query(max_length=40, description="A failure class.")]


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


@router.get("/nodes")
async def nodes(service: Use, _caller: Reader) -> list[NodeJson]:
    """Return the nodes of the gateway: what each listens to, asks, uses, and what is short."""
    return await service.nodes.listed()


@router.get("/ndr/preview")
async def ndr_preview(
    service: Use,
    _caller: Reader,
    failure_class: Word = "connection_refused",
    kind: Annotated[str, Query(max_length=20, description="failure, delay, relayed or over.")] = "failure",
    language: Annotated[str, Query(max_length=10, description="en or zh-CN; empty: the sender's.")] = "",
    sender: Annotated[str, Query(max_length=320, description="Whose domain chooses the language.")] = SENDER,
    to: Annotated[str, Query(max_length=20, description="on-premises or partner.")] = "on-premises",
) -> NdrPreview:
    """Return a report to a sender as it would leave; nothing is sent."""
    return service.ndr.preview(Wanted(failure_class, kind, language, sender, to))


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
