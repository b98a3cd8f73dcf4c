"""Open a connection to a mail server, each step with its deadline; ends in a `Connection` or a `Failure`.

Rule 1: a mode that requires TLS never goes on in clear text; an opportunistic one does, on a fresh
connection.
Rule 2: whatever comes between the 220 to STARTTLS and the handshake ends the attempt; it is never read as a
reply.
Rule 3: the certificate is kept and judged whether or not the connector demands a good one.
Rule 4: credentials are sent under TLS only, and are never part of what is recorded.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from socket import AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_TCP, SO_KEEPALIVE, SOCK_STREAM, SOL_SOCKET, socket
from typing import TypeVar

from gatepost.deliver.options import Deadlines, DeliveryOptions, Endpoint, Result
from gatepost.deliver.session import Connection
from gatepost.model.attempt import Failure, Reply, SessionFacts
from gatepost.model.attempt import endpoint as endpoint_text
from gatepost.model.failure import Phase, Reason
from gatepost.model.mail import Item, QueuedRecipient
from gatepost.model.objects import TlsMode
from gatepost.net import tls
from gatepost.net.errors import network_failure
from gatepost.smtp.client import Extensions, mail_command, rcpt_command

__all__ = [
    "Connection",
    "Deadlines",
    "DeliveryOptions",
    "Endpoint",
    "Result",
    "open_connection",
    "try_envelope",
]

T = TypeVar("T")
# linux/in.h: the port is chosen at connecting, and need be free for that server only
IP_BIND_ADDRESS_NO_PORT = 24

_CLEAR_TEXT_AFTER = (Reason.HANDSHAKE, Reason.CLOSED, Reason.RESET, Reason.TIMEOUT)


class _Stop(Exception):
    """Carries the failure of a step out of the opening; never leaves this module."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


async def open_connection(
    target: Endpoint, options: DeliveryOptions, session: SessionFacts
) -> Connection | Failure:
    """Connect, greet, encrypt and log in as `options` demand; `session` is filled on the way."""
    session.server, session.address, session.port = target.host, target.address, target.port
    try:
        return await _Opening(options, session).go()
    except _Stop as stop:
        failure = stop.failure
    opportunistic = options.tls is TlsMode.OPPORTUNISTIC and not options.username
    in_tls = failure.phase in (Phase.STARTTLS, Phase.TLS) and failure.reason in _CLEAR_TEXT_AFTER
    if not (opportunistic and in_tls):
        return failure
    session.dialogue.append((failure.phase.value, f"TLS failed, went on in clear text: {failure.detail}"))
    session.tls_given_up = failure.detail
    session.tls = None
    try:
        return await _Opening(options, session, with_tls=False).go()
    except _Stop as stop:
        return stop.failure


async def try_envelope(connection: Connection, sender: str, recipient: str) -> Failure | None:
    """Ask an open connection whether it would take a message (MAIL, RCPT, RSET); to be used before `run`."""
    return await _Opening(connection.options, connection.session, connection=connection).envelope(
        sender, recipient
    )


