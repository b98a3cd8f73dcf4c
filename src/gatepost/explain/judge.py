"""Judge what a reader has read, in the vocabulary of the gateway's own attempts and by the same rules.

Rule 1: a text is opened first (`explain.opening`): the server and the phase that it names, the reply inside.
Rule 2: a refusal in the greeting is "service unavailable" unless it names a finer reason (block list, PTR, rate).
Rule 3: a time-out before the connection stands is `connection_timeout`, after it `session_timeout`.
"""

from functools import lru_cache

from gatepost.diagnose.codes import flow_code, phase_of, reason_of
from gatepost.diagnose.normal import HOST
from gatepost.diagnose.opinion import Opinion, opinion
from gatepost.diagnose.replies import names_a_reason
from gatepost.explain.opening import open_record
from gatepost.explain.record import Judgement, Record
from gatepost.model.failure import FailureClass as C

_IN_SESSION = frozenset({"banner", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data", "eod"})
_NETWORK = frozenset(
    {
        C.CONNECTION_DROPPED, C.SESSION_TIMEOUT, C.CONNECTION_TIMEOUT, C.CONNECTION_REFUSED, C.HOST_UNREACHABLE,
        C.DNS_QUERY_FAILED, C.DNS_PERMANENT, C.TLS_HANDSHAKE_FAILED, C.CERT_INVALID, C.DANE_MTASTS, C.DELIVERED,
        C.QUEUED_RETRY, C.EXPIRED,
    }
)  # fmt: skip


def judge(record: Record) -> Judgement:
    """Return what an administrator is told of a record; never raises, whatever it holds."""
    return judge_cached(record)


def judge_cached(record: Record) -> Judgement:
    """Return the same as `judge`: texts that differ in addresses and numbers only are weighed once.

    For readers of logs, who judge millions: equal texts cost a look-up, new ones some hundred microseconds.
    """
    record = open_record(record)
    said = _ruled(_words(record), record.smtp, record.enhanced, record.phase)
    if record.outcome == "delivered":  # whatever the words, it arrived
        said = Opinion(
            C.DELIVERED, 90, 0.9, why=said.why if said.failure_class is C.DELIVERED else ("outcome",)
        )
    failure_class = said.failure_class if said.weight else _unsaid(record, said.failure_class)
    return Judgement(
        record,
        failure_class,
        said.sub,
        flow_code(failure_class),
        record.phase or said.phase or phase_of(failure_class),
        record.reason or said.reason or reason_of(failure_class),
        _permanent(record, failure_class),
        said.confidence,
        said.also,
        said.why,
    )


def _words(record: Record) -> str:
    """Return the text without the name of the server, which may be called `spam.example`."""
    return record.text.replace(record.server, HOST) if "." in record.server else record.text


@lru_cache(maxsize=32768)
def _ruled(text: str, smtp: int, enhanced: str, phase: str) -> Opinion:
    said = opinion(text, smtp=smtp, enhanced=enhanced, phase=phase)
    if phase == "banner" and smtp >= 400 and said.failure_class not in _NETWORK and not names_a_reason(said):
        also: tuple[C, ...] = tuple(
            c for c in (said.failure_class, *said.also) if c is not C.SERVICE_UNAVAILABLE
        )
        return said._replace(
            failure_class=C.SERVICE_UNAVAILABLE, sub="", also=also, why=(*said.why, "greeting")
        )
    if said.failure_class is C.CONNECTION_TIMEOUT and phase in _IN_SESSION:
        return said._replace(failure_class=C.SESSION_TIMEOUT, also=(C.CONNECTION_TIMEOUT, *said.also))
    if said.failure_class is C.SESSION_TIMEOUT and phase == "connect":
        return said._replace(failure_class=C.CONNECTION_TIMEOUT, also=(C.SESSION_TIMEOUT, *said.also))
    return said


def _unsaid(record: Record, guess: C) -> C:
    """Return what is meant where neither words nor codes say why: what became of the message is all that is known.

    Of mail that comes back without a reason, most was for somebody who is not there.
    """
    if record.outcome == "failed" and record.kind in ("dsn", "bounce"):
        return C.RECIPIENT_UNKNOWN
    return {"deferred": C.SERVER_TEMP_ERROR, "expired": C.EXPIRED}.get(record.outcome, guess)


def _permanent(record: Record, failure_class: C) -> bool:
    """Tell whether it was the end: what the log says of the outcome counts before the codes."""
    if failure_class is C.DELIVERED or record.outcome in ("delivered", "deferred"):
        return False
    return record.outcome in ("failed", "expired") or record.smtp >= 500 or record.enhanced.startswith("5")
