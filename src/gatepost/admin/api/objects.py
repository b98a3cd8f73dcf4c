"""Connectors, accepted domains and sources."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, Response
from pydantic import Field

from gatepost.admin.answers.objects import (
    ChangesJson,
    ChannelJson,
    ConnectorJson,
    DomainJson,
    HistoryJson,
    ObjectsJson,
    PolicyJson,
    SourceJson,
)
from gatepost.admin.api.app import Administrator, Reader, Use
from gatepost.admin.api.described import REFERENCE, Answer, DescribedRoute, PlainJson
from gatepost.admin.api.documentation import Body

router = APIRouter(tags=["objects"], route_class=DescribedRoute)
Json = dict[str, Any]
KINDS: dict[str, tuple[str, Any]] = {
    "connectors": ("connector", ConnectorJson),
    "domains": ("accepted_domain", DomainJson),
    "sources": ("source", SourceJson),
    "policies": ("alert_policy", PolicyJson),
    "channels": ("notification_channel", ChannelJson),
}
DryRun = Annotated[bool, Query(description="Only say what would change.")]


class Apply(Body):
    """Objects in the declarative form, as in the TOML file."""

    objects: dict[str, Any]
    prune: bool = Field(default=False, description="Delete what is not named.")
    dry_run: bool = False
    revision: int | None = Field(None, description="Refuse if the objects are of another revision.")


class Recipients(Body):
    """Known recipients to add and to remove."""

    add: list[str] = Field(default_factory=list, max_length=500_000)
    remove: list[str] = Field(default_factory=list, max_length=500_000)
    dry_run: bool = False


@router.get("/objects")
async def everything(service: Use, _caller: Reader) -> ObjectsJson:
    """Return all objects with their revision; secrets are masked."""
    return service.objects.everything()


@router.get("/objects/export", response_class=PlainTextResponse)
async def export(service: Use, _caller: Reader) -> str:
    """Return all objects as TOML; secrets are masked."""
    return service.objects.export()


@router.post("/objects/apply")
async def apply(service: Use, caller: Administrator, wanted: Apply) -> ChangesJson:
    """Make the given objects true and return the difference."""
    return await service.objects.apply(
        wanted.objects, caller.name, prune=wanted.prune, dry_run=wanted.dry_run, revision=wanted.revision
    )


@router.get("/objects/history")
async def history(
    service: Use, _caller: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100, before: int = 0
) -> list[HistoryJson]:
    """Return who changed what, newest first."""
    return await service.objects.history(limit, before)


def _add_kind(path: str, kind: str, shape: Any) -> None:
    """Give a kind of object its own calls: a path that is not theirs is then no call at all."""
    fields = {"x-fields": {"$ref": REFERENCE.format(model=shape.__name__)}}
    takes = {"requestBody": {"content": {"application/json": {"schema": fields}}}}

    @router.get(f"/{path}", name=f"list {path}")
    async def listed(service: Use, _caller: Reader) -> Annotated[Response, Answer(list[shape])]:
        """Return the objects of a kind."""
        return PlainJson(service.objects.listed(kind))

    @router.post(f"/{path}", name=f"add {path}", openapi_extra=takes)
    async def add(service: Use, caller: Administrator, data: Json, dry_run: DryRun = False) -> ChangesJson:
        """Add an object; what is not given has its default."""
        return await service.objects.add(kind, data, caller.name, dry_run=dry_run)

    @router.get(f"/{path}/{{name}}", name=f"show {path}")
    async def show(service: Use, _caller: Reader, name: str) -> Annotated[Response, Answer(shape)]:
        """Return one object."""
        return PlainJson(service.objects.show(kind, name))

    @router.patch(f"/{path}/{{name}}", name=f"change {path}", openapi_extra=takes)
    async def change(
        service: Use, caller: Administrator, name: str, fields: Json, dry_run: DryRun = False
    ) -> ChangesJson:
        """Change fields of an object; null puts a field back to its default."""
        return await service.objects.set(kind, name, fields, caller.name, dry_run=dry_run)

    @router.delete(f"/{path}/{{name}}", name=f"delete {path}")
    async def delete(service: Use, caller: Administrator, name: str, dry_run: DryRun = False) -> ChangesJson:
        """Delete an object."""
        return await service.objects.delete(kind, name, caller.name, dry_run=dry_run)


for _path, (_kind, _shape) in KINDS.items():
    _add_kind(_path, _kind, _shape)


@router.post("/domains/{name}/recipients")
async def recipients(service: Use, caller: Administrator, name: str, change: Recipients) -> ChangesJson:
    """Add and remove known recipients of an accepted domain."""
    return await service.objects.recipients(
        name, caller.name, add=change.add, remove=change.remove, dry_run=change.dry_run
    )
