"""Answers about insights: what is broken, since when, why, and what to do."""

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from gatepost.admin.answers.checks import ProbeJson
from gatepost.admin.answers.fields import (
    FLOW_CODES,
    Class,
    ConnectorName,
    DestinationId,
    DestinationName,
    DryRun,
    Octets,
    at,
    says,
)
from gatepost.admin.answers.fixes import OfferJson
from gatepost.admin.answers.messages import AttemptJson
from gatepost.admin.answers.queue import ErrorJson
from gatepost.diagnose.catalogue import OWNERS
from gatepost.model.forecast import KINDS as FORECASTS
from gatepost.model.insight import InsightState, Scope, Severity

Owner = Annotated[str, says("Whose it is to mend; empty where nobody can say.", ("", *OWNERS))]
STATES = tuple(InsightState)
SEVERITIES = tuple(Severity)


class ExpiringJson(TypedDict):
    """How many messages are returned soon."""

    messages: Annotated[int, says("Messages that expire within that time.")]
    within_seconds: Annotated[int, says("The time, in seconds.")]


class HostsInShort(TypedDict):
    """How many hosts of a destination work."""

    known: Annotated[int, says("Hosts of which it is known whether they work.")]
    working: int
    sentence: Annotated[str, says("The same in words; empty where nothing is known.")]


class QueueFields(TypedDict):
    """What waits because of an insight."""

    messages: Annotated[int | None, says("Messages that wait; null where that cannot be told apart.")]
    recipients: Annotated[int | None, says("Recipients that wait; null as `messages`.")]
    bytes: Annotated[int | None, says("Their size in octets; null as `messages`.")]
    queued_since: Annotated[str | None, at("Since when mail has waited.")]
    oldest_at: Annotated[str | None, at("When the oldest waiting message was accepted.")]
    oldest_expires_at: Annotated[str | None, at("When the first message is returned to its sender.")]
    expiring: ExpiringJson | None
    next_attempt_at: Annotated[str | None, at("When it is tried next.")]


_InsightClass = TypedDict("_InsightClass", {"class": Class})


class InsightRow(_InsightClass, QueueFields):
    """An insight as lists show it, with the eight fields of a queue."""

    id: Annotated[str, says("Fingerprint; the beginning suffices in addresses where it is enough.")]
    number: Annotated[str, says("Short name of this insight.")]
    scope: Annotated[str, says("What is broken.", tuple(Scope))]
    state: Annotated[str, says("Where it stands.", STATES)]
    severity: Annotated[str, says("How much it matters.", SEVERITIES)]
    sub: Annotated[str, says("A finer word than the class; may be empty.")]
    code: Annotated[str, says("Code of mail flow intelligence.", FLOW_CODES)]
    title: Annotated[str, says("What it is called, in the caller's language.")]
    sentence: Annotated[str, says("What is broken, since when, how much waits, whose side: one sentence.")]
    connector: ConnectorName
    foreign: Annotated[str, says("Name of the foreign mail system; empty where it is ours.")]
    to: Annotated[str, says("Where the connector leads.", ("", "on-premises", "partner"))]
    destination: DestinationName
    destination_id: DestinationId
    first_seen: Annotated[str | None, at("When it was seen for the first time ever.")]
    opened_at: Annotated[str | None, at("When it opened last.")]
    last_seen: Annotated[str | None, at("When it last failed.")]
    resolved_at: Annotated[str | None, at("When it was over; null while it is open.")]
    resolved_why: Annotated[str, says("What showed that it is over; empty while it is open.")]
    resolved_by: Annotated[str, says("Who called it over; empty where it was seen.")]
    attempts: Annotated[int, says("Failed attempts since it opened.", minimum=0)]
    episodes: Annotated[int, says("How often it has been open.", minimum=0)]
    ended: Annotated[int, says("Recipients that ended undelivered because of it.", minimum=0)]
    destination_server: Annotated[str, says("Server of the last error; may be empty.")]
    last_address: Annotated[str, says("Address and port of the last error; may be empty.")]
    last_error: ErrorJson | None
    owner: Owner
    owner_name: Annotated[str, says("The same in words.")]
    how_to_fix: Annotated[str, says("The first thing to do.")]
    hosts: HostsInShort
    parent: Annotated[str, says("Fingerprint of the insight that explains this one; may be empty.")]
    acknowledged_by: Annotated[str, says("Who looks after it; empty: nobody.")]
    acknowledged_at: Annotated[str | None, at("Since when.")]
    note: str


class AdviceJson(TypedDict):
    """Something to do, and who can."""

    owner: Owner
    owner_name: str
    text: str
    action: Annotated[str, says("Name of the fix that does it; empty where it is done by hand.")]


class KnownCause(TypedDict):
    """A cause of the catalogue."""

    id: str
    text: str


class RankedCauseJson(TypedDict):
    """A cause with its weight and its evidence."""

    id: str
    text: str
    weight: Annotated[float, says("0 to 1; all of a ranking sum up to 1.", minimum=0, maximum=1)]
    owner: Owner
    because: Annotated[list[str], says("The evidence, a sentence each.")]


class RankingJson(TypedDict):
    """Causes, the likeliest first."""

    decided: Annotated[bool, says("Whether the first is clearly ahead.")]
    owner: Owner
    next_check: Annotated[str | None, says("What would decide; null where nothing is open.")]
    causes: list[RankedCauseJson]


class CertificateJson(TypedDict):
    """A certificate in short."""

    subject: str
    issuer: str
    names: list[str]
    not_before: Annotated[str | None, at("From when it is good.")]
    not_after: Annotated[str | None, at("Until when it is good.")]
    fingerprint: Annotated[str, says("SHA-256, in hexadecimal.")]
    verdict: Annotated[str, says("Token of what is wrong with it; empty: nothing.")]


