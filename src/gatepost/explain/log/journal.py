"""Exports of the journal as lines of syslog: `journalctl -o export` and `journalctl -o json`.

Rule: every line begins with the time in ISO form, host and program, so that all readers know it.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

MAX_FIELD = 1 << 20
_PIECE = 1 << 16
_FIELDS = frozenset(
    {
        b"MESSAGE", b"__REALTIME_TIMESTAMP", b"_SOURCE_REALTIME_TIMESTAMP", b"SYSLOG_IDENTIFIER", b"SYSLOG_PID",
        b"_COMM", b"_PID", b"_HOSTNAME",
    }
)  # fmt: skip


class Lines(Protocol):
    """What can be read by the line and by the octet."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many octets."""

    def readline(self, size: int, /) -> bytes:
        """Return a line, or so many octets of it."""


def is_export(head: bytes) -> bool:
    """Tell whether a file begins as `journalctl -o export` does."""
    return (
        head.startswith((b"__CURSOR=", b"__REALTIME_TIMESTAMP=")) or b"\n__REALTIME_TIMESTAMP=" in head[:4000]
    )


def is_json(head: bytes) -> bool:
    """Tell whether a file begins as `journalctl -o json` does."""
    return head.startswith(b"{") and b'"__REALTIME_TIMESTAMP"' in head[:8000] and b'"MESSAGE"' in head


class JournalSource:
    """A journal's export, read as lines of syslog."""

    def __init__(self, stream: Lines, *, as_json: bool) -> None:
        self._lines = _json_lines(stream) if as_json else _export_lines(stream)

    def read(self, _size: int, /) -> bytes:
        """Return some lines; nothing at the end."""
        held: list[bytes] = []
        length = 0
        for line in self._lines:
            held.append(line)
            length += len(line)
            if length >= _PIECE:
                break
        return b"".join(held)


def _export_lines(stream: Lines) -> Iterator[bytes]:
    entry: dict[str, bytes] = {}
    while text := stream.readline(MAX_FIELD):
        name, equals, value = text.rstrip(b"\n").partition(b"=")
        if not name:
            yield from _line(entry)
            entry = {}
            continue
        octets = value if equals else _binary(stream)
        if name in _FIELDS:
            entry[name.decode()] = octets
    yield from _line(entry)


def _binary(stream: Lines) -> bytes:
    """Read a field that is not plain text: eight octets of length, the octets, a line's end."""
    length = int.from_bytes(stream.read(8), "little")
    kept = stream.read(min(length, MAX_FIELD))
    left = length - len(kept)
    while left > 0 and (piece := stream.read(min(left, _PIECE))):
        left -= len(piece)
    stream.readline(MAX_FIELD)
    return kept


def _json_lines(stream: Lines) -> Iterator[bytes]:
    while text := stream.readline(MAX_FIELD):
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError):
            yield text if text.endswith(b"\n") else text + b"\n"
            continue
        if isinstance(entry, dict):
            yield from _line({str(name): _octets(value) for name, value in entry.items()})


def _octets(value: Any) -> bytes:
    """Return a field; what is not UTF-8 comes as a list of numbers."""
    if isinstance(value, list):
        return bytes(number & 255 for number in value[:MAX_FIELD] if isinstance(number, int))
    return str(value).encode("utf-8", "replace") if value is not None else b""


def _line(entry: dict[str, bytes]) -> Iterator[bytes]:
    message = entry.get("MESSAGE", b"")
    if not message:
        return
    stamp = _stamp(entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry.get("__REALTIME_TIMESTAMP", b""))
    program = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or b"unknown"
    number = entry.get("SYSLOG_PID") or entry.get("_PID") or b"0"
    host = entry.get("_HOSTNAME") or b"-"
    yield b"%s %s %s[%s]: %s\n" % (stamp, host, program, number, message.replace(b"\n", b" "))


def _stamp(microseconds: bytes) -> bytes:
    try:
        moment = datetime.fromtimestamp(int(microseconds) / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return b"1970-01-01T00:00:00.000Z"
    return moment.strftime("%Y-%m-%dT%H:%M:%S.").encode() + b"%03dZ" % (moment.microsecond // 1000)
