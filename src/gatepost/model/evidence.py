"""Facts around a failure, and causes ranked by them (B3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gatepost.model.insight import CertificateSummary, HostRow
from gatepost.model.probe import ProbeResult


class Answer(NamedTuple):
    """What the DNS said of a name at a time; `problem` is a `Reason` of the phase dns, "" for an answer."""

    name: str
    at: int  # ms since 1970
    mx: tuple[str, ...]  # "10 mail.example", empty where nobody asked
    addresses: tuple[str, ...]
    problem: str = ""
    server: str = ""  # who said it: the resolver's or the authoritative server's address
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class ObjectEdit:
    """A change of an object that may matter: which fields, when, by whom."""

    kind: str  # connector | accepted_domain
    name: str
    at: int
    who: str
    fields: tuple[str, ...]
    before: Mapping[str, object]
    after: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Other destinations that were tried lately (a window of some minutes)."""

    active: int = 0  # that had an attempt or a delivery in the window, this one not counted
    working: int = 0
    failing: int = 0
    failing_alike: int = 0  # in the same class
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drops:
    """Where connections broke, and for which sizes (octets)."""

    by_phase: tuple[tuple[str, int], ...] = ()
    smallest_dropped: int = 0  # size of the smallest message that broke off, 0 for none
    largest_delivered: int = 0  # since the first one broke off
    bytes_sent: tuple[int, ...] = ()  # how far the latest ones came


@dataclass(frozen=True, slots=True)
class Refusals:
    """Whose mail a destination refused lately in this class, as far as this process remembers (the latest 50)."""

    messages: int = 0
    recipients: tuple[str, ...] = ()  # distinct addresses, the latest first
    known: tuple[str, ...] = ()  # of them, those that our own lists of recipients have
    senders: tuple[str, ...] = ()  # distinct, "" for the null sender, the latest first
    foreign: tuple[str, ...] = ()  # of them, those whose domains are none of ours
    smallest: int = 0  # octets


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that causes are ranked by; nothing in here is a guess. Times are ms since 1970, 0 for never."""

    now: int
    failure_class: str
    sub: str = ""
    phase: str = ""
    reason: str = ""
    smtp: int = 0
    code: str = ""
    reply: str = ""
    to: str = ""  # of the connector: on-premises, partner, "" without one
    connector: str = ""
    use_mx: bool = False
    tls: str = ""  # the connector's mode
    expected_names: tuple[str, ...] = ()
    first_failure: int = 0
    last_failure: int = 0
    last_success: int = 0
    attempts: int = 0
    delivered_before: int = 0  # connections that worked before the first failure, as far as is remembered
    edits: tuple[ObjectEdit, ...] = ()  # newest first
    dns_then: tuple[Answer, ...] = ()  # when it last worked
    dns_now: tuple[Answer, ...] = ()  # from our resolver
    dns_authoritative: tuple[Answer, ...] = ()
    hosts: tuple[HostRow, ...] = ()
    neighbours: Neighbours = Neighbours()
    drops: Drops = Drops()
    refusals: Refusals = Refusals()
    last_delivery: int = (
        0  # of a message, by this process; `last_success` may be a connection that was ready for mail
    )
    taken: int = 0  # recipients that were delivered there in the last week
    login: bool = False  # the connector has a user name
    port: int = 0  # that the latest attempt went to
    certificate: CertificateSummary | None = None
    certificate_before: CertificateSummary | None = None
    probe: ProbeResult | None = None
    clock_offset_ms: int = 0  # our clock against what others say, 0 where unknown


class Because(NamedTuple):
    """One piece of evidence in words: an English template (translated when shown) and what fills it."""

    rule: str  # stable name
    text: str
    values: Mapping[str, object]


class RankedCause(NamedTuple):
    """A cause of the catalogue with its weight (0 to 1; all of a ranking sum up to 1) and its evidence."""

    id: str
    weight: float
    owner: str  # us | on-premises | partner | dns-host | network | recipient | sender
    because: tuple[Because, ...]


class Ranking(NamedTuple):
    """Causes, the likeliest first. Undecided where the first is not clearly ahead: then `next_check` would decide."""

    causes: tuple[RankedCause, ...]
    decided: bool
    owner: str
    next_check: Because | None = None