class _Opening:
    """The steps up to the first MAIL, over one TCP connection."""

    def __init__(
        self,
        options: DeliveryOptions,
        session: SessionFacts,
        *,
        with_tls: bool = True,
        connection: Connection | None = None,
    ) -> None:
        self._options = options
        self._session = session
        self._with_tls = with_tls
        self._loop = asyncio.get_running_loop()
        self._connection = connection or Connection(self._loop, options, session)

    async def go(self) -> Connection:
        """Take all steps; the socket is closed where one fails."""
        try:
            await self._connect()
            await self._greeting()
            await self._hello()
            await self._encrypt()
            await self._log_in()
        except BaseException:
            self._connection.abort()
            raise
        return self._connection

    async def envelope(self, sender: str, recipient: str) -> Failure | None:
        """Try MAIL and RCPT, and forget them again."""
        limits, extensions = self._options.deadlines, self._connection.extensions
        waiting = QueuedRecipient(1, recipient, "", 0, 0, 0)
        item = Item(0, 0, 0, sender, 0, 0, "", (waiting,), b"", 0, last=True)
        try:
            mail = mail_command(item, extensions).decode().rstrip("\r\n")
            rcpt = rcpt_command(waiting, extensions).decode().rstrip("\r\n")
            self._demand(Phase.MAIL, await self._ask(Phase.MAIL, mail, limits.mail), 250)
            reply = await self._ask(Phase.RCPT, rcpt, limits.rcpt)
            if reply.code // 100 != 2:
                self._demand(Phase.RCPT, reply, 250)
            await self._ask(Phase.RCPT, "RSET", limits.rcpt)
        except ValueError as error:
            return Failure(Phase.MAIL, Reason.LOCAL, str(error), self._session)
        except _Stop as stop:
            return stop.failure
        return None

    # the steps

    async def _connect(self) -> None:
        session = self._session
        sock = socket(AF_INET6 if ":" in session.address else AF_INET, SOCK_STREAM, IPPROTO_TCP)
        try:
            sock.setblocking(False)  # noqa: FBT003  (the socket module's interface)
            sock.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
            self._leave_from(sock)
            limit = self._options.deadlines.connect
            address = (session.address, session.port)
            await self._timed(Phase.CONNECT, limit, self._loop.sock_connect(sock, address))
            session.local_address = endpoint_text(*sock.getsockname()[:2])
            self._connection.sock = sock
            await self._loop.create_connection(lambda: self._connection, sock=sock)
        except BaseException:
            sock.close()
            raise

    def _leave_from(self, sock: socket) -> None:
        """Use our address that the connector names for the family of the server's; a family without one is free."""
        own = next((a for a in self._options.source_addresses if (":" in a) == (sock.family == AF_INET6)), "")
        if not own:
            return
        try:
            with suppress(OSError):  # an old kernel: fewer connections at a time
                sock.setsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((own, 0))
        except OSError as error:
            detail = f"the source address {own} cannot be used: {network_failure(error)[1]}"
            raise self._stop(Phase.CONNECT, Reason.LOCAL, detail) from error

    async def _greeting(self) -> None:
        reply = await self._reply(Phase.BANNER, self._options.deadlines.banner)
        self._session.banner = reply.text
        self._demand(Phase.BANNER, reply, 220)

    async def _hello(self) -> None:
        name = self._options.hostname
        limit = self._options.deadlines.ehlo
        reply = await self._ask(Phase.EHLO, f"{'LHLO' if self._options.lmtp else 'EHLO'} {name}", limit)
        lines = reply.lines
        if reply.code // 100 == 5 and not self._options.lmtp:
            # RFC 5321 section 3.2: a server may know HELO only; what it said to EHLO counts if it hangs up.
            first = reply
            try:
                reply = await self._ask(Phase.EHLO, f"HELO {name}", limit)
            except _Stop as stop:
                raise self._stop(Phase.EHLO, Reason.REPLY, first.text, first) from stop
            lines = ()
        self._demand(Phase.EHLO, reply, 250)
        self._session.ehlo = reply.lines
        self._connection.extensions = _borne(Extensions.parse(lines), self._options)

    async def _encrypt(self) -> None:
        required = self._options.tls is not TlsMode.OPPORTUNISTIC
        if not self._with_tls:
            return
        if not self._connection.extensions.starttls:
            if required:
                raise self._stop(Phase.STARTTLS, Reason.NOT_OFFERED, "the server does not offer STARTTLS")
            return
        reply = await self._ask(Phase.STARTTLS, "STARTTLS", self._options.deadlines.starttls)
        if reply.code != 220 and not required and reply.code // 100 in (4, 5) and reply.code != 421:
            return  # refused: the session goes on as it was (RFC 3207 section 4)
        self._demand(Phase.STARTTLS, reply, 220)
        if not self._connection.silent:
            raise self._stop(Phase.STARTTLS, Reason.PROTOCOL, "the server spoke in clear text after its 220")
        await self._handshake()
        # RFC 3207 section 4.2: nothing that was learned before the handshake counts.
        await self._hello()

    async def _handshake(self) -> None:
        connection, limit = self._connection, self._options.deadlines.tls
        if connection.transport is None or connection.gone:
            raise self._stop(Phase.TLS, *(connection.end or (Reason.CLOSED, "the connection is over")))
        start = self._loop.start_tls(
            connection.transport,
            connection,
            tls.client_context(),
            server_hostname=_server_name(self._session.server),
            ssl_handshake_timeout=limit + 5,
            ssl_shutdown_timeout=self._options.deadlines.quit,
        )
        transport = await self._timed(Phase.TLS, limit, start)
        if transport is None:
            raise self._stop(Phase.TLS, Reason.CLOSED, "the server closed the connection in the handshake")
        connection.transport = transport
        # with a high mark of 0 asyncio's TLS pauses for ever, since nothing is always "as much as 0"
        transport.set_write_buffer_limits(high=1, low=0)
        self._judge(transport.get_extra_info("ssl_object"))

    def _judge(self, encrypted: ssl.SSLObject) -> None:
        options, mode = self._options, self._options.tls
        name = options.tls_domain or self._session.server
        names = () if mode is TlsMode.CERTIFICATE_VALIDATION else (name,)
        chain = tls.peer_chain(encrypted)
        options.watcher.presented(chain)
        verdict, detail = tls.judge(chain, names, options.tls_ca, options.now_ms())
        self._session.tls = tls.tls_facts(encrypted, verdict, detail)
        demanded = mode in (TlsMode.CERTIFICATE_VALIDATION, TlsMode.DOMAIN_VALIDATION)
        pinned = bool(self._session.tls.chain) and self._session.tls.chain[0].fingerprint in options.trusted
        if verdict is not None and demanded and not pinned:
            raise self._stop(Phase.TLS, verdict, detail)

    async def _log_in(self) -> None:
        options = self._options
        if not options.username:
            return
        if self._session.tls is None:
            raise self._stop(Phase.AUTH, Reason.NOT_OFFERED, "credentials are sent under TLS only")
        offered = self._connection.extensions.auth
        limit = options.deadlines.auth
        user, password = options.username.encode(), options.password.encode()
        if "PLAIN" in offered:  # RFC 4616
            secrets = _base64(b"\0".join((b"", user, password)))
            reply = await self._ask(Phase.AUTH, f"AUTH PLAIN {secrets}", limit)
        elif "LOGIN" in offered:
            reply = await self._ask(Phase.AUTH, "AUTH LOGIN", limit)
            for secret in (user, password):
                self._demand(Phase.AUTH, reply, 334)
                reply = await self._ask(Phase.AUTH, _base64(secret), limit)
        else:
            raise self._stop(Phase.AUTH, Reason.NOT_OFFERED, "the server offers neither AUTH PLAIN nor LOGIN")
        self._demand(Phase.AUTH, reply, 235)
        self._session.authenticated = options.username

    # what the steps are made of

    async def _ask(self, phase: Phase, command: str, limit: float) -> Reply:
        """Send one command and wait for its reply; a reply that is there already answers something else."""
        if not self._connection.silent:
            if not self._connection.inbox:
                raise self._stop(phase, Reason.PROTOCOL, "the server spoke out of turn")
            early = self._connection.inbox[0]
            self._session.dialogue.append((phase.value, early.text))
            reason = Reason.REPLY if early.code == 421 else Reason.PROTOCOL
            raise self._stop(phase, reason, early.text, early)
        self._connection.write(command.encode() + b"\r\n")
        return await self._reply(phase, limit)

    async def _reply(self, phase: Phase, limit: float) -> Reply:
        reply = await self._timed(phase, limit, self._connection.next_reply())
        if reply is None:
            reason, detail = self._connection.end or (Reason.CLOSED, "the connection is over")
            raise self._stop(phase, reason, detail)
        self._session.dialogue.append((phase.value, reply.text))
        return reply

    def _demand(self, phase: Phase, reply: Reply, code: int) -> None:
        if reply.code == code:
            return
        reason = Reason.REPLY if reply.code // 100 in (4, 5) else Reason.PROTOCOL
        raise self._stop(phase, reason, reply.text, reply)

    async def _timed(self, phase: Phase, limit: float, step: Coroutine[object, object, T]) -> T:
        self._options.watcher.begins(phase)
        started = self._loop.time()
        try:
            async with asyncio.timeout(limit):
                return await step
        except TimeoutError as error:
            # the kernel's own ETIMEDOUT is a TimeoutError as well
            detail = str(error) or f"no answer within {limit:g} seconds"
            raise self._stop(phase, Reason.TIMEOUT, detail) from error
        except OSError as error:
            if phase is Phase.CONNECT and isinstance(error, ConnectionResetError):
                phase = Phase.BANNER  # a SYN is refused, never reset: the connection had been made
            raise self._stop(phase, *_reason_of(phase, error)) from error
        finally:
            spent = (self._loop.time() - started) * 1000.0
            timings = self._session.timings
            timings[phase.value] = round(timings.get(phase.value, 0.0) + spent, 3)

    def _stop(self, phase: Phase, reason: Reason, detail: str, reply: Reply | None = None) -> _Stop:
        return _Stop(Failure(phase, reason, detail, self._session, reply))


