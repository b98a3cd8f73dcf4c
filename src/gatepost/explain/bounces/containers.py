"""Where mails come from: a file of one, an mbox in any of its forms, a Maildir or another folder, gzip around each.

Rule: one mail at a time is in memory, and of it not more than `mail.MAX_BYTES`; what cannot be read is passed over.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from gatepost.explain.bounces.mail import MAX_BYTES
from gatepost.explain.bounces.reading import BounceReading, read_message

_CHUNK = 64 * 1024
_MAX_LINE = 1024 * 1024  # a longer line is cut into pieces; none of them can begin an mbox entry
_FROM = re.compile(
    rb"From [^\s]{0,320}.{0,80}?\d\d?:\d\d(?::\d\d)?.{0,40}\d{4}|From \S{1,320}\s{1,4}\S.{0,80}\d{4}"
)
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_LENGTH = re.compile(rb"^Content-Length:\s*(\d{1,9})\s*$", re.IGNORECASE | re.MULTILINE)
_MAX_DEPTH = 12
_BROKEN = (OSError, EOFError, zlib.error)


def read_container(source: Path | str | BinaryIO) -> Iterator[BounceReading]:
    """Yield what each mail of a file, a folder or a stream is, in order; `where` says which one it was."""
    if not isinstance(source, (str, Path)):
        yield from _stream(source, getattr(source, "name", "") or "-")
        return
    path = Path(source)
    if path.is_dir():
        for inner in _files(path, 0):
            yield from read_container(inner)
        return
    try:
        with path.open("rb") as stream:
            yield from _stream(stream, str(path))
    except OSError as error:
        yield BounceReading(
            is_bounce=False, kind="not-a-bounce", why=("unreadable", type(error).__name__), where=str(path)
        )


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the mails of a folder: of a Maildir what is in new and cur, of any other all files, sorted by name."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    is_maildir = any(entry.name == "cur" for entry in entries) and any(
        entry.name == "new" for entry in entries
    )
    for entry in entries:
        if entry.is_symlink() and entry.is_dir():
            continue
        if entry.is_dir():
            skipped = entry.name == "tmp" and is_maildir
            if depth < _MAX_DEPTH and not skipped:
                yield from _files(entry, depth + 1)
        elif (
            entry.is_file()
            and not is_maildir
            and not entry.name.startswith((".", "dovecot", "maildirfolder"))
        ):
            yield entry


def _stream(stream: BinaryIO, where: str) -> Iterator[BounceReading]:
    """Yield the readings of one stream, gzip taken off; damage ends it, and what came before counts."""
    source = _Source(stream)
    if source.peek(2) == b"\x1f\x8b":
        # GzipFile asks for nothing but read()
        source = _Source(cast(BinaryIO, gzip.GzipFile(fileobj=cast(BinaryIO, source))))
    if not _FROM.match(source.peek(2000).lstrip(b"\r\n")):
        for data in _single(source):
            yield read_message(data)._replace(where=where)
        return
    for number, data in enumerate(_entries(source), 1):
        yield read_message(data)._replace(where=f"{where}:{number}")


class _Source:
    """A stream that can be looked at before it is read; damage in it is its end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead = b""
        self.ended = False

    def _fill(self, size: int) -> None:
        while len(self._ahead) < size and not self.ended:
            try:
                piece = self._stream.read(_CHUNK)
            except _BROKEN:
                piece = b""
            self.ended = not piece
            self._ahead += piece

    def peek(self, size: int) -> bytes:
        """Return the next octets without taking them."""
        self._fill(size)
        return self._ahead[:size]

    def read(self, size: int = -1) -> bytes:
        """Return and take up to `size` octets."""
        size = _CHUNK if size < 0 else size
        self._fill(size)
        piece, self._ahead = self._ahead[:size], self._ahead[size:]
        return piece

    def readline(self) -> bytes:
        """Return and take one line with its end, or a megabyte of it."""
        end = self._ahead.find(b"\n")
        while end < 0 and not self.ended and len(self._ahead) < _MAX_LINE:
            before = len(self._ahead)
            self._fill(before + _CHUNK)
            end = self._ahead.find(b"\n", before)
        size = min(end + 1 if end >= 0 else len(self._ahead), _MAX_LINE)
        return self.read(size) if size else b""


def _entries(source: _Source) -> Iterator[bytes]:
    """Yield each entry of an mbox."""
    line = source.readline()
    while line:
        while line and not line.startswith(b"From "):
            line = source.readline()
        if not line:
            return
        data, line = _entry(source)
        yield data


def _single(source: _Source) -> Iterator[bytes]:
    data = bytearray()
    while piece := source.read(_CHUNK):
        if len(data) < MAX_BYTES:
            data += piece
    if data:
        yield bytes(data[:MAX_BYTES])


def _entry(source: _Source) -> tuple[bytes, bytes]:
    """Return one entry of an mbox, and the line that begins the next ("" at the end)."""
    head = _header(source)
    length = _LENGTH.search(head)
    counted = _counted(source, int(length[1])) if length else None
    if counted is not None:
        return head + counted, source.readline()
    body = bytearray()
    blank = head.endswith((b"\n\n", b"\n\r\n"))
    while line := source.readline():
        if blank and _FROM.match(line):
            return head + _unquoted(bytes(body)), line
        blank = line in (b"\n", b"\r\n")
        if len(body) < MAX_BYTES:
            body += line
    return head + _unquoted(bytes(body)), b""


def _header(source: _Source) -> bytes:
    head = bytearray()
    while line := source.readline():
        if len(head) < MAX_BYTES:
            head += line
        if line in (b"\n", b"\r\n"):
            break
    return bytes(head)


def _counted(source: _Source, length: int) -> bytes | None:
    """Return a body of the length that its header declares (mboxcl, mboxcl2), if the next entry begins behind it."""
    if length > MAX_BYTES:
        return None
    ahead = source.peek(length + 400)
    rest = ahead[length:].lstrip(b"\r\n")
    if len(ahead) < length or (rest and not _FROM.match(rest)):
        return None
    body = source.read(length)
    while source.peek(1) in (b"\n", b"\r"):
        source.read(1)
    return body


def _unquoted(body: bytes) -> bytes:
    """Return a body without what mbox put before From (mboxo and mboxrd: one sign is taken off)."""
    return _QUOTED.sub(rb"\1", body)
