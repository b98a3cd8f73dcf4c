"""Which way a recipient's mail goes: the most specific match wins, and every loser knows why it lost.

Rule 1: exact domain > longest wildcard > all accepted domains > `*` > no connector (MX of the domain itself).
Rule 2: of two enabled connectors with one pattern the first by name wins, so that the answer never varies.
Rule 3: a recipient that our mailbox store knows goes there; others of a domain of ours leave through a
        connector or not at all: the MX of a domain of ours are likely ourselves.
Rule 4: a local part is never interpreted, not even its `+`: an address is known as written, but for case.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from gatepost.i18n import Sentence, tr
from gatepost.model.objects import AcceptedDomain, Connector, Objects
from gatepost.model.route import Candidate, DestinationKey, Route
from gatepost.smtp.address import BadAddress, domain_of

MAILBOX = DestinationKey("mailbox", "", "")
ALL_ACCEPTED = Sentence(tr("all accepted domains"))
_KNOWN = Sentence(tr("our mailbox store knows the recipient"))
_NO_DOMAIN = Sentence(tr("the address names no mail domain"))


class Standing(StrEnum):
    """What an address is to us."""

    KNOWN = "known"  # our mailbox store knows it
    UNKNOWN = "unknown"  # its domain is authoritative, and does not know it
    RELAYED = "relayed"  # its domain is an internal relay, and the mailbox is elsewhere
    FOREIGN = "foreign"  # its domain is not ours


class _Match(NamedTuple):
    """A connector under one of its patterns, with what is the same for all addresses."""

    connector: Connector
    pattern: str
    why: str
    key: DestinationKey | None  # None: one for each domain (MX)


class Router:
    """Decisions over one revision of the objects; made once for it, asked for every recipient."""

    def __init__(self, objects: Objects, instead: Mapping[str, str] | None = None) -> None:
        """Make the index; `instead` says which connector carries the mail of another one for a while."""
        self._instead = dict(instead or {})
        self._connectors = sorted(objects.connectors, key=lambda connector: connector.name)
        self._domains = {domain.name: domain for domain in objects.domains}
        self._subdomains = any(domain.match_subdomains for domain in objects.domains)
        self._exact: dict[str, _Match] = {}
        self._wildcard: dict[str, _Match] = {}  # by the part after "*."
        self._all_accepted: _Match | None = None
        self._every: _Match | None = None
        for connector in self._connectors:
            if connector.enabled:
                self._add(connector)

    def route(self, address: str) -> Route:
        """Return where mail for an address goes, without the candidates."""
        domain, accepted = self._place(address)
        if not domain:
            return Route(address, domain, DestinationKey("none", "", domain), _NO_DOMAIN)
        if accepted is not None and _knows(accepted, address, domain):
            return Route(address, domain, MAILBOX, _KNOWN)
        if accepted is not None and accepted.type == "authoritative":
            why = Sentence(
                tr("{domain} is authoritative and does not know the recipient"), domain=accepted.name
            )
            return Route(address, domain, DestinationKey("none", "", domain), why)
        match = self._match(domain, accepted)
        if match is not None:
            return self._by(match, address, domain)
        if accepted is not None:
            why = Sentence(
                tr("{name} is an internal relay, and no enabled connector takes {domain}"),
                name=accepted.name,
                domain=domain,
            )
            return Route(address, domain, DestinationKey("none", "", domain), why)
        return Route(
            address,
            domain,
            DestinationKey("mx", "", domain),
            Sentence(tr("no connector takes {domain}: its own MX do"), domain=domain),
        )

    def _by(self, match: _Match, address: str, domain: str) -> Route:
        """Return the route by a connector, or by the one that stands in for it."""
        connector, why, key = match.connector, match.why, match.key
        other = self._instead.get(connector.name)
        deputy = next((c for c in self._connectors if c.name == other and c.enabled), None)
        if deputy is not None:
            why = Sentence(tr("{why}, and {name} stands in for it"), why=why, name=deputy.name)
            connector, key = deputy, None if deputy.use_mx else DestinationKey("smart", deputy.name, "")
        return Route(address, domain, key or DestinationKey("mx", connector.name, domain), why)

    def explain(self, address: str) -> Route:
        """Return the same decision with every connector that was weighed, and why it won or lost."""
        route = self.route(address)
        domain, accepted = self._place(address)
        winner = self._match(domain, accepted) if route.destination.connector else None
        candidates = (self._weigh(connector, route, accepted, winner) for connector in self._connectors)
        ranked = sorted(candidates, key=lambda candidate: (not candidate.won, not candidate.matched))
        return Route(address, route.domain, route.destination, route.why, tuple(ranked))

    def standing(self, address: str) -> Standing:
        """Return what an address is to us: it decides whether a sender may use us for it."""
        domain, accepted = self._place(address)
        if not domain or accepted is None:
            return Standing.FOREIGN
        if _knows(accepted, address, domain):
            return Standing.KNOWN
        return Standing.UNKNOWN if accepted.type == "authoritative" else Standing.RELAYED

    def depends_on_address(self, domain: str) -> bool:
        """Tell whether two addresses of a domain (in A-labels) can go different ways."""
        return self._accepted(domain) is not None

    def accepted_name(self, text: str) -> str:
        """Return the name of the domain of ours that covers a domain as it was written; "" where none does."""
        _, accepted = self._place(f"postmaster@{text}")
        return accepted.name if accepted is not None else ""

    # ------------------------------------------------------------------ the index

    def _add(self, connector: Connector) -> None:
        """Enter an enabled connector under its patterns; whoever was there first stays."""
        key = None if connector.use_mx else DestinationKey("smart", connector.name, "")
        for pattern in connector.domains:
            match = _Match(connector, pattern, _takes(connector, pattern), key)
            if pattern == "*":
                self._every = self._every or match
            elif pattern.startswith("*."):
                self._wildcard.setdefault(pattern[2:], match)
            else:
                self._exact.setdefault(pattern, match)
        if connector.all_accepted_domains and self._all_accepted is None:
            why = _takes(connector, ALL_ACCEPTED)
            self._all_accepted = _Match(connector, ALL_ACCEPTED, why, key)

    def _place(self, address: str) -> tuple[str, AcceptedDomain | None]:
        """Return the domain of an address in A-labels ("" where it has none) and ours that covers it."""
        try:
            domain = domain_of(address)
        except BadAddress:
            return "", None
        if domain[:1] == "[":  # an address literal (RFC 5321 section 4.1.3) is no mail domain
            return "", None
        return domain, self._accepted(domain)

    def _accepted(self, domain: str) -> AcceptedDomain | None:
        """Return the domain of ours that covers a domain: itself, else the nearest one above that says so."""
        found = self._domains.get(domain)
        if found is not None or not self._subdomains:
            return found
        parent = domain.partition(".")[2]
        while parent:
            found = self._domains.get(parent)
            if found is not None and found.match_subdomains:
                return found
            parent = parent.partition(".")[2]
        return None

    def _match(self, domain: str, accepted: AcceptedDomain | None) -> _Match | None:
        """Return the enabled connector that matches a domain best (rule 1)."""
        found = self._exact.get(domain)
        if found is not None:
            return found
        if self._wildcard:
            parent = domain.partition(".")[2]
            while parent:
                found = self._wildcard.get(parent)
                if found is not None:
                    return found
                parent = parent.partition(".")[2]
        if accepted is not None and self._all_accepted is not None:
            return self._all_accepted
        return self._every

    # -------------------------------------------------------------- the explanation

    def _weigh(
        self, connector: Connector, route: Route, accepted: AcceptedDomain | None, winner: _Match | None
    ) -> Candidate:
        pattern = _best_pattern(connector, route.domain, accepted)
        if winner is not None and winner.connector is connector:
            return Candidate(connector.name, pattern, won=True, why=winner.why)
        return Candidate(connector.name, pattern, won=False, why=_why_lost(connector, pattern, route, winner))


def _knows(accepted: AcceptedDomain, address: str, domain: str) -> bool:
    """Tell whether a domain of ours knows an address; every one that we speak for has a postmaster."""
    local = address.rpartition("@")[0].lower()
    if f"{local}@{domain}" in accepted.recipients:
        return True
    # RFC 5321 section 4.5.1: mail for the postmaster of a domain that is served here is taken, listed or not
    return local == "postmaster" and accepted.type == "authoritative" and domain == accepted.name


def _best_pattern(connector: Connector, domain: str, accepted: AcceptedDomain | None) -> str:
    """Return the most specific pattern of a connector that matches a domain, "" where none does."""
    if not domain:
        return ""
    if domain in connector.domains:
        return domain
    wildcards = [p for p in connector.domains if p.startswith("*.") and domain.endswith(p[1:])]
    if wildcards:
        return max(wildcards, key=len)
    if connector.all_accepted_domains and accepted is not None:
        return ALL_ACCEPTED
    return "*" if "*" in connector.domains else ""


def _takes(connector: Connector, pattern: str) -> Sentence:
    return Sentence(tr("connector {name} takes {pattern}"), name=connector.name, pattern=pattern)


def _why_lost(connector: Connector, pattern: str, route: Route, winner: _Match | None) -> str:
    if not pattern:
        if connector.all_accepted_domains and not connector.domains:
            return Sentence(tr("{domain} is not an accepted domain"), domain=route.domain or "?")
        return (
            Sentence(tr("none of its domains matches {domain}"), domain=route.domain)
            if route.domain
            else route.why
        )
    if not connector.enabled:
        return Sentence(tr("it takes {pattern}, but is disabled"), pattern=pattern)
    if winner is None:
        return Sentence(tr("it takes {pattern}, but {why}"), pattern=pattern, why=route.why)
    if winner.pattern == pattern:
        return Sentence(
            tr("connector {name} takes {pattern} as well, and is first by name"),
            name=winner.connector.name,
            pattern=pattern,
        )
    return Sentence(
        tr("{closer} of connector {name} is more specific than {pattern}"),
        closer=winner.pattern,
        name=winner.connector.name,
        pattern=pattern,
    )
