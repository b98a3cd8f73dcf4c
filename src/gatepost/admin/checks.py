"""Checks as people and programs ask for them: a connector, a draft of one, a bare host (B9)."""

import ipaddress
from collections.abc import Mapping

from gatepost.admin.auth import Caller
from gatepost.admin.errors import Forbidden, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import Json
from gatepost.config.objects import BadObjects, from_dict
from gatepost.flow.checking import CheckRequest
from gatepost.flow.probe_records import probe_json
from gatepost.model.objects import Connector
from gatepost.smtp.address import BadAddress, domain_of


class CheckUseCases:
    """What can be checked."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def check(
        self,
        caller: Caller,
        *,
        connector: str = "",
        draft: Mapping[str, object] | None = None,
        smart_host: str = "",
        tls: str = "",
        tls_domain: str = "",
        recipient: str = "",
    ) -> Json:
        """Check a saved connector, a draft, a bare host, or the way of an address; return every stage."""
        if recipient and not _is_address(recipient):
            raise Invalid(tr('"{address}" is no address: write ann@contoso.example.'), address=recipient)
        if connector:
            found = next((c for c in self._gateway.objects.connectors if c.name == connector), None)
            if found is None:
                raise NotFound(tr("There is no connector {name}."), name=connector)
            return await self._run(CheckRequest(found, recipient=recipient, saved=True))
        if draft is not None:
            made = self._draft({"domains": ["*"], **draft, "name": str(draft.get("name") or "draft")})
        elif smart_host:
            fields: dict[str, object] = {"name": "draft", "domains": ["*"], "smart_hosts": [smart_host]}
            made = self._draft({**fields, "tls": tls or "opportunistic", "tls_domain": tls_domain})
        elif recipient:
            return await self._way_of(recipient)
        else:
            raise Invalid(tr("Name a connector, a smart host or a recipient to check."))
        self._judge(caller, made)
        return await self._run(CheckRequest(made, recipient=recipient))

    async def _way_of(self, recipient: str) -> Json:
        key = self._gateway.route(recipient).destination
        found = next((c for c in self._gateway.objects.connectors if c.name == key.connector), None)
        if key.kind in ("mailbox", "none"):
            raise Invalid(tr("Mail for {address} leaves through no server: {why}."), address=recipient,
                          why=self._gateway.route(recipient).why)  # fmt: skip
        made = found or Connector("", use_mx=True)
        return await self._run(
            CheckRequest(made, recipient=recipient, saved=found is not None, next_hop=key.next_hop)
        )

    def _draft(self, data: Mapping[str, object]) -> Connector:
        try:
            made = from_dict("connector", data)
        except BadObjects as problem:
            raise Invalid(str(problem.problems[0]), problem.problems) from None
        assert isinstance(made, Connector)
        return made

    def _judge(self, caller: Caller, connector: Connector) -> None:
        """Refuse internal addresses to whoever may not change connectors anyway (a probe is no port scanner)."""
        if caller.scope == "admin":
            return
        for host in connector.smart_hosts:
            try:
                inside = not ipaddress.ip_address(host.host).is_global
            except ValueError:
                inside = True  # a name may lead anywhere
            if inside:
                raise Forbidden(tr("Only an administrator may check a host that is no saved connector's."))

    async def _run(self, request: CheckRequest) -> Json:
        return probe_json(await self._gateway.checking.check(request))

    async def kept(self, connector: str) -> list[Json]:
        """Return the latest checks of a connector with smart hosts, newest first."""
        found = next((c for c in self._gateway.objects.connectors if c.name == connector), None)
        if found is None:
            raise NotFound(tr("There is no connector {name}."), name=connector)
        key = self._gateway.checking.key(CheckRequest(found))
        return [dict(data) for data in await self._gateway.checking.kept(key.id)]


def _is_address(text: str) -> bool:
    try:
        return bool(domain_of(text))
    except BadAddress:
        return False
