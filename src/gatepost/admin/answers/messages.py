"""Answers about messages, their trace, and actions on them."""

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import (
    ConnectorName,
    DestinationName,
    DryRun,
    MessageId,
    Octets,
    Parameters,
    at,
    says,
)
from gatepost.admin.answers.queue import STATES, ErrorJson, RerouteJson

ENDS = ("delivered", "returned", "cancelled", "failed")
Next = Annotated[str | None, says("Leads to the page behind this one; null on the last one.")]


class HeadJson(TypedDict):
    """The envelope of a message."""

    id: MessageId
    sender: Annotated[str, says("Envelope sender; empty: the null sender.")]
    size: Octets
    accepted_at: Annotated[str, at("When the gateway took responsibility.")]
    header_id: Annotated[str, says("Message-ID of the header; may be empty.")]
    source: Annotated[str, says("Name of the source that handed it in; may be empty.")]


class MessageRow(HeadJson):
    """A message that waits at one destination."""

    connector: ConnectorName
    destination: DestinationName
    state: Annotated[str, says("Where its destination stands.", STATES)]
    recipients: Annotated[list[str], says("Addresses that wait there.")]
    suspended: Annotated[bool, says("Whether this message itself is held back.")]
    attempts: Annotated[int, says("Failed attempts of its own, the most of a recipient.", minimum=0)]
    next_attempt_at: Annotated[str | None, at("When it is tried next; null: as soon as it can be.")]
    expires_at: Annotated[str | None, at("When it is returned to its sender.")]
    rerouted: RerouteJson | None
    last_error: ErrorJson | None


class MessagePage(TypedDict):
    """A page of messages that wait."""

    messages: list[MessageRow]
    next: Next


class RecipientJson(TypedDict):
    """A recipient of a message, with where it stands."""

    n: Annotated[int, says("Place among the recipients, from 1.")]
    address: str
    connector: ConnectorName
    destination: DestinationName
    state: Annotated[str, says("Where it stands.", ("queued", *ENDS))]
    suspended: bool
    attempts: Annotated[int, says("Attempts of its own.", minimum=0)]
    next_attempt_at: Annotated[str | None, at("When it is tried next by itself; null: with its destination.")]
    expires_at: Annotated[
        str | None, at("When it is returned; null where it has ended or its destination decides.")
    ]
    ended_at: Annotated[str | None, at("When it ended; null while it waits.")]


class RecipientDetail(RecipientJson):
    """A recipient with its last error, and who sent it another way."""

    rerouted: RerouteJson | None
    last_error: ErrorJson | None


class AttemptJson(TypedDict):
    """One attempt, at one host and address."""

    id: Annotated[str, says("Id of the attempt, as in the log.")]
    scope: Annotated[str, says("Whom it concerned.", ("recipient", "destination"))]
    recipient: Annotated[
        str, says("Address of the recipient; empty where it concerned the whole destination.")
    ]
    connector: ConnectorName
    destination: DestinationName
    at: Annotated[str, at("When it ended.")]
    outcome: Annotated[str, says("What came of it: delivered, deferred, or a failure for good.")]
    ended: Annotated[str, says("How the recipient ended by it; empty: it did not.", ("", *ENDS))]
    phase: Annotated[str, says("How far it came.")]
    reply: Annotated[str, says("What the server said, word for word.")]
    server: str
    address: Annotated[str, says("Address and port that were spoken to.")]
    milliseconds: Annotated[float, says("How long it took, in milliseconds.")]
    in_doubt: Annotated[bool, says("Whether it may have been delivered all the same: the answer got lost.")]
    error: ErrorJson | None
    evidence: Annotated[dict[str, Any], says("What was seen: banner, TLS, certificate, transcript, timings.")]


class EventJson(TypedDict):
    """Something that happened to a message."""

    id: str
    at: Annotated[str, at("When it happened.")]
    kind: Annotated[str, says("What happened: accepted, moved, delayed, suspended, relayed ...")]
    data: Annotated[dict[str, Any], says("What belongs to it.")]


MESSAGE_STATES = ("queued", "mixed", *ENDS)


