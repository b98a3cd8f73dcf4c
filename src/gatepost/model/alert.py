"""Alerts: what is worth waking somebody for, who is told, and what was said (R18)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

CONDITIONS = ("insight", "queue", "foresight")
SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When an alert is raised, and who hears of it. Spans are seconds; 0, "" and () mean: not asked.

    A policy looks at insights, at the queue of each connector, or at forecasts; everything that it asks must hold.
    """

    name: str
    on: str = "insight"  # one of CONDITIONS
    classes: tuple[str, ...] = ()  # failure classes of insights; kinds of forecasts
    least_severity: str = "low"  # of the insight or forecast
    connectors: tuple[str, ...] = ()  # names; `*` matches anything
    to: str = ""  # on-premises | partner
    messages: int = 0  # so many wait (queue, insight)
    older_than: int = 0  # ... that are older than this
    share: float = 0.0  # ... or this share (0 to 1) of all that waits
    expires_within: int = 0  # the first one is returned to its sender within
    pending: int = 0  # it must hold for so long before it fires
    keep_firing: int = 300  # it must be over for so long before it is over
    severity: str = ""  # of the alert; "": that of the insight or forecast
    channels: tuple[str, ...] = ()  # (): all
    daily_limit: int = 0  # notices a day; 0: any number
    quiet: str = ""  # "22:00-07:00 Asia/Shanghai": only critical ones are told then, others afterwards
    enabled: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """Where notices go."""

    name: str
    kind: str = "email"  # email | webhook | apprise
    to: tuple[str, ...] = ()  # addresses of an email channel
    url: str = field(default="", repr=False)  # of a webhook or of Apprise (may hold a secret)
    password: str = field(default="", repr=False)  # signs a webhook; in memory only; encrypted at rest
    language: str = "en"
    resolved: bool = True  # whether it hears that something is over
    enabled: bool = True
    comment: str = ""


class AlertState(StrEnum):
    """The life of an alert."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: a policy and what it is about. Times are ms since 1970, 0 for never."""

    id: int
    policy: str
    subject: str  # the fingerprint of an insight, "queue/CONNECTOR", or the key of a forecast
    connector: str
    severity: str
    state: AlertState
    since: int  # when the condition began to hold
    fired_at: int = 0
    seen_at: int = 0  # when the condition last held
    resolved_at: int = 0
    acknowledged_by: str = ""
    acknowledged_at: int = 0
    silenced: bool = False
    notified_at: int = 0
    values: Mapping[str, object] = field(default_factory=dict)  # what was known when it fired, for people


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of what matches until it ends; the alerts are there all the same."""

    id: int
    policy: str  # "" or `*` patterns
    connector: str
    until: int  # ms since 1970
    reason: str
    who: str
    at: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to one channel, in the outbox until it has arrived or its time is over."""

    id: int
    channel: str
    kind: str  # firing | resolved | test
    alerts: tuple[int, ...]
    at: int
    state: str = "waiting"  # waiting | sent | failed
    tries: int = 0
    next_at: int = 0
    log: tuple[Mapping[str, object], ...] = ()  # every try: at, ok, way, result
    payload: Mapping[str, object] = field(default_factory=dict)  # the JSON of a webhook; the facts of a mail
