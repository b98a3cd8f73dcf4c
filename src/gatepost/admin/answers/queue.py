"""Answers about the queue, and about where an address goes."""

from typing import Annotated

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from gatepost.admin.answers.fields import (
    CLASSES,
    FLOW_CODES,
    ConnectorName,
    DestinationId,
    DestinationName,
    DryRun,
    Octets,
    at,
    says,
)
from gatepost.model.failure import Phase

STATES = ("ready", "active", "retry", "suspended")
KINDS = ("smart", "mx", "mailbox", "none")
State = Annotated[str, says("Where the destination stands.", STATES)]

_ErrorClass = TypedDict("_ErrorClass", {"class": Annotated[str, says("Class of the failure.", CLASSES)]})


class ErrorJson(_ErrorClass):
    """The last real error of an attempt, as it is shown everywhere."""

    smtp: Annotated[int, says("SMTP code, 450; 0 where no server said one.")]
    code: Annotated[str, says("Enhanced status code, 4.4.316 or the remote server's own.")]
    title: Annotated[str, says("The code's standard title, in English.")]
    flow_code: Annotated[str, says("Code of mail flow intelligence.", FLOW_CODES)]
    phase: Annotated[str, says("How far the attempt came.", tuple(Phase))]
    reason: Annotated[str, says("What ended it in that phase: refused, timeout, CertificateExpired ...")]
    message: Annotated[str, says("What the network or the remote server said, word for word.")]
    server: Annotated[str, says("Name of the destination server; empty where none was reached for.")]
    address: Annotated[str, says("Its address and port, `192.0.2.7:25` or `[2001:db8::7]:25`; may be empty.")]
    at: Annotated[str, at("When the attempt ended.")]
    text: Annotated[str, says("All of it in one line, `450 4.4.316 Connection refused [Message=...] [...]`.")]


class RerouteJson(TypedDict):
    """Why recipients wait at a destination that is not their own way."""

    job: Annotated[str, says("Id of the job that sent them there; undo it to take that back.")]
    by: Annotated[str, says("Who did; empty where the job is forgotten.")]
    connector: Annotated[str, says("Connector that they were sent by.")]
    reason: str
    at: Annotated[str, at("When it was asked for.")]


class RerouteCount(RerouteJson):
    """How many recipients a job has sent to a destination."""

    recipients: Annotated[int, says("Recipients that wait there because of it.", minimum=1)]


class QueueRow(TypedDict):
    """What waits at one destination."""

    id: DestinationId
    kind: Annotated[str, says("How it is reached: smart hosts, MX, our mailbox store, or not at all.", KINDS)]
    connector: ConnectorName
    destination: DestinationName
    state: State
    messages: Annotated[int, says("Messages that wait.", minimum=0)]
    recipients: Annotated[int, says("Recipients that wait.", minimum=0)]
    bytes: Octets
    queued_since: Annotated[str | None, at("Since when mail has waited there without a break.")]
    oldest_at: Annotated[str | None, at("When the oldest waiting message was accepted.")]
    oldest_expires_at: Annotated[str | None, at("When the first message is returned to its sender.")]
    next_attempt_at: Annotated[str | None, at("When it is tried next; null unless it is in `retry`.")]
    attempts: Annotated[int, says("Failed attempts since it last worked.", minimum=0)]
    last_error: ErrorJson | None
    suspended_by: Annotated[str, says("Who holds it back; empty where nobody does.")]
    suspended_reason: str
    suspended_until: Annotated[str | None, at("When it resumes by itself; null: when somebody says so.")]
    rerouted: Annotated[list[RerouteCount], says("What somebody sent there, whatever way it would take.")]


class ActedRow(TypedDict):
    """A destination that was acted on."""

    id: DestinationId
    connector: ConnectorName
    destination: DestinationName
    state: State
    messages: Annotated[int, says("Messages that wait there.", minimum=0)]


class ActedJson(TypedDict):
    """What an action on destinations did, or would do."""

    dry_run: DryRun
    destinations: Annotated[int, says("Destinations that it concerned.", minimum=0)]
    messages: Annotated[int, says("Messages that wait at them.", minimum=0)]
    rows: list[ActedRow]


class AuditJson(TypedDict):
    """The store, counted again, beside the ledger; all but `balanced` are numbers of recipients or bodies."""

    accepted: Annotated[int, says("Recipients that were ever accepted.")]
    delivered: Annotated[int, says("Recipients that got their mail.")]
    returned: Annotated[int, says("Recipients whose mail went back to the sender.")]
    cancelled: Annotated[int, says("Recipients that an administrator ended.")]
    failed: Annotated[int, says("Recipients that failed for good without a report.")]
    queued: Annotated[int, says("Recipients that wait, counted now.")]
    balanced: Annotated[bool, says("Whether every accepted recipient is accounted for.")]
    bodies_without_rows: Annotated[int, says("Contents that nobody waits for.")]
    rows_without_bodies: Annotated[int, says("Waiting messages whose content is gone.")]
    rows_without_message: Annotated[int, says("Waiting recipients without their message.")]
    counters_differ: Annotated[
        int | None, says("Counters that are wrong; null where mail came and went meanwhile.")
    ]


class CandidateJson(TypedDict):
    """A connector that was weighed for an address."""

    connector: ConnectorName
    matched: Annotated[str, says("The pattern that matched; empty where none did.")]
    won: bool
    why: Annotated[str, says("Why it won or lost.")]


class RouteJson(TypedDict):
    """Where an address goes, and why."""

    address: str
    domain: Annotated[str, says("Domain of the recipient, as an A-label.")]
    kind: Annotated[str, says("How it leaves.", KINDS)]
    connector: ConnectorName
    next_hop: Annotated[str, says("Domain whose MX is asked; empty with smart hosts.")]
    destination: DestinationName
    destination_id: DestinationId
    why: Annotated[str, says("The reason, in a sentence.")]
    candidates: list[CandidateJson]
