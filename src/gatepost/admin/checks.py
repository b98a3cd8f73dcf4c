"""Checks as people and programs ask for them: a connector, a draft of one, a bare host, the way of an address (B9)."""

import ipaddress
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from gatepost.admin.answers.checks import CheckJson, CheckStep, ValidationJson
from gatepost.admin.auth import Caller
from gatepost.admin.check_words import CheckWords
from gatepost.admin.errors import Forbidden, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.config.objects import BadObjects, from_dict
from gatepost.flow.checking import Allowed, CheckRequest, NotAllowed, Outcome
from gatepost.flow.probe_records import probe_json, stage_json
from gatepost.model.objects import Connector
from gatepost.net.webhook import internal
from gatepost.smtp.address import BadAddress, domain_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be checked: one of connector, draft, smart_host, recipient; a recipient goes with each of them."""

    connector: str = ""
    draft: Mapping[str, object] | None = None
    smart_host: str = ""
    tls: str = ""
    tls_domain: str = ""
    recipient: str = ""
    auth: bool = True


class CheckUseCases:
    """What can be checked."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def check(self, caller: Caller, wanted: Wanted, lang: str) -> CheckJson:
        """Check, and return every stage with what it means."""
        found: CheckStep = {}
        async for one in self.stream(caller, wanted, lang):
            found = one
        return found["result"]

    async def stream(self, caller: Caller, wanted: Wanted, lang: str) -> AsyncGenerator[CheckStep, None]:
        """Yield `{"stage": ...}` for each stage as it ends, and `{"result": ...}` last.

        Raises before the first one where the check is not possible or not allowed.
        """
        request = self.request(caller, wanted)
        words = CheckWords(lang)
        stages = self._gateway.checking.stream(request)
        try:
            async for one in stages:
                if isinstance(one, Outcome):
                    yield {"result": words.with_words(probe_json(one.result), request.connector.to)}
                else:
                    yield {"stage": words.stage(stage_json(one))}
        except NotAllowed as problem:
            raise out_of_bounds(problem) from None
        finally:
            await stages.aclose()

    def request(self, caller: Caller, wanted: Wanted) -> CheckRequest:
        """Return what to do for a caller; raises where it makes no sense."""
        recipient = wanted.recipient
        if recipient and not is_address(recipient):
            raise Invalid(tr('"{address}" is no address: write ann@contoso.example.'), address=recipient)
        if wanted.connector:
            found = self._connector(wanted.connector)
            guard = self.guard(caller) if found.use_mx else None
            return CheckRequest(found, recipient=recipient, saved=True, auth=wanted.auth, allowed=guard)
        guard = self.guard(caller)
        if wanted.draft is not None:
            made = draft({"domains": ["*"], **wanted.draft, "name": str(wanted.draft.get("name") or "draft")})
        elif wanted.smart_host:
            made = bare_host(wanted)
        elif recipient:
            return self._way_of(recipient, guard)
        else:
            raise Invalid(tr("Name a connector, a smart host or a recipient to check."))
        return CheckRequest(made, recipient=recipient, auth=wanted.auth, allowed=guard)

    async def validate(
        self, caller: Caller, name: str, recipients: Sequence[str], *, message: bool
    ) -> ValidationJson:
        """Check a connector with test recipients, with `message` send each a test message; keep the result."""
        if not recipients:
            raise Invalid(tr("Name at least one recipient whose mailbox is behind the connector."))
        requests = [
            replace(self.request(caller, Wanted(connector=name, recipient=recipient)), why="validate")
            for recipient in dict.fromkeys(recipients)
        ]
        for request in requests:
            route = self._gateway.route(request.recipient)
            if request.connector.enabled and route.destination.connector != name:
                raise Invalid(
                    tr("Mail for {address} does not leave by the connector {name}: {why}."),
                    address=request.recipient, name=name, why=route.why,
                )  # fmt: skip
        found = await self._gateway.validating.validate(requests, caller.name, message=message)
        return cast("ValidationJson", found)

    async def validations(self, name: str = "") -> list[ValidationJson]:
        """Return the latest validations of a connector, or of all, newest first."""
        if name:
            self._connector(name)
        found = await self._gateway.validating.kept(name)
        return [cast("ValidationJson", dict(one)) for one in found]

    def _connector(self, name: str) -> Connector:
        found = next((c for c in self._gateway.objects.connectors if c.name == name), None)
        if found is None:
            raise NotFound(tr("There is no connector {name}."), name=name)
        return found

    def _way_of(self, recipient: str, guard: Allowed | None) -> CheckRequest:
        route = self._gateway.route(recipient)
        key = route.destination
        if key.kind in ("mailbox", "none"):
            raise Invalid(
                tr("Mail for {address} leaves through no server: {why}."), address=recipient, why=route.why
            )
        found = next((c for c in self._gateway.objects.connectors if c.name == key.connector), None)
        made = found or Connector("", use_mx=True)
        return CheckRequest(
            made, recipient=recipient, saved=found is not None, next_hop=key.next_hop,
            allowed=guard if made.use_mx else None,
        )  # fmt: skip

    def guard(self, caller: Caller) -> Allowed | None:
        """Return what may be connected to; a check by who may not change connectors is no port scanner."""
        if caller.scope == "admin":
            return None
        admin = self._gateway.settings.admin
        networks = [ipaddress.ip_network(text) for text in admin.probe_networks]

        def allowed(address: str, port: int) -> bool:
            parsed = ipaddress.ip_address(address.partition("%")[0])
            if port == admin.listen.port and address in (admin.listen.host, "127.0.0.1", "::1"):
                return False
            return not internal(address) or any(parsed in network for network in networks)

        return allowed

    async def kept(self, connector: str, destination: str, lang: str) -> list[CheckJson]:
        """Return the latest checks of a connector, or of one of its destinations, newest first."""
        found = self._connector(connector) if connector else None
        if destination.lstrip("-").isdigit():
            keys = [int(destination)]
        elif found is not None:
            keys = self._keys(found)
        else:
            raise Invalid(tr("Name a connector or a destination."))
        words, to = CheckWords(lang), found.to if found is not None else ""
        rows = [dict(row) for key in keys for row in await self._gateway.checking.kept(key)]
        rows.sort(key=lambda row: str(row["at"]), reverse=True)
        return [words.with_words(row, to) for row in rows[:KEPT]]

    def _keys(self, connector: Connector) -> list[int]:
        """Return the destinations of a connector: one with smart hosts, else one for each domain that is known."""
        known = [id_ for id_, state in self._gateway.live().items() if state.connector == connector.name]
        return list(dict.fromkeys([CheckRequest(connector).key.id, *known]))


KEPT = 50


def draft(data: Mapping[str, object]) -> Connector:
    """Return a connector that is not saved; raises `Invalid`."""
    try:
        made = from_dict("connector", data)
    except BadObjects as problem:
        raise Invalid(str(problem.problems[0]), problem.problems) from None
    assert isinstance(made, Connector)
    return made


def bare_host(wanted: Wanted) -> Connector:
    """Return a connector to one host."""
    fields: dict[str, object] = {"name": "draft", "domains": ["*"], "smart_hosts": [wanted.smart_host]}
    return draft({**fields, "tls": wanted.tls or "opportunistic", "tls_domain": wanted.tls_domain})


def is_address(text: str) -> bool:
    """Tell whether a text is a mail address with a domain."""
    try:
        return bool(domain_of(text))
    except BadAddress:
        return False


def out_of_bounds(problem: NotAllowed) -> Forbidden:
    """Return the refusal of a check that would look inside without leave."""
    return Forbidden(
        tr(
            "Only an administrator may check {address}: it is an internal address, and the setting "
            "admin.probe_networks does not name it."
        ),
        address=problem.address,
    )
