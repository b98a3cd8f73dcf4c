"""Logs of every kind line by line: the readers of `explain.lines`, the lines of one message joined."""

from collections.abc import Iterator

from gatepost.explain.judge import judge
from gatepost.explain.lines.syslog import split
from gatepost.explain.log.bad import Bad
from gatepost.explain.log.joins import Joins
from gatepost.explain.log.quick import Quick, quick_of
from gatepost.explain.log.reasons import said_of
from gatepost.explain.log.tally import Event, Tally
from gatepost.explain.opening import OUR_SIDE
from gatepost.explain.record import Record
from gatepost.explain.shapes import is_explained
from gatepost.explain.texts import read_head
from gatepost.model.failure import FailureClass

MAX_LINE = 20_000  # characters of a line that are read
# what a line must have for it to say what became of a message, or whose it is; without a row every line is read
_TELLING: dict[str, tuple[str, ...]] = {
    "postfix": ("status=", "reject: ", " from=<", "postsuper"),
    "exim": (" == ", " ** ", " => ", " -> ", " >> ", " *> ", " <= ", "rejected", " Completed"),
    "sendmail": ("stat=", "reject=", " from="),
    "opensmtpd": ("result=", "delivery: ", "failed-command", "stat="),
    "qmail": ("delivery ", "info msg ", "rblsmtpd", "CHKUSER", "spamdyke"),
    "haraka": ("outbound", "sender <", "recipient <", "fail", "ounce", "eny", "ERROR", "CRIT", "delivered"),
    "kumomta": ("{",),
    "gatepost": ('"event":"message.', '"event":"destination.failed"', '"event":"host.failed"'),
    "exchange": (",",),
}
# systems whose words alone count, since what became of the message is not said in a form that is known
_BY_WORDS = ("log", "json")


class LineReader:
    """Feeds a tally with the blocks of a log of any kind, or yields its records."""

    def __init__(self, kind: str, tally: Tally, bad: Bad, now: int) -> None:
        self.kind = kind
        self._tally = tally
        self._bad = bad
        self._now = now
        self._joins = Joins(kind)
        self._telling = _TELLING.get(kind, ())
        self._quick = quick_of(kind, tally, now, self._joins)

    def written(self, now: int) -> None:
        """Hear when the log that is read next was written last (ms since 1970)."""
        self._now = now
        self._quick = quick_of(self.kind, self._tally, now, self._joins)

    def block(self, data: bytes) -> None:
        """Count what whole lines say."""
        for record in self._records(data, self._quick):
            self.count(record)

    def records(self, data: bytes) -> Iterator[Record]:
        """Yield what whole lines say of messages, joined with what earlier ones said."""
        yield from self._records(data, None)

    def _records(self, data: bytes, quick: Quick | None) -> Iterator[Record]:
        self._bad.look(data)
        for line in _joined(data.decode("utf-8", "replace")):
            if quick is not None and quick(line):
                continue
            if self._telling and not any(word in line for word in self._telling):
                continue
            head = split(line.strip()[:MAX_LINE], self._now)
            self._tally.seen(head.at // 1000)
            self._joins.note(head)
            record = read_head(head, self.kind if self.kind != "log" else "")
            if record is not None:
                yield from self._joins.fill(record, head)

    def count(self, record: Record) -> None:
        """Count what became of a recipient."""
        tally, at = self._tally, record.at // 1000
        tally.seen(at)
        message, recipient = record.message.encode(), record.recipient.encode()
        if self.kind == "exim" and record.text.startswith("Completed"):
            tally.ended(message, b"")
        elif record.outcome == "delivered":
            tally.ended(message, recipient)
            tally.arrived(recipient.rpartition(b"@")[2].lower(), at)
        else:
            self._failure(record, at)

    def _failure(self, record: Record, at: int) -> None:
        incoming = record.destination == OUR_SIDE
        if not (record.outcome or incoming or self.kind in _BY_WORDS):
            return
        judgement = judge(record)
        if not record.outcome and (not is_explained(judgement) or _none(judgement.failure_class)):
            return
        said, opened = said_of(judgement), judgement.record
        outcome = record.outcome or ("failed" if said.permanent else "deferred")
        place = record.recipient.rpartition("@")[2].lower() or (opened.server if incoming else _place(opened))
        self._tally.failed(said, _event(opened, at, outcome, place, incoming=incoming))


def _event(record: Record, at: int, outcome: str, place: str, *, incoming: bool) -> Event:
    return Event(
        at, outcome, record.message.encode(), record.recipient.encode(), place,
        at - record.delay // 1000 if record.delay else 0,
        "" if incoming else record.server, "" if incoming else record.address, record.text, incoming=incoming,
    )  # fmt: skip


def _none(failure_class: FailureClass) -> bool:
    return failure_class is FailureClass.DELIVERED


def _place(record: Record) -> str:
    """Return what mail waits for where no recipient is named."""
    return (record.destination or record.server or record.address).lower()


def _joined(text: str) -> Iterator[str]:
    """Yield lines; one that begins with a blank belongs to the one before."""
    group = ""
    for line in text.split("\n"):
        if group and not line[:1].isspace():
            yield group
            group = ""
        if line:
            group = f"{group}\n{line}" if group else line
        if len(group) > MAX_LINE:
            group = group[:MAX_LINE]
    if group:
        yield group
