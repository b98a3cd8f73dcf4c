"""Answers about the gateway itself, and about who may use it: users, sessions, tokens."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import DryRun, at, says

ROLES = ("viewer", "operator", "administrator")
SCOPES = ("read", "operate", "admin")


class StoreHealth(TypedDict):
    """How the store is."""

    ok: bool
    problem: Annotated[str, says("What is wrong; empty: nothing.")]
    engine: str


class ProcessHealth(TypedDict):
    """How the process is."""

    ok: Annotated[bool, says("Whether the process works.")]
    version: str
    hostname: str
    store: StoreHealth
    pressure: Annotated[
        dict[str, str], says("What is short now, each with its reason; empty while mail is accepted.")
    ]


class Readiness(TypedDict):
    """Whether mail is accepted and delivered."""

    ready: bool
    why: Annotated[str, says("Why not; empty while it is.")]


class HealthJson(ProcessHealth):
    """How the process, its store and its resources are."""

    ready: Annotated[bool, says("Whether mail is accepted and delivered.")]
    why: Annotated[str, says("Why not; empty while it is.")]


class FindingJson(TypedDict):
    """What one look of the doctor saw."""

    check: str
    ok: bool
    level: Annotated[str, says("How bad it is.", ("ok", "warning", "error"))]
    message: str
    hint: Annotated[str, says("What to do; empty where nothing has to.")]


class DoctorJson(TypedDict):
    """What would stop mail."""

    ok: bool
    checks: list[FindingJson]


class ReloadedJson(TypedDict):
    """That the settings were read again."""

    reloaded: bool


class TokenJson(TypedDict):
    """A token, without what it is."""

    name: str
    scope: Annotated[str, says("What it may; each includes those before it.", SCOPES)]
    created_at: Annotated[str | None, at("When it was made.")]
    created_by: str
    expires_at: Annotated[str | None, at("When it opens nothing more; null: never.")]


class TokenMade(TokenJson):
    """A token that was made, or would be."""

    dry_run: DryRun
    token: NotRequired[Annotated[str, says("The token itself; it is never shown again.")]]


class TokenDeleted(TokenJson):
    """A token that was deleted, or would be."""

    dry_run: DryRun
    deleted: int


class UserJson(TypedDict):
    """Somebody who may sign in."""

    name: str
    role: Annotated[str, says("What they are.", ROLES)]
    scope: Annotated[str, says("What they may.", SCOPES)]
    password: Annotated[bool, says("Whether they have one.")]
    second_factor: Annotated[bool, says("Whether they have one.")]
    created_at: Annotated[str | None, at("When they were made.")]
    created_by: str


class UserChanged(UserJson):
    """A user after a change, or as they would be."""

    dry_run: DryRun


class UserDeleted(UserChanged):
    """A user who was deleted, or would be."""

    deleted: int


class LinkJson(TypedDict):
    """A one-time link."""

    url: str
    expires_at: Annotated[str | None, at("Until when it works, once.")]


class SessionJson(TypedDict):
    """A browser that is signed in."""

    id: str
    user: str
    role: Annotated[str, says("What they are.", ROLES)]
    since: Annotated[str | None, at("When they signed in.")]
    seen_at: Annotated[str | None, at("When they last asked for something.")]
    expires_at: Annotated[str | None, at("When it ends where nothing more is asked.")]
    address: str
    agent: str
