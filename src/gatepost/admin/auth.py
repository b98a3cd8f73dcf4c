"""Who is asking, and may they: tokens of programs, hashed at rest, with a scope and an end."""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from gatepost.admin.answers.system import SCOPES, TokenDeleted, TokenJson, TokenMade
from gatepost.admin.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.queue import moment
from gatepost.admin.shapes import when

PREFIX = "gp_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks: how the audit names them, and the most that they may do."""

    name: str
    scope: str

    def need(self, scope: str) -> None:
        """Raise `Forbidden` where the caller may not do something of that scope."""
        if SCOPES.index(self.scope) < SCOPES.index(scope):
            raise Forbidden(
                tr('This needs a token with the scope "{need}"; yours has "{has}".'),
                need=scope,
                has=self.scope,
            )


def hashed(token: str) -> str:
    """Return what is kept of a token: 256 random bits need no slow hash."""
    return sha256(token.encode()).hexdigest()


class TokenUseCases:
    """What can be asked of and done to tokens."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def caller(self, authorization: str) -> Caller:
        """Return who sends this Authorization header (RFC 6750); raise `Unauthorized`."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.startswith(PREFIX):
            raise Unauthorized(
                tr("A token is needed: send Authorization: Bearer gp_..., made by gatepost token create.")
            )
        wanted = hashed(token.strip())
        for name, data in (await self._gateway.tokens()).items():
            if hmac.compare_digest(str(data.get("hash", "")), wanted):
                return self._valid(name, data)
        raise Unauthorized(tr("This token is not known: make one with gatepost token create."))

    def _valid(self, name: str, data: Mapping[str, object]) -> Caller:
        ends = _number(data.get("expires_at"))
        if ends and ends <= self._gateway.now():
            raise Unauthorized(
                tr("The token {name} has expired: make one with gatepost token create."), name=name
            )
        scope = str(data.get("scope"))
        if scope not in SCOPES:
            raise Unauthorized(tr("This token is not known: make one with gatepost token create."))
        return Caller(f"token {name}", scope)

    async def listed(self) -> list[TokenJson]:
        """Return all tokens, without what they are."""
        return [_token_json(name, data) for name, data in sorted((await self._gateway.tokens()).items())]

    async def create(self, name: str, scope: str, expires: str, who: str, *, dry_run: bool) -> TokenMade:
        """Make a token; `token` of the answer is the only time that it is seen."""
        if _NAME.fullmatch(name) is None:
            raise Invalid(
                tr('"{name}" is no name of a token: letters, digits, dots and dashes, at most 64.'), name=name
            )
        if scope not in SCOPES:
            raise Invalid(
                tr('"{scope}" is no scope: use one of {scopes}.'), scope=scope, scopes=", ".join(SCOPES)
            )
        if name in await self._gateway.tokens():
            raise Conflict(tr('A token "{name}" exists already: delete it first.'), name=name)
        now = self._gateway.now()
        data: dict[str, object] = {
            "scope": scope,
            "created_at": now,
            "created_by": who,
            "expires_at": moment(expires, now),
        }
        if dry_run:
            return cast("TokenMade", {"dry_run": True, **_token_json(name, data)})
        token = PREFIX + secrets.token_urlsafe(32)
        await self._gateway.put_token(name, {**data, "hash": hashed(token)}, who)
        return {"dry_run": False, **_token_json(name, data), "token": token}

    async def delete(self, name: str, who: str, *, dry_run: bool) -> TokenDeleted:
        """Delete a token: from then on it opens nothing."""
        data = (await self._gateway.tokens()).get(name)
        if data is None:
            raise NotFound(tr("There is no token {name}."), name=name)
        if not dry_run:
            await self._gateway.put_token(name, None, who)
        return {"dry_run": dry_run, "deleted": 1, **_token_json(name, data)}


def _token_json(name: str, data: Mapping[str, object]) -> TokenJson:
    return {
        "name": name,
        "scope": str(data.get("scope")),
        "created_at": when(_number(data.get("created_at"))),
        "created_by": str(data.get("created_by") or ""),
        "expires_at": when(_number(data.get("expires_at"))),
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
