"""Read a whole log: whose it is, its readers, and what they have counted."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from gatepost.explain.log.bad import Bad
from gatepost.explain.log.blocks import Source, blocks
from gatepost.explain.log.kinds import LOG_KINDS, log_kind
from gatepost.explain.log.lines import LineReader
from gatepost.explain.log.postfix import PostfixReader
from gatepost.explain.log.tally import Tally
from gatepost.explain.record import Record

Told = Callable[[int], None]


class Reader(Protocol):
    """Takes a log block by block."""

    kind: str

    def block(self, data: bytes) -> None:
        """Count what whole lines say."""

    def written(self, now: int) -> None:
        """Hear when the log that is read next was written last (ms since 1970)."""


class Reading(NamedTuple):
    """A log that is being read, or has been."""

    kind: str
    tally: Tally
    bad: Bad
    reader: Reader


def reading_of(head: bytes, kind: str, now: int, since: int = 0) -> Reading:
    """Return the reading of a log that begins like this; `kind` forces whose log it is.

    `now` (ms since 1970) is when it ended; what was before `since` (seconds) is not counted.
    """
    tally, bad = Tally(since), Bad()
    reader = _reader(kind if kind in LOG_KINDS else log_kind(head), tally, bad, now)
    return Reading(reader.kind, tally, bad, reader)


def _reader(kind: str, tally: Tally, bad: Bad, now: int) -> Reader:
    if kind == "postfix":
        return PostfixReader(tally, bad, now)
    return LineReader(kind, tally, bad, now)


class Course:
    """Logs, and records of mails and texts, that are read one after another and counted as one log.

    `wanted` forces whose logs they are; what was before `since` (seconds since 1970) is not counted.
    """

    def __init__(self, wanted: str, since: int = 0) -> None:
        self.wanted = wanted
        self._tally = Tally(since)
        self._bad = Bad()
        self._readers: dict[str, Reader] = {}
        self._kinds: list[str] = []

    def log(self, source: Source, now: int, told: Told | None = None) -> None:
        """Read a log to its end; `now` (ms since 1970) is when it ended."""
        reader: Reader | None = None
        for block in blocks(source, told):
            reader = reader or self._of(block[:200_000], now)
            reader.block(block)

    def records(self, records: Iterable[Record]) -> None:
        """Count records as those of a log."""
        reader = LineReader("log", self._tally, self._bad, 0)
        for number, record in enumerate(records):
            if not number:
                self._kinds.append(record.kind)
            self._bad.lines += 1
            reader.count(record)

    def _of(self, head: bytes, now: int) -> Reader:
        kind = self.wanted if self.wanted in LOG_KINDS else log_kind(head)
        self._kinds.append(kind)
        reader = self._readers.get(kind)
        if reader is None:
            reader = self._readers[kind] = _reader(kind, self._tally, self._bad, now)
        reader.written(now)
        return reader

    def reading(self) -> Reading:
        """Return what has been counted; its kind is the first one's."""
        kind = self._kinds[0] if self._kinds else ""
        reader = self._readers.get(kind) or LineReader("log", self._tally, self._bad, 0)
        return Reading(kind or "text", self._tally, self._bad, reader)


def read_log(source: Source, kind: str, now: int, told: Told | None = None, since: int = 0) -> Reading:
    """Read a log to its end."""
    course = Course(kind, since)
    course.log(source, now, told)
    return course.reading()


def records_of_log(source: Source, kind: str, now: int) -> Iterator[Record]:
    """Yield what the lines of a log say, one after another, joined by queue id."""
    reader: LineReader | None = None
    for block in blocks(source):
        found = kind if kind in LOG_KINDS else log_kind(block[:200_000])
        reader = reader or LineReader(found, Tally(), Bad(), now)
        yield from reader.records(block)


def read_records(records: Iterable[Record], since: int = 0) -> Reading:
    """Count records of mails and texts as those of a log."""
    course = Course("", since)
    course.records(records)
    return course.reading()