class MessageJson(HeadJson):
    """A message with everything that happened to it."""

    state: Annotated[
        str, says("State of the whole; queued while anyone waits, mixed: ends differ.", MESSAGE_STATES)
    ]
    envid: Annotated[str, says("Envelope id of the sender (RFC 3461); may be empty.")]
    client: Annotated[dict[str, Any], says("Who handed it in: address, HELO name, TLS, login.")]
    recipients: list[RecipientDetail]
    events: list[EventJson]
    attempts: Annotated[list[AttemptJson], says("All attempts, the oldest first.")]


class TraceRow(HeadJson):
    """A message of the past or present."""

    state: Annotated[str, says("State of the whole.", MESSAGE_STATES)]
    recipients: list[RecipientJson]


class TracePage(TypedDict):
    """A page of the trace, newest first."""

    messages: list[TraceRow]
    next: Next


class TestJson(TypedDict):
    """A test message that was sent."""

    id: MessageId
    recipient: str
    connector: ConnectorName


class JobRow(TypedDict):
    """What a job concerns at one destination."""

    connector: ConnectorName
    destination: DestinationName
    messages: Annotated[int, says("Messages there.", minimum=0)]


class CancelledJson(TypedDict):
    """What ending messages did, or would do."""

    dry_run: DryRun
    ndr: Annotated[bool, says("Whether the senders get a report.")]
    messages: Annotated[int, says("Messages that the filter means.", minimum=0)]
    recipients: Annotated[int, says("Recipients of them that wait.", minimum=0)]
    ended: Annotated[int, says("Recipients that were ended.", minimum=0)]
    under_way: Annotated[int, says("Recipients on a connection just now, which were left alone.", minimum=0)]
    reports: Annotated[int, says("Reports to senders, at most.", minimum=0)]
    bytes: Octets
    rows: list[JobRow]
    job: Annotated[str, says("Id of the job that did it.")]
    state: Annotated[str, says("State of that job.")]


JOB_STATES = ("running", "done", "stopped", "failed", "undoing", "undone")


class JobJson(TypedDict):
    """An action on a set of queued mail: what it is, how far it is, what it did."""

    id: str
    action: Annotated[str, says("Name of the action.")]
    title: Annotated[str, says("What it is called, in the caller's language.")]
    does: Annotated[str, says("What it does, in the caller's language.")]
    filter: Annotated[str, says("Which mail, in the language of filters; empty: all.")]
    parameters: Parameters
    who: str
    via: Annotated[str, says("From where it was asked for.", ("socket", "api", "page"))]
    reason: str
    at: Annotated[str | None, at("When it began.")]
    dry_run: DryRun
    state: Annotated[str, says("Where it stands.", JOB_STATES)]
    problem: Annotated[str, says("Why it failed; else empty.")]
    progress: Annotated[float, says("Share that was looked at, 0 to 1.", minimum=0)]
    looked_at: Annotated[int, says("Messages that were looked at.", minimum=0)]
    to_look_at: Annotated[int, says("Messages that may come into question.", minimum=0)]
    messages: Annotated[int, says("Messages that the filter means, as far as was looked.", minimum=0)]
    recipients: Annotated[int, says("Recipients of them.", minimum=0)]
    done: Annotated[int, says("Recipients that it has changed.", minimum=0)]
    under_way: Annotated[int, says("Recipients on a connection just now, which are left alone.", minimum=0)]
    reports: Annotated[int, says("Reports to senders, at most.", minimum=0)]
    bytes: Octets
    known: Annotated[int, says("Recipients that our mailbox store knows.", minimum=0)]
    unknown: Annotated[int, says("Recipients that it does not know.", minimum=0)]
    fate: Annotated[str, says("What becomes of a recipient: retried, held, rerouted, returned, deleted ...")]
    samples: Annotated[list[str], says("Some of the addresses.")]
    rows: list[JobRow]
    undo: Annotated[str, says("Whether it can be undone.", ("full", "partly", "none"))]
    destructive: Annotated[bool, says("Whether mail is gone afterwards.")]
    ends_at: Annotated[str | None, at("When it is undone by itself; null: never.")]
    finished_at: Annotated[str | None, at("When it ended; null while it runs.")]
    undone_at: Annotated[str | None, at("When it was undone; null where it was not.")]
    undone_by: str


class Progress(TypedDict):
    """How far a job is, in messages."""

    done: int
    of: int


class CancelStep(TypedDict):
    """One line of a streamed cancellation: how far it is, or (the last line) what it did."""

    progress: NotRequired[Progress]
    result: NotRequired[CancelledJson]
