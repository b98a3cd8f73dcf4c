"""Connectors, accepted domains and sources."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from gatepost.admin.api.app import Administrator, Reader, Use

router = APIRouter(tags=["objects"])
Json = dict[str, Any]
Kind = Literal["connectors", "domains", "sources", "policies", "channels"]
KINDS = {
    "connectors": "connector",
    "domains": "accepted_domain",
    "sources": "source",
    "policies": "alert_policy",
    "channels": "notification_channel",
}
DryRun = Annotated[bool, Query(description="Only say what would change.")]


class Apply(BaseModel):
    """Objects in the declarative form, as in the TOML file."""

    objects: dict[str, Any]
    prune: bool = Field(default=False, description="Delete what is not named.")
    dry_run: bool = False
    revision: int | None = Field(None, description="Refuse if the objects are of another revision.")


class Recipients(BaseModel):
    """Known recipients to add and to remove."""

    add: list[str] = Field(default_factory=list, max_length=500_000)
    remove: list[str] = Field(default_factory=list, max_length=500_000)
    dry_run: bool = False


@router.get("/objects")
async def everything(service: Use, _caller: Reader) -> Json:
    """Return all objects with their revision; secrets are masked."""
    return service.objects.everything()


@router.get("/objects/export", response_class=PlainTextResponse)
async def export(service: Use, _caller: Reader) -> str:
    """Return all objects as TOML; secrets are masked."""
    return service.objects.export()


@router.post("/objects/apply")
async def apply(service: Use, caller: Administrator, wanted: Apply) -> Json:
    """Make the given objects true and return the difference."""
    return await service.objects.apply(
        wanted.objects, caller.name, prune=wanted.prune, dry_run=wanted.dry_run, revision=wanted.revision
    )


@router.get("/objects/history")
async def history(
    service: Use, _caller: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100, before: int = 0
) -> list[Json]:
    """Return who changed what, newest first."""
    return await service.objects.history(limit, before)


@router.get("/{kind}")
async def listed(service: Use, _caller: Reader, kind: Kind) -> list[Json]:
    """Return the objects of a kind."""
    return service.objects.listed(KINDS[kind])


@router.post("/{kind}")
async def add(service: Use, caller: Administrator, kind: Kind, data: Json, dry_run: DryRun = False) -> Json:
    """Add an object."""
    return await service.objects.add(KINDS[kind], data, caller.name, dry_run=dry_run)


@router.get("/{kind}/{name}")
async def show(service: Use, _caller: Reader, kind: Kind, name: str) -> Json:
    """Return one object."""
    return service.objects.show(KINDS[kind], name)


@router.patch("/{kind}/{name}")
async def change(
    service: Use, caller: Administrator, kind: Kind, name: str, fields: Json, dry_run: DryRun = False
) -> Json:
    """Change fields of an object; null puts a field back to its default."""
    return await service.objects.set(KINDS[kind], name, fields, caller.name, dry_run=dry_run)


@router.delete("/{kind}/{name}")
async def delete(service: Use, caller: Administrator, kind: Kind, name: str, dry_run: DryRun = False) -> Json:
    """Delete an object."""
    return await service.objects.delete(KINDS[kind], name, caller.name, dry_run=dry_run)


@router.post("/domains/{name}/recipients")
async def recipients(service: Use, caller: Administrator, name: str, change: Recipients) -> Json:
    """Add and remove known recipients of an accepted domain."""
    return await service.objects.recipients(
        name, caller.name, add=change.add, remove=change.remove, dry_run=change.dry_run
    )
