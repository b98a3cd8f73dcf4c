"""Values to rows and back; no database here."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from gatepost.model.attempt import Attempt, SessionFacts
from gatepost.model.failure import LastError
from gatepost.model.mail import NewMessage, Settlement
from gatepost.storage.interface import AttemptView, DestinationState, Event

Value = None | int | float | str | bytes
Row = tuple[Value, ...]

_REPLY_LIMIT = 4096  # characters of a reply that are kept (the remote decides how much it talks)


def encode(value: object) -> str:
    """Return compact JSON; what JSON does not know is shown as text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def message_row(message: NewMessage) -> Row:
    """Return the row of an accepted message, with its first recipient."""
    count = len(message.recipients)
    first = message.recipients[0]
    return (
        *message[:9],
        count,
        count,
        message.crc,
        int(message.spool),
        first.destination_id,
        first.n,
        first.address,
        domain_of(first.address),
        first.orcpt,
        first.notify,
    )


def other_recipients(message: NewMessage) -> list[Row]:
    """Return the queue rows of an accepted message but the first."""
    return [
        (r.destination_id, message.id, r.n, r.address, domain_of(r.address), r.orcpt, r.notify, message.size,
         message.accepted_at)
        for r in message.recipients[1:]
    ]  # fmt: skip


def domain_of(address: str) -> str:
    """Return what a queue is grouped by: the lower-case text behind the last @."""
    return address[address.rfind("@") + 1 :].lower()


def attempt_columns(attempt: Attempt) -> Row:
    """Return the columns from phase to evidence, the same for messages and destinations."""
    verdict, session, reply = attempt.verdict, attempt.session, attempt.reply
    plain = attempt.outcome == "delivered" and not attempt.evidence
    return (
        attempt.phase,
        attempt.reason,
        *(
            (
                str(verdict.failure_class),
                verdict.sub,
                verdict.flow_code,
                verdict.code,
                verdict.smtp,
                verdict.title,
                verdict.message,
            )
            if verdict
            else (
                "delivered" if plain else "",
                "",
                "",
                reply.status if reply else "",
                reply.code if reply else 0,
                "",
                "",
            )
        ),
        reply.text[:_REPLY_LIMIT] if reply else "",
        session.server if session else "",
        session.endpoint if session else "",
        session.id if session else 0,
        attempt.milliseconds,
        int(attempt.in_doubt),
        encode(attempt.evidence) if attempt.evidence else None,
    )


_NOTHING_KNOWN: Row = ("", "", "", "", "", "", 0, "", "", "", "", "", 0, 0.0, 0, None)


def is_plain(settlement: Settlement) -> bool:
    """Tell whether a settlement is a delivery with nothing to remark: nearly all are."""
    attempt = settlement.attempt
    return (
        attempt is not None
        and settlement.outcome == attempt.outcome == "delivered"
        and not attempt.evidence
        and not attempt.in_doubt
        and attempt.verdict is None
    )


def delivered_row(settlement: Settlement, address: str, closes: bool) -> Row:
    """Return what is not the same for all deliveries."""
    message_id, n, number, destination_id, *rest = closing_row(settlement)
    return (closes, message_id, n, number, destination_id, address, *rest)


def closing_row(settlement: Settlement) -> Row:
    """Return what is not the same for all deliveries that are the end of their message."""
    attempt = settlement.attempt
    assert attempt is not None
    session, reply = attempt.session, attempt.reply
    return (
        settlement.message_id,
        settlement.n,
        attempt.id,
        settlement.destination_id,
        attempt.at,
        *((reply.status, reply.code, reply.text[:_REPLY_LIMIT]) if reply else ("", 0, "")),
        *((session.server, session.endpoint, session.id) if session else ("", "", 0)),
        attempt.milliseconds,
    )


def settled_row(settlement: Settlement, address: str, ended: str, new_id: Callable[[], int]) -> Row:
    """Return the attempt row of an end or a deferral; a minimal one where no attempt came with it."""
    attempt = settlement.attempt
    key = (settlement.message_id, settlement.n)
    if attempt is None:
        number = new_id()
        return (
            *key,
            number,
            settlement.destination_id,
            address,
            number >> 21,
            settlement.outcome,
            ended,
            *_NOTHING_KNOWN,
        )
    return (
        *key,
        attempt.id,
        settlement.destination_id,
        address,
        attempt.at,
        attempt.outcome,
        ended,
        *attempt_columns(attempt),
    )


def session_json(session: SessionFacts) -> str:
    """Return the facts of a connection; copies first, since the loop may still be adding to them."""
    value: dict[str, object] = {name: getattr(session, name) for name in session.__slots__}
    value["tls"] = asdict(session.tls) if session.tls else None
    value["timings"] = session.timings.copy()
    value["dialogue"] = session.dialogue.copy()
    value["dns"] = session.dns.copy()
    value["endpoint"] = session.endpoint
    return encode(value)


def destination_row(state: DestinationState) -> Row:
    """Return the row of a destination."""
    error = state.last_error
    return (*state[:7], encode(asdict(error)) if error else None, *state[8:])


def destination_of(row: tuple[object, ...]) -> DestinationState:
    """Return the state that a row keeps."""
    state = DestinationState(*row)  # type: ignore[arg-type]
    error = row[7]
    return state._replace(last_error=LastError(**json.loads(error)) if isinstance(error, str) else None)


def attempt_of(row: tuple[object, ...]) -> AttemptView:
    """Return the attempt that a row keeps."""
    view = AttemptView(*row)  # type: ignore[arg-type]
    evidence = row[23]
    return view._replace(
        in_doubt=bool(view.in_doubt), evidence=json.loads(evidence) if isinstance(evidence, str) else {}
    )


def event_of(row: tuple[int, int, str, str]) -> Event:
    """Return the event that a row keeps."""
    return Event(row[0], row[1], row[2], json.loads(row[3]))


def decode(text: object) -> Mapping[str, object] | None:
    """Return the object that was kept as JSON, or None."""
    return json.loads(text) if isinstance(text, str) else None
