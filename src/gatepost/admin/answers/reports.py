"""Answers of reports, and of the map of mail flow."""

from typing import Annotated

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import (
    ConnectorName,
    DestinationId,
    DestinationName,
    MessageId,
    Octets,
    at,
    says,
)
from gatepost.admin.answers.queue import State
from gatepost.insight.invalid import DIMENSIONS, LEVELS


class ReportHead(TypedDict):
    """What every report begins with."""

    report: Annotated[str, says("Name of the report.")]
    since: Annotated[str | None, at("Begin of the time that it is about; null: now.")]
    until: Annotated[str | None, at("End of that time.")]
    sampled: Annotated[bool, says("Whether only the latest part of history was looked at.")]


class QueuedRow(TypedDict):
    """What waits at one destination."""

    messages: int
    connector: ConnectorName
    queued_since: Annotated[str | None, at("Since when mail has waited.")]
    oldest_expires_at: Annotated[str | None, at("When the first message is returned.")]
    destination_server: Annotated[str, says("Server of the last error; may be empty.")]
    last_address: str
    last_error: Annotated[str, says("The last error in one line; may be empty.")]
    how_to_fix: str
    destination: DestinationName
    destination_id: DestinationId
    state: State
    recipients: int
    bytes: Octets
    next_attempt_at: Annotated[str | None, at("When it is tried next.")]
    insight: Annotated[str, says("Fingerprint of its insight; may be empty.")]


class QueuedReport(ReportHead):
    """What waits, by connector and destination."""

    rows: list[QueuedRow]


_NdrClass = TypedDict("_NdrClass", {"class": Annotated[str, says("Class of the failure.")]})


class NdrRow(_NdrClass):
    """What was returned on a day for one reason."""

    date: Annotated[str, says("The day, in UTC.", format="date")]
    code: str
    smtp: int
    title: str
    connector: ConnectorName
    destination: DestinationName
    recipients: Annotated[int, says("Recipients that ended undelivered.")]
    returned: Annotated[int, says("Recipients of them whose mail went back.")]
    samples: Annotated[list[MessageId], says("Some of the messages.")]


class NdrReport(ReportHead):
    """What was returned to senders, by day and code."""

    rows: list[NdrRow]


class ConnectorRow(TypedDict):
    """How a connector fares."""

    connector: ConnectorName
    to: Annotated[str, says("Whose servers it leads to; empty where it is gone.")]
    enabled: Annotated[bool | None, says("Null where the connector is gone.")]
    destinations: int
    attempts: int
    delivered: int
    deferred: int
    failed: int
    failed_connections: Annotated[int, says("Attempts that ended before any message.")]
    connections: int
    delivered_share: Annotated[
        float | None, says("Share of attempts that delivered, 0 to 1; null without any.")
    ]
    tls: Annotated[list[str], says("Deliveries by TLS version, `TLSv1.3=12`.")]
    average_ms: Annotated[float | None, says("Average time of a delivery in milliseconds; null without any.")]
    last_success: Annotated[str | None, at("When it last delivered.")]
    queued: Annotated[int, says("Messages that wait.")]
    insights: Annotated[list[str], says("Fingerprints of what is broken.")]


class ConnectorReport(ReportHead):
    """How connectors fare."""

    rows: list[ConnectorRow]


class FlowRow(TypedDict):
    """Recipients that went one way."""

    source: str
    domain: str
    connector: str
    destination: str
    outcome: Annotated[str, says("What became of them: delivered, returned, failed, cancelled, waiting.")]
    recipients: int


class FlowReport(ReportHead):
    """How many recipients went which way."""

    rows: list[FlowRow]


class FlowNode(TypedDict):
    """A node of the map."""

    column: str
    name: str
    recipients: int


_FlowFrom = TypedDict("_FlowFrom", {"from": Annotated[str, says("Name of the node in the column.")]})


class FlowLink(_FlowFrom):
    """A link of the map, from a column to the next one."""

    column: str
    to: Annotated[str, says("Name of the node in the next column.")]
    recipients: int


class Picture(TypedDict):
    """Nodes and links of a picture."""

    nodes: list[FlowNode]
    links: list[FlowLink]


class FlowMap(Picture):
    """The map of mail flow."""

    window: Annotated[str, says("The time that it is about.", ("1h", "4h", "24h", "7d"))]
    since: Annotated[str | None, at("Begin of that time.")]
    filter: Annotated[dict[str, str], says("What was asked for beside the window.")]
    recipients: int
    outcomes: Annotated[dict[str, int], says("Recipients by outcome.")]
    rows: list[FlowRow]


