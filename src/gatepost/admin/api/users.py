"""Users of the admin centre, one-time links, sessions."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from gatepost.admin.answers.alerts import EndedJson
from gatepost.admin.answers.system import LinkJson, SessionJson, UserChanged, UserDeleted, UserJson
from gatepost.admin.api.app import Administrator, Use
from gatepost.admin.api.described import DescribedRoute
from gatepost.admin.api.documentation import Body

router = APIRouter(tags=["users"], route_class=DescribedRoute)
Role = Literal["viewer", "operator", "administrator"]
DryRun = Annotated[bool, Query(description="Only say what would change.")]


class NewUser(Body):
    """A user to make; without a password a one-time link lets them in."""

    name: str = Field(max_length=64)
    role: Role = "viewer"
    password: str = Field("", max_length=1000)


class UserChange(Body):
    """What is to change; their sessions end."""

    role: Role | None = None
    password: str = Field("", max_length=1000)


@router.get("/users")
async def listed(service: Use, _caller: Administrator) -> list[UserJson]:
    """Return all users."""
    return await service.users.listed()


@router.post("/users")
async def create(
    service: Use, caller: Administrator, wanted: NewUser, dry_run: DryRun = False
) -> UserChanged:
    """Make a user."""
    return await service.users.create(wanted.name, wanted.role, wanted.password, caller.name, dry_run=dry_run)


@router.get("/users/sessions")
async def sessions(service: Use, _caller: Administrator, user: str = "") -> list[SessionJson]:
    """Return who is signed in."""
    return service.users.sessions_of(user)


@router.delete("/users/sessions/{session}")
async def revoke(service: Use, _caller: Administrator, session: str) -> EndedJson:
    """End a session."""
    return service.users.revoke(session)


@router.post("/users/setup")
async def setup(service: Use, _caller: Administrator) -> LinkJson:
    """Return a one-time link that leads to making an administrator."""
    return service.users.setup_link()


@router.patch("/users/{name}")
async def change(
    service: Use, caller: Administrator, name: str, wanted: UserChange, dry_run: DryRun = False
) -> UserChanged:
    """Give a user another role or password."""
    return await service.users.change(
        name, caller.name, role=wanted.role or "", password=wanted.password, dry_run=dry_run
    )


@router.delete("/users/{name}")
async def delete(service: Use, caller: Administrator, name: str, dry_run: DryRun = False) -> UserDeleted:
    """Delete a user."""
    return await service.users.delete(name, caller.name, dry_run=dry_run)


@router.delete("/users/{name}/second-factor")
async def reset_second_factor(
    service: Use, caller: Administrator, name: str, dry_run: DryRun = False
) -> UserChanged:
    """Take a user's second factor away, where they lost it."""
    return await service.users.reset_second_factor(name, caller.name, dry_run=dry_run)


@router.post("/users/{name}/link")
async def link(service: Use, _caller: Administrator, name: str) -> LinkJson:
    """Return a one-time link that signs a user in."""
    return await service.users.link(name)
