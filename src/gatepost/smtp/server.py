"""The server's side of an SMTP session without I/O: bytes in, one event out, on request.

Rules (the table is `states.MOVES`):
- Only CRLF ends a line or content; a bare CR or LF ends the session (RFC 5321 section 2.3.8).
- An event that needs an answer holds everything back until `reply` gives it.
- 2xx and 3xx move along the table; a refusal stays; after content nothing of the transaction is left.
- What was sent before the 354, the answer to AUTH or the 220 to STARTTLS is never read as something else.
- The octets of a BDAT are content even when they are refused (RFC 3030 section 2).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gatepost.model.mail import SMTPUTF8
from gatepost.smtp import arguments, sasl
from gatepost.smtp.body import BodyScanner, ChunkScanner, ContentChecks
from gatepost.smtp.events import (
    PROBLEMS,
    Auth,
    Bad,
    Challenge,
    Chunk,
    ChunkDone,
    Data,
    EndOfData,
    Event,
    Hello,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Reset,
    StartTls,
    answer,
    usual_answer,
)
from gatepost.smtp.states import KNOWN, MOVES, VERBS, State

MAX_LINE = 2048  # RFC 5321 section 4.5.3.1.4 with all extensions: MAIL and RCPT need about 1,200
MAX_AUTH_LINE = 12288  # RFC 4954 section 4
_HELO = re.compile(r"[!-~\x80-\U0010ffff]{1,255}")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a session offers and how much it bears."""

    hostname: str
    max_message_size: int = 0  # octets; 0: any
    max_line_length: int = 998  # octets of a text line; 0: any
    max_hops: int = 50
    eight_bit_headers: bool = True  # whether they are taken without SMTPUTF8, as scripts send them
    starttls: bool = False
    auth: bool = False


_OK_RSET = answer(250, "2.0.0", "Ok")
_SEQUENCE = answer(503, "5.5.1", "Bad sequence of commands")
_UNKNOWN = answer(500, "5.5.1", "Command not known")
_BARE = answer(500, "5.5.2", "A bare CR, bare LF or NUL in a command; lines end with CRLF")
_LONG = answer(500, "5.5.6", "Line too long")
_EARLY = answer(554, "5.5.0", "Sent before it was asked for")


