"""The addresses of mail servers: MX, A and AAAA, with a cache of our own.

Rule 1: a TTL is honoured between a second and an hour, "no" for at most five minutes, a failure for seconds.
Rule 2: a question that is on its way is not asked a second time.
Rule 3: every answer carries its evidence: who was asked, what was said, how long it took.
"""

import asyncio
import ipaddress
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import idna

from gatepost.model.failure import Reason, clean
from gatepost.net.dns_query import (
    MAX_ALIASES,
    Evidence,
    Failed,
    Found,
    NameServers,
    Outcome,
    Value,
    parse_server,
    shown,
    system_servers,
)

MAX_MX = 100
MAX_ADDRESSES = 300
LONGEST_NO = 300.0
FAILURE_LIFE = 5.0
LITERAL_LIFE = 3600
_OTHER_FAMILY = 2.0  # seconds that the second family may take longer than the first
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LOCALHOST = ("127.0.0.1", "::1")


class DnsFailure(Exception):
    """A lookup that gave nothing to connect to."""

    def __init__(self, reason: Reason, detail: str, evidence: dict[str, object]) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class MxAnswer:
    """Who takes the mail of a domain: (preference, name), best first; `implicit` is the domain itself."""

    hosts: tuple[tuple[int, str], ...]
    ttl: int
    implicit: bool
    evidence: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """The addresses of a host, IPv4 before IPv6, in the order of the answer."""

    addresses: tuple[str, ...]
    ttl: int
    evidence: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    outcome: Outcome
    until: float


@dataclass(frozen=True, slots=True)
class _Looked:
    """The end of a lookup, over aliases if need be."""

    outcome: Outcome
    ttl: int
    aliases: int
    questions: list[Evidence]


