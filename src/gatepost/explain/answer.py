"""One answer to whatever was handed in: the failures in it, and for a log its picture; all surfaces share it."""

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, cast

from gatepost.explain.judge import judge
from gatepost.explain.log.blocks import Source
from gatepost.explain.log.reading import Reading, read_log, read_records
from gatepost.explain.log.summary import LogSummary, Wanted, summary_of
from gatepost.explain.record import Judgement, Record
from gatepost.explain.shapes import is_explained, to_json
from gatepost.explain.sources import Opened, opened, records_in
from gatepost.model.failure import FailureClass

MAX_UNPACKED = 16_000_000  # octets of a log
MAX_RECORDS = 10_000  # of mails


class Answer(NamedTuple):
    """What is said of a text or a file."""

    source_kind: str
    judgements: tuple[Judgement, ...]  # the first of the failures
    more: bool  # there are further ones
    cut: bool  # only the beginning was read
    summary: LogSummary

    @property
    def is_log(self) -> bool:
        """Whether it was a log, of which the summary says more than single failures."""
        return self.summary.lines > 1

    def to_json(self, lang: str) -> dict[str, Any]:
        """Return the documented object."""
        return {
            "source_kind": self.source_kind,
            "answers": [to_json(judgement, lang) for judgement in self.judgements],
            "more_answers": self.more,
            "cut": self.cut,
            "summary": self.summary.to_json(lang),
        }


def explained(records: Iterable[Record]) -> Iterator[Judgement]:
    """Yield what is known of records, those left out of which nothing is."""
    for record in records:
        judgement = judge(record)
        if is_explained(judgement):
            yield judgement


def answer(data: bytes, kind: str = "", *, now: int, most: int, top: int) -> Answer:
    """Return what is known of octets that somebody handed in: at most so many failures and insights.

    `now` (ms since 1970) gives the year that syslog leaves out.
    """
    records = islice(records_in(_open(data, now), kind), MAX_RECORDS)
    first = list(islice((j for j in explained(records) if _is_failure(j)), most + 1))
    evidence = _open(data, now)
    reading = _reading(evidence, kind)
    found = reading.kind if evidence.found == "log" or not first else first[0].record.kind
    cut = bool(evidence.stream.read(1)) or (evidence.found != "log" and reading.bad.lines >= MAX_RECORDS)
    return Answer(found, tuple(first[:most]), len(first) > most, cut, summary_of(reading, Wanted(top=top)))


def _open(data: bytes, now: int) -> Opened:
    return opened(cast("Any", io.BufferedReader(io.BytesIO(data))), now)


def _reading(evidence: Opened, kind: str) -> Reading:
    if evidence.found == "log":
        return read_log(_Beginning(evidence.stream), kind, evidence.now)
    return read_records(islice(records_in(evidence, kind), MAX_RECORDS))


class _Beginning:
    """The first octets of a stream: what is packed may be far larger than what was handed in."""

    def __init__(self, stream: Source) -> None:
        self._stream = stream
        self._left = MAX_UNPACKED

    def read(self, size: int, /) -> bytes:
        """Return octets, as long as there may be more."""
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


def _is_failure(judgement: Judgement) -> bool:
    return judgement.failure_class is not FailureClass.DELIVERED
