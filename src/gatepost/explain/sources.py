"""Where evidence comes from: words of the command line, a file of any kind, a folder of mails, standard input.

Rule: memory is bounded: a log is read line by line, anything else up to a limit, and a line that is too long is cut.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from gatepost.explain import texts
from gatepost.explain.detect import kind_of_file
from gatepost.explain.record import Record

HEAD = 16_384  # octets by which the kind of a file is recognised
MAX_TEXT = 4_000_000  # octets of a file that is no log
MAX_LINE = 200_000
MAX_NAME = 1000
MAIL_KINDS = ("", "dsn", "bounce")


def records_of(what: str, stdin: BinaryIO, kind: str = "", *, now: int = 0) -> Iterator[Record]:
    """Yield what a word of the command line tells: `-` is standard input, the name of something that exists a file.

    `kind` forces how it is read, `now` (ms since 1970) gives the year that syslog leaves out. Raises OSError for a
    file that cannot be read.
    """
    path = None if what == "-" else _path(what)
    if what == "-":
        yield from _of_stream(stdin, kind, now)
    elif path is None:
        yield from texts.read(what, kind, now=now)
    elif path.is_dir():
        yield from _of_mail(path)
    else:
        with path.open("rb") as file:
            yield from _of_stream(file, kind, now)


def is_file(what: str) -> bool:
    """Tell whether a word names something that exists, or standard input."""
    return what == "-" or _path(what) is not None


def _path(what: str) -> Path | None:
    if len(what) > MAX_NAME or "\n" in what or "\0" in what:
        return None
    try:
        path = Path(what)
        return path if what.strip() and path.exists() else None
    except (OSError, ValueError):
        return None


def _of_stream(stream: BinaryIO, kind: str, now: int) -> Iterator[Record]:
    found = kind_of_file(_peek(stream))
    if found == "gzip":
        import gzip  # noqa: PLC0415 - brings much with it that a text does not need

        try:
            yield from _of_stream(cast("BinaryIO", gzip.GzipFile(fileobj=stream)), kind, now)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return  # what came before the damage has been read
    elif found in ("mail", "mbox") and kind in MAIL_KINDS:
        yield from _of_mail(stream)
    elif found == "log":
        yield from _of_log(stream, kind, now)
    else:
        yield from texts.read(stream.read(MAX_TEXT).decode("utf-8", "replace"), kind, now=now)


def _peek(stream: BinaryIO) -> bytes:
    peek: Any = getattr(stream, "peek", None)
    return bytes(peek(HEAD)[:HEAD]) if peek else b""


def _of_log(stream: BinaryIO, kind: str, now: int) -> Iterator[Record]:
    """Read a log line by line; a line that begins with a blank belongs to the one before."""
    group = ""
    while line := stream.readline(MAX_LINE):
        text = line.decode("utf-8", "replace")
        if group and not text[:1].isspace():
            yield from texts.read(group, kind, now=now)
            group = ""
        group = (group + text)[:MAX_LINE]
    yield from texts.read(group, kind, now=now)


def _of_mail(source: BinaryIO | Path) -> Iterator[Record]:
    from gatepost.explain.bounces import read_container  # noqa: PLC0415 - its tables take time, and errors need none

    for reading in read_container(source):
        yield from reading.records
