"""Message content in wire form: found, checked and dot-stuffed in passing, on whole windows of bytes.

Rule: DATA ends at CRLF.CRLF only (RFC 5321 section 4.1.1.4); no other line ending ends anything.
Rule: what passes holds no bare CR, bare LF or NUL, so that no next hop can read it differently.
"""

import re
from functools import lru_cache
from io import IncrementalNewlineDecoder

MAX_HEADER = 256 * 1024
_NEWLINE = re.compile(rb"\r\n?|\n")
_HEADER_END = b"\r\n\r\n"
_MESSAGE_ID_NAME = b"\r\nmessage-id"
_MESSAGE_ID = re.compile(rb"\r\nmessage-id[ \t]*:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*)", re.IGNORECASE)
_MAX_MESSAGE_ID = 998
_END = b"\r\n.\r\n"


@lru_cache(maxsize=16)
def _strides(limit: int) -> re.Pattern[bytes]:
    """Return what goes from line end to line end, each as far as it can: it stops before what is too long."""
    return re.compile(rb"(?s:.{0,%d}\n)*+" % (limit - 1))


def _only_crlf(piece: bytes) -> bool:
    """Tell whether all line ends are CRLF: the library notes which ones it sees, in one pass."""
    seen = IncrementalNewlineDecoder(None, translate=False)
    seen.decode(piece.decode("latin-1"), final=True)
    return seen.newlines is None or seen.newlines == "\r\n"


class Stuffer:
    """Dot-stuff content piece by piece (RFC 5321 section 4.5.2); the state is the last two octets."""

    def __init__(self) -> None:
        self.last = b"\r\n"

    def feed(self, data: bytes) -> bytes:
        """Return the piece with each dot at the start of a line doubled."""
        if not data:
            return data
        joined = self.last + data
        skip = len(self.last)
        self.last = joined[-2:]
        return joined.replace(b"\r\n.", b"\r\n..")[skip:]


class Unstuffer:
    """Take dot-stuffing out again, piece by piece."""

    def __init__(self) -> None:
        self._last = b"\r\n"

    def feed(self, data: bytes) -> bytes:
        """Return the piece with the first dot of each line that starts with one removed."""
        if not data:
            return data
        joined = self._last + data
        skip = len(self._last)
        self._last = joined[-2:]
        # a dot that starts this piece is the only match that touches what has been given out before
        return joined.replace(b"\r\n.", b"\r\n")[skip:]


def stuff(data: bytes) -> bytes:
    """Return a whole content dot-stuffed."""
    return Stuffer().feed(data)


def unstuff(data: bytes) -> bytes:
    """Return a whole content with the dot-stuffing removed."""
    return Unstuffer().feed(data)


