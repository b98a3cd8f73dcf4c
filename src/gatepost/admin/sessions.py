"""Signed-in browsers: a random token in a cookie; the server keeps its hash, who it is and until when.

Rule: a session ends when it was not used for `admin.session_expiry`, when somebody ends it, and when its user changes.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from gatepost.admin.answers.alerts import EndedJson
from gatepost.admin.answers.system import SessionJson
from gatepost.admin.auth import Caller, hashed
from gatepost.admin.errors import Forbidden, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import when
from gatepost.model.document import Document
from gatepost.storage.interface import Change

SESSION = "session"
ROLES = {"viewer": "read", "operator": "operate", "administrator": "admin"}
MAX_SESSIONS = 10_000
NOTED_EVERY = 60_000  # ms: so often it is written down that a session was used


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


class Sessions:
    """What can be asked of and done to sessions."""

    def __init__(
        self, gateway: Gateway, random_token: Callable[[], str] = lambda: secrets.token_urlsafe(32)
    ) -> None:
        self._gateway = gateway
        self._token = random_token
        self._sessions: dict[str, Session] = {}
        self._restored = False

    def _open(self, user: str, role: str, address: str, agent: str) -> tuple[str, Session]:
        now = self._gateway.now()
        if len(self._sessions) >= MAX_SESSIONS:
            self.sign_out(min(self._sessions.values(), key=lambda session: session.seen_at))
        token = self._token()
        session = Session(
            hashed(token), user, role, self._token(), now, now + self._life, now, address[:64], agent[:200]
        )
        self._sessions[session.key] = session
        self._keep(session)
        return token, session

    @property
    def _life(self) -> int:
        return self._gateway.settings.admin.session_expiry * 1000

    def _keep(self, session: Session, *, gone: bool = False) -> None:
        data = None if gone else {slot: getattr(session, slot) for slot in Session.__slots__}
        document = Document(SESSION, session.key, session.created_at, data)
        self._gateway.write(Change(documents=(document,)))

    async def session(self, token: str) -> Session | None:
        """Return the session of a cookie; None where there is none, or it is over."""
        await self._restore()
        session = self._sessions.get(hashed(token)) if token else None
        now = self._gateway.now()
        if session is None:
            return None
        if session.expires_at <= now:
            self.sign_out(session)
            return None
        noted = session.expires_at - self._life
        session.seen_at, session.expires_at = now, now + self._life
        if now - noted > NOTED_EVERY:
            self._keep(session)
        return session

    async def _restore(self) -> None:
        if self._restored:
            return
        self._restored = True
        for document in await self._gateway.store.documents(SESSION, limit=MAX_SESSIONS):
            data = dict(document.data or {})
            if data.get("role") in ROLES:
                session = Session(**data)  # type: ignore[arg-type]
                self._sessions.setdefault(session.key, session)

    def check_csrf(self, session: Session, given: str) -> None:
        """Raise `Forbidden` where a changing request does not carry the session's own word."""
        if not hmac.compare_digest(session.csrf.encode(), given.encode()):
            raise Forbidden(tr("This form is too old: load the page again."))

    def sessions_of(self, user: str = "") -> list[SessionJson]:
        """Return who is signed in, the latest first."""
        found = [s for s in self._sessions.values() if user in ("", s.user)]
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
        self._sessions.pop(session.key, None)
        self._keep(session, gone=True)

    def sign_out_everywhere(self, user: str) -> int:
        """End all sessions of a user."""
        mine = [s for s in self._sessions.values() if s.user == user]
        for session in mine:
            self.sign_out(session)
        return len(mine)

    def revoke(self, number: str, user: str = "") -> EndedJson:
        """End a session by the id that `sessions_of` shows; with `user` only one of theirs."""
        mine = [s for s in self._sessions.values() if user in ("", s.user)]
        found = [s for s in mine if number and s.key.startswith(number)]
        if len(found) != 1:
            raise NotFound(tr("There is no session {id}."), id=number)
        self.sign_out(found[0])
        return {"ended": 1}
