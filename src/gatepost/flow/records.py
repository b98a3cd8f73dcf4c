"""Turn what a delivery saw into what is kept: attempts, last errors, timelines (pure)."""

from gatepost.model.attempt import Attempt, Failure, Reply, SessionFacts, last_error
from gatepost.model.failure import LastError, Verdict
from gatepost.model.ids import to_text
from gatepost.model.mail import QueuedRecipient

# a recipient that ends, with what ended it (nothing where the report tells of no failure)
Final = tuple[QueuedRecipient, Failure | None, Verdict | None, Attempt | None]


def attempt_of_failure(  # noqa: PLR0913 - the columns of a record
    number: int,
    at: int,
    failure: Failure,
    verdict: Verdict,
    *,
    message_id: int = 0,
    recipient: int = 0,
    outcome: str = "deferred",
    milliseconds: float = 0.0,
    gateway: str = "",
) -> Attempt:
    """Return the record of a failed attempt; `message_id` 0 makes it one of the destination."""
    error = last_error(failure, verdict, at, gateway, to_text(number))
    evidence: dict[str, object] = {
        "last_error": error.to_json(),
        "detail": failure.detail,
        "bytes_sent": failure.bytes_sent,
        "dialogue": failure.session.dialogue,
    }
    return Attempt(
        id=number,
        message_id=message_id,
        recipient=recipient,
        destination_id=failure.session.destination_id,
        at=at,
        outcome=outcome,
        phase=str(failure.phase),
        reason=str(failure.reason),
        verdict=verdict,
        reply=failure.reply,
        session=failure.session,
        milliseconds=milliseconds,
        in_doubt=failure.in_doubt,
        evidence=evidence,
    )


def attempt_of_success(
    number: int,
    at: int,
    message_id: int,
    recipient: int,
    session: SessionFacts,
    reply: Reply | None,
    milliseconds: float,
) -> Attempt:
    """Return the record of a delivery."""
    return Attempt(
        number,
        message_id,
        recipient,
        session.destination_id,
        at,
        "delivered",
        "",
        "",
        None,
        reply,
        session,
        milliseconds,
    )


def error_of(failure: Failure, verdict: Verdict, at: int, gateway: str, number: int) -> LastError:
    """Return the error as the surfaces show it."""
    return last_error(failure, verdict, at, gateway, to_text(number))