class Resolver:
    """Look names up, and remember the answers as long as they are good."""

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        max_cache: int = 50_000,
        max_ttl: float = 3600.0,
    ) -> None:
        asked = [parse_server(server) for server in servers] or system_servers()
        self._servers = NameServers(asked, timeout)
        self._clock = clock
        self._max_cache = max_cache
        self._max_ttl = max(1.0, max_ttl)
        self._cache: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._pinned: dict[str, tuple[str, ...]] = {}
        self._flights: dict[tuple[str, str], asyncio.Task[Outcome]] = {}

    async def mx(self, domain: str) -> MxAnswer:
        """Return the mail servers of a domain (RFC 5321 section 5.1); raises `DnsFailure`."""
        literal = literal_address(domain)
        if literal:
            return MxAnswer(((0, literal),), LITERAL_LIFE, implicit=True)
        name = to_query_name(domain)
        if name == "localhost":
            return MxAnswer(((0, name),), LITERAL_LIFE, implicit=True)
        looked = await self._look(name, "MX")
        evidence: dict[str, object] = {"questions": looked.questions}
        outcome = looked.outcome
        if isinstance(outcome, Failed):
            reason = Reason.MX_INVALID if outcome.aliases else outcome.reason
            raise DnsFailure(reason, outcome.detail, evidence)
        if not outcome.exists:
            if looked.aliases:
                # the domain is there; what it points to is not, and may come back
                detail = f"{name} is an alias of {outcome.canonical}, which does not exist"
                raise DnsFailure(Reason.MX_INVALID, detail, evidence)
            raise DnsFailure(Reason.NXDOMAIN, f"{name} does not exist (NXDOMAIN)", evidence)
        if not outcome.values:
            return MxAnswer(((0, name),), looked.ttl, implicit=True, evidence=evidence)
        return MxAnswer(
            _mail_hosts(name, outcome.values, evidence), looked.ttl, implicit=False, evidence=evidence
        )

    def servers(self) -> list[tuple[str, bool]]:
        """Return whom is asked, and of each server whether it kept silent lately."""
        return self._servers.silent()

    def pin(self, pinned: Mapping[str, tuple[str, ...]]) -> None:
        """Answer for these hosts with these addresses, whatever the servers say, until called again."""
        self._pinned = dict(pinned)

    async def addresses(self, name: str) -> AddressAnswer:
        """Return the addresses of a host, A and AAAA asked at once; raises `DnsFailure`."""
        literal = literal_address(name)
        if literal:
            return AddressAnswer((literal,), LITERAL_LIFE)
        host = to_query_name(name)
        if host in self._pinned:
            question = {"name": host, "type": "A", "answer": list(self._pinned[host]), "by": "pin"}
            said: dict[str, object] = {"questions": [question]}
            return AddressAnswer(self._pinned[host], LITERAL_LIFE, evidence=said)
        if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
            return AddressAnswer(_LOCALHOST, LITERAL_LIFE)
        both = await self._both_families(host)
        evidence: dict[str, object] = {"questions": [question for one in both for question in one.questions]}
        found = [one for one in both if _has_values(one.outcome)]
        if not found:
            raise _no_address(host, both, evidence)
        addresses: dict[str, None] = {}
        for one in found:
            if isinstance(one.outcome, Found):
                addresses.update(dict.fromkeys(text for _, text in one.outcome.values))
        return AddressAnswer(tuple(addresses)[:MAX_ADDRESSES], min(one.ttl for one in found), evidence)

    async def name_servers(self, name: str) -> tuple[str, ...]:
        """Return the name servers of the zone that a name is in, as its parents tell; none where they do not."""
        labels = to_query_name(name).split(".")
        for first in range(len(labels) - 1):
            looked = await self._look(".".join(labels[first:]), "NS")
            if isinstance(looked.outcome, Found) and looked.outcome.values:
                return tuple(text for _, text in looked.outcome.values)
        return ()

    def flush(self, name: str | None = None) -> None:
        """Forget all answers, or those about a name and the mail servers that it had."""
        if name is None:
            self._cache.clear()
            self._flights.clear()  # what is on its way was asked before: nobody else may use it
            return
        plain = name.strip().rstrip(".").lower()
        names = {plain}
        kept = self._cache.get((plain, "MX"))
        if kept is not None and isinstance(kept.outcome, Found):
            names.update(host for _, host in kept.outcome.values)
        for one in names:
            for kind in ("MX", "A", "AAAA"):
                self._cache.pop((one, kind), None)
                self._flights.pop((one, kind), None)

    async def close(self) -> None:
        """Give up the questions that are on their way."""
        flights = list(self._flights.values())
        self._flights.clear()
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    # one lookup

    async def _both_families(self, host: str) -> tuple[_Looked, _Looked]:
        """Ask for A and AAAA; where one gave addresses, the other one is not waited for at length."""
        tasks = [asyncio.ensure_future(self._look(host, kind)) for kind in ("A", "AAAA")]
        try:
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if waiting:
                good = any(_has_values(task.result().outcome) for task in done)
                await asyncio.wait(waiting, timeout=_OTHER_FAMILY if good else None)
            first, second = (
                task.result() if task.done() else _not_waited_for(host, kind)
                for task, kind in zip(tasks, ("A", "AAAA"), strict=True)
            )
        finally:
            for task in tasks:
                task.cancel()  # the question itself goes on, for the next one who asks
        return first, second

    async def _look(self, name: str, kind: str) -> _Looked:
        """Ask, and go on where a server stopped at an alias; loops and long chains end it."""
        asked, aliases, questions = name, 0, list[Evidence]()
        life = float(LITERAL_LIFE)
        seen = {name}
        while True:
            kept, evidence = await self._question(asked, kind)
            questions.extend(evidence)
            outcome = kept.outcome
            life = min(life, kept.until - self._clock())
            if isinstance(outcome, Failed):
                return _Looked(outcome, max(1, round(life)), aliases, questions)
            aliases += outcome.aliases
            if aliases > MAX_ALIASES or (not outcome.final and outcome.canonical in seen):
                failed = Failed(
                    Reason.BAD_ANSWER, f"the aliases of {name} are a loop, or too many", aliases=True
                )
                return _Looked(failed, 1, aliases, questions)
            if outcome.final:
                return _Looked(outcome, max(1, round(life)), aliases, questions)
            asked = outcome.canonical
            seen.add(asked)

    async def _question(self, name: str, kind: str) -> tuple[_Kept, list[Evidence]]:
        key = (name, kind)
        kept = self._cache.get(key)
        now = self._clock()
        if kept is not None and kept.until > now:
            return kept, [_from_cache(name, kind, kept, now)]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.get_running_loop().create_task(self._fly(key))
        outcome = await asyncio.shield(flight)
        return _Kept(outcome, self._clock() + self._life(outcome)), [dict(tried) for tried in outcome.tries]

    async def _fly(self, key: tuple[str, str]) -> Outcome:
        ours = asyncio.current_task()
        try:
            outcome = await self._servers.ask(*key)
            if self._flights.get(key) is ours:
                self._keep(key, outcome)
        finally:
            if self._flights.get(key) is ours:
                del self._flights[key]
        return outcome

    def _keep(self, key: tuple[str, str], outcome: Outcome) -> None:
        self._cache.pop(key, None)
        self._cache[key] = _Kept(outcome, self._clock() + self._life(outcome))
        while len(self._cache) > self._max_cache:
            self._cache.popitem(last=False)

    def _life(self, outcome: Outcome) -> float:
        """Return for how many seconds an outcome is believed."""
        if isinstance(outcome, Failed):
            return FAILURE_LIFE
        longest = self._max_ttl if outcome.values else min(LONGEST_NO, self._max_ttl)
        return max(1.0, min(float(outcome.ttl), longest))


