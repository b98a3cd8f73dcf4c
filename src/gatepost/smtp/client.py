"""The client's side of SMTP without I/O: replies read within bounds, commands built from what is offered.

Rule: a reply's first digit decides; an enhanced code that contradicts it is kept as evidence (RFC 2034).
Rule: whatever a server sends, no more than a bounded number of octets and lines of it is kept or waited for.
"""

import re
from dataclasses import dataclass

from gatepost.model.attempt import Reply
from gatepost.model.mail import (
    EIGHT_BIT,
    NOTIFY_DELAY,
    NOTIFY_FAILURE,
    NOTIFY_NEVER,
    NOTIFY_SUCCESS,
    RET_FULL,
    RET_HDRS,
    SMTPUTF8,
    Item,
    QueuedRecipient,
)

MAX_KEPT = 512  # octets kept of a line (RFC 5321 section 4.5.3.1.5)
MAX_READ = 8192  # octets of a line that are read at all
MAX_LINES = 100
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_DIGITS = re.compile(r"[0-9]{1,20}")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)")
_NOTIFY = (
    (NOTIFY_NEVER, "NEVER"),
    (NOTIFY_SUCCESS, "SUCCESS"),
    (NOTIFY_FAILURE, "FAILURE"),
    (NOTIFY_DELAY, "DELAY"),
)


class ProtocolError(Exception):
    """What the server sent is not SMTP; `evidence` is the line, cut."""

    def __init__(self, words: str, evidence: bytes = b"") -> None:
        self.evidence = evidence[:MAX_KEPT].decode("utf-8", "replace")
        super().__init__(f"{words}: {self.evidence!r}" if evidence else words)


class ReplyReader:
    """Read replies off a stream of bytes (RFC 5321 section 4.2)."""

    def __init__(self) -> None:
        self._buffer = b""
        self._code = b""
        self._lines: list[str] = []

    @property
    def pending(self) -> bool:
        """Return whether something unread is left; before a handshake that is an attack (RFC 3207)."""
        return bool(self._buffer or self._lines)

    def feed(self, data: bytes) -> None:
        """Take what came from the server."""
        self._buffer = self._buffer + data if self._buffer else data

    def next_reply(self) -> Reply | None:
        """Return the next whole reply, None where bytes are missing; raise `ProtocolError`."""
        while True:
            end = self._buffer.find(b"\n", 0, MAX_READ)
            if end < 0:
                if len(self._buffer) >= MAX_READ:
                    raise ProtocolError("a reply line without an end", self._buffer)
                return None
            line = self._buffer[: end - 1] if self._buffer[end - 1 : end] == b"\r" else self._buffer[:end]
            self._buffer = self._buffer[end + 1 :]
            if self._take(line):
                lines, self._lines = self._lines, []
                code, self._code = int(self._code), b""
                found = _ENHANCED.match(lines[0])
                return Reply(code, tuple(lines), found.group() if found else "")

    def _take(self, line: bytes) -> bool:
        """Add a line to the reply; return whether it was the last."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise ProtocolError("not a reply", line)
        code, separator, text = found.groups()
        if self._lines and code != self._code:
            raise ProtocolError(f"a reply of two codes, {self._code.decode()} and {code.decode()}", line)
        if len(self._lines) >= MAX_LINES:
            raise ProtocolError("a reply of too many lines", line)
        self._code = code
        self._lines.append((text or b"")[: MAX_KEPT - 4].decode("utf-8", "replace"))
        return bool(separator != b"-")


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a server offered in its answer to EHLO."""

    pipelining: bool = False
    size: int | None = None  # None: not offered; 0: offered without a limit
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    chunking: bool = False
    enhanced_status_codes: bool = False
    auth: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, lines: tuple[str, ...] | list[str]) -> "Extensions":
        """Return what the lines of the reply (the first one is the server's name) offer."""
        offered: dict[str, list[str]] = {}
        for line in lines[1:]:
            words = line.replace("=", " ", 1).split() if line[:5].upper() == "AUTH=" else line.split()
            if words:
                offered.setdefault(words[0].upper(), []).extend(words[1:])
        return cls(
            pipelining="PIPELINING" in offered,
            size=_size(offered.get("SIZE")),
            eight_bit_mime="8BITMIME" in offered,
            smtputf8="SMTPUTF8" in offered,
            dsn="DSN" in offered,
            starttls="STARTTLS" in offered,
            chunking="CHUNKING" in offered,
            enhanced_status_codes="ENHANCEDSTATUSCODES" in offered,
            auth=frozenset(word.upper() for word in offered.get("AUTH", ())),
        )


def mail_command(item: Item, extensions: Extensions) -> bytes:
    """Return MAIL for a message, with those parameters that the server knows."""
    line = f"MAIL FROM:<{item.sender}>"
    flags = item.flags
    if extensions.size is not None:
        line += f" SIZE={item.size}"
    if flags:
        if flags & EIGHT_BIT and extensions.eight_bit_mime:
            line += " BODY=8BITMIME"
        if flags & SMTPUTF8 and extensions.smtputf8:
            line += " SMTPUTF8"
        if extensions.dsn and flags & (RET_FULL | RET_HDRS):
            line += " RET=FULL" if flags & RET_FULL else " RET=HDRS"
    if item.envid and extensions.dsn:
        line += f" ENVID={item.envid}"
    return _command(line)


def rcpt_command(recipient: QueuedRecipient, extensions: Extensions) -> bytes:
    """Return RCPT for a recipient, with those parameters that the server knows."""
    line = f"RCPT TO:<{recipient.address}>"
    if extensions.dsn:
        if recipient.notify:
            words = [word for flag, word in _NOTIFY if recipient.notify & flag]
            line += f" NOTIFY={','.join(words)}"
        if recipient.orcpt:
            line += f" ORCPT={recipient.orcpt}"
    return _command(line)


def _command(line: str) -> bytes:
    # addresses come from our own parser; this is the last door, in case something else ever made one
    if "\r" in line or "\n" in line or "\0" in line:
        raise ValueError("a line break or NUL in an envelope")
    return line.encode() + b"\r\n"


def _size(values: list[str] | None) -> int | None:
    if values is None:
        return None
    return int(values[0]) if values and _DIGITS.fullmatch(values[0]) else 0