class Normaliser:
    """Make each bare CR or LF of wire-form content a CRLF, without ever making an end of data of it.

    The dots are taken out by the sender's line ends (CRLF only) and put in again by the new ones.
    """

    def __init__(self) -> None:
        self._unstuffer = Unstuffer()
        self._stuffer = Stuffer()
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return the next piece; a CR at its end waits for what follows."""
        plain = self._held + self._unstuffer.feed(data)
        self._held = b"\r" if plain.endswith(b"\r") else b""
        if self._held:
            plain = plain[:-1]
        return self._stuffer.feed(_NEWLINE.sub(b"\r\n", plain))


class ContentChecks:
    """What is asked of content however it arrives: line length, header size, hops, NUL, line endings."""

    def __init__(self, max_line: int = 998, max_header: int = MAX_HEADER) -> None:
        self.bare_newline = False
        self.nul = False
        self.line = False  # one is too long
        self.header = False  # it is too large
        self.only_ascii = False  # the header must be: to be set before the first piece
        self.eight_bit = False  # it is not, and had to be
        self.clean = True  # none of these
        self.size = 0  # octets that passed by
        self.hops = 0
        self.header_id = ""
        self._limit = max_line + 2 if max_line else 0
        self._strides = _strides(max_line + 2)
        self._max_header = max_header
        self._open = 0  # octets of the line that is not ended yet
        self._open_dot = False
        self._header: bytes | None = b"\r\n"  # None: the header has ended

    def check(self, piece: bytes) -> None:
        """Take a piece that splits no CRLF; checks go on after a problem, so no cut changes the verdict."""
        self.size += len(piece)
        if not _only_crlf(piece):
            self.bare_newline = True
        if b"\0" in piece:
            self.nul = True
        if self._limit and not self.line and self._too_long(piece):
            self.line = True
        if self._header is not None:
            self._take_header(piece)
        self.clean = not (self.bare_newline or self.nul or self.line or self.header or self.eight_bit)

    def problem(self, max_hops: int, max_size: int) -> str:
        """Return the name of the worst problem so far (see `events.PROBLEMS`); "" where there is none."""
        if self.clean and self.hops <= max_hops and not (max_size and self.size > max_size):
            return ""
        found = {
            "bare_newline": self.bare_newline,
            "nul": self.nul,
            "line": self.line,
            "header": self.header,
            "eight_bit": self.eight_bit,
            "hops": self.hops > max_hops,
        }
        return next((why for why, bad in found.items() if bad), "size")

    def finish(self) -> None:
        """Read the header of content that ended without an empty line."""
        if self._header is not None:
            self._read_header(self._header)

    def _too_long(self, piece: bytes) -> bool:
        """Go from line end to line end in strides of the limit: short lines cost nothing."""
        size, limit, start = len(piece), self._limit, 0
        if self._open:
            end = piece.find(b"\n")
            self._open += end + 1 if end >= 0 else size
            if self._open > limit + self._open_dot:
                return True
            if end < 0:
                return False
            start = end + 1
        while True:
            found = self._strides.match(piece, start)
            start = found.end() if found is not None else start
            dot = piece.startswith(b".", start)
            self._open, self._open_dot = size - start, dot
            if self._open <= limit:
                return False
            # a stuffed dot does not count (RFC 5321 section 4.5.3.1.6)
            end = piece.find(b"\n", start, start + limit + dot)
            if end < 0:
                return self._open > limit + dot
            start = end + 1

    def _take_header(self, piece: bytes) -> None:
        assert self._header is not None
        header = self._header + piece
        end = header.find(_HEADER_END, max(0, len(self._header) - 3))
        if end >= 0:
            header = header[: end + 2]
        if len(header) > self._max_header:
            self.header = True
            self._header = None
        elif end >= 0:
            self._read_header(header)
        else:
            self._header = header

    def _read_header(self, header: bytes) -> None:
        self._header = None
        if self.only_ascii and not header.isascii():
            self.eight_bit, self.clean = True, False
        lower = header.lower()
        self.hops = lower.count(b"\r\nreceived:")
        at = lower.find(_MESSAGE_ID_NAME)
        while at >= 0:
            found = _MESSAGE_ID.match(header, at)
            if found is not None:
                self.header_id = found.group(1)[:_MAX_MESSAGE_ID].decode("utf-8", "replace").strip()
                return
            at = lower.find(_MESSAGE_ID_NAME, at + 1)


class BodyScanner:
    """Find the end of DATA content and let through what is clean, whatever the pieces it comes in.

    `feed` returns the next piece of content, in wire form; `ended` and `rest` say whether the final dot was
    seen and what came after it. With `allow_bare` a bare CR or LF becomes CRLF instead of a problem.
    """

    def __init__(
        self, *, max_line: int = 998, max_header: int = MAX_HEADER, allow_bare: bool = False
    ) -> None:
        self.checks = ContentChecks(max_line, max_header)
        self.ended = False
        self.rest = b""
        self._normaliser = Normaliser() if allow_bare else None
        self._tail = b"\r\n"  # a virtual line end: content may start with the final dot
        self._skip = 2  # octets of the tail that are not content

    def feed(self, data: bytes) -> bytes:
        """Return the content that `data` completes; b"" once there is a problem."""
        window = self._tail + data
        end = window.find(_END)
        if end >= 0:
            cut = end + 2
            self.ended = True
            self.rest = window[end + 5 :]
            self._tail = b""
        else:
            cut = self._cut(window)
            if cut <= self._skip:
                self._tail = window
                return b""
            self._tail = window[cut:]
        piece = window[self._skip : cut]
        self._skip = 0
        if self._normaliser is not None:
            piece = self._normaliser.feed(piece)
        self.checks.check(piece)
        if self.ended:
            self.checks.finish()
        return piece if self.checks.clean else b""

    @staticmethod
    def _cut(window: bytes) -> int:
        """Return how much of a window is surely content: no part of an end, no half of a line end."""
        cut = max(0, len(window) - 4)
        return cut - 1 if cut and window[cut - 1 : cut + 1] == b"\r\n" else cut


class ChunkScanner:
    """Check BDAT content (RFC 3030) and turn it into wire form: dot-stuffed, ended by CRLF."""

    def __init__(self, *, max_line: int = 998, max_header: int = MAX_HEADER) -> None:
        self.checks = ContentChecks(max_line, max_header)
        self._stuffer = Stuffer()
        self._tail = b""

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """Return the wire form of the next octets; b"" once there is a problem."""
        raw = self._tail + data
        self._tail = b""
        if last:
            if not (self._stuffer.last + raw).endswith(b"\r\n"):
                raw += b"\r\n"
        elif raw.endswith(b"\r"):
            self._tail = b"\r"
            raw = raw[:-1]
        piece = self._stuffer.feed(raw)
        self.checks.check(piece)
        if last:
            self.checks.finish()
        return piece if self.checks.clean else b""