def _has_values(outcome: Outcome) -> bool:
    return isinstance(outcome, Found) and bool(outcome.values)


def literal_address(name: str) -> str:
    """Return the address in place of a name, `192.0.2.7` or `[IPv6:2001:db8::7]`; "" where it is a name."""
    text = name.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if text[:5].lower() == "ipv6:":  # RFC 5321 section 4.1.3
            text = text[5:]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def to_query_name(name: str) -> str:
    """Return a name as it is asked for: lower-case A-labels; raises `DnsFailure` where it cannot be one."""
    lower = name.strip().lower().removesuffix(".")
    try:
        if not lower.isascii():
            lower = idna.encode(lower, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        lower = ""
    if len(lower) > 253 or _NAME.fullmatch(lower) is None:
        raise DnsFailure(Reason.NO_RECORDS, f"{clean(name, 255)!r} is not a host name", {"questions": []})
    return lower


def _mail_hosts(name: str, values: Iterable[Value], evidence: dict[str, object]) -> tuple[Value, ...]:
    """Return the usable hosts of an MX answer, best first."""
    records = sorted(values, key=lambda value: value[0])
    # "." is shown as "@" or "" by some libraries and as "." by ours
    if all(host in (".", "") for _, host in records):
        raise DnsFailure(Reason.NULL_MX, f"{name} takes no mail (null MX, RFC 7505)", evidence)
    good = [value for value in records if _NAME.fullmatch(value[1]) and not literal_address(value[1])]
    if not good:
        bad = ", ".join(clean(host, 80) for _, host in records[:3])
        raise DnsFailure(Reason.MX_INVALID, f"the MX of {name} is not a host name: {bad}", evidence)
    return tuple(dict.fromkeys(good))[:MAX_MX]


def _no_address(host: str, both: Sequence[_Looked], evidence: dict[str, object]) -> DnsFailure:
    """Return the failure of a host without any address: what may be better soon wins over a plain no."""
    for looked in both:
        if isinstance(looked.outcome, Found) and not looked.outcome.exists:
            last = looked.outcome.canonical
            detail = f"{host} does not exist (NXDOMAIN)"
            if looked.aliases:
                detail = f"{host} is an alias of {last}, which does not exist (NXDOMAIN)"
            return DnsFailure(Reason.NXDOMAIN, detail, evidence)
    for looked in both:
        if isinstance(looked.outcome, Failed):
            return DnsFailure(looked.outcome.reason, looked.outcome.detail, evidence)
    return DnsFailure(Reason.NO_RECORDS, f"{host} has no address (no A, no AAAA)", evidence)


def _not_waited_for(host: str, kind: str) -> _Looked:
    failed = Failed(Reason.TIMEOUT, f"{kind} of {host} was not waited for")
    question: Evidence = {"name": host, "type": kind, "server": "", "error": "timeout", "from_cache": False}
    return _Looked(failed, 1, 0, [question])


def _from_cache(name: str, kind: str, kept: _Kept, now: float) -> Evidence:
    last = kept.outcome.tries[-1] if kept.outcome.tries else {}
    evidence: Evidence = {"name": name, "type": kind, "server": last.get("server", "")}
    evidence |= {key: last[key] for key in ("rcode", "error", "detail") if key in last}
    if isinstance(kept.outcome, Found):
        evidence["answers"] = shown(kept.outcome.values, kind)
    return evidence | {"ms": 0.0, "ttl": max(0, round(kept.until - now)), "from_cache": True}
