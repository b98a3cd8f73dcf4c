"""One SMTP session on the loop: bytes to events, events to the dialogue, answers back; plain calls, no tasks.

Rule: reading stops before the 220 to STARTTLS is written, and what comes before the handshake is done waits.
"""

import asyncio
import ssl
from typing import cast

from gatepost.receive.dialogue import Dialogue
from gatepost.receive.shared import Shared
from gatepost.smtp.events import Auth, answer
from gatepost.smtp.server import ServerSession
from gatepost.smtp.states import State

READ_SIZE = 256 * 1024
MAX_OUTSTANDING = 1024 * 1024  # octets of one session on their way to the disk
MAX_BUFFERED = 256 * 1024  # octets that wait while an answer is due
LINGER = 2.0  # seconds that a client has to read our last words


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
        self.out: list[bytes] = []
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
        self._octets = 0
        now = self._time()
        self._since = now  # the current command is awaited since then
        self._dialogue = Dialogue(shared, self, self._smtp, address, now)
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
        return bool(self._smtp.waiting) and not self._smtp.tls and not self._closing

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read."""
        self._full = True
        self.balance()

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self.balance()

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
            self.hang_up(421, "4.4.2", "Timeout: no command came", "timeout")
        elif now - self._dialogue.last_mail > options.session_timeout:
            self.hang_up(421, "4.4.2", "Timeout: the session carried no message", "timeout")

    def stop(self) -> None:
        """Say 421 unless content is on its way; then after it."""
        if not self._closing and not self._busy():
            self.hang_up(421, "4.3.2", "The server is stopping", "stopping")

    def abort(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _busy(self) -> bool:
        return bool(self._smtp.waiting) or self._smtp.state in {State.DATA, State.BDAT}

    # bytes

    def _greet(self) -> None:
        if self._transport is not None and not self._closing and not self._greeted:
            self._greeted = True
            self._transport.write(self._smtp.banner())

    def _received(self, data: bytes) -> None:
        self._octets += len(data)
        if not self._greeted:
            self.hang_up(554, "5.5.0", "Sent before the banner", "early")
            return
        self._smtp.feed(data)
        if self._smtp.waiting:
            self.balance()
        else:
            self._run()

    def _run(self) -> None:
        """Handle all that has come; answers leave in one write, in a moment."""
        smtp, dialogue = self._smtp, self._dialogue
        self._running = True
        dialogue.run()
        self._running = False
        if self.out:  # a command is whole: octets alone, now and then, are no progress
            self._since = self._time()
            self._shared.sends.soon(self._flush)
        incoming = dialogue.incoming
        if (
            self._paused
            or (smtp.waiting and smtp.buffered)
            or (incoming is not None and incoming.spool is not None)
        ):
            self.balance()
        if self._shared.stopping and not self._busy():
            self.stop()
        elif self._eof and not smtp.waiting and self._transport is not None:
            self._flush()
            self._transport.close()

    def _flush(self) -> None:
        out = self.out
        if out and self._transport is not None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def reply(self, code: int, enhanced: str, text: str) -> None:
        """Answer the event that waits."""
        reply = self._smtp.reply(code, enhanced, text)
        if reply:
            self.out.append(reply)
        if self._smtp.state is State.CLOSED:
            self._dialogue.abandon()
            self.finish("early")

    def answer_later(self, code: int, enhanced: str, text: str) -> None:
        """Answer, and go on with what has come meanwhile."""
        if self.over:
            return
        self.reply(code, enhanced, text)
        if not self._running:
            self._run()

    def balance(self) -> None:
        """Read only while there is room for what comes."""
        limit = MAX_OUTSTANDING // 2 if self._paused else MAX_OUTSTANDING
        stop = (
            self._dialogue.outstanding > limit
            or self._full
            or (bool(self._smtp.waiting) and self._smtp.buffered > MAX_BUFFERED)
        )
        if stop is self._paused or self._transport is None or self._handshaking or self._closing:
            return
        self._paused = stop
        if stop:
            self._transport.pause_reading()
        else:
            self.watch_rate()
            self._transport.resume_reading()

    def watch_rate(self) -> None:
        """Look at the data rate from now on."""
        self._mark = (self._time(), self._octets)

    # the end

    @property
    def over(self) -> bool:
        """Whether nothing can be said any more."""
        return self._lost or self._closing

    def leave(self) -> None:
        """Close: the client has taken leave."""
        self._flush()
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def hang_up(self, code: int, enhanced: str, text: str, why: str) -> None:
        """Say a last word and close."""
        self._dialogue.abandon()
        self.out.append(answer(code, enhanced, text))
        self.finish(why)

    def finish(self, why: str) -> None:
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
        self._dialogue.abandon()
        self._lost = True
        self._transport = None
        self._smtp.close()
        if self._counted:
            self._counted = False
            self._shared.connections.closed(self.address)
            self._shared.sessions.discard(self)
            self._shared.gone()

    def _check_rate(self, now: float) -> None:
        since, octets = self._mark
        if self._paused:
            self._mark = (now, self._octets)
        elif now - since > self._shared.options.data_timeout:
            if self._octets - octets < self._shared.options.min_data_rate * (now - since):
                self.hang_up(421, "4.4.2", "Timeout: the content came too slowly", "timeout")
            else:
                self._mark = (now, self._octets)

    # TLS and logins: once a session, so a task is no matter

    def encrypt(self) -> None:
        """Begin the handshake; what the client sends before it is done waits."""
        assert self._transport is not None
        self._transport.pause_reading()
        self._handshaking = True
        self.reply(220, "2.0.0", "Ready to start TLS")
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
        secured: ssl.SSLObject = transport.get_extra_info("ssl_object")
        cipher, words = secured.cipher(), ""
        if cipher is not None:
            words = f"{secured.version()} with cipher {cipher[0]} ({cipher[2]}/{cipher[2]} bits)"
        certificate = secured.getpeercert() or {}
        names = certificate.get("subjectAltName", ())
        self._dialogue.secured(words, tuple(str(name[1]).lower() for name in names if name[0] == "DNS"))

    def start_login(self, event: Auth) -> None:
        """Check a login beside the loop."""
        self._task = self._shared.loop.create_task(self._dialogue.login(event))
