"""The bytes of one connection: replies in, commands out, deadlines and the end told once.

Rule: what a server says is parsed by one bounded reader (`smtp.client.ReplyReader`); only whole replies of
one line that were seen before on this connection skip it.
"""

import asyncio
from contextlib import suppress
from socket import MSG_DONTWAIT, socket
from typing import cast

from gatepost.deliver.sweeper import NEVER, sweeper
from gatepost.model.attempt import Reply
from gatepost.model.failure import Reason
from gatepost.net.errors import network_failure
from gatepost.net.loops import one_for_each_loop
from gatepost.net.sends import Sends
from gatepost.smtp.client import ProtocolError, ReplyReader

# One buffer for all connections: the loop fills it and hands it over in the same turn. Reading into a fresh
# 256-KiB object each time would cost malloc three system calls a read.
_BUFFER = memoryview(bytearray(256 * 1024))
_KNOWN_REPLIES = 16
_SENDS_AT_ONCE = 20  # of all connections: as many as one destination has where nothing else is set
_A_LITTLE = 16 * 1024  # octets that are handed to the transport, which tells when it is rid of them

_sends_of = one_for_each_loop(lambda loop: Sends(loop, _SENDS_AT_ONCE))


class Wire(asyncio.BufferedProtocol):
    """A connection that turns bytes into replies; what they mean is for those who derive from it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.deadline = NEVER
        self.transport: asyncio.Transport | None = None
        self.sock: socket | None = None
        self.gone = False  # nothing comes or goes any more
        self.end: tuple[Reason, str] | None = None  # why, as far as known
        self._reader = ReplyReader()
        self._known: dict[bytes, Reply] = {}
        self._sweeper = sweeper(loop)
        self._writable: asyncio.Future[None] | None = None
        self._sends = _sends_of(loop)
        self._next = b""  # leaves in a moment
        self._paused = False
        self._lost: asyncio.Future[None] | None = None
        self._closed = False

    # what derives from it says

    def on_reply(self, reply: Reply) -> None:
        """Take one reply."""
        raise NotImplementedError

    def heard(self) -> None:
        """Take note that some replies were taken."""

    def on_end(self, reason: Reason, detail: str) -> None:
        """Take note that the connection ended without our asking for it."""
        raise NotImplementedError

    def expire(self) -> None:
        """Act on a deadline that has passed."""
        raise NotImplementedError

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; be told of each octet that the kernel has not taken yet."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=0)
        self._sweeper.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the shared buffer."""
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        self.received(bytes(_BUFFER[:nbytes]))

    def eof_received(self) -> bool:
        """Close our half as well."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear the server's last words, then tell that it is over."""
        if exc is not None and not self.gone:
            self._last_words()
        self._sweeper.remove(self)
        self.deadline = NEVER
        self._closed = True
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
        self._fail_writer()
        if exc is None:
            self._over(Reason.CLOSED, "the server closed the connection")
        else:
            self._over(*network_failure(exc))

    def pause_writing(self) -> None:
        """Note that the kernel's buffer is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Let whoever waits go on."""
        self._paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # in

    def received(self, data: bytes) -> None:
        """Parse what came and hand over each reply; a breach of the protocol ends the connection."""
        lines = data.split(b"\r\n")
        tail = lines.pop()
        known, reader = self._known, self._reader
        within = reader.pending  # a reply has begun
        try:
            for line in lines:
                if self.gone:
                    return
                reply = None if within else known.get(line)
                if reply is None:
                    self._parse(line)
                    within = reader.pending
                else:
                    self.on_reply(reply)
            if tail and not self.gone:
                reader.feed(tail)
                self._drain()
            if lines:
                self.heard()
        except ProtocolError as error:
            self.break_off(Reason.PROTOCOL, str(error))

    def _parse(self, line: bytes) -> None:
        reader = self._reader
        alone = not reader.pending
        reader.feed(line + b"\r\n")
        reply = reader.next_reply()
        if reply is None:
            return
        if alone and not reader.pending and len(self._known) < _KNOWN_REPLIES and reply.code // 100 in (2, 3):
            self._known[line] = reply
        self.on_reply(reply)
        self._drain()

    def _drain(self) -> None:
        while not self.gone and (reply := self._reader.next_reply()) is not None:
            self.on_reply(reply)

    def _last_words(self) -> None:
        # A write can fail before the reply that explains it ("421 going down", then a close) was read.
        transport = self.transport
        if self.sock is None or transport is None or transport.get_extra_info("ssl_object") is not None:
            return
        with suppress(OSError, ValueError):
            data = self.sock.recv(65536, MSG_DONTWAIT)
            if data:
                self.received(data)

    # out

    def write_soon(self, data: bytes) -> None:
        """Send in a moment, close behind what other connections send (`net.sends`)."""
        self._next += data
        self._sends.soon(self._write_next)  # which may be now

    def _write_next(self) -> None:
        if self._next:
            self.write(b"")

    def write(self, data: bytes) -> None:
        """Send; a connection that is over takes it silently, since its end was told already."""
        if self._next:
            data, self._next = self._next + data, b""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    async def put(self, block: bytes) -> None:
        """Send a large block: all but a little that waits for room goes to the kernel without a copy."""
        view = memoryview(block)
        while view:
            await self.writable()
            view = view[self._straight(view) :]
            self.write(bytes(view[:_A_LITTLE]))
            view = view[_A_LITTLE:]

    def _straight(self, view: memoryview) -> int:
        """Return how much the kernel took at once; 0 where something else is to go first, and under TLS."""
        transport = self.transport
        if self.sock is None or transport is None or transport.is_closing():
            return 0
        if transport.get_write_buffer_size() or transport.get_extra_info("ssl_object") is not None:
            return 0
        try:
            return self.sock.send(view, MSG_DONTWAIT)
        except OSError:
            return 0  # full; or over, and then the transport finds out

    async def writable(self) -> None:
        """Wait until the kernel has taken everything; `ConnectionError` where it never will."""
        if self.gone or self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the connection is over")
        if self._paused:
            self._writable = self.loop.create_future()
            try:
                await self._writable
            finally:
                self._writable = None

    # the end

    def break_off(self, reason: Reason, detail: str) -> None:
        """End at once, for a reason of the other side's making."""
        self._over(reason, detail)
        self.abort()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self.gone = True
        self._fail_writer()
        if self.transport is not None:
            self.transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed."""
        if self.transport is None or self._closed:
            return
        if self._lost is None:
            self._lost = self.loop.create_future()
        await asyncio.shield(self._lost)

    def _over(self, reason: Reason, detail: str) -> None:
        if self.gone:
            return
        self.gone = True
        self.end = (reason, detail)
        self.on_end(reason, detail)

    def _fail_writer(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(ConnectionResetError("the connection is over"))
