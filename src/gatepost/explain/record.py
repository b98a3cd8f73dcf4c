"""What readers hand on and what is said of it: one failure as some system wrote it down, and its judgement."""

from typing import NamedTuple

from gatepost.model.failure import FailureClass


class Record(NamedTuple):
    """One thing that a mail system wrote down, taken apart as far as its format goes; "" and 0 mean unknown.

    `kind` names the source: reply, exchange, postfix, exim, sendmail, opensmtpd, qmail, haraka, kumomta, gatepost,
    dsn (RFC 3464), bounce (another form), trace, journal. `text` holds the diagnostic words, wrappers opened, without
    what the fields say. `phase` is one of `model.failure.Phase` where the format says it. Times: ms since 1970.
    """

    kind: str
    text: str
    raw: str = ""  # the line or the diagnostic as it was read
    smtp: int = 0
    enhanced: str = ""
    phase: str = ""
    reason: str = ""
    server: str = ""  # the remote server that the text names, never the one that reports
    address: str = ""  # its address, with port where given
    recipient: str = ""
    sender: str = ""
    at: int = 0
    outcome: str = ""  # delivered | deferred | failed | expired | "" (an error text alone)
    message: str = ""  # the queue id there, or the Message-ID
    destination: str = ""  # what the mail waits for: next hop, transport or recipient domain
    delay: int = 0  # ms since the message was accepted


class Judgement(NamedTuple):
    """What an administrator is told of a record, in the vocabulary of the gateway's own attempts."""

    record: Record
    failure_class: FailureClass
    sub: str
    flow_code: str  # one of the six codes ("4.4.316") or "other"
    phase: str
    reason: str
    permanent: bool
    confidence: float  # 0 to 1
    also: tuple[FailureClass, ...] = ()  # what it could be as well, best first
    why: tuple[str, ...] = ()  # the names of the rules that decided, the strongest first
