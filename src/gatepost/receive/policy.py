"""Who may hand over mail, and for whom: decisions from facts, before anything is accepted (pure).

Rule 1: whoever is no source, or a source without `may_relay`, sends to our domains only (550 5.7.64).
Rule 2: where sources are defined they are all who may send; where none is, anybody may send to our domains.
Rule 3: a local part is never interpreted; what looks like a route in it (`%`, `!`, `@`) is refused from
        whoever may not relay, since the next server might interpret it (RFC 5321 appendix F.2, RFC 2505).
Rule 4: an unknown recipient of an authoritative domain is refused here, so that no report is ever due for it.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gatepost.model.objects import Source
from gatepost.model.route import Route

ROUTING = frozenset("%!@")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reply that a sender or recipient is refused with."""

    code: int
    enhanced: str
    text: str
    unknown: bool = False  # the recipient does not exist: it counts towards the quota


@dataclass(frozen=True, slots=True)
class Accepted:
    """The recipient is taken, and goes this way."""

    route: Route


class Routing(Protocol):
    """What is asked of the routing stage."""

    def route(self, address: str) -> Route:
        """Return where mail for an address goes."""
        ...

    def standing(self, address: str) -> str:
        """Return `known`, `unknown`, `relayed` or `foreign`."""
        ...


class SourceIndex:
    """The sources of one revision of the objects, ready to be asked for every connection."""

    def __init__(self, sources: Iterable[Source]) -> None:
        listed = sorted(sources, key=lambda source: source.name)
        enabled = [source for source in listed if source.enabled]
        self.strangers = not listed  # rule 2
        self._logins: dict[str, Source] = {}
        self._certificates: dict[str, Source] = {}
        for source in enabled:
            for user, _ in source.logins:
                self._logins.setdefault(user, source)
            for name in source.certificate_names:
                self._certificates.setdefault(name, source)
        networks = [(ipaddress.ip_network(text), source) for source in enabled for text in source.networks]
        # the longest prefix first; the sort is stable, so the first by name wins a tie
        self._networks: list[tuple[Network, Source]] = sorted(networks, key=lambda entry: -entry[0].prefixlen)

    def login(self, user: str) -> Source | None:
        """Return the source of a user who has logged in."""
        return self._logins.get(user)

    def certificate(self, names: Iterable[str]) -> Source | None:
        """Return the source of a verified client certificate; exact names go before wildcards (RFC 9525)."""
        lower = [name.lower() for name in names]
        for name in lower:
            if name in self._certificates:
                return self._certificates[name]
        for name in lower:
            wildcard = f"*.{name.partition('.')[2]}"
            if wildcard in self._certificates:
                return self._certificates[wildcard]
        return None

    def network(self, address: str) -> Source | None:
        """Return the source with the most specific network around an address."""
        try:
            client: Address = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return None
        if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
            client = client.ipv4_mapped  # an IPv4 client of a listener for both
        for network, source in self._networks:
            if client in network:
                return source
        return None


def decide_source(
    index: SourceIndex, address: str, *, tls: bool, certificate_names: tuple[str, ...] = (), login: str = ""
) -> Source | None:
    """Return the source that a client is, None for a stranger: by login, else certificate, else network.

    Whoever proves more is taken for that; without TLS neither a login nor a certificate proves anything.
    """
    found = index.login(login) if login and tls else None
    if found is None and certificate_names and tls:
        found = index.certificate(certificate_names)
    return found or index.network(address)


def decide_sender(source: Source | None, sender: str, *, tls: bool = True) -> Refusal | None:
    """Return why a sender is refused, None where it is not; the null sender may (RFC 5321 section 4.5.5)."""
    if source is not None and source.require_tls and not tls:
        return Refusal(530, "5.7.0", "Must issue a STARTTLS command first")  # RFC 3207 section 4
    if sender and not _has_domain(sender):
        return Refusal(553, "5.1.7", "The sender's address needs a domain, so that reports find the way back")
    return None


def decide_recipient(
    router: Routing, source: Source | None, address: str, *, strangers: bool = True, postmaster: str = ""
) -> Accepted | Refusal:
    """Return whether a recipient is taken, and its route or the reply that says no.

    `strangers` is `SourceIndex.strangers`; `postmaster` stands for the bare word (RFC 5321 section 4.5.1).
    """
    if address.lower() == "postmaster":
        return _for_postmaster(router, postmaster)
    local, _, domain = address.rpartition("@")
    may_relay = source is not None and source.may_relay
    standing = router.standing(address)
    if standing == "foreign" and not may_relay:
        return Refusal(550, "5.7.64", "Relay access denied: the recipient's domain is not one of ours")
    if source is None and not strangers:
        return Refusal(550, "5.7.1", "Access denied: your address, certificate or login belongs to no source")
    if not _has_domain(address) or domain.startswith("["):
        return Refusal(553, "5.1.3", "The recipient's address needs the name of a mail domain")
    if standing == "unknown":
        return Refusal(
            550, "5.1.10", "Recipient not found: the domain does not know this address", unknown=True
        )
    if standing != "known" and not may_relay and not ROUTING.isdisjoint(local):
        return Refusal(550, "5.7.64", "Relay access denied: the address carries a route of its own")
    return Accepted(router.route(address))


def _for_postmaster(router: Routing, postmaster: str) -> Accepted | Refusal:
    """Take mail for the postmaster of this gateway from anybody, where there is one."""
    if not postmaster or router.standing(postmaster) == "foreign":
        return Refusal(550, "5.1.10", "Recipient not found: write postmaster@ and one of our domains")
    return Accepted(router.route(postmaster))


def _has_domain(address: str) -> bool:
    """Tell whether an address has both its parts, and no dot at the end of its domain."""
    local, at, domain = address.rpartition("@")
    return bool(at and local and domain) and not domain.endswith(".")
