"""Signing in by OpenID Connect: the code flow with PKCE, and the ID token checked before a word of it is believed.

Rule 1: a sign-in that comes back belongs to the browser that left: its state is in a cookie, and works once.
Rule 2: the provider says who somebody is; what they may do is ours: `admin.oidc.roles`, or a user of that name.
"""

import hashlib
import importlib.util
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from gatepost.admin.auth import hashed
from gatepost.admin.errors import Conflict, Unauthorized, Unavailable, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.sessions import ROLES

BACK = "/sign-in/provider/back"
LIFE = 600_000  # ms
MOST = 1000  # sign-ins under way
TIMEOUT = 10.0
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A browser that is at the provider now."""

    nonce: str
    verifier: str
    where: str
    until: int  # ms


class Provider:
    """The provider that `admin.oidc` names."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._leaving: dict[str, _Leaving] = {}

    async def begin(self, where: str) -> tuple[str, str]:
        """Return where to send a browser, and the state that its cookie keeps."""
        settings = self._settings()
        found = await self._discovered()
        now = self._gateway.now()
        self._leaving = {key: old for key, old in self._leaving.items() if old.until > now}
        while len(self._leaving) >= MOST:
            del self._leaving[next(iter(self._leaving))]
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        self._leaving[hashed(state)] = _Leaving(nonce, verifier, where, now + LIFE)
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": self._back,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{found['authorization_endpoint']}?{urlencode(query)}", state

    async def finish(self, known: str, state: str, code: str, error: str) -> tuple[str, str, str]:
        """Return name, role ("": none) and where to go on; raise where the provider or the browser is not right."""
        leaving = self._leaving.pop(hashed(state), None) if state and state == known else None
        if leaving is None or leaving.until <= self._gateway.now():
            raise Unauthorized(tr("This took too long: sign in again."))
        if error or not code:
            raise Unauthorized(tr("The provider said no: {error}."), error=error[:100] or "-")
        claims = await self._claims(code, leaving)
        settings = self._settings()
        name = claims.get(settings.name_claim)
        if not isinstance(name, str) or not name or len(name) > 64:
            raise Unauthorized(tr("The provider does not say {claim}."), claim=settings.name_claim)
        if settings.name_claim == "email" and claims.get("email_verified") is False:
            raise Unauthorized(tr("The provider has not verified {name}."), name=name)
        return (
            name,
            role_of(claims, settings.role_claim, dict(settings.roles), settings.default_role),
            leaving.where,
        )

    @property
    def _back(self) -> str:
        return self._gateway.settings.admin_url.rstrip("/") + BACK

    def _settings(self) -> Any:
        settings = self._gateway.settings.admin.oidc
        if not settings.issuer:
            raise Conflict(tr("No provider is set: see admin.oidc in the settings."))
        if importlib.util.find_spec("httpx") is None or importlib.util.find_spec("joserfc") is None:
            raise Conflict(tr('This needs more packages: pip install "gatepost[oidc]".'))
        return settings

    async def _discovered(self) -> Claims:
        issuer = self._settings().issuer
        found = await self._ask("GET", f"{issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != issuer:
            raise Unavailable(tr("The provider did not answer as it should: {error}."), error="issuer")
        return found

    async def _claims(self, code: str, leaving: _Leaving) -> Claims:
        """Exchange the code, check the ID token (OpenID Connect Core 3.1.3.7), and ask for what it leaves out."""
        settings, found = self._settings(), await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": leaving.verifier,
        }
        given = await self._ask(
            "POST", found["token_endpoint"], data=form, auth=(settings.client_id, settings.client_secret)
        )
        keys = await self._ask("GET", found["jwks_uri"])
        claims = _checked(
            str(given.get("id_token", "")), keys, str(found["issuer"]), settings.client_id, leaving.nonce
        )
        wanted = {settings.name_claim, settings.role_claim}
        if wanted <= claims.keys() or not found.get("userinfo_endpoint"):
            return claims
        head = {"Authorization": f"Bearer {given.get('access_token', '')}"}
        more = await self._ask("GET", found["userinfo_endpoint"], headers=head)
        return {**more, **claims} if more.get("sub") == claims.get("sub") else claims

    async def _ask(self, method: str, address: str, **more: Any) -> Claims:
        import httpx  # noqa: PLC0415 - an extra

        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client:
                answer = await client.request(method, address, **more)
                answer.raise_for_status()
                found = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
            text = type(problem).__name__
            raise Unavailable(tr("The provider did not answer as it should: {error}."), error=text) from None
        if not isinstance(found, dict):
            raise Unavailable(tr("The provider did not answer as it should: {error}."), error="JSON")
        return found


def _checked(token: str, keys: Claims, issuer: str, client: str, nonce: str) -> Claims:
    from joserfc import jwt  # noqa: PLC0415 - an extra
    from joserfc.errors import JoseError  # noqa: PLC0415 - an extra
    from joserfc.jwk import KeySet  # noqa: PLC0415 - an extra

    registry = jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client},
        nonce={"essential": True, "value": nonce},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        found = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        registry.validate(found.claims)
    except (JoseError, ValueError, KeyError) as problem:
        raise Unauthorized(
            tr("What the provider says cannot be believed: {error}."), error=type(problem).__name__
        ) from None
    return found.claims


def role_of(claims: Claims, claim: str, roles: Mapping[str, str], default: str) -> str:
    """Return the highest role that a claim gives, else the default; "" where there is none."""
    given = claims.get(claim)
    values = given if isinstance(given, list) else [given]
    ranks = list(ROLES)
    found = [roles[value] for value in values if isinstance(value, str) and value in roles]
    return max(found, key=ranks.index, default=default)