class HostJson(TypedDict):
    """What is known of one host at one address."""

    server: str
    address: Annotated[str, says("Address and port.")]
    works: Annotated[bool | None, says("Whether it works; null where nobody knows.")]
    current: Annotated[bool, says("Whether the name still leads to it.")]
    last_success: Annotated[str | None, at("When it last took mail.")]
    last_failure: Annotated[str | None, at("When it last failed.")]
    failures: Annotated[int, says("Failures since it last worked.", minimum=0)]
    last_error: ErrorJson | None
    latency_ms: Annotated[float, says("How long it takes to answer, in milliseconds; 0: unknown.")]
    tls: Annotated[str, says("TLS version of the last session; may be empty.")]
    certificate: CertificateJson | None
    certificate_before: CertificateJson | None
    certificate_changed_at: Annotated[str | None, at("When it showed another one than before.")]


class ExpiryHour(TypedDict):
    """How many messages expire within an hour of the day."""

    hour: Annotated[str | None, at("Begin of the hour.")]
    messages: int


class AgeStep(TypedDict):
    """How many messages are of an age."""

    younger_than_seconds: Annotated[
        int | None, says("Upper end of the step in seconds; null: all that is older.")
    ]
    messages: int


class GrowthJson(TypedDict):
    """How many messages were added."""

    last_hour: int
    hour_before: int


class DomainCount(TypedDict):
    """Recipients of a domain."""

    domain: str
    recipients: int


class SenderCount(TypedDict):
    """Messages from a domain."""

    domain: str
    messages: int


class FacetsJson(TypedDict):
    """Whose mail waits."""

    sampled: Annotated[bool, says("Whether only the oldest part was looked at.")]
    messages: int
    recipients: int
    bytes: Octets
    recipient_domains: list[DomainCount]
    sender_domains: list[SenderCount]


class TrendPoint(TypedDict):
    """Failed attempts of a stretch of time."""

    at: Annotated[str | None, at("Begin of the stretch.")]
    attempts: int


class EpisodeJson(TypedDict):
    """A time that it was open before."""

    opened_at: Annotated[str | None, at("When it opened.")]
    resolved_at: Annotated[str | None, at("When it was over.")]
    attempts: int
    ended: Annotated[int, says("Recipients that ended undelivered.")]
    peak: Annotated[int, says("The most messages that waited.")]
    why: Annotated[str, says("What showed that it was over.")]


class FingerprintParts(_InsightClass):
    """What makes failures belong together."""

    scope: str
    connector: ConnectorName
    destination_id: DestinationId
    destination: DestinationName


class Counted(TypedDict):
    """What made us call it an insight of the whole gateway."""

    failing: int
    working: int
    since: Annotated[str | None, at("Since when it was counted.")]


class WhyJson(TypedDict):
    """Why failures were counted as one insight."""

    rule: Annotated[str, says("Version of the rule.")]
    parts: FingerprintParts
    text: Annotated[str, says("The same in words.")]
    parent: Annotated[str, says("Fingerprint of what explains it; may be empty.")]
    counted: NotRequired[Counted]


class WhyOfInsight(WhyJson):
    """Why failures were counted as this insight."""

    id: str


class MemberJson(TypedDict):
    """An insight that this one explains."""

    id: str
    destination: DestinationName
    sentence: str


class WaitingJson(TypedDict):
    """How old mail is, when it expires, how the queue grew."""

    expiry: list[ExpiryHour]
    ages: list[AgeStep]
    growth: GrowthJson


class InsightJson(InsightRow, WaitingJson):
    """Everything about an insight."""

    explanation: str
    advice: list[AdviceJson]
    known_causes: list[KnownCause]
    ranking: RankingJson | None
    fixes: list[OfferJson]
    probe: Annotated[ProbeJson | None, says("What the latest probe saw; null where there was none.")]
    hosts_known: list[HostJson]
    facets: FacetsJson | None
    trend: list[TrendPoint]
    history: list[EpisodeJson]
    why: WhyJson
    members: list[MemberJson]


class InsightHistory(TypedDict):
    """When it was open before, and the latest attempts."""

    id: str
    first_seen: Annotated[str | None, at("When it was seen for the first time ever.")]
    episodes: int
    past: list[EpisodeJson]
    attempts: list[AttemptJson]


class NotedJson(TypedDict):
    """An insight after somebody said something about it."""

    dry_run: DryRun
    id: str
    state: Annotated[str, says("Where it stands.", STATES)]
    acknowledged_by: str
    acknowledged_at: Annotated[str | None, at("Since when somebody looks after it.")]
    note: str
    resolved_at: Annotated[str | None, at("When it was over; null while it is open.")]


class NextStep(TypedDict):
    """What to do about a forecast."""

    action: Annotated[str, says("Name of a fix; empty: by hand.")]
    title: str


class ForecastJson(TypedDict):
    """What will stop mail if nobody does anything."""

    forecast: Annotated[str, says("Kind of the forecast.", FORECASTS)]
    key: Annotated[str, says("What tells it from others.")]
    severity: Annotated[str, says("How much it matters.", SEVERITIES)]
    title: str
    sentence: str
    explanation: str
    evidence: list[str]
    next_step: str
    connector: ConnectorName
    destination: DestinationName
    destination_id: DestinationId
    due: Annotated[str | None, at("When it will stop mail; null where nobody can say.")]
    since: Annotated[str | None, at("Since when it has been foreseen.")]
    causes: Annotated[list[Any], says("Always empty; beside insights in notices.")]
    fixes: list[NextStep]
