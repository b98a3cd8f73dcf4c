"""An insight: failures that belong together, in one value (R19)."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from gatepost.model.failure import LastError

RULE = "v1"  # which parts make a fingerprint; a new rule gets a new name, so that old insights keep theirs


class InsightState(StrEnum):
    """Where an insight stands; it moves by itself."""

    NEW = "new"  # seen for the first time, a short while ago
    ONGOING = "ongoing"
    ESCALATING = "escalating"  # it holds back clearly more than before, or mail is about to expire
    RESOLVED = "resolved"
    REGRESSED = "regressed"  # it was resolved and is back

    @property
    def open(self) -> bool:
        """Whether something is still broken."""
        return self is not InsightState.RESOLVED


class Severity(StrEnum):
    """How much it matters."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Scope(StrEnum):
    """What is broken."""

    DESTINATION = "destination"  # one destination: everything that goes there
    HOSTS = "hosts"  # some hosts or addresses of a destination; others work, so that nothing waits
    MESSAGES = "messages"  # some messages or recipients at a destination that else works
    FOREIGN = "foreign"  # a destination of a foreign mail system, by its log
    GATEWAY = "gateway"  # ourselves: our network, resolver, clock or disk, shown by many destinations at once


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What makes failures belong together; `scope` is one of `Scope`."""

    scope: str
    connector: str
    destination_id: int
    failure_class: str
    rule: str = RULE

    @property
    def text(self) -> str:
        """Return the stable form: `v1:` and 16 hexadecimal digits."""
        parts = "\0".join((self.scope, self.connector, str(self.destination_id), self.failure_class))
        return f"{self.rule}:{blake2b(parts.encode(), digest_size=8).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Insight:
    """What is known of one fingerprint; a snapshot, replaced as a whole. Times are ms since 1970, 0 for never.

    How many messages wait, since when and until when is not in here: that is the destination's own count, read
    when the insight is shown. `parent` is the fingerprint of the insight that explains this one: one of the gateway,
    or for some hosts the one that says that all of them fail. `destination_id` 0: no single destination.
    """

    id: int  # of `model.ids`; the text form is what users see
    fingerprint: Fingerprint
    sub: str  # the finer reason of the latest failure
    flow_code: str  # one of the six codes or "other"
    state: InsightState
    severity: Severity
    first_seen: int  # of all episodes
    opened_at: int  # of this episode
    last_seen: int
    resolved_at: int = 0
    attempts: int = 0  # failed attempts of this episode
    episodes: int = 1
    ended: int = 0  # recipients that it made fail for good, in this episode
    last_error: LastError | None = None  # the last real one, whatever was derived from it since
    trend: tuple[tuple[int, int], ...] = ()  # (start of a five-minute bucket, failed attempts), oldest first
    parent: str = ""
    acknowledged_by: str = ""
    acknowledged_at: int = 0
    note: str = ""
    destination: str = ""  # what people called the destination at the last failure
    stranger: bool = False  # the destination is no route of ours: the MX of a domain without a connector
    peak: int = 0  # the most messages that waited in this episode
    mark: int = 0  # how many waited (or failed in an hour) when it was last weighed as grown
    escalated_at: int = 0
    resolved_why: str = ""  # recovered | quiet | superseded | gone | dissolved | by hand
    resolved_by: str = ""  # who, by hand
    past: tuple["Episode", ...] = ()  # newest first
    grouping: tuple[tuple[str, int], ...] = ()  # of the gateway: what was counted when it was opened
    members: tuple[str, ...] = ()  # of the gateway: fingerprints of the insights that it explains


class Episode(NamedTuple):
    """One time that an insight was open, and over."""

    opened_at: int
    resolved_at: int
    attempts: int
    ended: int
    peak: int
    why: str


@dataclass(frozen=True, slots=True)
class HostRow:
    """What is known of one address of a destination: the row that says "1 of 2 hosts has a wrong certificate"."""

    destination_id: int
    server: str
    address: str  # IP address
    port: int
    last_success: int = 0
    last_failure: int = 0
    failures: int = 0  # in a row
    last_error: LastError | None = None
    latency_ms: float = 0.0  # of the opening, smoothed
    tls: str = ""  # "TLSv1.3 TLS_AES_256_GCM_SHA384", "" in clear
    certificate: "CertificateSummary | None" = None
    certificate_before: "CertificateSummary | None" = None  # the last different one that worked
    certificate_changed_at: int = 0

    @property
    def works(self) -> bool | None:
        """Whether its last attempt succeeded; None where nothing is known."""
        if not self.last_success and not self.last_failure:
            return None
        return self.last_success > self.last_failure


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """A leaf certificate as it was seen."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: int
    not_after: int
    fingerprint: str
    verdict: str = ""  # a certificate token of `Reason`, "" where it was good for the mode in force
