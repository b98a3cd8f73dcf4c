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
    kind = kind if kind in LOG_KINDS else log_kind(head)
    tally, bad = Tally(since), Bad()
    reader: Reader = (
        PostfixReader(tally, bad, now) if kind == "postfix" else LineReader(kind, tally, bad, now)
    )
    return Reading(kind, tally, bad, reader)


def read_log(source: Source, kind: str, now: int, told: Told | None = None, since: int = 0) -> Reading:
    """Read a log to its end."""
    reading: Reading | None = None
    for block in blocks(source, told):
        reading = reading or reading_of(block[:200_000], kind, now, since)
        reading.reader.block(block)
    return reading or reading_of(b"", kind, now, since)


def records_of_log(source: Source, kind: str, now: int) -> Iterator[Record]:
    """Yield what the lines of a log say, one after another, joined by queue id."""
    reader: LineReader | None = None
    for block in blocks(source):
        found = kind if kind in LOG_KINDS else log_kind(block[:200_000])
        reader = reader or LineReader(found, Tally(), Bad(), now)
        yield from reader.records(block)


def read_records(records: Iterable[Record], since: int = 0) -> Reading:
    """Count records of mails and texts as those of a log."""
    tally, bad = Tally(since), Bad()
    reader = LineReader("log", tally, bad, 0)
    kind = ""
    for record in records:
        kind = kind or record.kind
        bad.lines += 1
        reader.count(record)
    return Reading(kind or "text", tally, bad, reader)
