"""One SMTP session on the loop: bytes to events, events to hooks, answers back; plain calls, no tasks.

Guarantee: 250 to content goes out only after `keep` has said that it is kept; whatever goes wrong in a hook
is a 451, never a lost session and never an acknowledgement.
Rule: reading stops before the 220 to STARTTLS is written, and what comes before the handshake is done waits.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast
from zlib import crc32

from gatepost.model import ids
from gatepost.model.mail import SMTPUTF8 as UTF8
from gatepost.model.mail import NewMessage, Recipient
from gatepost.model.objects import Source
from gatepost.receive import trace
from gatepost.receive.limits import Connections, LoginGuard, MinuteRate
from gatepost.receive.spool import SpoolFile
from gatepost.smtp.events import (
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
)
from gatepost.smtp.server import ServerConfig, ServerSession, State
from gatepost.storage.interface import StoreFull

READ_SIZE = 256 * 1024
MAX_OUTSTANDING = 1024 * 1024  # octets of one session on their way to the disk
MAX_BUFFERED = 256 * 1024  # octets that wait while an answer is due
MAX_PIECES = 1024
LINGER = 2.0  # seconds that a client has to read our last words


@dataclass(frozen=True, slots=True)
class Accept:
    """The recipient is taken; its mail goes to this destination."""

    destination_id: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The sender or recipient is refused with this reply."""

    code: int
    enhanced: str
    text: str
    unknown: bool = False  # a recipient that does not exist


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a session asks the rest of the gateway; all but `check_login` are plain calls on the loop."""

    source_for: Callable[[str, bool, tuple[str, ...], str], Source | None]
    sender: Callable[[Source | None, str], Refuse | None]
    recipient: Callable[[Source | None, str, str, str], Accept | Refuse]
    keep: Callable[[NewMessage, Callable[[BaseException | None], None]], None]
    new_id: Callable[[], int]
    now: Callable[[], int]
    pressure: Callable[[], Refuse | None]
    check_login: Callable[[str, str], Awaitable[bool]]
    say: "Say"
    count: "Count"
    blocked: Callable[[Source | None, str, str], Refuse | None] = lambda source, client, sender: None
    unknown: Callable[[Source | None, str, str, str, int], None] = lambda *seen: None


class Say(Protocol):
    """Write a line of the log."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Write it."""


class Count(Protocol):
    """Count something; labels are bounded words, never addresses."""

    def __call__(self, name: str, /, **labels: str) -> None:
        """Count it."""


@dataclass(frozen=True, slots=True)
class ReceiveOptions:
    """What the receiving side offers and bears; all times in seconds."""

    hostname: str
    spool_dir: Path
    listen: tuple[tuple[str, int], ...] = (("127.0.0.1", 2525),)
    max_message_size: int = 150 * 1024 * 1024
    inline_limit: int = 128 * 1024
    max_line_length: int = 998
    max_hops: int = 50
    eight_bit_headers: bool = True
    max_recipients: int = 1000
    max_connections: int = 1000
    max_connections_per_address: int = 100  # of addresses that are no source
    message_rate: int = 0  # messages a minute of an address that is no source; 0: any
    max_commands: int = 500  # commands of a session without a message between them
    max_errors: int = 50
    max_unknown: int = 20
    max_messages: int = 0  # over one connection; 0: any number
    max_login_failures: int = 5
    reserved: float = 0.2  # share of the connections for sources and for who has delivered before
    command_timeout: float = 300.0
    handshake_timeout: float = 30.0
    data_timeout: float = 180.0
    session_timeout: float = 1800.0  # without a message
    min_data_rate: int = 500  # octets a second, over `data_timeout`
    banner_delay: float = 0.0  # for who is no source: who talks before the banner cannot wait for answers
    tls: ssl.SSLContext | None = None
    auth: bool = False
    spool_threads: int = 4


