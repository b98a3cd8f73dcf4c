"""Several logs as one: the files of a rotation in any order, logs of several systems, mails and texts beside them.

Rule: logs are read in the order of their first lines, so that what one file deferred another can deliver; what is no
log comes after them. The same file is read once, however often it is named.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from errno import ENOENT
from pathlib import Path
from typing import BinaryIO

from gatepost.explain.log.blocks import blocks
from gatepost.explain.log.reading import Course, Reading, Told, reading_of
from gatepost.explain.sources import Opened, opened, path_of, records_in, records_of, written_at

HEAD = 200_000  # octets of a log by which its place in the order is found
_LAST = 1 << 62


def read_all(
    sources: Sequence[str],
    stdin: BinaryIO,
    kind: str,
    now: int,
    since: int = 0,
    told: Told | None = None,
) -> Reading:
    """Read words of the command line as one log: files, `-` for standard input, folders of mails, texts.

    Raises OSError with the name of the file that cannot be read; among several, a word alone is a file's name.
    """
    for source in sources if len(sources) > 1 else ():
        if source != "-" and " " not in source and path_of(source) is None:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), source)
    course = Course(kind, since)
    for source in _in_order(sources, kind, now):
        with _named(source):
            _read(course, source, stdin, now, told)
    return course.reading()


def size_of(sources: Iterable[str]) -> int:
    """Return how many octets the files among the sources have."""
    paths = (path_of(source) for source in sources if source != "-")
    return sum(path.stat().st_size for path in paths if path is not None and path.is_file())


def _read(course: Course, source: str, stdin: BinaryIO, now: int, told: Told | None) -> None:
    path = _file(source)
    if path is not None:
        with path.open("rb") as stream:
            _take(course, opened(stream, written_at(path, now), told=told))
    elif source == "-":
        _take(course, opened(stdin, now, told=told))
    else:
        course.records(records_of(source, stdin, course.wanted, now=now))


def _take(course: Course, evidence: Opened) -> None:
    if evidence.found == "log":
        course.log(evidence.stream, evidence.now)
    else:
        course.records(records_in(evidence, course.wanted))


def _in_order(sources: Sequence[str], kind: str, now: int) -> list[str]:
    """Return the sources, each once, by the time of their first line."""
    once: dict[str, str] = {}
    for source in sources:
        path = _file(source)
        once.setdefault(str(path.resolve()) if path else source, source)
    if len(once) == 1:
        return list(once.values())
    return sorted(once.values(), key=lambda source: _began(source, kind, now))


def _began(source: str, kind: str, now: int) -> int:
    path = _file(source)
    if path is None:
        return _LAST
    with _named(source), path.open("rb") as stream:
        evidence = opened(stream, written_at(path, now))
        if evidence.found != "log":
            return _LAST
        head = next(blocks(_Head(evidence.stream)), b"")
    reading = reading_of(head, kind, evidence.now)
    reading.reader.block(head)
    return reading.tally.first or evidence.now // 1000


class _Head:
    """The first octets of a stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = HEAD

    def read(self, size: int, /) -> bytes:
        """Return octets, as long as there may be more."""
        data = self._stream.read(min(size, self._left))
        self._left = 0
        return data


def _file(source: str) -> Path | None:
    path = path_of(source) if source != "-" else None
    return path if path is not None and not path.is_dir() else None


@contextmanager
def _named(source: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        problem.filename = source
        raise
