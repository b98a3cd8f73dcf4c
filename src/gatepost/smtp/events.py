"""What a server session reports, one value at a time, and how its answers are written."""

from functools import lru_cache
from typing import NamedTuple

from gatepost.smtp.address import Path
from gatepost.smtp.params import MailParameters, RcptParameters


class Hello(NamedTuple):
    """EHLO or HELO, answered."""

    answer: bytes
    name: str
    extended: bool


class Mail(NamedTuple):
    """MAIL: wants an answer."""

    path: Path
    parameters: MailParameters


class Rcpt(NamedTuple):
    """RCPT: wants an answer."""

    path: Path
    parameters: RcptParameters


class Data(NamedTuple):
    """Content is to begin: wants 354 (no octets go out where it is BDAT) or a refusal."""

    chunked: bool


class Chunk(NamedTuple):
    """A piece of content in wire form."""

    data: bytes


class ChunkDone(NamedTuple):
    """A BDAT that was not the last, answered."""

    answer: bytes


class EndOfData(NamedTuple):
    """The content is complete and clean: wants the answer that takes responsibility, or not."""

    size: int
    header_id: str


class StartTls(NamedTuple):
    """STARTTLS: wants 220; after it the bytes belong to the handshake."""


class Auth(NamedTuple):
    """A login to be checked: wants 235 or a refusal."""

    mechanism: str
    user: str
    password: str


class Challenge(NamedTuple):
    """A step of a login, answered with 334."""

    answer: bytes


class Reset(NamedTuple):
    """RSET, answered."""

    answer: bytes


class Noop(NamedTuple):
    """NOOP, VRFY or HELP, answered."""

    answer: bytes


class Quit(NamedTuple):
    """QUIT, answered: close."""

    answer: bytes


class Bad(NamedTuple):
    """The session refused something by itself.

    `why` is a short name for counters; with `close` the session has ended; with `content` what came of the
    message is to be dropped.
    """

    answer: bytes
    why: str
    close: bool = False
    content: bool = False


Event = (
    Hello
    | Mail
    | Rcpt
    | Data
    | Chunk
    | ChunkDone
    | EndOfData
    | StartTls
    | Auth
    | Challenge
    | Reset
    | Noop
    | Quit
    | Bad
)

# problem of content -> code, enhanced, text
PROBLEMS: dict[str, tuple[int, str, str]] = {
    "bare_newline": (550, "5.5.2", "A bare CR or LF in the message; lines end with CRLF (RFC 5321 2.3.8)"),
    "nul": (550, "5.6.0", "A NUL octet in the message"),
    "line": (550, "5.6.0", "A line of the message is too long (RFC 5321 4.5.3.1.6)"),
    "header": (552, "5.3.4", "The header of the message is too large"),
    "eight_bit": (554, "5.6.7", "A header that is not ASCII needs SMTPUTF8 (RFC 6531), or encoded words"),
    "hops": (554, "5.4.14", "Hop count exceeded, possible mail loop"),
    "size": (552, "5.3.4", "The message is larger than this server takes"),
}


def answer(code: int, enhanced: str, text: str) -> bytes:
    """Return a reply; each line of `text` becomes a line of it (RFC 5321 section 4.2, RFC 2034)."""
    prefix = f"{enhanced} " if enhanced else ""
    if "\n" not in text:
        return f"{code} {prefix}{text}\r\n".encode("utf-8", "replace")
    lines = text.split("\n")
    out = [f"{code}-{prefix}{line}" for line in lines[:-1]]
    out.append(f"{code} {prefix}{lines[-1]}\r\n")
    return "\r\n".join(out).encode("utf-8", "replace")


usual_answer = lru_cache(maxsize=256)(answer)  # for texts that come again and again
