"""Which addresses to try for a destination, in which order; looks names up, connects to nothing.

Rule 1: smart hosts in the order given, mail servers by preference, each with all its addresses (RFC 5321
section 5.1).
Rule 2: never to ourselves: mail servers at our own preference, or worse, are left out (RFC 5321 section 5.1).
Rule 3: a host that cannot be looked up does not stop the others; only when nothing is left it is a failure.
Rule 4: only the domain itself can be said not to exist; what is wrong with a host's name may be repaired.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

from gatepost.model.attempt import endpoint
from gatepost.model.failure import Phase, Reason
from gatepost.model.objects import Connector
from gatepost.model.route import DestinationKey
from gatepost.net.dns import AddressAnswer, DnsFailure, MxAnswer
from gatepost.net.routes import has_route as kernel_has_route

MAX_TARGETS = 100
SMTP_PORT = 25
PATIENCE = 5.0  # seconds that the other hosts may take once one has been found
_SURE = (Reason.NXDOMAIN, Reason.NO_RECORDS, Reason.MX_INVALID)  # not mended by asking again soon


class Resolver(Protocol):
    """What is needed of a resolver (`net.dns.Resolver` is one)."""

    async def mx(self, domain: str) -> MxAnswer:
        """Return the mail servers of a domain; raises `DnsFailure`."""
        ...

    async def addresses(self, name: str) -> AddressAnswer:
        """Return the addresses of a host; raises `DnsFailure`."""
        ...


@dataclass(frozen=True, slots=True)
class OwnEndpoints:
    """Knows where this gateway itself listens."""

    is_ours: Callable[[str, int], bool]


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one server, and how it was found."""

    server: str
    address: str
    port: int
    dns: dict[str, object] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Return the name of the server, as a connection calls it."""
        return self.server


@dataclass(frozen=True, slots=True)
class PlanFailure:
    """Why a destination, or one of its hosts, gives nothing to connect to."""

    phase: Phase
    reason: Reason
    detail: str
    server: str
    dns: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets in the order in which they are tried, and the hosts that gave none."""

    targets: tuple[Target, ...]
    problems: tuple[PlanFailure, ...] = ()

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets)

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class _Host:
    """A server to look up: its name, port, and rank (the preference of an MX; 0 for smart hosts)."""

    name: str
    port: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class _Located:
    host: _Host
    addresses: tuple[str, ...]
    dns: dict[str, object]


_Lookup = _Located | PlanFailure


async def plan(
    key: DestinationKey,
    connector: Connector | None,
    resolver: Resolver,
    own: OwnEndpoints,
    shuffle: Callable[[list[str]], object],
    *,
    has_route: Callable[[str], bool] = kernel_has_route,
) -> Plan | PlanFailure:
    """Return the targets of a destination in order, or why there are none.

    `shuffle` spreads the load over equal hosts and addresses; addresses without a route come last.
    """
    order = _Order(own, shuffle, has_route)
    if key.kind == "mx":
        port = connector.port if connector is not None else SMTP_PORT
        return await _plan_mx(key.next_hop, port, resolver, order)
    if key.kind == "smart" and connector is not None and connector.smart_hosts:
        default = connector.port
        hosts = [
            _Host(host.host, host.port if host.port is not None else default)
            for host in connector.smart_hosts
        ]
        return await _plan_smart(hosts, resolver, order)
    words = "no connector leads there" if connector is None else "the connector has no smart host"
    return PlanFailure(Phase.ROUTE, Reason.NO_CONNECTOR, words, key.next_hop)


async def _plan_smart(hosts: Sequence[_Host], resolver: Resolver, order: "_Order") -> Plan | PlanFailure:
    targets: list[Target] = []
    problems: list[PlanFailure] = []
    for looked in await _locate(hosts, resolver):
        if isinstance(looked, PlanFailure):
            problems.append(looked)
            continue
        found = order.targets(looked)
        targets += found
        if not found:
            problems.append(_loop(looked))
    return _end(targets, problems)


async def _plan_mx(domain: str, port: int, resolver: Resolver, order: "_Order") -> Plan | PlanFailure:
    try:
        answer = await resolver.mx(domain)
    except DnsFailure as failure:
        return PlanFailure(Phase.DNS, failure.reason, failure.detail, domain, failure.evidence)
    hosts = _in_order(answer, port, order)
    lookups: list[_Lookup] = []
    for looked in await _locate(hosts, resolver):
        if isinstance(looked, PlanFailure):
            lookups.append(_of_mail_server(looked, domain, answer))
        else:
            usable = tuple(address for address in looked.addresses if _may_be_a_host(address))
            located = _Located(looked.host, usable, _together(answer.evidence, looked.dns))
            lookups.append(located if usable else _useless(located))
    problems = [looked for looked in lookups if isinstance(looked, PlanFailure)]
    located_hosts = [looked for looked in lookups if isinstance(looked, _Located)]
    ours = [looked.host.rank for looked in located_hosts if order.is_ours(looked)]
    limit = min(ours, default=1 << 16)
    targets: list[Target] = []
    for looked in located_hosts:
        if looked.host.rank < limit:
            targets += order.targets(looked)
        elif order.is_ours(looked):
            problems.append(_loop(looked))
    return _end(targets, problems)


def _in_order(answer: MxAnswer, port: int, order: "_Order") -> list[_Host]:
    """Return the mail servers by preference, equals shuffled."""
    by_rank: dict[int, list[str]] = {}
    for rank, name in answer.hosts:
        by_rank.setdefault(rank, []).append(name)
    return [_Host(name, port, rank) for rank in sorted(by_rank) for name in order.shuffled(by_rank[rank])]


