"""An open connection at work: one message after the other, in as few packets as the protocol allows.

No coroutine, future or timer is made for a message. Rules:

1. With PIPELINING (RFC 2920) an envelope is one write, and the next envelope travels in the same write as the
   content and final dot before it; so two messages are under way at most, and replies are matched in order.
2. A message is in doubt from the moment its final dot was handed over until its reply is here (RFC 1047).
3. What was never answered, on a connection that has done its work before, goes back untouched; a connection
   that never ended one message says so as a failure. So nobody is blamed for a server that closes after n
   messages, and nothing goes round for ever.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from gatepost.deliver.blocks import TooSlow, send_blocks
from gatepost.deliver.envelope import commands_of, unfit
from gatepost.deliver.options import DeliveryOptions, Result
from gatepost.deliver.transaction import BODY, DATA, DOT, LONE_DOT, MAIL, RCPT, RSET, Transaction
from gatepost.deliver.wire import Wire
from gatepost.model.attempt import Failure, Reply, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.mail import EIGHT_BIT, Item
from gatepost.smtp.client import Extensions, mail_command, rcpt_command

Take = Callable[[], Item | None]
Finish = Callable[[Item, list[Result]], None]
Idle = Callable[["Connection"], None]
Lost = Callable[["Connection", Failure | None], None]

ONE_WRITE = 64 * 1024  # larger contents are sent in blocks, each awaited


class Connection(Wire):
    """A connection that was opened (`connection.open_connection`), run by a lane."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, options: DeliveryOptions, session: SessionFacts
    ) -> None:
        super().__init__(loop)
        self.options = options
        self.session = session
        self.extensions = Extensions.parse(())
        self.inbox: deque[Reply] = deque()  # replies to the opening
        self.served = 0  # messages that came to an end here
        self._awaiting: asyncio.Future[None] | None = None
        self._running = False
        self._closing = False
        self._told = False
        self._pipelining = False
        self._under_way: deque[Transaction] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._taking = False  # a call into the lane is going on: what it starts must wait for our own write
        self._take: Take = lambda: None
        self._finish: Finish = lambda _item, _results: None
        self._idle: Idle = lambda _connection: None
        self._on_lost: Lost = lambda _connection, _failure: None
        self._needs_reset = False  # a transaction was refused half-way and is still open over there
        limits = options.deadlines
        self._limits = {
            RSET: limits.mail,
            MAIL: limits.mail,
            RCPT: limits.rcpt,
            DATA: limits.data,
            BODY: limits.block,
            DOT: limits.eod,
            LONE_DOT: limits.eod,
        }

    # for the opening

    async def next_reply(self) -> Reply | None:
        """Wait for a reply; None where the connection ended first (`end` says why)."""
        while not self.inbox:
            if self.gone:
                return None
            self._awaiting = self.loop.create_future()
            try:
                await self._awaiting
            finally:
                self._awaiting = None
        return self.inbox.popleft()

    @property
    def silent(self) -> bool:
        """Whether the server has said nothing that was not asked for (RFC 3207 section 6)."""
        return not self.inbox and not self._reader.pending

    # for the lane

    @property
    def busy(self) -> bool:
        """Whether messages are under way."""
        return bool(self._under_way)

    def run(self, take: Take, finish: Finish, idle: Idle, lost: Lost) -> None:
        """Start to work: `take` gives the next item, `finish` gets its results; both are plain calls.

        `idle` is called when `take` has nothing; `lost` once, when no further item will be taken, with the
        failure that ended the connection or None where that was in order.
        """
        self._take, self._finish, self._idle, self._on_lost = take, finish, idle, lost
        self._pipelining = self.extensions.pipelining
        self._running = True
        if self.inbox and not self.gone:
            self._unasked(self.inbox.popleft())
        elif self.gone:
            reason, detail = self.end or (Reason.CLOSED, "the connection is over")
            self._tell_lost(self._failure(Phase.MAIL, reason, detail))
        else:
            self._advance()

    def wake(self) -> None:
        """Take the next item, now that there is one."""
        if not self._running or self.gone or self._closing or self._taking:
            return
        if not self._under_way:
            self._advance()
        elif self._pipelining and len(self._under_way) == 1 and self._under_way[0].stage == DOT:
            envelope = self._next_envelope()
            if envelope:
                self.write_soon(envelope)

    def close(self, graceful: bool = True) -> None:
        """End when what is under way has ended, or at once: what was not in doubt goes back untouched."""
        if self._told:
            if not graceful:
                self.abort()
            return
        self._closing = True
        if not graceful:
            self._give_up(Reason.CANCELLED, "the gateway ended the connection", None)
            self.abort()
        elif not self._under_way:
            self._quit()

    # what comes in

    def on_reply(self, reply: Reply) -> None:
        """Match a reply with what it answers."""
        if self._told:
            self._bye()
            return
        if not self._running:
            self.inbox.append(reply)
            if self._awaiting is not None and not self._awaiting.done():
                self._awaiting.set_result(None)
            return
        if not self._under_way:
            self._unasked(reply)
            return
        front = self._under_way[0]
        if reply.code == 421:
            self._sent_away(front, reply)
            return
        self._step(front, reply)

    def heard(self) -> None:
        """Count the time for the next reply from now on."""
        if self._under_way and not self.gone:
            self.deadline = self.loop.time() + self._limits[self._under_way[0].stage]

    def on_end(self, reason: Reason, detail: str) -> None:
        """Settle what was under way when the connection ended."""
        if not self._running:
            if self._awaiting is not None and not self._awaiting.done():
                self._awaiting.set_result(None)
            return
        self._give_up(reason, detail, None)

    def expire(self) -> None:
        """End for a deadline that has passed: with QUIT where nobody waits for anything, else at once."""
        if self._told:
            self.abort()
        elif not self._running:
            return  # the opening has deadlines of its own
        elif not self._under_way:
            self._quit()
        else:
            seconds = self._limits[self._under_way[0].stage]
            self.break_off(Reason.TIMEOUT, f"no answer within {seconds:g} seconds")

    # the steps

    def _step(self, front: Transaction, reply: Reply) -> None:
        stage = front.stage
        if stage == RSET:
            front.stage = MAIL
            if not self._pipelining:
                self.write(mail_command(front.item, self.extensions))
        elif stage == MAIL:
            front.mail = reply
            front.stage = RCPT
            if not self._pipelining:
                self._after_mail(front, reply)
        elif stage == RCPT:
            front.hear_rcpt(reply)
            if len(front.rcpts) == len(front.item.recipients):
                front.stage = DATA
            if not self._pipelining:
                self._after_rcpt(front)
        elif stage == DATA:
            front.data = reply
            self._after_data(front, reply)
        elif stage == DOT:
            front.dots.append(reply)
            if not self.options.lmtp or len(front.dots) == front.accepted:
                self._done(front)
        elif stage == LONE_DOT:
            self._done(front)
        else:
            # An answer in the middle of the content: nothing but a new connection brings us in step again.
            front.data = reply
            self._give_up(Reason.REPLY, reply.text, reply)
            self.abort()

    def _after_mail(self, front: Transaction, reply: Reply) -> None:
        if reply.code // 100 == 2:
            self.write(rcpt_command(front.item.recipients[0], self.extensions))
        else:
            self._done(front)

    def _after_rcpt(self, front: Transaction) -> None:
        if front.stage == RCPT:
            self.write(rcpt_command(front.item.recipients[len(front.rcpts)], self.extensions))
        elif front.accepted:
            self.write(b"DATA\r\n")
        else:
            self._done(front, reset=True)

    def _after_data(self, front: Transaction, reply: Reply) -> None:
        if reply.code == 354:
            if front.accepted:
                self._send_content(front)
            elif self.options.lmtp:
                # RFC 2033 section 4.2: no reply would follow the dot, so nothing can be matched any more
                self._give_up(Reason.PROTOCOL, "354 without an accepted recipient", None)
                self.abort()
            else:
                # RFC 2920 section 3.1: the server is in DATA all the same: end it with nothing.
                front.stage = LONE_DOT
                self.write(b".\r\n")
        elif reply.code // 100 in (4, 5):
            self._done(front, reset=True)
        else:
            self.break_off(Reason.PROTOCOL, f"the server answered DATA with {reply.text}")

    def _send_content(self, front: Transaction) -> None:
        item = front.item
        body = item.body
        if body is None or len(body) > ONE_WRITE:
            front.stage = BODY
            self._pump = self.loop.create_task(self._send_blocks(front))
            return
        front.sent = len(body)
        end = b".\r\n" if not body or body.endswith(b"\r\n") else b"\r\n.\r\n"
        self.write_soon(b"".join((body, end, self._at_dot(front))))

    def _at_dot(self, front: Transaction) -> bytes:
        """Note that the final dot goes out; return the envelope that may travel with it."""
        front.stage = DOT
        self._taking = True
        try:
            self.options.dot_sent(front.item)
        finally:
            self._taking = False
        return self._next_envelope() if self._pipelining else b""

    async def _send_blocks(self, front: Transaction) -> None:
        """Send a large content, then the dot; what cannot be read or is taken too slowly ends the connection."""
        try:
            open_line = await send_blocks(self, front, self.options)
        except ConnectionError:
            return  # whoever ended the connection has told
        except TooSlow as slow:
            self.break_off(Reason.TIMEOUT, str(slow))
            return
        except Exception as error:  # whatever a store raises: a dot now would deliver half a message
            self._give_up(Reason.LOCAL, f"the content cannot be read: {error}", None)
            self.abort()
            return
        if self.gone or front.stage != BODY:
            return
        tail = b"\r\n.\r\n" if open_line else b".\r\n"
        self.write(tail + self._at_dot(front))
        self.deadline = self.loop.time() + self._limits[DOT]

    # the next one

    def _advance(self) -> None:
        if self._under_way or self._told or self.gone:
            return
        envelope = self._next_envelope()
        if envelope:
            self.deadline = self.loop.time() + self._limits[MAIL]
            self.write_soon(envelope)
        elif self._under_way or self._told:
            return  # a call back was faster
        elif self._closing:
            self._quit()
        else:
            self.deadline = self.loop.time() + self.options.deadlines.idle
            self._idle(self)

    def _next_envelope(self) -> bytes:
        """Return the commands of the next item that can be sent at all; b"" where there is none."""
        if self._taking:
            return b""
        self._taking = True
        try:
            return self._take_next()
        finally:
            self._taking = False

    def _take_next(self) -> bytes:
        limit = self.options.max_messages
        while not self._closing:
            if limit and self.served + len(self._under_way) >= limit:
                self._closing = True
                break
            item = self._take()
            if item is None:
                break
            cause = unfit(item, self.extensions)
            if cause is None:
                try:
                    return self._begin(item)
                except (ValueError, AssertionError) as error:
                    cause = Reason.LOCAL, f"the envelope cannot be sent: {error}"
            refused = self._failure(Phase.MAIL, *cause)
            outcome = "deferred" if refused.reason is Reason.LOCAL else "failed"
            self._finish(item, [Result(r.n, outcome, refused, None, 0.0, ()) for r in item.recipients])
        return b""

    def _begin(self, item: Item) -> bytes:
        """Begin a transaction: return all up to DATA with PIPELINING, else the first command."""
        extensions, reset = self.extensions, self._needs_reset
        mail, rest = commands_of(item, extensions)
        if item.flags & EIGHT_BIT and not extensions.eight_bit_mime:
            note = ("mail", "8BITMIME is not offered: 8-bit content is sent as it is")
            if note not in self.session.dialogue:
                self.session.dialogue.append(note)
        self._needs_reset = False
        self._under_way.append(Transaction(item, RSET if reset else MAIL, self.loop.time()))
        if self._pipelining:
            return b"RSET\r\n" + mail + rest if reset else mail + rest
        return b"RSET\r\n" if reset else mail

    def _done(self, front: Transaction, *, reset: bool = False) -> None:
        """Hand over the results of the first transaction, and go on."""
        now = self.loop.time()
        results = front.settle(self.session, now, lmtp=self.options.lmtp)
        self._under_way.popleft()
        self.served += 1
        self._needs_reset = self._needs_reset or reset  # RFC 5321 section 4.1.1.5
        following = self._under_way[0] if self._under_way else None
        if following is not None:
            following.started = now  # its turn begins here
        self._finish(front.item, results)
        self._advance()

    # the end

    def _sent_away(self, front: Transaction, reply: Reply) -> None:
        """Take a 421: the server closes the connection (RFC 5321 section 3.8)."""
        self.session.dialogue.append((front.phase.value, reply.text))
        self._give_up(Reason.REPLY, reply.text, reply)
        self.abort()

    def _unasked(self, reply: Reply) -> None:
        """Take a reply that nothing was asked for: a 421 before the server closes, or nonsense."""
        if reply.code == 421:
            self.session.dialogue.append((Phase.MAIL.value, reply.text))
            self._give_up(Reason.REPLY, reply.text, reply)
        else:
            self._give_up(Reason.PROTOCOL, f"a reply to nothing: {reply.text}", reply)
        self.abort()

    def _give_up(self, reason: Reason, detail: str, reply: Reply | None) -> None:
        """Settle what is under way with the cause that ended the connection, and tell the lane."""
        if self._told:
            return
        self._closing = True
        under_way = list(self._under_way)
        self._under_way.clear()
        self._stop_pump()
        now = self.loop.time()
        cause: Failure | None = None
        if under_way and self._began(under_way[0], reason):
            front = under_way.pop(0)
            cause = self._failure(
                front.phase,
                reason,
                detail,
                reply,
                in_doubt=front.in_doubt and reply is None,
                bytes_sent=front.sent,
            )
            results = front.settle(self.session, now, cause=cause, lmtp=self.options.lmtp)
            self._finish(front.item, results)
        elif not under_way and not self.served and reason is not Reason.CANCELLED:
            cause = self._failure(Phase.MAIL, reason, detail, reply)
        for transaction in under_way:
            back = [Result(r.n, "untouched", None, None, 0.0, ()) for r in transaction.item.recipients]
            self._finish(transaction.item, back)
        self._tell_lost(None if reason in (Reason.CANCELLED, Reason.LOCAL) else cause)

    def _began(self, front: Transaction, reason: Reason) -> bool:
        """Return whether the end of the connection counts as an attempt for this transaction."""
        if front.mail is not None:
            return reason is not Reason.CANCELLED or front.in_doubt
        if reason is Reason.CANCELLED:
            return False
        return not self.served or reason in (Reason.TIMEOUT, Reason.PROTOCOL)

    def _quit(self) -> None:
        """Take leave (RFC 5321 section 4.1.1.10); nobody waits for the answer but the deadline."""
        self._closing = True
        if not self.gone:
            self.write(b"QUIT\r\n")
            self.deadline = self.loop.time() + self.options.deadlines.quit
        self._tell_lost(None)

    def _bye(self) -> None:
        self.gone = True
        if self.transport is not None:
            self.transport.close()

    def _tell_lost(self, failure: Failure | None) -> None:
        if self._told:
            return
        self._told = True
        if self._under_way:
            raise AssertionError("a connection was lost with messages under way")
        self._on_lost(self, failure)

    def _stop_pump(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None and not pump.done() and pump is not asyncio.current_task(self.loop):
            pump.cancel()

    def _failure(
        self,
        phase: Phase,
        reason: Reason,
        detail: str,
        reply: Reply | None = None,
        *,
        in_doubt: bool = False,
        bytes_sent: int = 0,
    ) -> Failure:
        return Failure(phase, reason, detail, self.session, reply, in_doubt, bytes_sent)
