"""What a session does with each event: events to hooks, answers back; plain calls.

Guarantee: 250 to content goes out only after `keep` has said that it is kept; whatever goes wrong in a hook
is a 451, never a lost session and never an acknowledgement.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol

from gatepost.model import ids
from gatepost.model.mail import SMTPUTF8 as UTF8
from gatepost.receive import logins, trace
from gatepost.receive.hooks import Refuse
from gatepost.receive.incoming import Incoming
from gatepost.receive.shared import Shared
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
)
from gatepost.smtp.server import ServerSession
from gatepost.storage.interface import StoreFull


class Line(Protocol):
    """What the dialogue needs of its connection."""

    out: list[bytes]  # leaves in one write when all that has come is handled

    @property
    def over(self) -> bool:
        """Whether nothing can be said any more."""
        ...

    def reply(self, code: int, enhanced: str, text: str) -> None:
        """Answer the event that waits."""

    def answer_later(self, code: int, enhanced: str, text: str) -> None:
        """Answer, and go on with what has come meanwhile."""

    def hang_up(self, code: int, enhanced: str, text: str, why: str) -> None:
        """Say a last word and close."""

    def finish(self, why: str) -> None:
        """Close when the client had a moment to read what was said."""

    def leave(self) -> None:
        """Close: the client has taken leave."""

    def watch_rate(self) -> None:
        """Look at the data rate from now on."""

    def balance(self) -> None:
        """Read only while there is room for what comes."""

    def encrypt(self) -> None:
        """Begin the handshake, after 220."""

    def start_login(self, event: Auth) -> None:
        """Check a login beside the loop."""


class Dialogue:
    """The talk with one client, and the message that is on its way in."""

    def __init__(self, shared: Shared, line: Line, smtp: ServerSession, address: str, now: float) -> None:
        self.address = address
        self.incoming: Incoming | None = None
        self.last_mail = now
        self._shared = shared
        self._hooks = shared.hooks
        self._line = line
        self._smtp = smtp
        self._helo = ""
        self._cipher = ""
        self._names: tuple[str, ...] = ()
        self._origin = ""
        self._client = ""
        self._commands = self._errors = self._unknown = self._login_failures = self._messages = 0
        self._good = 0  # recipients that exist, named since the last one that does not

    def run(self) -> None:
        """Do what all events ask for that have come; what goes wrong is told to the client, and to the log."""
        next_event = self._smtp.next_event
        while (event := next_event()) is not None:
            try:
                _ON[type(event)](self, event)
            except Exception as problem:
                self._failed(event, problem)

    @property
    def outstanding(self) -> int:
        """Return how many octets of the content are on their way to the disk."""
        incoming = self.incoming
        return incoming.spool.outstanding if incoming is not None and incoming.spool is not None else 0

    def abandon(self) -> None:
        """Forget the transaction, unless it was handed over."""
        incoming, self.incoming = self.incoming, None
        if incoming is not None and incoming.spool is not None and not incoming.kept:
            incoming.spool.drop()

    def secured(self, cipher: str, names: tuple[str, ...]) -> None:
        """Begin again inside TLS: `names` are those of the client's certificate."""
        self._helo = self._origin = self._client = ""
        self._cipher, self._names = cipher, names

    def _failed(self, event: Event, problem: Exception) -> None:
        self._hooks.say("receive.error", error=repr(problem), event=type(event).__name__, client=self.address)
        if isinstance(event, Chunk) and self.incoming is not None:
            self.incoming.error = problem  # said at the dot
        elif self._smtp.waiting:
            if isinstance(event, Data | EndOfData):
                self.abandon()
            self._line.reply(451, "4.3.0", "Something went wrong here, try again later")
        else:
            self._line.hang_up(421, "4.3.0", "Something went wrong here, try again later", "error")

    # events

    def _answered(self, event: Noop | ChunkDone | Challenge) -> None:
        self._line.out.append(event.answer)
        self._count_command()

    def _count_command(self) -> None:
        self._commands += 1
        if self._commands > self._shared.options.max_commands:
            self._line.hang_up(421, "4.7.0", "Too many commands without a message", "commands")

    def _hello(self, event: Hello) -> None:
        self.abandon()
        self._helo = event.name
        self._origin = self._client = ""
        self._line.out.append(event.answer)
        self._count_command()

    def _reset(self, event: Reset) -> None:
        self.abandon()
        self._line.out.append(event.answer)
        self._count_command()

    def _quit(self, event: Quit) -> None:
        self.abandon()
        self._line.out.append(event.answer)
        self._line.leave()

    def _bad(self, event: Bad) -> None:
        options = self._shared.options
        self._hooks.count("refused", why=event.why)
        if event.content:
            self._say_refused(event.why, event.answer)
            self.abandon()
        self._line.out.append(event.answer)
        self._errors += 1
        self._unknown += event.why == "unknown"
        if event.close:
            self._line.finish(event.why)
        elif self._errors > options.max_errors or self._unknown > options.max_unknown:
            self._line.hang_up(421, "4.7.0", "Too many errors", "errors")

    def _mail(self, event: Mail) -> None:
        smtp, hooks = self._smtp, self._hooks
        source = hooks.source_for(self.address, smtp.tls, self._names, smtp.login)
        if self._shared.stopping:
            self._line.reply(421, "4.3.2", "The server is stopping")
            return
        if self._messages >= self._shared.options.max_messages > 0:
            self._line.hang_up(
                421, "4.7.0", "Too many messages over one connection, open another", "messages"
            )
            return
        short = hooks.pressure()
        if short is not None:
            hooks.count("refused", why="pressure")
            self._line.reply(short.code, short.enhanced, short.text)
            return
        if source is None and not self._shared.rate.take(self.address, self._shared.loop.time()):
            hooks.count("refused", why="rate")
            self._line.reply(450, "4.7.1", "Too many messages a minute, try again later")
            return
        if source is not None and source.require_tls and not smtp.tls:
            hooks.count("refused", why="tls_required")
            self._line.reply(530, "5.7.0", "STARTTLS is required here")
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
        self.incoming = Incoming(source, event.path.address, given.flags, given.envid)
        self._line.reply(250, "2.1.0", "Ok")

    def _rcpt(self, event: Rcpt) -> None:
        incoming = self.incoming
        assert incoming is not None
        address = event.path.address
        if len(incoming.recipients) >= self._shared.options.max_recipients:
            self._line.reply(452, "4.5.3", "Too many recipients")
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
        incoming.add(address, verdict.destination_id, event.parameters)
        self._line.reply(250, "2.1.5", "Ok")

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
        self._line.reply(refusal.code, refusal.enhanced, refusal.text)

    def _data(self, event: Data) -> None:
        incoming = self.incoming
        assert incoming is not None
        number = self._hooks.new_id()
        incoming.begin(number, self._received_header(incoming, number))
        self._line.watch_rate()
        self._line.reply(354, "", "Go ahead; end with a dot on a line of its own")

    def _received_header(self, incoming: Incoming, number: int) -> bytes:
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
        return trace.received(self._origin, how, ids.to_text(number), self._cipher, one, self._hooks.now())

    def _chunk(self, event: Chunk) -> None:
        incoming = self.incoming
        assert incoming is not None
        incoming.take(event.data, self._shared.options.inline_limit, self._open_file)

    def _open_file(self, number: int) -> SpoolFile:
        shared = self._shared
        path = shared.options.spool_dir / ids.to_text(number)
        return SpoolFile(path, shared.executor, shared.loop, self._line.balance)

    def _end_of_data(self, event: EndOfData) -> None:
        incoming = self.incoming
        assert incoming is not None
        short = self._hooks.pressure()
        if short is not None:
            self._hooks.count("refused", why="pressure")
            self.abandon()
            self._line.reply(short.code, short.enhanced, short.text)
            return
        if incoming.error is not None:
            raise RuntimeError("the content was not taken") from incoming.error
        incoming.header_id = event.header_id
        if incoming.spool is not None:
            incoming.spool.finish(lambda error: self._spooled(incoming, error))
        else:
            self._keep(incoming, *incoming.whole())

    def _spooled(self, incoming: Incoming, error: OSError | None) -> None:
        """Go on once the file is safe on the disk."""
        assert incoming.spool is not None
        if error is not None:
            self._hooks.say("receive.spool_failed", error=str(error), client=self.address)
            self._hooks.count("refused", why="spool")
            self.abandon()
            self._line.answer_later(452, "4.3.1", "Out of resources, try again later")
            return
        try:
            self._keep(incoming, None, incoming.spool.crc)
        except Exception as problem:
            self._kept(incoming, problem)

    def _keep(self, incoming: Incoming, body: bytes | None, crc: int) -> None:
        client, version = self._client or self._describe(), self._cipher.partition(" ")[0]
        message = incoming.message(self._hooks.now(), client, version, body, crc)
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
        if self.incoming is incoming:
            self.incoming = None
        if error is None:
            self._commands = 0
            self._messages += 1
            if self._messages == 1:
                self._shared.connections.proved(self.address)
            self.last_mail = self._shared.loop.time()
            self._line.answer_later(250, "2.0.0", f"Ok: queued as {ids.to_text(number)}")
            return
        self._hooks.say(
            "receive.not_kept", error=repr(error), message=ids.to_text(number), client=self.address
        )
        self._hooks.count("refused", why="not_kept")
        if incoming.spool is not None:
            incoming.spool.drop()
        if isinstance(error, StoreFull):
            self._line.answer_later(452, "4.3.1", "Out of resources, try again later")
        else:
            self._line.answer_later(451, "4.3.0", "The message could not be kept, try again later")

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
        incoming = self.incoming
        self._hooks.say(
            "receive.refused",
            what=why,
            reply=reply.decode("utf-8", "replace").strip(),
            sender=incoming.sender if incoming is not None else "",
            recipient="",
            client=self.address,
        )

    # TLS and logins: once a session

    def _starttls(self, event: StartTls) -> None:
        self.abandon()
        if self._shared.options.tls is None:  # taken out of the settings since it was offered
            self._line.reply(454, "4.7.0", "TLS is not available any more")
        else:
            self._line.encrypt()

    def _auth(self, event: Auth) -> None:
        self._line.start_login(event)

    async def login(self, event: Auth) -> None:
        """Check a login and answer."""
        checked = await logins.check(self._shared, self.address, event)
        if checked.good:
            self._smtp.login = event.user
            self._client = ""
        self._login_failures += checked.failed
        too_many = self._login_failures >= self._shared.options.max_login_failures
        if checked.failed and too_many and not self._line.over:
            self._line.hang_up(421, "4.7.0", "Too many failed logins", "login")
        else:
            self._line.answer_later(*checked.answer)


_ON: dict[type, Callable[[Dialogue, Any], None]] = {
    Mail: Dialogue._mail,  # noqa: SLF001 - the table belongs to the class
    Rcpt: Dialogue._rcpt,  # noqa: SLF001
    Data: Dialogue._data,  # noqa: SLF001
    Chunk: Dialogue._chunk,  # noqa: SLF001
    EndOfData: Dialogue._end_of_data,  # noqa: SLF001
    Hello: Dialogue._hello,  # noqa: SLF001
    Reset: Dialogue._reset,  # noqa: SLF001
    Bad: Dialogue._bad,  # noqa: SLF001
    Quit: Dialogue._quit,  # noqa: SLF001
    StartTls: Dialogue._starttls,  # noqa: SLF001
    Auth: Dialogue._auth,  # noqa: SLF001
    Noop: Dialogue._answered,  # noqa: SLF001
    ChunkDone: Dialogue._answered,  # noqa: SLF001
    Challenge: Dialogue._answered,  # noqa: SLF001
}
