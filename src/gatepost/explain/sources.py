"""Where evidence comes from: words of the command line, a file of any kind, a folder of mails, standard input.

Rule: memory is bounded: a log is read block by block, anything else up to a limit, and a line that is too long is cut.
"""

import io
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from gatepost.explain import texts
from gatepost.explain.detect import kind_of_file
from gatepost.explain.record import Record

HEAD = 16_384  # octets by which the kind of a file is recognised
MAX_TEXT = 4_000_000  # octets of a file that is no log
MAX_NAME = 1000
MAX_PACKED = 3  # archives within archives
MAIL_KINDS = ("", "dsn", "bounce")


class Opened(NamedTuple):
    """Evidence as a stream, unpacked: what it is (mail, mbox, log or text), and when it was written (ms since 1970)."""

    found: str
    stream: BinaryIO
    now: int


def records_of(what: str, stdin: BinaryIO, kind: str = "", *, now: int = 0) -> Iterator[Record]:
    """Yield what a word of the command line tells: `-` is standard input, the name of something that exists a file.

    `kind` forces how it is read, `now` (ms since 1970) gives the year that syslog leaves out. Raises OSError for a
    file that cannot be read.
    """
    path = None if what == "-" else path_of(what)
    if what == "-":
        yield from records_in(opened(stdin, now), kind)
    elif path is None:
        yield from texts.read(what, kind, now=now)
    elif path.is_dir():
        yield from _of_mail(path)
    else:
        with path.open("rb") as file:
            yield from records_in(opened(file, written_at(path, now)), kind)


def records_of_octets(data: bytes, kind: str = "", *, now: int = 0) -> Iterator[Record]:
    """Yield what a file tells that is in memory already."""
    yield from records_in(opened(io.BufferedReader(cast("Any", io.BytesIO(data))), now), kind)


def is_file(what: str) -> bool:
    """Tell whether a word names something that exists, or standard input."""
    return what == "-" or path_of(what) is not None


def path_of(what: str) -> Path | None:
    """Return the file or folder that a word names; None where there is none."""
    if len(what) > MAX_NAME or "\n" in what or "\0" in what:
        return None
    try:
        path = Path(what)
        return path if what.strip() and path.exists() else None
    except (OSError, ValueError):
        return None


def written_at(path: Path, now: int) -> int:
    """Return when a file was written last, so that the years of an old log are right (ms since 1970)."""
    return min(int(path.stat().st_mtime * 1000), now or time.time_ns() // 1_000_000)


def opened(stream: BinaryIO, now: int, depth: int = 0, told: Callable[[int], None] | None = None) -> Opened:
    """Return a stream unpacked, with what it is; `told` hears how many octets of it have been read."""
    if told is not None:
        stream = cast("BinaryIO", io.BufferedReader(_Counted(stream, told), 1 << 20))
    head = _peek(stream)
    found = kind_of_file(head)
    if found == "gzip" and depth < MAX_PACKED:
        return opened(cast("BinaryIO", _unpacked(stream)), now, depth + 1)
    from gatepost.explain.log.journal import JournalSource, is_export, is_json  # noqa: PLC0415 - for files only

    if is_export(head) or is_json(head):
        return Opened("log", cast("BinaryIO", JournalSource(stream, as_json=is_json(head))), now)
    return Opened(found, stream, now)


def records_in(evidence: Opened, kind: str) -> Iterator[Record]:
    """Yield what a stream tells."""
    found, stream, now = evidence
    if found in ("mail", "mbox") and kind in MAIL_KINDS:
        yield from _of_mail(stream)
    elif found == "log":
        from gatepost.explain.log.reading import records_of_log  # noqa: PLC0415 - a text needs none of it

        yield from records_of_log(stream, kind, now)
    else:
        yield from texts.read(stream.read(MAX_TEXT).decode("utf-8", "replace"), kind, now=now)


class _Counted(io.RawIOBase):
    """A stream that tells how much of it has been read."""

    def __init__(self, stream: BinaryIO, told: Callable[[int], None]) -> None:
        self._stream = stream
        self._told = told

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read octets into a buffer."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._told(len(data))
        return len(data)


class _Unpacked(io.RawIOBase):
    """What a gzip file holds, as far as it is whole."""

    def __init__(self, stream: BinaryIO) -> None:
        import gzip  # noqa: PLC0415 - brings much with it that a text does not need

        self._file = gzip.GzipFile(fileobj=stream)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read octets into a buffer; damage is the end."""
        try:
            data = self._file.read1(len(buffer))
        except (EOFError, zlib.error, OSError):
            return 0  # what came before the damage has been read
        buffer[: len(data)] = data
        return len(data)


def _unpacked(stream: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(_Unpacked(stream), 1 << 20)


def _peek(stream: BinaryIO) -> bytes:
    peek: Any = getattr(stream, "peek", None)
    return bytes(peek(HEAD)[:HEAD]) if peek else b""


def _of_mail(source: BinaryIO | Path) -> Iterator[Record]:
    from gatepost.explain.bounces import read_container  # noqa: PLC0415 - its tables take time, and errors need none

    for reading in read_container(source):
        yield from reading.records