def _borne(offered: Extensions, options: DeliveryOptions) -> Extensions:
    """Return what a server offers without what it is known not to bear."""
    quirks = options.quirks
    if not quirks:
        return offered
    may_be_clear = options.tls is TlsMode.OPPORTUNISTIC  # else a quirk would undo the demand
    return replace(
        offered,
        pipelining=offered.pipelining and "no-pipelining" not in quirks,
        eight_bit_mime=offered.eight_bit_mime and "no-8bitmime" not in quirks,
        smtputf8=offered.smtputf8 and "no-smtputf8" not in quirks,
        dsn=offered.dsn and "no-dsn" not in quirks,
        size=None if "no-size" in quirks else offered.size,
        starttls=offered.starttls and not (may_be_clear and "no-starttls" in quirks),
    )


def _reason_of(phase: Phase, error: OSError) -> tuple[Reason, str]:
    reason, detail = network_failure(error)
    if phase is Phase.TLS:
        if isinstance(error, ssl.SSLError):
            return Reason.HANDSHAKE, detail
        if isinstance(error, ConnectionResetError) and error.errno is None:
            return Reason.CLOSED, "the server closed the connection in the handshake"
    return reason, detail


def _server_name(host: str) -> str | None:
    """Return what SNI names (RFC 6066 section 3); None where the host has no name that could be sent."""
    name = host.rstrip(".").lower()
    try:
        name.encode("idna")
    except UnicodeError:
        return None
    return None if name.startswith(".") else name or None


def _base64(secret: bytes) -> str:
    return b64encode(secret).decode("ascii")
