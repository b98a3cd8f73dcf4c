"""The JSON that every surface shows of queue, messages and attempts, in the documented form (pure).

Rule: times are RFC 3339 in UTC or null; ids of messages 13 characters; an id of a destination is a text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from gatepost.admin.answers.fixes import EffectJson
from gatepost.admin.answers.messages import AttemptJson, EventJson, HeadJson, RecipientJson
from gatepost.admin.answers.objects import HistoryJson
from gatepost.admin.answers.queue import ErrorJson, QueueRow, RerouteCount
from gatepost.model.failure import LastError, clean, iso
from gatepost.model.fix import Effect
from gatepost.model.ids import to_text
from gatepost.model.objects import Connector, Objects
from gatepost.storage.interface import (
    AttemptView,
    DestinationState,
    DestinationSummary,
    Event,
    HistoryEntry,
    MessageView,
    QueuedMessage,
    RecipientView,
)

MAX_SAMPLES = 10  # addresses of each fate
Json = dict[str, object]


def when(milliseconds: int) -> str | None:
    """Return a time as text, None for 0."""
    return iso(milliseconds) if milliseconds else None


def destination_name(state: DestinationState, connectors: Mapping[str, Connector]) -> str:
    """Return what people call a destination: its smart hosts in order, its domain, or `mailboxes`."""
    if state.kind == "mailbox":
        return "mailboxes"
    connector = connectors.get(state.connector)
    if state.kind == "smart" and connector is not None and connector.smart_hosts:
        return ", ".join(host.text() for host in connector.smart_hosts)
    return state.next_hop or state.connector


def connectors_of(objects: Objects) -> dict[str, Connector]:
    """Return the connectors by name."""
    return {connector.name: connector for connector in objects.connectors}


def queue_row(summary: DestinationSummary, name: str, rerouted: list[RerouteCount]) -> QueueRow:
    """Return one row of the queue."""
    state = summary.state
    return {
        "id": str(state.id),
        "kind": state.kind,
        "connector": state.connector,
        "destination": name,
        "state": state.state,
        "messages": summary.messages,
        "recipients": summary.recipients,
        "bytes": summary.bytes,
        "queued_since": when(state.queued_since or summary.oldest_at),
        "oldest_at": when(summary.oldest_at),
        "oldest_expires_at": when(summary.oldest_expires_at),
        "next_attempt_at": when(state.next_attempt_at) if state.state == "retry" else None,
        "attempts": state.attempts,
        "last_error": error_json(state.last_error),
        "suspended_by": state.suspended_by,
        "suspended_reason": state.suspended_reason,
        "suspended_until": when(state.suspended_until),
        "rerouted": rerouted,
    }


def error_json(error: LastError | None) -> ErrorJson | None:
    """Return a last error as JSON, None where there is none."""
    return None if error is None else cast("ErrorJson", error.to_json())


def error_of_attempt(attempt: AttemptView, hostname: str) -> LastError | None:
    """Return the error of an attempt that was kept; None where it delivered."""
    if attempt.outcome == "delivered" or not attempt.code:
        return None
    return LastError(
        smtp=attempt.smtp,
        code=attempt.code,
        title=attempt.title,
        phase=attempt.phase,
        reason=attempt.reason,
        failure_class=attempt.failure_class,
        flow_code=attempt.flow_code,
        message=attempt.message,
        server=attempt.server,
        address=attempt.endpoint,
        at=attempt.at,
        gateway=hostname,
        session=to_text(attempt.id),
    )


def attempt_json(attempt: AttemptView, hostname: str, places: Mapping[int, tuple[str, str]]) -> AttemptJson:
    """Return an attempt; `places` gives connector and destination by id."""
    connector, destination = places.get(attempt.destination_id, ("", ""))
    return {
        "id": to_text(attempt.id),
        "scope": "recipient" if attempt.message_id else "destination",
        "recipient": attempt.address,
        "connector": connector,
        "destination": destination,
        "at": iso(attempt.at),
        "outcome": attempt.outcome,
        "ended": attempt.ended,
        "phase": attempt.phase,
        "reply": clean(attempt.reply),
        "server": attempt.server,
        "address": attempt.endpoint,
        "milliseconds": round(attempt.milliseconds, 3),
        "in_doubt": attempt.in_doubt,
        "error": error_json(error_of_attempt(attempt, hostname)),
        "evidence": dict(attempt.evidence),
    }


def latest_error(
    attempts: Sequence[AttemptView], recipient: RecipientView, hostname: str
) -> LastError | None:
    """Return the last error that stands for a recipient: its own latest attempt, else its destination's."""
    for attempt in reversed(attempts):
        mine = attempt.message_id and attempt.recipient == recipient.n
        if mine or (not attempt.message_id and attempt.destination_id == recipient.destination_id):
            return error_of_attempt(attempt, hostname)
    return None