class ServerSession:
    """One session: `feed` bytes, ask `next_event`, answer with `reply`."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.state = State.START
        self.tls = False
        self.login = ""
        self.extended = False
        self.allow_bare_newlines = False  # to be decided after MAIL, by who is sending
        self._buffer = b""
        self.waiting = ""  # the verb whose answer is due before anything else is read
        self._flags = 0
        self._scanner: BodyScanner | None = None
        self._chunks: ChunkScanner | None = None
        self._ended = False
        self._left = 0  # octets of the current BDAT still to come
        self._last_chunk = False
        self._in_chunk = False
        self._skipping = False  # the octets of this BDAT are refused
        self._refusal: tuple[int, str, str] | None = None
        self._why = ""
        self._exchange: sasl.Exchange | None = None

    @property
    def buffered(self) -> int:
        """Return how many octets wait to be looked at."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what came from the client."""
        if self.state is not State.CLOSED and self.state is not State.TLS:
            self._buffer = self._buffer + data if self._buffer else data

    def banner(self) -> bytes:
        """Return the greeting."""
        return answer(220, "", f"{self.config.hostname} ESMTP Gatepost")

    def close(self) -> None:
        """End the session: whatever else comes is ignored."""
        self.state = State.CLOSED
        self._buffer = b""
        self.waiting = ""

    def next_event(self) -> Event | None:
        """Return the next event; None where more bytes, or an answer, are needed."""
        while self._buffer or self._ended or self._in_chunk:
            if self.waiting or self.state is State.CLOSED:
                return None
            if self.state is State.DATA:
                return self._content()
            if self._in_chunk:
                event = self._chunk()
                if event is not None or self._left:
                    return event
                continue
            line = self._line()
            if line is None or isinstance(line, Bad):
                return line
            return self._step(line) if self.state is State.AUTH else self._command(line)
        return None

    def reply(self, code: int, enhanced: str, text: str) -> bytes:
        """Answer the event that waits and return the bytes to send."""
        verb, self.waiting = self.waiting, ""
        good = code < 400
        if verb == "BDAT":
            return self._begin_chunks(good=good, refusal=(code, enhanced, text))
        if verb == "end of data":
            self._reset()
            return answer(code, enhanced, text)
        if good:
            if verb == "DATA":
                if self._buffer:
                    # content that did not wait for the 354 could be another's commands (RFC 2920 section 3.1)
                    self.close()
                    return _EARLY
                self._begin_data()
            elif verb == "STARTTLS":
                self._buffer = b""
            self.state = MOVES[self.state][verb]
        elif verb == "AUTH":
            self.state = State.READY
        return usual_answer(code, enhanced, text)

    def tls_started(self) -> None:
        """Begin again inside TLS: nothing of the clear text is believed (RFC 3207 section 4.2)."""
        self._reset()
        self.state = State.START
        self._buffer = b""
        self.tls = True
        self.login = ""
        self.extended = False

    def _begin_data(self) -> None:
        self._scanner = BodyScanner(max_line=self.config.max_line_length, allow_bare=self.allow_bare_newlines)
        self._scanner.checks.only_ascii = self._only_ascii_header

    @property
    def _only_ascii_header(self) -> bool:
        """Whether a header beyond ASCII is refused: only SMTPUTF8 makes it right (RFC 6531 section 3.3)."""
        return not self.config.eight_bit_headers and not self._flags & SMTPUTF8

    def _reset(self) -> None:
        self.state = State.READY if self.state is not State.START else State.START
        self._flags = 0
        self._scanner = self._chunks = None
        self._ended = self._last_chunk = self._in_chunk = self._skipping = False
        self._left = 0
        self._refusal = None
        self._why = ""
        self._exchange = None
        self.allow_bare_newlines = False

    # lines

    def _line(self) -> bytes | Bad | None:
        """Take the next line off the buffer; what is decided never depends on how the bytes were cut."""
        buffer = self._buffer
        limit = MAX_LINE
        end = buffer.find(b"\r\n", 0, limit)
        if end < 0 and (self.state is State.AUTH or buffer[:5].upper() == b"AUTH "):
            limit = MAX_AUTH_LINE
            end = buffer.find(b"\r\n", 0, limit)
        if end >= 0:
            line = buffer[:end]
            self._buffer = buffer[end + 2 :]
            if b"\n" in line or b"\r" in line or b"\0" in line:
                return self._end(_BARE, "bare_newline")
            return line
        head = buffer[:limit]
        if b"\n" in head:
            return self._end(_BARE, "bare_newline")
        if len(buffer) < limit:
            return None
        if b"\r" in head[:-1] or b"\0" in head:
            return self._end(_BARE, "bare_newline")
        return self._end(_LONG, "line_too_long")

    def _end(self, reply: bytes, why: str) -> Bad:
        content = self.state in {State.DATA, State.BDAT}
        self.close()
        return Bad(reply, why, close=True, content=content)

    def _command(self, line: bytes) -> Event:
        verb_bytes, _, rest = line.partition(b" ")
        verb = VERBS.get(verb_bytes) or verb_bytes.upper().decode("latin-1")
        if verb not in MOVES[self.state]:
            return self._out_of_place(verb, rest)
        handler = _HANDLERS[verb]
        return handler(self, verb, rest)

    def _out_of_place(self, verb: str, rest: bytes) -> Event:
        if verb == "BDAT":
            # its octets follow whatever we say (RFC 3030 section 2)
            size = arguments.chunk_size(rest)
            if size is None:
                return self._end(answer(501, "5.5.4", "BDAT takes a size, and LAST"), "syntax")
            self._left, self._last_chunk = size
            self._in_chunk = self._skipping = True
            return Bad(_SEQUENCE, "sequence")
        if verb == "DATA" and self.state is State.MAIL:
            return Bad(answer(554, "5.5.1", "No valid recipients"), "sequence")
        if verb in KNOWN:
            return Bad(_SEQUENCE, "sequence")
        return Bad(_UNKNOWN, "unknown")

    # commands: (self, verb, rest) -> Event

    def _hello(self, verb: str, rest: bytes) -> Event:
        name = rest.decode("utf-8", "replace").strip(" ")
        if _HELO.fullmatch(name) is None:
            return Bad(answer(501, "5.5.4", f"{verb} takes the name of the client"), "syntax")
        self._reset()
        self.state = State.READY
        self.extended = verb == "EHLO"
        if not self.extended:
            return Hello(answer(250, "", self.config.hostname), name, extended=False)
        return Hello(answer(250, "", "\n".join([self.config.hostname, *self._offers()])), name, extended=True)

    def _offers(self) -> list[str]:
        config = self.config
        offers = ["PIPELINING", f"SIZE {config.max_message_size}" if config.max_message_size else "SIZE"]
        offers += ["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING"]
        if config.starttls and not self.tls:
            offers.append("STARTTLS")
        if config.auth and self.tls and not self.login:
            offers.append("AUTH PLAIN LOGIN")
        return offers

    def _mail(self, verb: str, rest: bytes) -> Event:
        event = arguments.mail(rest, self.config.max_message_size)
        if isinstance(event, Mail):
            self._flags = event.parameters.flags
            self.waiting = verb
        return event

    def _rcpt(self, verb: str, rest: bytes) -> Event:
        event = arguments.rcpt(rest, utf8=bool(self._flags & SMTPUTF8))
        if isinstance(event, Rcpt):
            self.waiting = verb
        return event

    def _data(self, verb: str, rest: bytes) -> Event:
        if rest:
            return Bad(answer(501, "5.5.4", "DATA takes no argument"), "syntax")
        self.waiting = verb
        return Data(chunked=False)

    def _bdat(self, verb: str, rest: bytes) -> Event:
        size = arguments.chunk_size(rest)
        if size is None:
            return self._end(answer(501, "5.5.4", "BDAT takes a size, and LAST"), "syntax")
        self._left, self._last_chunk = size
        self._in_chunk = True
        if self._refusal is not None:
            self._skipping = True
            return Bad(_SEQUENCE, "sequence")
        if self.state is State.BDAT:
            event = self._chunk()
            return event if event is not None else Chunk(b"")
        self.waiting = verb
        return Data(chunked=True)

    def _starttls(self, verb: str, rest: bytes) -> Event:
        if rest:
            return Bad(answer(501, "5.5.4", "STARTTLS takes no argument"), "syntax")
        if self.tls or not self.config.starttls or not self.extended:
            return Bad(_SEQUENCE, "sequence")
        self.waiting = verb
        return StartTls()

    def _auth(self, verb: str, rest: bytes) -> Event:
        if not self.config.auth or not self.extended:
            return Bad(_UNKNOWN, "unknown")
        if not self.tls:
            return Bad(answer(538, "5.7.11", "Encryption is required before a login"), "sequence")
        if self.login:
            return Bad(_SEQUENCE, "sequence")
        if self._buffer:
            return self._end(_EARLY, "early")
        name, _, initial = rest.partition(b" ")
        exchange = sasl.start(name.decode("latin-1").upper())
        if exchange is None:
            return Bad(answer(504, "5.5.4", "The mechanism is not known"), "syntax")
        self._exchange = exchange
        self.state = State.AUTH
        if initial:
            return self._step(b"" if initial == b"=" else initial)
        return Challenge(b"334 " + exchange.prompt + b"\r\n")

    def _step(self, line: bytes) -> Event:
        assert self._exchange is not None
        if self._buffer:  # RFC 4954 section 4: nothing may be sent before the outcome is known
            return self._end(_EARLY, "early")
        try:
            credentials = self._exchange.take(line)
        except sasl.Refused as problem:
            self._exchange = None
            self.state = State.READY
            return Bad(answer(501, "5.5.2", str(problem)), "syntax")
        if credentials is None:
            return Challenge(b"334 " + self._exchange.prompt + b"\r\n")
        mechanism, self._exchange = self._exchange.mechanism, None
        self.state = State.READY
        self.waiting = "AUTH"
        return Auth(mechanism, credentials[0], credentials[1])

    def _rset(self, verb: str, rest: bytes) -> Event:
        if rest:
            return Bad(answer(501, "5.5.4", "RSET takes no argument"), "syntax")
        self._reset()
        return Reset(_OK_RSET)

    def _noop(self, verb: str, rest: bytes) -> Event:
        if verb == "VRFY":
            return Noop(answer(252, "2.5.0", "Send some mail, and see"))
        if verb == "HELP":
            return Noop(answer(214, "2.0.0", "See RFC 5321"))
        return Noop(_OK_RSET)

    def _quit(self, verb: str, rest: bytes) -> Event:
        self.close()
        return Quit(answer(221, "2.0.0", f"{self.config.hostname} closes the connection"))

    # content

    def _content(self) -> Event | None:
        scanner = self._scanner
        assert scanner is not None
        if self._ended:
            return self._finish(scanner.checks)
        piece = scanner.feed(self._buffer)
        self._buffer = b""
        if scanner.ended:
            self._ended = True
            self._buffer = scanner.rest
        problem = self._look(scanner.checks)
        if problem == "bare_newline":
            # what the sender takes for the end of this message is not known: nothing more is read
            return self._end(answer(*PROBLEMS[problem]), problem)
        if piece and not problem:
            return Chunk(piece)
        return self._finish(scanner.checks) if self._ended else None

    def _look(self, checks: ContentChecks) -> str:
        """Return the worst problem of the content so far, in the order of `PROBLEMS`."""
        why = checks.problem(self.config.max_hops, self.config.max_message_size)
        self._why = why or self._why
        return why

    def _finish(self, checks: ContentChecks) -> Event:
        self._ended = False
        if not self._why:
            self.waiting = "end of data"
            return EndOfData(checks.size, checks.header_id)
        problem = self._why
        self._reset()
        return Bad(answer(*PROBLEMS[problem]), problem, content=True)

    def _begin_chunks(self, *, good: bool, refusal: tuple[int, str, str]) -> bytes:
        """Take or refuse the first BDAT; a refusal is sent once its octets are gone."""
        self.state = State.BDAT
        self._chunks = ChunkScanner(max_line=self.config.max_line_length)
        self._chunks.checks.only_ascii = self._only_ascii_header
        if not good:
            self._refusal = refusal
        return b""

    def _chunk(self) -> Event | None:
        """Take octets of a BDAT; None where more are needed, or the refused ones are all gone."""
        data = self._buffer[: self._left] if len(self._buffer) > self._left else self._buffer
        self._buffer = self._buffer[len(data) :]
        self._left -= len(data)
        done = not self._left
        if self._skipping:
            self._in_chunk, self._skipping = not done, not done
            return None
        return self._take_chunk(data, done=done)

    def _take_chunk(self, data: bytes, *, done: bool) -> Event | None:
        assert self._chunks is not None
        if self._refusal is None and not self._ended:
            piece = self._chunks.feed(data, last=done and self._last_chunk)
            if piece and not self._look(self._chunks.checks):
                self._ended = done
                return Chunk(piece)
        if not done:
            return None
        self._in_chunk = self._ended = False
        if self._refusal is None and self._look(self._chunks.checks):
            self._refusal = PROBLEMS[self._why]
        if self._refusal is not None:
            return self._refuse_chunk()
        if self._last_chunk:
            return self._finish(self._chunks.checks)
        return ChunkDone(answer(250, "2.0.0", "Ok"))

    def _refuse_chunk(self) -> Bad:
        assert self._refusal is not None
        refusal, why = self._refusal, self._why or "refused"
        if self._last_chunk:
            self._reset()
        return Bad(answer(*refusal), why, content=True)


_HANDLERS: dict[str, Callable[[ServerSession, str, bytes], Event]] = {
    "EHLO": ServerSession._hello,  # noqa: SLF001 - the table belongs to the class
    "HELO": ServerSession._hello,  # noqa: SLF001
    "MAIL": ServerSession._mail,  # noqa: SLF001
    "RCPT": ServerSession._rcpt,  # noqa: SLF001
    "DATA": ServerSession._data,  # noqa: SLF001
    "BDAT": ServerSession._bdat,  # noqa: SLF001
    "STARTTLS": ServerSession._starttls,  # noqa: SLF001
    "AUTH": ServerSession._auth,  # noqa: SLF001
    "RSET": ServerSession._rset,  # noqa: SLF001
    "NOOP": ServerSession._noop,  # noqa: SLF001
    "VRFY": ServerSession._noop,  # noqa: SLF001
    "HELP": ServerSession._noop,  # noqa: SLF001
    "QUIT": ServerSession._quit,  # noqa: SLF001
}
