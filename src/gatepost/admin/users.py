"""People who sign in: names, roles, argon2 passwords, sessions that can be revoked, one-time links.

Rule 1: a session is a random token in a cookie; the server keeps its hash, who it is and until when.
Rule 2: whoever guesses waits: after some failures of a name or an address, longer each time; an unknown name takes
as long as a wrong password.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from gatepost.admin.auth import SCOPES, Caller, hashed
from gatepost.admin.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthorized, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import Json, when
from gatepost.model.document import Document
from gatepost.storage.interface import Change

USER = "user"
SESSION = "session"
ROLES = {"viewer": "read", "operator": "operate", "administrator": "admin"}
LEAST_PASSWORD = 10
LINK_LIFE = 15 * 60_000
FREE_TRIES = 5
LONGEST_WAIT = 300_000
MAX_SESSIONS = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# what an unknown name is compared with, so that it takes as long
_NOBODY = PasswordHasher().hash(secrets.token_urlsafe(16))


@dataclass(slots=True)
class Session:
    """One signed-in browser; times are ms since 1970."""

    key: str  # the hash of the cookie
    user: str
    role: str
    csrf: str
    created_at: int
    expires_at: int
    seen_at: int
    address: str = ""
    agent: str = ""

    @property
    def caller(self) -> Caller:
        """Return who it is for the use cases."""
        return Caller(self.user, ROLES[self.role])


@dataclass(slots=True)
class _Tries:
    failures: int = 0
    until: int = 0


@dataclass(slots=True)
class _Link:
    user: str
    role: str
    until: int
    setup: bool = False


@dataclass(slots=True)
class _State:
    sessions: dict[str, Session] = field(default_factory=dict)
    tries: dict[str, _Tries] = field(default_factory=dict)
    links: dict[str, _Link] = field(default_factory=dict)


class UserUseCases:
    """What can be asked of and done to users and sessions."""

    def __init__(
        self, gateway: Gateway, random_token: Callable[[], str] = lambda: secrets.token_urlsafe(32)
    ) -> None:
        self._gateway = gateway
        self._token = random_token
        self._state = _State()
        self._restored = False

    # ---------------------------------------------------------------- users

    async def listed(self) -> list[Json]:
        """Return all users, without their passwords."""
        return [_user_json(name, data) for name, data in sorted((await self._gateway.stored(USER)).items())]

    async def any(self) -> bool:
        """Tell whether anybody can sign in yet."""
        return bool(await self._gateway.stored(USER))

    async def create(self, name: str, role: str, password: str, who: str, *, dry_run: bool) -> Json:
        """Make a user; without a password only a one-time link lets them in."""
        if _NAME.fullmatch(name) is None:
            raise Invalid(
                tr('"{name}" is no name of a user: letters, digits, dots, dashes and @, at most 64.'),
                name=name,
            )
        if name in await self._gateway.stored(USER):
            raise Conflict(tr('A user "{name}" exists already.'), name=name)
        data: dict[str, object] = {"role": _role(role), "created_at": self._gateway.now(), "created_by": who}
        if password:
            data["hash"] = await self._hash(password)
        if not dry_run:
            await self._gateway.put_stored(USER, name, data, who)
        return {"dry_run": dry_run, **_user_json(name, data)}

    async def change(
        self, name: str, who: str, *, role: str = "", password: str = "", dry_run: bool = False
    ) -> Json:
        """Give a user another role or password; their sessions end."""
        data = dict(await self._find(name))
        if role:
            await self._keep_an_administrator(name, _role(role))
            data["role"] = _role(role)
        if password:
            data["hash"] = await self._hash(password)
        if not dry_run:
            await self._gateway.put_stored(USER, name, data, who)
            self.sign_out_everywhere(name)
        return {"dry_run": dry_run, **_user_json(name, data)}

    async def delete(self, name: str, who: str, *, dry_run: bool) -> Json:
        """Delete a user; their sessions end."""
        data = await self._find(name)
        await self._keep_an_administrator(name, "")
        if not dry_run:
            await self._gateway.put_stored(USER, name, None, who)
            self.sign_out_everywhere(name)
        return {"dry_run": dry_run, "deleted": 1, **_user_json(name, data)}

    async def _keep_an_administrator(self, name: str, role: str) -> None:
        users = await self._gateway.stored(USER)
        others = [n for n, d in users.items() if d.get("role") == "administrator" and n != name]
        if not others and role != "administrator" and users[name].get("role") == "administrator":
            raise Conflict(tr("This is the last administrator: make another one first."))

    async def _find(self, name: str) -> Mapping[str, object]:
        data = (await self._gateway.stored(USER)).get(name)
        if data is None:
            raise NotFound(tr("There is no user {name}."), name=name)
        return data

    async def _hash(self, password: str) -> str:
        if len(password) < LEAST_PASSWORD:
            raise Invalid(tr("A password has {n} characters at least."), n=LEAST_PASSWORD)
        return await asyncio.to_thread(self._gateway.hash_password, password)

    # ---------------------------------------------------------------- one-time links

    async def link(self, name: str) -> Json:
        """Return a one-time link that signs a user in within a quarter of an hour."""
        data = await self._find(name)
        return self._link(_Link(name, str(data.get("role")), self._gateway.now() + LINK_LIFE))

    def setup_link(self) -> Json:
        """Return the one-time link of the first start, which leads to making the first administrator."""
        return self._link(_Link("setup", "administrator", self._gateway.now() + 24 * 3_600_000, setup=True))

    def _link(self, link: _Link) -> Json:
        now = self._gateway.now()
        self._state.links = {k: v for k, v in self._state.links.items() if v.until > now}
        token = self._token()
        self._state.links[hashed(token)] = link
        base = self._gateway.settings.admin_url.rstrip("/")
        return {"url": f"{base}/sign-in?once={token}", "expires_at": when(link.until)}

    def use_link(self, token: str, address: str, agent: str) -> tuple[str, Session]:
        """Sign in by a one-time link; raise `Unauthorized` where it is none, used, or too old."""
        link = self._state.links.pop(hashed(token), None)
        if link is None or link.until <= self._gateway.now():
            raise Unauthorized(tr("This link was used already or is too old: ask for a new one."))
        return self._open(link.user, link.role, address, agent)

    # ---------------------------------------------------------------- sessions

    async def sign_in(self, name: str, password: str, address: str, agent: str) -> tuple[str, Session]:
        """Sign in by password; return the cookie's value and the session."""
        now = self._gateway.now()
        for key in (f"user/{name}", f"address/{address}"):
            tries = self._state.tries.get(key)
            if tries is not None and tries.until > now:
                seconds = (tries.until - now) // 1000 + 1
                raise TooMany(tr("Too many failures: wait {seconds} seconds."), seconds)
        data = (await self._gateway.stored(USER)).get(name, {})
        good = await asyncio.to_thread(_verify, str(data.get("hash") or _NOBODY), password)
        if not good or not data.get("hash"):
            self._failed(name, address, now)
            raise Unauthorized(tr("Name or password is wrong."))
        self._state.tries.pop(f"user/{name}", None)
        return self._open(name, str(data["role"]), address, agent)

    def _failed(self, name: str, address: str, now: int) -> None:
        if len(self._state.tries) > 10_000:
            self._state.tries.clear()
        for key in (f"user/{name}", f"address/{address}"):
            tries = self._state.tries.setdefault(key, _Tries())
            tries.failures += 1
            if tries.failures >= FREE_TRIES:
                tries.until = now + min(LONGEST_WAIT, 1000 << min(12, tries.failures - FREE_TRIES))

    def _open(self, user: str, role: str, address: str, agent: str) -> tuple[str, Session]:
        now = self._gateway.now()
        life = self._gateway.settings.admin.session_expiry * 1000
        if len(self._state.sessions) >= MAX_SESSIONS:
            self._state.sessions.clear()
        token = self._token()
        session = Session(
            hashed(token), user, role, self._token(), now, now + life, now, address[:64], agent[:200]
        )
        self._state.sessions[session.key] = session
        self._keep(session)
        return token, session

    def _keep(self, session: Session, *, gone: bool = False) -> None:
        data = None if gone else {slot: getattr(session, slot) for slot in Session.__slots__}
        document = Document(SESSION, session.key, session.created_at, data)
        self._gateway.write(Change(documents=(document,)))

    async def session(self, token: str) -> Session | None:
        """Return the session of a cookie; None where there is none, or it is over."""
        await self._restore()
        session = self._state.sessions.get(hashed(token)) if token else None
        now = self._gateway.now()
        if session is None:
            return None
        if session.expires_at <= now:
            self.sign_out(session)
            return None
        session.seen_at = now
        return session

    async def _restore(self) -> None:
        if self._restored:
            return
        self._restored = True
        for document in await self._gateway.store.documents(SESSION, limit=MAX_SESSIONS):
            data = dict(document.data or {})
            if data.get("role") in ROLES:
                session = Session(**data)  # type: ignore[arg-type]
                self._state.sessions.setdefault(session.key, session)

    def check_csrf(self, session: Session, given: str) -> None:
        """Raise `Forbidden` where a changing request does not carry the session's own word."""
        if not hmac.compare_digest(session.csrf, given):
            raise Forbidden(tr("This form is too old: load the page again."))

    def sessions_of(self, user: str = "") -> list[Json]:
        """Return who is signed in, the latest first."""
        found = [s for s in self._state.sessions.values() if user in ("", s.user)]
        found.sort(key=lambda s: -s.seen_at)
        return [
            {
                "id": s.key[:12],
                "user": s.user,
                "role": s.role,
                "since": when(s.created_at),
                "seen_at": when(s.seen_at),
                "expires_at": when(s.expires_at),
                "address": s.address,
                "agent": s.agent,
            }
            for s in found
        ]

    def sign_out(self, session: Session) -> None:
        """End a session."""
        self._state.sessions.pop(session.key, None)
        self._keep(session, gone=True)

    def sign_out_everywhere(self, user: str) -> int:
        """End all sessions of a user."""
        mine = [s for s in self._state.sessions.values() if s.user == user]
        for session in mine:
            self.sign_out(session)
        return len(mine)

    def revoke(self, number: str) -> Json:
        """End a session by the id that `sessions_of` shows."""
        found = [s for s in self._state.sessions.values() if number and s.key.startswith(number)]
        if len(found) != 1:
            raise NotFound(tr("There is no session {id}."), id=number)
        self.sign_out(found[0])
        return {"ended": 1}


def _verify(kept: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(kept, password)
    except Argon2Error:
        return False


def _role(role: str) -> str:
    if role not in ROLES:
        raise Invalid(tr('"{role}" is no role: use one of {roles}.'), role=role, roles=", ".join(ROLES))
    return role


def _user_json(name: str, data: Mapping[str, object]) -> Json:
    created = data.get("created_at")
    return {
        "name": name,
        "role": data.get("role"),
        "scope": ROLES.get(str(data.get("role")), SCOPES[0]),
        "password": bool(data.get("hash")),
        "created_at": when(created if isinstance(created, int) else 0),
        "created_by": data.get("created_by"),
    }