class QuotaRow(TypedDict):
    """Who named how many recipients that do not exist."""

    dimension: Annotated[str, says("What is counted by.", DIMENSIONS)]
    name: str
    total: int
    refused: int
    rejected: int
    returned: int
    reports: Annotated[int, says("Reports that it caused.")]
    addresses: Annotated[int, says("Different addresses, as far as they were told apart.")]
    level: Annotated[str, says("How it stands.", LEVELS)]
    harvest: Annotated[bool, says("Whether it looks like a search for addresses.")]
    warned_at: Annotated[int, says("When it was warned of, in milliseconds since 1970; 0: never.")]
    limited_at: Annotated[int, says("When it was limited, in milliseconds since 1970; 0: never.")]
    first_at: Annotated[str | None, at("The first of the window.")]
    last_at: Annotated[str | None, at("The last one.")]
    until: Annotated[str | None, at("When it is below the limit again if nothing more comes.")]
    examples: list[str]


class QuotaReport(ReportHead):
    """Who named recipients that do not exist, the worst first."""

    rows: list[QuotaRow]


class CertificateRow(TypedDict):
    """A certificate that was seen, or one of our own."""

    host: Annotated[str, says("Server that shows it.")]
    addresses: Annotated[list[str], says("Where it shows it; with our own the listeners.")]
    side: Annotated[str, says("Whose it is.", ("server", "own"))]
    connector: ConnectorName
    subject: str
    issuer: str
    names: Annotated[list[str], says("Names that it is good for, fifty at most.")]
    not_before: Annotated[str | None, at("When it begins.")]
    not_after: Annotated[str | None, at("When it ends.")]
    days_left: Annotated[int, says("Whole days until it ends; below 0: since it ended.")]
    ended: Annotated[bool, says("Whether it has ended.")]
    tls: Annotated[str, says("Version and cipher of the last connection; may be empty.")]
    last_seen: Annotated[str | None, at("When it was shown last.")]
    verdict: Annotated[str, says("What is wrong with it; empty: nothing.")]
    insight: Annotated[str, says("Fingerprint of the insight about it; may be empty.")]
    fingerprint: Annotated[str, says("SHA-256 of it, hexadecimal.")]


class CertificateReport(ReportHead):
    """Certificates, those that end first at the top."""

    within: Annotated[str, says("Only those that end within this; empty: all.")]
    rows: list[CertificateRow]


class TlsRow(TypedDict):
    """How mail of a source, or for a connector, travelled."""

    direction: Annotated[str, says("Handed in by clients, or taken by servers.", ("received", "sent"))]
    source: Annotated[str, says("Name of the source, with received mail; may be empty.")]
    connector: Annotated[str, says("Name of the connector, with sent mail; `?` where it is gone.")]
    domain: Annotated[str, says("Domain of ours that it is for; empty: another.")]
    version: Annotated[str, says("Version of TLS, or `clear`.")]
    recipients: int
    share: Annotated[float, says("Share of the same way in all versions.")]


class TlsShare(TypedDict):
    """How much of something travelled under TLS."""

    recipients: int
    encrypted: Annotated[int, says("Of them under TLS.")]
    share: Annotated[float | None, says("From 0 to 1; null where there was nothing.")]


class TlsShares(TypedDict):
    """Both directions."""

    received: TlsShare
    sent: TlsShare


class TlsHour(TypedDict):
    """Recipients of an hour, and how many of them travelled under TLS."""

    at: Annotated[str | None, at("When it began.")]
    received: Annotated[int, says("Handed in by clients.")]
    received_tls: Annotated[int, says("Handed in under TLS.")]
    sent: Annotated[int, says("Taken by servers.")]
    sent_tls: Annotated[int, says("Taken under TLS.")]


class TlsReport(ReportHead):
    """How much mail travelled under TLS."""

    window: Annotated[str, says("The time that it is about.")]
    shares: TlsShares
    course: list[TlsHour]
    rows: list[TlsRow]


class DomainRow(TypedDict):
    """Where the mail of an accepted domain goes, and whether it arrives."""

    domain: str
    type: Annotated[str, says("What it is.", ("authoritative", "internal-relay"))]
    recipients: Annotated[int, says("Recipients that our mailbox store knows.")]
    connector: ConnectorName
    destination: DestinationName
    status: Annotated[str, says("Whether mail arrives.", ("healthy", "warning", "error", "unknown"))]
    reason: Annotated[str, says("What is wrong; may be empty.")]
    queued: int
    last_success: Annotated[str | None, at("When mail last arrived.")]
    mx_now: list[str]
    mx_before: list[str]


class DomainReport(ReportHead):
    """Our accepted domains."""

    rows: list[DomainRow]