async def _locate(hosts: Sequence[_Host], resolver: Resolver) -> list[_Lookup]:
    """Look all hosts up at once; one that is found does not wait long for the others."""
    tasks = [asyncio.ensure_future(_addresses(host, resolver)) for host in hosts]
    waiting = set(tasks)
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if waiting and any(isinstance(task.result(), _Located) for task in done):
                await asyncio.wait(waiting, timeout=PATIENCE)
                break
        return [
            task.result() if task.done() else _too_slow(host) for task, host in zip(tasks, hosts, strict=True)
        ]
    finally:
        for task in tasks:
            task.cancel()


async def _addresses(host: _Host, resolver: Resolver) -> _Lookup:
    try:
        answer = await resolver.addresses(host.name)
    except DnsFailure as failure:
        return PlanFailure(Phase.DNS, failure.reason, failure.detail, host.name, failure.evidence)
    return _Located(host, answer.addresses, answer.evidence)


def _end(targets: Sequence[Target], problems: Sequence[PlanFailure]) -> Plan | PlanFailure:
    """Return the plan; where nothing is left, the problem that may pass soonest stands for all."""
    unique = {(target.address, target.port): target for target in reversed(targets)}
    kept = [target for target in targets if unique[target.address, target.port] is target][:MAX_TARGETS]
    if kept:
        return Plan(tuple(kept), tuple(problems))
    for hard in (False, True):
        for problem in problems:
            if problem.phase is Phase.DNS and (problem.reason in _SURE) is hard:
                return problem
    return problems[0]


class _Order:
    """What decides between addresses: where we are ourselves, chance, and whether there is a way."""

    def __init__(
        self,
        own: OwnEndpoints,
        shuffle: Callable[[list[str]], object],
        has_route: Callable[[str], bool],
    ) -> None:
        self._own = own
        self._shuffle = shuffle
        self._has_route = has_route

    def shuffled(self, values: Sequence[str]) -> list[str]:
        """Return equals in an order of chance."""
        mixed = list(values)
        if len(mixed) > 1:
            self._shuffle(mixed)
        return mixed

    def is_ours(self, located: _Located) -> bool:
        """Return whether one of the addresses is our own."""
        return any(self._ours(address, located.host.port) for address in located.addresses)

    def targets(self, located: _Located) -> list[Target]:
        """Return a host's addresses in order, without our own."""
        four = self.shuffled([address for address in located.addresses if ":" not in address])
        six = self.shuffled([address for address in located.addresses if ":" in address])
        # IPv4 first, since reputation and reverse names of mail servers are kept there; then in turns, so that
        # a family that is broken somewhere costs one attempt and not as many as there are addresses
        turns = [address for pair in zip_longest(four, six) for address in pair if address is not None]
        reachable = sorted(turns, key=lambda address: not self._has_route(address))
        return [
            Target(located.host.name, address, located.host.port, located.dns)
            for address in reachable
            if not self._ours(address, located.host.port)
        ]

    def _ours(self, address: str, port: int) -> bool:
        return self._own.is_ours(_plain(address), port)


def _plain(address: str) -> str:
    """Return the IPv4 address inside an IPv4-mapped one (RFC 4291 section 2.5.5.2), else the address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def _may_be_a_host(address: str) -> bool:
    """Return whether an address that a stranger's MX names can be that of a host at all."""
    try:
        parsed = ipaddress.ip_address(_plain(address))
    except ValueError:
        return False
    # 0.0.0.0 would connect to ourselves
    return not (parsed.is_unspecified or parsed.is_multicast or address == "255.255.255.255")


def _of_mail_server(problem: PlanFailure, domain: str, answer: MxAnswer) -> PlanFailure:
    """Return the failure of a mail server's name as one of its domain's settings (rule 4)."""
    evidence = _together(answer.evidence, problem.dns)
    reason, detail = problem.reason, problem.detail
    if answer.implicit and reason is Reason.NXDOMAIN:
        reason = Reason.NO_RECORDS
    if not answer.implicit and reason in (Reason.NXDOMAIN, Reason.NO_RECORDS):
        reason, detail = Reason.MX_INVALID, f"the MX of {domain} leads nowhere: {detail}"
    return PlanFailure(problem.phase, reason, detail, problem.server, evidence)


def _useless(located: _Located) -> PlanFailure:
    words = f"{located.host.name} has no address that a host can have"
    return PlanFailure(Phase.DNS, Reason.MX_INVALID, words, located.host.name, located.dns)


def _too_slow(host: _Host) -> PlanFailure:
    words = f"{host.name} was not found within {PATIENCE:g} seconds after another host"
    return PlanFailure(Phase.DNS, Reason.TIMEOUT, words, host.name)


def _loop(located: _Located) -> PlanFailure:
    name, port = located.host.name, located.host.port
    shown = ", ".join(endpoint(address, port) for address in located.addresses[:3])
    words = f"{name} ({shown}) is this gateway itself: mail would come back"
    return PlanFailure(Phase.ROUTE, Reason.LOOP, words, name, located.dns)


def _together(first: dict[str, object], second: dict[str, object]) -> dict[str, object]:
    """Return the questions of both lookups as one piece of evidence."""
    questions: list[object] = []
    for evidence in (first, second):
        asked = evidence.get("questions")
        if isinstance(asked, list):
            questions += asked
    return {"questions": questions}
