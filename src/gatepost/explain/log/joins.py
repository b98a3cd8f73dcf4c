# ruff: noqa: E501 (a pattern is one line)
"""Join the lines of one message: what a line leaves out, an earlier one of the same queue id or session has said.

Rule: memory is bounded: the messages that were spoken of longest ago are forgotten first.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gatepost.explain.lines.syslog import Head
from gatepost.explain.record import Record
from gatepost.explain.stages import phase_of_stage

MAX_KNOWN = 50_000
MAX_RECIPIENTS = 100  # of one line

_FROM = re.compile(r"^([0-9A-Za-z]{5,20}): from=<?([^>,\s]{0,320})>?,")
_TO = re.compile(r"\bto=(<[^>]{0,320}>(?:,<[^>]{0,320}>){1,200})")
_EXIM_FROM = re.compile(r"([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) <= (\S{1,320})")
_QMAIL_FROM = re.compile(r"\binfo msg (\d{1,20}): bytes \d{1,20} from <([^>]{0,320})>")
_QMAIL_START = re.compile(r"\bstarting delivery (\d{1,20}): msg (\d{1,20}) to (?:local|remote) (\S{1,320})")
_HARAKA_WHO = re.compile(r"\[([0-9A-F-]{36})[.\d]{0,12}\].{0,60}?\b(sender|recipient) <([^>]{0,320})>")
_OPENSMTPD = re.compile(r"\bevpid=([0-9a-f]{8})[0-9a-f]{8}\b")
_COMMAND = re.compile(
    r"(?i)^(EHLO|HELO|STARTTLS|AUTH|MAIL FROM|RCPT TO|DATA|BDAT|QUIT|RSET|X-\w{1,20}|XPROXY\w{0,10})\b(?::\s?<([^>]{0,320})>)?"
)

_CONTENT = ("DATA", "BDAT")


class Known(NamedTuple):
    """What earlier lines have said of a message, a delivery or a session."""

    sender: str = ""
    recipient: str = ""
    message: str = ""
    command: str = ""


class Joins:
    """The memory of one log; `kind` is whose log it is."""

    def __init__(self, kind: str) -> None:
        self._known: dict[str, Known] = {}
        self._note: Callable[[Head], None] = getattr(self, f"_note_{kind}", _nothing)
        self._fill: Callable[[Record, Head], Iterator[Record]] = getattr(
            self, f"_fill_{kind}", self._by_message
        )

    def note(self, head: Head) -> None:
        """Remember what a line says of a message."""
        self._note(head)

    def fill(self, record: Record, head: Head) -> Iterator[Record]:
        """Yield a record with what is known beside it; one for each recipient that its line names."""
        yield from self._fill(record, head)

    def is_sending(self, session: str) -> bool:
        """Tell whether the last command of a session was the content of a message."""
        known = self._known.get(session)
        return known is not None and known.command in _CONTENT

    def _keep(self, key: str, **fields: str) -> None:
        known = self._known.pop(key, Known())._replace(**fields)
        if len(self._known) >= MAX_KNOWN:
            for old in list(self._known)[: MAX_KNOWN // 10]:
                del self._known[old]
        self._known[key] = known

    def _by_message(self, record: Record, _head: Head) -> Iterator[Record]:
        known = self._known.get(record.message)
        yield record._replace(sender=record.sender or known.sender) if known else record

    # ---------------------------------------------------------------- Postfix, Sendmail, Exim

    def _note_postfix(self, head: Head) -> None:
        if found := _FROM.match(head.rest):
            self._keep(found[1], sender=found[2])

    _note_sendmail = _note_postfix

    def _fill_sendmail(self, record: Record, head: Head) -> Iterator[Record]:
        for one in self._by_message(record, head):
            many = _TO.search(head.rest)
            for to in many[1].split(",")[:MAX_RECIPIENTS] if many else ():
                yield one._replace(recipient=to.strip("<>"))
            if not many:
                yield one

    def _note_exim(self, head: Head) -> None:
        if found := _EXIM_FROM.search(head.rest):
            self._keep(found[1], sender="" if found[2] == "<>" else found[2])

    # ---------------------------------------------------------------- qmail, Haraka, OpenSMTPD

    def _note_qmail(self, head: Head) -> None:
        if found := _QMAIL_FROM.search(head.rest):
            self._keep(f"m{found[1]}", sender=found[2])
        elif found := _QMAIL_START.search(head.rest):
            self._keep(f"d{found[1]}", message=found[2], recipient=found[3])

    def _fill_qmail(self, record: Record, _head: Head) -> Iterator[Record]:
        known = self._known.get(f"d{record.message}", Known())
        sender = self._known.get(f"m{known.message}", Known()).sender
        recipient = record.recipient or known.recipient
        yield record._replace(recipient=recipient, message=known.message, sender=record.sender or sender)

    def _note_haraka(self, head: Head) -> None:
        if found := _HARAKA_WHO.search(head.rest):
            self._keep(found[1], **{found[2]: found[3]})

    def _fill_haraka(self, record: Record, _head: Head) -> Iterator[Record]:
        known = self._known.get(record.message[:36], Known())
        yield record._replace(
            message=record.message[:36],
            sender=record.sender or known.sender,
            recipient=record.recipient or known.recipient,
        )

    def _fill_opensmtpd(self, record: Record, head: Head) -> Iterator[Record]:
        found = _OPENSMTPD.search(head.rest)
        yield record._replace(message=record.message or found[1]) if found else record

    # ---------------------------------------------------------------- Exchange, Gatepost

    def _note_exchange(self, head: Head) -> None:
        row = head.rest.split(",", 8)
        if len(row) < 8 or row[6] != ">":
            return
        if found := _COMMAND.match(row[7].strip('"')):
            word, who = found[1].upper(), found[2]
            fields = {"command": word}
            if who is not None:
                fields["sender" if word == "MAIL FROM" else "recipient"] = who
            self._keep(row[2], **fields)

    def _fill_exchange(self, record: Record, head: Head) -> Iterator[Record]:
        row = head.rest.split(",", 8)
        if len(row) < 8 or row[6] not in ("<", "-"):
            yield record
            return
        known = self._known.get(row[2], Known())
        ended = known.command in _CONTENT and record.text[:3] != "354"
        yield record._replace(
            sender=record.sender or known.sender,
            recipient=record.recipient or known.recipient,
            phase=record.phase or ("eod" if ended else phase_of_stage(known.command)),
            outcome=record.outcome or _outcome(record.text, ended=ended),
        )

    def _note_gatepost(self, head: Head) -> None:
        if '"event":"message.accepted"' not in head.rest:
            return
        found = re.search(r'"message_id":"(\w{5,40})","sender":"([^"]{0,320})"', head.rest)
        if found:
            self._keep(found[1], sender=found[2])


def _outcome(reply: str, *, ended: bool) -> str:
    """Return what a reply makes of a recipient; "" where it decides nothing."""
    first = reply[:1] if reply[:3].isdigit() else ""
    if first == "2":
        return "delivered" if ended else ""
    return {"4": "deferred", "5": "failed"}.get(first, "")


def _nothing(_head: Head) -> None:
    """Remember nothing."""