@dataclass(slots=True)
class Shared:
    """What all sessions of a listener have in common."""

    options: ReceiveOptions
    hooks: Hooks
    config: ServerConfig
    loop: asyncio.AbstractEventLoop
    executor: Executor
    view: memoryview  # one read buffer: it is copied out of before the next read
    connections: Connections
    rate: MinuteRate
    guard: LoginGuard
    sessions: "set[Session]" = field(default_factory=set)
    stopping: bool = False
    gone: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Incoming:
    """A transaction: the envelope, then the content as it arrives."""

    source: Source | None
    sender: str
    flags: int
    envid: str
    recipients: list[Recipient] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    id: int = 0
    size: int = 0
    pieces: list[bytes] = field(default_factory=list)
    spool: SpoolFile | None = None
    header_id: str = ""
    error: BaseException | None = None
    kept: bool = False  # `keep` was asked: from here on the message may exist


class Session(asyncio.BufferedProtocol):
    """One connection of a client."""

    def __init__(self, shared: Shared, address: str, banner_delay: float = 0.0) -> None:
        self.address = address
        self._banner_delay = banner_delay
        self._shared = shared
        self._view = shared.view
        self._time = shared.loop.time
        self._hooks = shared.hooks
        self._smtp = ServerSession(shared.config)
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._incoming: Incoming | None = None
        self._running = False
        self._paused = False
        self._full = False  # the client does not read our answers
        self._eof = False
        self._greeted = False
        self._handshaking = False
        self._closing = False  # the last words are said
        self._lost = False
        self._counted = True
        self._early: list[bytes] = []
        self._helo = ""
        self._cipher = ""
        self._names: tuple[str, ...] = ()
        self._origin = ""
        self._client = ""
        self._commands = self._errors = self._unknown = self._login_failures = self._messages = 0
        self._octets = 0
        self._good = 0  # recipients that exist, named since the last one that does not
        now = self._time()
        self._since = now  # the current command is awaited since then
        self._last_mail = now
        self._mark = (now, 0)  # when the data rate was last looked at, and the octets then
        self._task: asyncio.Task[None] | None = None

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, at once or after the delay that shows who cannot wait."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are of a family of their own
        self._shared.sessions.add(self)
        if self._banner_delay:
            self._shared.loop.call_later(self._banner_delay, self._greet)
        else:
            self._greet()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the buffer that all sessions share."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        data = self._view[:nbytes].tobytes()
        if self._handshaking:
            self._early.append(data)
        elif not self._closing:
            self._received(data)

    def eof_received(self) -> bool:
        """Keep our half open where an answer is still due (TLS has no halves)."""
        self._eof = True
        return self._smtp.waiting and not self._smtp.tls and not self._closing

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read."""
        self._full = True
        self._balance()

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self._balance()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop what was not handed over yet."""
        self._gone()

    # what the listener calls

    def sweep(self, now: float) -> None:
        """Look at the deadlines (RFC 5321 section 4.5.3.2)."""
        options = self._shared.options
        if self._closing:
            if now - self._since > LINGER and self._transport is not None:
                self._transport.abort()
        elif self._handshaking or self._smtp.waiting:
            return  # the handshake has its own limit; an answer that we owe is not the client's fault
        elif self._smtp.state in {State.DATA, State.BDAT}:
            self._check_rate(now)
        elif now - self._since > options.command_timeout:
            self._hang_up(421, "4.4.2", "Timeout: no command came", "timeout")
        elif now - self._last_mail > options.session_timeout:
            self._hang_up(421, "4.4.2", "Timeout: the session carried no message", "timeout")

    def stop(self) -> None:
        """Say 421 unless content is on its way; then after it."""
        if not self._closing and not self._busy():
            self._hang_up(421, "4.3.2", "The server is stopping", "stopping")

    def abort(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _busy(self) -> bool:
        return self._smtp.waiting or self._smtp.state in {State.DATA, State.BDAT}

    # bytes

    def _greet(self) -> None:
        if self._transport is not None and not self._closing and not self._greeted:
            self._greeted = True
            self._transport.write(self._smtp.banner())

    def _received(self, data: bytes) -> None:
        self._octets += len(data)
        if not self._greeted:
            self._hang_up(554, "5.5.0", "Sent before the banner", "early")
            return
        self._smtp.feed(data)
        if self._smtp.waiting:
            self._balance()
        else:
            self._run()

    def _run(self) -> None:
        """Handle all that has come; answers leave in one write."""
        smtp = self._smtp
        self._running = True
        while (event := smtp.next_event()) is not None:
            try:
                _ON[type(event)](self, event)
            except Exception as problem:
                self._failed(event, problem)
        self._running = False
        if self._out:  # a command is whole: octets alone, now and then, are no progress
            self._since = self._time()
            self._flush()
        incoming = self._incoming
        if self._paused or smtp.buffered or (incoming is not None and incoming.spool is not None):
            self._balance()
        if self._shared.stopping and not self._busy():
            self.stop()
        elif self._eof and not smtp.waiting and self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        out = self._out
        if out and self._transport is not None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _reply(self, code: int, enhanced: str, text: str) -> None:
        """Answer the event that waits."""
        reply = self._smtp.reply(code, enhanced, text)
        if reply:
            self._out.append(reply)
        if self._smtp.state is State.CLOSED:
            self._abandon()
            self._finish("early")

    def _answer_later(self, code: int, enhanced: str, text: str) -> None:
        """Answer, and go on with what has come meanwhile."""
        if self._lost or self._closing:
            return
        self._reply(code, enhanced, text)
        if not self._running:
            self._run()

    def _balance(self) -> None:
        """Read only while there is room for what comes."""
        spool = self._incoming.spool if self._incoming is not None else None
        outstanding = spool.outstanding if spool is not None else 0
        limit = MAX_OUTSTANDING // 2 if self._paused else MAX_OUTSTANDING
        stop = (
            outstanding > limit or self._full or (self._smtp.waiting and self._smtp.buffered > MAX_BUFFERED)
        )
        if stop is self._paused or self._transport is None or self._handshaking or self._closing:
            return
        self._paused = stop
        if stop:
            self._transport.pause_reading()
        else:
            self._mark = (self._shared.loop.time(), self._octets)
            self._transport.resume_reading()

    # the end

    def _hang_up(self, code: int, enhanced: str, text: str, why: str) -> None:
        self._abandon()
        self._out.append(answer(code, enhanced, text))
        self._finish(why)

    def _finish(self, why: str) -> None:
        """Say what is left to say, and give the client a moment to read it: a reset would lose it."""
        self._smtp.close()
        self._flush()
        self._since = self._shared.loop.time()
        self._closing = True
        self._hooks.count("sessions_ended", why=why)
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        if self._paused:
            transport.resume_reading()

    def _gone(self) -> None:
        self._abandon()
        self._lost = True
        self._transport = None
        self._smtp.close()
        if self._counted:
            self._counted = False
            self._shared.connections.closed(self.address)
            self._shared.sessions.discard(self)
            self._shared.gone()

    def _abandon(self) -> None:
        """Forget the transaction, unless it was handed over."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None and incoming.spool is not None and not incoming.kept:
            incoming.spool.drop()

    def _failed(self, event: Event, problem: Exception) -> None:
        self._hooks.say("receive.error", error=repr(problem), event=type(event).__name__, client=self.address)
        if isinstance(event, Chunk) and self._incoming is not None:
            self._incoming.error = problem  # said at the dot
        elif self._smtp.waiting:
            if isinstance(event, Data | EndOfData):
                self._abandon()
            self._reply(451, "4.3.0", "Something went wrong here, try again later")
        else:
            self._hang_up(421, "4.3.0", "Something went wrong here, try again later", "error")

    def _check_rate(self, now: float) -> None:
        since, octets = self._mark
        if self._paused:
            self._mark = (now, self._octets)
        elif now - since > self._shared.options.data_timeout:
            if self._octets - octets < self._shared.options.min_data_rate * (now - since):
                self._hang_up(421, "4.4.2", "Timeout: the content came too slowly", "timeout")
            else:
                self._mark = (now, self._octets)

    # events

    def _answered(self, event: Noop | ChunkDone | Challenge) -> None:
        self._out.append(event.answer)
        self._count_command()

    def _count_command(self) -> None:
        self._commands += 1
        if self._commands > self._shared.options.max_commands:
            self._hang_up(421, "4.7.0", "Too many commands without a message", "commands")

    def _hello(self, event: Hello) -> None:
        self._abandon()
        self._helo = event.name
        self._origin = self._client = ""
        self._out.append(event.answer)
        self._count_command()

    def _reset(self, event: Reset) -> None:
        self._abandon()
        self._out.append(event.answer)
        self._count_command()

    def _quit(self, event: Quit) -> None:
        self._abandon()
        self._out.append(event.answer)
        self._flush()
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def _bad(self, event: Bad) -> None:
        options = self._shared.options
        self._hooks.count("refused", why=event.why)
        if event.content:
            self._say_refused(event.why, event.answer)
            self._abandon()
        self._out.append(event.answer)
        self._errors += 1
        self._unknown += event.why == "unknown"
        if event.close:
            self._finish(event.why)
        elif self._errors > options.max_errors or self._unknown > options.max_unknown:
            self._hang_up(421, "4.7.0", "Too many errors", "errors")

    def _mail(self, event: Mail) -> None:
        smtp, hooks = self._smtp, self._hooks
        source = hooks.source_for(self.address, smtp.tls, self._names, smtp.login)
        if self._shared.stopping:
            self._reply(421, "4.3.2", "The server is stopping")
            return
        if self._messages >= self._shared.options.max_messages > 0:
            self._hang_up(421, "4.7.0", "Too many messages over one connection, open another", "messages")
            return
        short = hooks.pressure()
        if short is not None:
            hooks.count("refused", why="pressure")
            self._reply(short.code, short.enhanced, short.text)
            return
        if source is None and not self._shared.rate.take(self.address, self._shared.loop.time()):
            hooks.count("refused", why="rate")
            self._reply(450, "4.7.1", "Too many messages a minute, try again later")
            return
        if source is not None and source.require_tls and not smtp.tls:
            hooks.count("refused", why="tls_required")
            self._reply(530, "5.7.0", "STARTTLS is required here")
            return
        refusal = hooks.blocked(source, self.address, event.path.address)
        if refusal is not None:
            self._refuse(refusal, "quota", event.path.address, "")
            return
        refusal = hooks.sender(source, event.path.address)
        if refusal is not None:
            self._refuse(refusal, "sender", event.path.address, "")
            return
        given = event.parameters
        smtp.allow_bare_newlines = source is not None and source.allow_bare_newlines
        self._incoming = Incoming(source, event.path.address, given.flags, given.envid)
        self._reply(250, "2.1.0", "Ok")

    def _rcpt(self, event: Rcpt) -> None:
        incoming = self._incoming
        assert incoming is not None
        address = event.path.address
        if len(incoming.recipients) >= self._shared.options.max_recipients:
            self._reply(452, "4.5.3", "Too many recipients")
            return
        blocked = self._hooks.blocked(incoming.source, self.address, incoming.sender)
        if blocked is not None:
            self._refuse(blocked, "quota", incoming.sender, address)
            return
        verdict = self._hooks.recipient(incoming.source, incoming.sender, address, self._smtp.login)
        if isinstance(verdict, Refuse):
            if verdict.unknown:
                self._hooks.unknown(incoming.source, self.address, incoming.sender, address, self._good)
                self._good = 0
            self._refuse(verdict, "recipient", incoming.sender, address)
            return
        self._good += 1
        if address not in incoming.addresses:  # the same one twice is one delivery
            incoming.addresses.add(address)
            given = event.parameters
            incoming.recipients.append(
                Recipient(
                    len(incoming.recipients) + 1, address, verdict.destination_id, given.orcpt, given.notify
                )
            )
        self._reply(250, "2.1.5", "Ok")

    def _refuse(self, refusal: Refuse, what: str, sender: str, recipient: str) -> None:
        self._hooks.count("refused", why=what)
        self._hooks.say(
            "receive.refused",
            what=what,
            reply=f"{refusal.code} {refusal.enhanced} {refusal.text}",
            sender=sender,
            recipient=recipient,
            client=self.address,
        )
        self._reply(refusal.code, refusal.enhanced, refusal.text)

    def _data(self, event: Data) -> None:
        incoming = self._incoming
        assert incoming is not None
        incoming.id = self._hooks.new_id()
        header = self._received_header(incoming)
        incoming.pieces.append(header)
        incoming.size = len(header)
        self._mark = (self._time(), self._octets)
        self._reply(354, "", "Go ahead; end with a dot on a line of its own")

    def _received_header(self, incoming: Incoming) -> bytes:
        smtp = self._smtp
        if not self._origin:
            self._origin = trace.origin(self._helo, self.address, self._shared.options.hostname)
        how = trace.protocol(
            extended=smtp.extended,
            tls=smtp.tls,
            login=bool(smtp.login),
            utf8=bool(incoming.flags & UTF8),
        )
        one = incoming.recipients[0].address if len(incoming.recipients) == 1 else ""
        return trace.received(
            self._origin, how, ids.to_text(incoming.id), self._cipher, one, self._hooks.now()
        )

    def _chunk(self, event: Chunk) -> None:
        incoming = self._incoming
        assert incoming is not None
        data = event.data
        incoming.size += len(data)
        if incoming.spool is not None:
            incoming.spool.write([data])
            return
        incoming.pieces.append(data)
        if incoming.size > self._shared.options.inline_limit:
            path = self._shared.options.spool_dir / ids.to_text(incoming.id)
            incoming.spool = SpoolFile(path, self._shared.executor, self._shared.loop, self._balance)
            incoming.spool.write(incoming.pieces)
            incoming.pieces = []
        elif len(incoming.pieces) > MAX_PIECES:
            incoming.pieces = [b"".join(incoming.pieces)]

    def _end_of_data(self, event: EndOfData) -> None:
        incoming = self._incoming
        assert incoming is not None
        short = self._hooks.pressure()
        if short is not None:
            self._hooks.count("refused", why="pressure")
            self._abandon()
            self._reply(short.code, short.enhanced, short.text)
            return
        if incoming.error is not None:
            raise RuntimeError("the content was not taken") from incoming.error
        incoming.header_id = event.header_id
        if incoming.spool is not None:
            incoming.spool.finish(lambda error: self._spooled(incoming, error))
        else:
            body = b"".join(incoming.pieces)
            incoming.pieces = []
            self._keep(incoming, body, crc32(body))

    def _spooled(self, incoming: Incoming, error: OSError | None) -> None:
        """Go on once the file is safe on the disk."""
        assert incoming.spool is not None
        if error is not None:
            self._hooks.say("receive.spool_failed", error=str(error), client=self.address)
            self._hooks.count("refused", why="spool")
            self._abandon()
            self._answer_later(452, "4.3.1", "Out of resources, try again later")
            return
        try:
            self._keep(incoming, None, incoming.spool.crc)
        except Exception as problem:
            self._kept(incoming, problem)

    def _keep(self, incoming: Incoming, body: bytes | None, crc: int) -> None:
        source = incoming.source
        message = NewMessage(
            incoming.id,
            self._hooks.now(),
            incoming.sender,
            incoming.size,
            incoming.flags,
            incoming.envid,
            incoming.header_id,
            source.name if source is not None else "",
            self._client or self._describe(),
            tuple(incoming.recipients),
            body,
            body is None,
            crc,
        )
        incoming.kept = True
        try:
            self._hooks.keep(message, lambda error: self._kept(incoming, error))
        except Exception as problem:
            self._kept(incoming, problem)

    def _kept(self, incoming: Incoming, error: BaseException | None) -> None:
        """Answer for the message, once."""
        if not incoming.id:
            return
        number, incoming.id = incoming.id, 0
        if self._incoming is incoming:
            self._incoming = None
        if error is None:
            self._commands = 0
            self._messages += 1
            if self._messages == 1:
                self._shared.connections.proved(self.address)
            self._last_mail = self._time()
            self._answer_later(250, "2.0.0", f"Ok: queued as {ids.to_text(number)}")
            return
        self._hooks.say(
            "receive.not_kept", error=repr(error), message=ids.to_text(number), client=self.address
        )
        self._hooks.count("refused", why="not_kept")
        if incoming.spool is not None:
            incoming.spool.drop()
        if isinstance(error, StoreFull):
            self._answer_later(452, "4.3.1", "Out of resources, try again later")
        else:
            self._answer_later(451, "4.3.0", "The message could not be kept, try again later")

    def _describe(self) -> str:
        self._client = json.dumps(
            {
                "address": self.address,
                "name": "",
                "helo": self._helo,
                "tls": self._cipher,
                "login": self._smtp.login,
            }
        )
        return self._client

    def _say_refused(self, why: str, reply: bytes) -> None:
        incoming = self._incoming
        self._hooks.say(
            "receive.refused",
            what=why,
            reply=reply.decode("utf-8", "replace").strip(),
            sender=incoming.sender if incoming is not None else "",
            recipient="",
            client=self.address,
        )

    # TLS and logins: once a session, so a task is no matter

    def _starttls(self, event: StartTls) -> None:
        assert self._transport is not None
        self._abandon()
        if self._shared.options.tls is None:  # taken out of the settings since it was offered
            self._reply(454, "4.7.0", "TLS is not available any more")
            return
        self._transport.pause_reading()
        self._handshaking = True
        self._reply(220, "2.0.0", "Ready to start TLS")
        self._flush()
        self._task = self._shared.loop.create_task(self._handshake(self._transport))

    async def _handshake(self, transport: asyncio.Transport) -> None:
        options = self._shared.options
        assert options.tls is not None
        try:
            secured = await self._shared.loop.start_tls(
                transport,
                self,
                options.tls,
                server_side=True,
                ssl_handshake_timeout=options.handshake_timeout,
                ssl_shutdown_timeout=LINGER,
            )
        except (OSError, EOFError) as problem:  # ssl.SSLError and timeouts are OSErrors
            self._hooks.say("receive.tls_failed", error=str(problem), client=self.address)
            self._hooks.count("refused", why="tls")
            secured = None
        self._handshaking = False
        if secured is None:
            transport.abort()
            self._gone()
            return
        self._transport = secured
        self._secured(secured)
        early, self._early = self._early, []
        for data in early:
            if not self._closing:
                self._received(data)

    def _secured(self, transport: asyncio.Transport) -> None:
        self._smtp.tls_started()
        self._paused = False
        self._since = self._shared.loop.time()
        self._helo = self._origin = self._client = ""
        secured: ssl.SSLObject = transport.get_extra_info("ssl_object")
        cipher = secured.cipher()
        if cipher is not None:
            self._cipher = f"{secured.version()} with cipher {cipher[0]} ({cipher[2]}/{cipher[2]} bits)"
        certificate = secured.getpeercert() or {}
        names = certificate.get("subjectAltName", ())
        self._names = tuple(str(name[1]).lower() for name in names if name[0] == "DNS")

    def _auth(self, event: Auth) -> None:
        self._task = self._shared.loop.create_task(self._login(event))

    async def _login(self, event: Auth) -> None:
        guard, loop = self._shared.guard, self._shared.loop
        keys = (f"user {event.user}", f"address {self.address}")
        if guard.blocked(keys, loop.time()):
            self._login_refused(454, "4.7.0", "Too many failed logins, try again later")
            return
        try:
            good = await self._hooks.check_login(event.user, event.password)
        except Exception as problem:
            self._hooks.say("receive.error", error=repr(problem), event="Auth", client=self.address)
            self._answer_later(454, "4.7.0", "The login could not be checked, try again later")
            return
        if good:
            guard.succeeded(keys)
            self._smtp.login = event.user
            self._client = ""
            self._answer_later(235, "2.7.0", "Welcome")
            return
        guard.failed(keys, loop.time())
        self._hooks.count("refused", why="login")
        self._hooks.say("receive.login_failed", user=event.user, client=self.address)
        self._login_refused(535, "5.7.8", "The user name or the password is wrong")

    def _login_refused(self, code: int, enhanced: str, text: str) -> None:
        self._login_failures += 1
        if self._login_failures >= self._shared.options.max_login_failures and not self._lost:
            self._hang_up(421, "4.7.0", "Too many failed logins", "login")
        else:
            self._answer_later(code, enhanced, text)


_ON: dict[type, Callable[[Session, Any], None]] = {
    Mail: Session._mail,  # noqa: SLF001 - the table belongs to the class
    Rcpt: Session._rcpt,  # noqa: SLF001
    Data: Session._data,  # noqa: SLF001
    Chunk: Session._chunk,  # noqa: SLF001
    EndOfData: Session._end_of_data,  # noqa: SLF001
    Hello: Session._hello,  # noqa: SLF001
    Reset: Session._reset,  # noqa: SLF001
    Bad: Session._bad,  # noqa: SLF001
    Quit: Session._quit,  # noqa: SLF001
    StartTls: Session._starttls,  # noqa: SLF001
    Auth: Session._auth,  # noqa: SLF001
    Noop: Session._answered,  # noqa: SLF001
    ChunkDone: Session._answered,  # noqa: SLF001
    Challenge: Session._answered,  # noqa: SLF001
}
