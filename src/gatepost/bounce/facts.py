"""What a report is made of: plain values that whoever reports puts together."""

from dataclasses import dataclass

from gatepost.model.attempt import Reply
from gatepost.model.failure import LastError


@dataclass(frozen=True, slots=True)
class Explanation:
    """What went wrong in plain words, in the language of the report."""

    title: str  # "Connection refused"
    sentence: str  # what happened, in one sentence
    causes: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()  # what the reader of the report can do
    owner: str = "other"  # who can mend it: "sender", "us" or "other"


@dataclass(frozen=True, slots=True)
class Moment:
    """One attempt of the past, in one line."""

    at: int  # milliseconds since 1970
    text: str


@dataclass(frozen=True, slots=True)
class ReportRecipient:
    """One recipient that is reported, with the last real error and all that led to it."""

    address: str
    explanation: Explanation
    orcpt: str = ""  # as given at RCPT, xtext still encoded (RFC 3461 section 4.2)
    notify: int = 0
    status: str = ""  # enhanced code of the end ("5.4.316"); "" takes the one of the error
    line: str = ""  # our own words of the end: "550 5.4.316 Message expired, connection refused"
    error: LastError | None = None
    reply: Reply | None = None  # the last reply of a server that was real, word for word
    timeline: tuple[Moment, ...] = ()
    relayed_to: str = ""  # with `build_relayed` and `build_over`: the server that took the message


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """One message of one sender, and the recipients of it that are reported together."""

    report_id: str  # of the report itself, as text
    message_id: str  # of the original, as text
    accepted_at: int
    now: int
    hostname: str
    sender: str  # of the original; the postmaster where the original is a report that nobody takes
    recipients: tuple[ReportRecipient, ...]
    language: str = "en"
    envid: str = ""  # xtext, as given at MAIL
    flags: int = 0  # of the original message
    header: bytes = b""  # of the original, wire form
    original: bytes | None = None  # wire form (dot-stuffed); None where it is not to be returned
    original_cap: int = 50 * 1024  # a larger original is returned by its headers only
    retry_until: int = 0  # with `build_delay`: when the queue gives up
