"""A message as it came, read without trust: its header, and the leaves of its MIME structure in order.

Rule: at most 4 MiB are looked at, 30 levels deep, 1,000 parts, 2,000 header fields; what is beyond is not read.
Rule: whatever the bytes are, reading ends without an exception, in time linear in what is looked at.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from gatepost.explain.bounces import charset

MAX_BYTES = 4 * 1024 * 1024
MAX_HEADER = 256 * 1024
MAX_FIELDS = 2000
MAX_DEPTH = 30
MAX_PARTS = 1000

_FIELD = re.compile(rb"([A-Za-z0-9_.-]{1,76})[ \t]{0,8}:[ \t]?(.{0,8000})")
_KIND = re.compile(r"\s*([\w.+-]{1,60}/[\w.+-]{1,60})")
_PARAMETER = re.compile(r'[;\s]\s{0,80}([\w*.-]{1,40})\s{0,8}=\s{0,8}(?:"([^"]{0,200})"|([^;\s"]{1,200}))')
_RETURNED = (
    "message/rfc822",
    "text/rfc822-headers",
    "message/global",
    "message/global-headers",
    "message/partial",
)


class Fields:
    """The fields of a header: names without case, values unfolded and without the line end."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def get(self, name: str) -> str:
        """Return the first value of a field, "" without one."""
        return next((value for key, value in self.pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [value for key, value in self.pairs if key == name]

    def text(self, name: str) -> str:
        """Return the first value of a field with encoded words read (RFC 2047)."""
        return charset.header_text(self.get(name))

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)


@dataclass(frozen=True)
class Part:
    """One leaf: its media type in lower case, the parameters of that, its fields and its octets."""

    kind: str
    parameters: dict[str, str]
    fields: Fields
    raw: bytes
    depth: int

    @property
    def is_returned(self) -> bool:
        """Say whether this is the original message, or its header (RFC 6522 section 3)."""
        return self.kind in _RETURNED

    @cached_property
    def text(self) -> str:
        """What the part says, HTML reduced to its words."""
        encoding = self.fields.get("content-transfer-encoding")
        text = charset.decode(self.raw, self.parameters.get("charset", ""), encoding)
        return charset.html_text(text) if self.kind == "text/html" else text


class Message(NamedTuple):
    """A message: its header, its top-level media type, and its leaves in order."""

    fields: Fields
    kind: str
    parameters: dict[str, str]
    parts: tuple[Part, ...]


def read(data: bytes) -> Message:
    """Return the message that these octets are; the line that starts an mbox entry may lead."""
    wire = data[:MAX_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    for _ in range(2):  # a mailbox that was put into a mailbox
        if wire.startswith((b"From ", b">From ")) and b"\n" in wire[:2000]:
            wire = wire[wire.find(b"\n") + 1 :]
    fields, start = header(wire, 0, len(wire))
    kind, parameters = media_type(fields.get("content-type"))
    leaves: list[Part] = []
    _walk(_Span(wire, start, len(wire)), fields, 0, leaves)
    return Message(fields, kind, parameters, tuple(leaves))


def header(wire: bytes, start: int, end: int) -> tuple[Fields, int]:
    """Return the fields that begin at `start` (lines end with LF), and where the body begins."""
    pairs: list[tuple[str, str]] = []
    at, stop = start, min(end, start + MAX_HEADER)
    while at < stop:
        line_end = wire.find(b"\n", at, stop)
        line_end = stop if line_end < 0 else line_end
        line = wire[at : min(line_end, at + 8200)]
        if not line:
            return Fields(pairs), line_end + 1
        if line[:1] in b" \t":
            _continue(pairs, line)
        elif (match := _FIELD.match(line)) is None:
            return Fields(pairs), at  # the body begins without a blank line
        elif len(pairs) < MAX_FIELDS:
            pairs.append((match[1].decode("ascii").lower(), _value(match[2])))
        at = line_end + 1
    return Fields(pairs), min(at, end)


def _value(raw: bytes) -> str:
    return charset.to_text(raw).strip()


def _continue(pairs: list[tuple[str, str]], line: bytes) -> None:
    if pairs and len(pairs[-1][1]) < 16000:
        name, value = pairs[-1]
        pairs[-1] = (name, f"{value} {_value(line)}".strip())


def media_type(value: str) -> tuple[str, dict[str, str]]:
    """Return a media type in lower case and its parameters (RFC 2045 section 5.1); text/plain where there is none."""
    value = value[:4000]
    kind = _KIND.match(value)
    parameters = {
        match[1].lower().rstrip("*0"): match[2] if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(value)
    }
    return kind[1].lower() if kind else "text/plain", parameters


class _Span(NamedTuple):
    wire: bytes
    start: int
    end: int


def _walk(span: _Span, fields: Fields, depth: int, leaves: list[Part]) -> None:
    """Add the leaves below one entity; a multipart that cannot be taken apart is read as text."""
    kind, parameters = media_type(fields.get("content-type"))
    pieces = _pieces(span, kind, parameters) if depth < MAX_DEPTH else []
    if not pieces:
        plain = "text/plain" if kind.startswith("multipart/") else kind
        _add(Part(plain, parameters, fields, span.wire[span.start : span.end], depth), leaves)
        return
    preamble = span.wire[span.start : max(span.start, pieces[0][0] - 1)].rpartition(b"\n")[0].strip()
    for start, end in pieces:
        if len(leaves) >= MAX_PARTS:
            return
        inner, body = header(span.wire, start, end)
        _walk(_Span(span.wire, body, end), inner, depth + 1, leaves)
    if preamble:
        _add(Part("text/x-preamble", {}, Fields([]), preamble, depth), leaves)


def _add(part: Part, leaves: list[Part]) -> None:
    if len(leaves) < MAX_PARTS:
        leaves.append(part)


def _pieces(span: _Span, kind: str, parameters: dict[str, str]) -> list[tuple[int, int]]:
    """Return where the parts of an entity begin and end; [] where it has none."""
    boundary = parameters.get("boundary", "").strip()
    if kind.startswith("multipart/") and boundary:
        found = _split(span, boundary.encode("utf-8", "replace"))
        if found:
            return found
    if kind.startswith(
        ("multipart/", "text/plain")
    ):  # the header is wrong or lost: look for a boundary in use
        guess = _guess(span, plain=kind == "text/plain")
        return _split(span, guess) if guess else []
    return []


_IN_USE = re.compile(rb"(?:^|\n)--([!-~]{6,100})[ \t]*\nContent-[!-9;-~]{1,40}:", re.IGNORECASE)


_FIELD_OR_REST = re.compile(rb"[!-9;-~]{1,60}:|[ \t]")
_PREAMBLE = 60  # letters before a boundary that are more than a preamble


def _guess(span: _Span, *, plain: bool) -> bytes:
    """Return a boundary in use; in a plain text none behind words of its own: it is that of a returned message."""
    match = _IN_USE.search(span.wire, span.start, min(span.end, span.start + 64 * 1024))
    if match is None or (plain and _speaks(span.wire[span.start : match.start()])):
        return b""
    return match[1]


def _speaks(before: bytes) -> bool:
    words = b" ".join(line for line in before.split(b"\n") if not _FIELD_OR_REST.match(line))
    return b"mime" not in words.lower() and sum(chr(octet).isalpha() for octet in words) > _PREAMBLE


def _split(span: _Span, boundary: bytes) -> list[tuple[int, int]]:
    """Return the spans between the delimiters (RFC 2046 section 5.1.1); the last may lack its end."""
    delimiter, pieces = b"--" + boundary, []
    wire, end, open_at = span.wire, span.end, -1
    at = (
        span.start if wire.startswith(delimiter, span.start, end) else _find(wire, delimiter, span.start, end)
    )
    while 0 <= at < end:
        line_end = wire.find(b"\n", at, end)
        line_end = end if line_end < 0 else line_end
        rest = wire[at + len(delimiter) : min(line_end, at + len(delimiter) + 80)].strip()
        if rest in (b"", b"--"):
            if open_at >= 0:
                pieces.append((open_at, max(open_at, at - 1)))
            open_at = line_end + 1 if rest == b"" else -1
            if rest or len(pieces) >= MAX_PARTS:
                break
        at = _find(wire, delimiter, line_end, end)
    if 0 <= open_at < end:
        pieces.append((open_at, end))
    return pieces


def _find(wire: bytes, delimiter: bytes, start: int, end: int) -> int:
    found = wire.find(b"\n" + delimiter, max(start - 1, 0), end)
    return found + 1 if found >= 0 else -1
