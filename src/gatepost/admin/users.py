"""People who sign in: names, roles, argon2 passwords, second factors, one-time links.

Rule 1: whoever guesses waits: after some failures of a name or an address, longer each time; an unknown name takes
as long as a wrong password.
Rule 2: who has a second factor needs it for every way in; a code works once.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from gatepost.admin import totp
from gatepost.admin.answers.system import SCOPES, LinkJson, UserChanged, UserDeleted, UserJson
from gatepost.admin.auth import hashed
from gatepost.admin.errors import Conflict, Invalid, NotFound, SecondFactor, TooMany, Unauthorized, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.sessions import ROLES, Session, Sessions
from gatepost.admin.shapes import Json, when
from gatepost.admin.throttle import Throttle
from gatepost.admin.used_codes import UsedCodes

__all__ = ["ROLES", "Session", "UserUseCases"]

USER = "user"
LEAST_PASSWORD = 10
LINK_LIFE = 15 * 60_000
TICKET_LIFE = 5 * 60_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# what an unknown name is compared with, so that it takes as long
_NOBODY = PasswordHasher().hash(secrets.token_urlsafe(16))


@dataclass(slots=True)
class _Link:
    """What a one-time link or a ticket to the second factor stands for."""

    user: str
    until: int  # ms
    setup: bool = False


class UserUseCases(Sessions):
    """What can be asked of and done to users."""

    def __init__(
        self, gateway: Gateway, random_token: Callable[[], str] = lambda: secrets.token_urlsafe(32)
    ) -> None:
        super().__init__(gateway, random_token)
        self._throttle = Throttle()
        self._links: dict[str, _Link] = {}
        self._tickets: dict[str, _Link] = {}
        self._drafts: dict[str, str] = {}  # secrets that nobody has confirmed yet
        self._used = UsedCodes(gateway)

    # ---------------------------------------------------------------- users

    async def listed(self) -> list[UserJson]:
        """Return all users, without their passwords."""
        return [_user_json(name, data) for name, data in sorted((await self._gateway.stored(USER)).items())]

    async def any(self) -> bool:
        """Tell whether anybody can sign in yet."""
        return bool(await self._gateway.stored(USER))

    async def create(self, name: str, role: str, password: str, who: str, *, dry_run: bool) -> UserChanged:
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
    ) -> UserChanged:
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

    async def delete(self, name: str, who: str, *, dry_run: bool) -> UserDeleted:
        """Delete a user; their sessions end."""
        data = await self._find(name)
        await self._keep_an_administrator(name, "")
        if not dry_run:
            await self._gateway.put_stored(USER, name, None, who)
            self._used.forget(name)
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

    async def link(self, name: str) -> LinkJson:
        """Return a one-time link that signs a user in within a quarter of an hour."""
        await self._find(name)
        return self._link(_Link(name, self._gateway.now() + LINK_LIFE))

    def setup_link(self) -> LinkJson:
        """Return the one-time link of the first start, which leads to making the first administrator."""
        return self._link(_Link("setup", self._gateway.now() + 24 * 3_600_000, setup=True))

    def _link(self, link: _Link) -> LinkJson:
        base = self._gateway.settings.admin_url.rstrip("/")
        return {
            "url": f"{base}/sign-in?once={self._ticket(self._links, link)}",
            "expires_at": when(link.until),
        }

    def _ticket(self, kept: dict[str, _Link], link: _Link) -> str:
        now = self._gateway.now()
        for key in [key for key, old in kept.items() if old.until <= now]:
            del kept[key]
        token = self._token()
        kept[hashed(token)] = link
        return token

    async def use_link(self, token: str, address: str, agent: str) -> tuple[str, Session]:
        """Sign in by a one-time link; raise `Unauthorized` where it is none, used, or too old."""
        link = self._links.pop(hashed(token), None)
        if link is None or link.until <= self._gateway.now():
            raise Unauthorized(tr("This link was used already or is too old: ask for a new one."))
        if link.setup:
            return self._open(link.user, "administrator", address, agent)
        return self._enter(link.user, await self._find(link.user), address, agent)

    # ---------------------------------------------------------------- signing in

    async def sign_in(self, name: str, password: str, address: str, agent: str) -> tuple[str, Session]:
        """Sign in by password; return the cookie's value and the session; raise `SecondFactor` where one is needed."""
        keys = self._guess(name, address)
        data = (await self._gateway.stored(USER)).get(name, {})
        good = await asyncio.to_thread(_verify, str(data.get("hash") or _NOBODY), password)
        if not good or not data.get("hash"):
            self._gateway.guessed(name, address, waited=False)
            raise Unauthorized(tr("Name or password is wrong."))
        self._throttle.succeeded(*keys)
        return self._enter(name, data, address, agent)

    async def sign_in_by_provider(
        self, name: str, role: str, address: str, agent: str
    ) -> tuple[str, Session]:
        """Sign in whom the provider vouches for; a user of that name here decides the role, and a second factor."""
        data = (await self._gateway.stored(USER)).get(name)
        if data is not None:
            return self._enter(name, data, address, agent)
        if role not in ROLES:
            raise Unauthorized(tr("{name} has no role here: ask an administrator."), name=name)
        return self._open(name, role, address, agent)

    def _guess(self, name: str, address: str) -> tuple[str, str]:
        """Count a guess; raise `TooMany` where another one must wait."""
        keys, now = (f"user/{name}", f"address/{address}"), self._gateway.now()
        seconds = self._throttle.wait(keys, now)
        if seconds:
            self._gateway.guessed(name, address, waited=True)
            raise TooMany(tr("Too many failures: wait {seconds} seconds."), seconds)
        self._throttle.failed(keys, now)
        return keys

    def _enter(self, name: str, data: Mapping[str, object], address: str, agent: str) -> tuple[str, Session]:
        if data.get("totp"):
            raise SecondFactor(self._ticket(self._tickets, _Link(name, self._gateway.now() + TICKET_LIFE)))
        return self._open(name, str(data["role"]), address, agent)

    async def second_factor(self, ticket: str, code: str, address: str, agent: str) -> tuple[str, Session]:
        """Go on with a code of the app, or a recovery code; raise `SecondFactor` again where it is wrong."""
        link = self._tickets.get(hashed(ticket))
        if link is None or link.until <= self._gateway.now():
            raise Unauthorized(tr("This took too long: sign in again."))
        keys = self._guess(link.user, address)
        data = await self._find(link.user)
        if not await self._good_code(link.user, data, code):
            self._gateway.guessed(link.user, address, waited=False)
            raise SecondFactor(ticket, tr("This code is wrong, or was used already."))
        self._throttle.succeeded(*keys)
        self._tickets.pop(hashed(ticket), None)
        return self._open(link.user, str(data["role"]), address, agent)

    # ---------------------------------------------------------------- second factors

    async def has_second_factor(self, name: str) -> bool:
        """Tell whether a user has one."""
        return bool((await self._gateway.stored(USER)).get(name, {}).get("totp"))

    async def begin_second_factor(self, name: str) -> Json:
        """Return a new secret for an app; it is in force once a code of it was given."""
        await self._find(name)
        secret = self._drafts.setdefault(name, totp.secret_of(secrets.token_bytes(totp.SECRET_OCTETS)))
        return {"secret": secret, "address": totp.address_of(secret, name, "Gatepost")}

    async def confirm_second_factor(self, name: str, code: str) -> list[str]:
        """Put the secret in force; return the recovery codes, which are seen this once."""
        data, secret = await self._find(name), self._drafts.get(name)
        step = totp.step_of(secret, code, self._gateway.now(), 0) if secret else None
        if secret is None or step is None:
            raise Invalid(tr("This code is wrong: is the clock of your phone right?"))
        codes = [totp.recovery_code(secrets.token_bytes(10)) for _ in range(totp.RECOVERY_CODES)]
        kept = {"totp": self._gateway.seal(secret), "recovery": [hashed(totp.plain(one)) for one in codes]}
        await self._gateway.put_stored(USER, name, {**data, **kept}, name)
        del self._drafts[name]
        self._used.note(name, step)
        return codes

    async def reset_second_factor(self, name: str, who: str, *, dry_run: bool = False) -> UserChanged:
        """Take a user's second factor away."""
        data = await self._find(name)
        if not data.get("totp"):
            raise NotFound(tr("{name} has no second factor."), name=name)
        left = {key: value for key, value in data.items() if key not in ("totp", "recovery")}
        if not dry_run:
            await self._gateway.put_stored(USER, name, left, who)
            self._used.forget(name)
        return {"dry_run": dry_run, **_user_json(name, left)}

    async def remove_second_factor(self, name: str, code: str, address: str) -> UserChanged:
        """Let a user take their own second factor away, with a code of it."""
        keys = self._guess(name, address)
        if not await self._good_code(name, await self._find(name), code):
            raise Invalid(tr("This code is wrong, or was used already."))
        self._throttle.succeeded(*keys)
        return await self.reset_second_factor(name, name)

    async def _good_code(self, name: str, data: Mapping[str, object], code: str) -> bool:
        """Tell whether a code is right; it does not work a second time."""
        secret = self._gateway.unseal(str(data.get("totp", "")))
        step = totp.step_of(secret, code, self._gateway.now(), await self._used.last(name))
        if step is not None:
            self._used.note(name, step)
            return True
        kept, used = data.get("recovery"), hashed(totp.plain(code))
        if not isinstance(kept, list) or used not in kept:
            return False
        left = [one for one in kept if one != used]
        await self._gateway.put_stored(USER, name, {**data, "recovery": left}, name)
        return True

    async def change_own_password(self, name: str, old: str, new: str, address: str) -> UserChanged:
        """Change one's own password, with the old one; all sessions of the user end."""
        keys, data = self._guess(name, address), await self._find(name)
        kept = str(data.get("hash") or "")
        if kept and not await asyncio.to_thread(_verify, kept, old):
            raise Invalid(tr("The old password is wrong."))
        self._throttle.succeeded(*keys)
        return await self.change(name, name, password=new)


def _verify(kept: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(kept, password)
    except Argon2Error:
        return False


def _role(role: str) -> str:
    if role not in ROLES:
        raise Invalid(tr('"{role}" is no role: use one of {roles}.'), role=role, roles=", ".join(ROLES))
    return role


def _user_json(name: str, data: Mapping[str, object]) -> UserJson:
    created = data.get("created_at")
    return {
        "name": name,
        "role": str(data.get("role")),
        "scope": ROLES.get(str(data.get("role")), SCOPES[0]),
        "password": bool(data.get("hash")),
        "second_factor": bool(data.get("totp")),
        "created_at": when(created if isinstance(created, int) else 0),
        "created_by": str(data.get("created_by") or ""),
    }
