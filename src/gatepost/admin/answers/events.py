"""What the stream of events tells: the data of each kind of event."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import (
    Class,
    ConnectorName,
    DestinationId,
    DestinationName,
    Octets,
    at,
    says,
)
from gatepost.admin.answers.insights import SEVERITIES, STATES
from gatepost.admin.answers.queue import State
from gatepost.model.insight import Scope

_EventClass = TypedDict("_EventClass", {"class": Class})


class InsightEvent(_EventClass):
    """An insight that changed."""

    id: Annotated[str, says("Fingerprint of the insight.")]
    scope: Annotated[str, says("What is broken.", tuple(Scope))]
    state: Annotated[str, says("Where it stands.", STATES)]
    state_before: Annotated[str | None, says("Where it stood; null where it is new.", (None, *STATES))]
    severity: Annotated[str, says("How much it matters.", SEVERITIES)]
    code: Annotated[str, says("Code of mail flow intelligence.")]
    connector: ConnectorName
    destination: DestinationName
    attempts: Annotated[int, says("Failed attempts since it opened.", minimum=0)]
    last_seen: Annotated[str | None, at("When it last failed.")]
    resolved_why: Annotated[str, says("What showed that it is over; empty while it is open.")]
    acknowledged_by: Annotated[str, says("Who looks after it; empty: nobody.")]
    parent: Annotated[str, says("Fingerprint of the insight that explains this one; may be empty.")]


class WaitingRow(TypedDict):
    """What waits at one destination."""

    id: DestinationId
    connector: ConnectorName
    destination: DestinationName
    state: State
    messages: Annotated[int, says("Messages that wait there.", minimum=0)]
    next_attempt_at: Annotated[str | None, at("When it is tried next.")]


class QueueEvent(TypedDict):
    """What waits now, the fullest fifty destinations one by one."""

    messages: Annotated[int, says("Messages that wait.", minimum=0)]
    recipients: Annotated[int, says("Recipients that wait.", minimum=0)]
    bytes: Octets
    oldest_expires_at: Annotated[str | None, at("When the first message is returned to its sender.")]
    destinations: Annotated[int, says("Destinations with mail.", minimum=0)]
    rows: list[WaitingRow]


class ChangedEvent(TypedDict):
    """Somebody changed something."""

    by: Annotated[str, says("Method of the request.")]
    what: Annotated[str, says("Path of the request.")]


class LostEvent(TypedDict):
    """Events were dropped, since the listener was too slow: look again."""


class Events(TypedDict):
    """The data of each event, by its kind."""

    insight: NotRequired[InsightEvent]
    queue: NotRequired[QueueEvent]
    changed: NotRequired[ChangedEvent]
    lost: NotRequired[LostEvent]