def recipient_json(recipient: RecipientView, place: tuple[str, str], expires_at: int) -> RecipientJson:
    """Return a recipient with where it stands."""
    queued = recipient.state == "queued"
    return {
        "n": recipient.n,
        "address": recipient.address,
        "connector": place[0],
        "destination": place[1],
        "state": recipient.state,
        "suspended": recipient.suspended,
        "attempts": recipient.attempts,
        "next_attempt_at": when(recipient.not_before) if queued else None,
        "expires_at": when(expires_at) if queued else None,
        "ended_at": when(recipient.ended_at),
    }


def message_state(recipients: Sequence[RecipientView]) -> str:
    """Return the state of a whole message: `queued` while anyone waits, `mixed` where ends differ."""
    states = {recipient.state for recipient in recipients}
    if "queued" in states:
        return "queued"
    return states.pop() if len(states) == 1 else "mixed"


def head_json(message: MessageView | QueuedMessage) -> HeadJson:
    """Return what is shown of a message's envelope."""
    number = message.id if isinstance(message, MessageView) else message.message_id
    return {
        "id": to_text(number),
        "sender": message.sender,
        "size": message.size,
        "accepted_at": iso(message.accepted_at),
        "header_id": clean(message.header_id),
        "source": message.source,
    }


def event_json(event: Event) -> EventJson:
    """Return something that happened to a message."""
    return {"id": to_text(event.id), "at": iso(event.id >> 21), "kind": event.kind, "data": dict(event.data)}


def client_json(text: str) -> Json:
    """Return what is known of the client that handed a message in."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


HIDDEN = frozenset({"hash", "totp", "recovery"})


def history_json(entry: HistoryEntry) -> HistoryJson:
    """Return one change of an object."""
    return {
        "revision": entry.revision,
        "at": iso(entry.at),
        "who": entry.who,
        "what": entry.what,
        "kind": entry.kind,
        "name": entry.name,
        "before": None if entry.before is None else masked(entry.before),
        "after": None if entry.after is None else masked(entry.after),
    }


def masked(data: Mapping[str, object]) -> Json:
    """Return an object's stored data without what only the gateway may know."""
    shown = {key: value for key, value in data.items() if key not in HIDDEN}
    if shown.get("password"):
        shown["password"] = "********"  # noqa: S105 - the mask itself
    logins = shown.get("logins")
    if isinstance(logins, Mapping):
        shown["logins"] = dict.fromkeys(logins, "********")
    return shown


def effect_json(effect: Effect) -> EffectJson:
    """Return an effect: recipients by fate, with samples."""
    return {
        "messages": effect.messages,
        "delivered": effect.delivered,
        "retried": effect.retried,
        "rerouted": effect.rerouted,
        "returned": effect.returned,
        "held": effect.held,
        "deleted": effect.deleted,
        "unchanged": effect.unchanged,
        "known": effect.known,
        "unknown": effect.unknown,
        "samples": {fate: list(found)[:MAX_SAMPLES] for fate, found in effect.samples.items()},
    }
