"""Listen for SMTP clients: accept, limit, sweep the deadlines, and stop without losing anybody's mail."""

import asyncio
import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from gatepost.net.sends import Sends
from gatepost.receive.hooks import Hooks
from gatepost.receive.limits import Connections, LoginGuard, MinuteRate
from gatepost.receive.options import ReceiveOptions
from gatepost.receive.session import READ_SIZE, Session
from gatepost.receive.shared import Shared
from gatepost.receive.spare import Spare
from gatepost.smtp.events import answer
from gatepost.smtp.server import ServerConfig

_BACKLOG = 512
_ACCEPTS = 32  # connections taken in one go, so that sessions get their turn
_ANSWERS_AT_ONCE = 4  # of all sessions
_PAUSE = 1.0  # seconds without accepting where no file descriptor is left
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SWEEP = 1.0


class Listener:
    """All listening sockets and sessions of the gateway."""

    def __init__(self, options: ReceiveOptions, hooks: Hooks) -> None:
        self._options = options
        self._hooks = hooks
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._shared: Shared | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._empty: asyncio.Event | None = None
        self._spare = Spare()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Return where it listens: (IP address, port)."""
        return [sock.getsockname()[:2] for sock in self._sockets]

    @property
    def sessions(self) -> int:
        """Return how many sessions are open."""
        return len(self._shared.sessions) if self._shared is not None else 0

    async def start(self) -> None:
        """Listen; raise `OSError` where an address cannot be had."""
        options = self._options
        loop = asyncio.get_running_loop()
        self._shared = Shared(
            options=options,
            hooks=self._hooks,
            config=_config(options),
            loop=loop,
            executor=ThreadPoolExecutor(options.spool_threads, thread_name_prefix="spool"),
            view=memoryview(bytearray(READ_SIZE)),
            connections=Connections(
                options.max_connections, options.max_connections_per_address, options.reserved
            ),
            rate=MinuteRate(options.message_rate),
            guard=LoginGuard(options.max_login_failures),
            sends=Sends(loop, _ANSWERS_AT_ONCE),
            gone=self._session_gone,
        )
        try:
            for host, port in options.listen:
                self._sockets.append(_listen(host, port))
        except OSError:
            self._close_sockets()
            self._spare.close()
            raise
        for sock in self._sockets:
            loop.add_reader(sock, self._accept, sock)
        self._timer = loop.call_later(_SWEEP, self._sweep)

    def change(self, options: ReceiveOptions) -> None:
        """Take other limits, times and TLS files into use; what a session has offered already stands for it.

        Where it listens and the folder of the spool stay as they are.
        """
        self._options = options
        shared = self._shared
        if shared is None:
            return
        shared.options = options
        shared.config = _config(options)
        shared.connections.change(
            options.max_connections, options.max_connections_per_address, options.reserved
        )
        shared.rate.limit = options.message_rate
        shared.guard.free = options.max_login_failures

    async def stop(self, grace: float) -> None:
        """Stop accepting, say 421 to idle sessions, wait for running content, at most `grace` seconds."""
        shared = self._shared
        if shared is None or shared.stopping:
            return
        shared.stopping = True
        self._empty = asyncio.Event()
        self._close_sockets()
        self._spare.close()
        for session in list(shared.sessions):
            session.stop()
        if shared.sessions:
            try:
                await asyncio.wait_for(self._empty.wait(), grace)
            except TimeoutError:
                self._hooks.say("receive.stopped_late", sessions=len(shared.sessions))
        for session in list(shared.sessions):
            session.abort()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)
        # threads may still be at a file that is being dropped
        await asyncio.to_thread(shared.executor.shutdown)

    def _session_gone(self) -> None:
        if self._empty is not None and self._shared is not None and not self._shared.sessions:
            self._empty.set()

    def _close_sockets(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                connection, peer = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:
                if problem.errno not in _EXHAUSTED:
                    raise
                self._rest(sock, problem)
                return
            self._welcome(connection, str(peer[0]))

    def _rest(self, sock: socket.socket, problem: OSError) -> None:
        """Say so to whoever waits, then leave the socket alone for a while: the loop must not spin."""
        loop = asyncio.get_running_loop()
        self._spare.lend(lambda: self._refuse_all(sock))
        self._hooks.say("receive.out_of_files", error=str(problem))
        self._hooks.count("refused", why="files")
        loop.remove_reader(sock)
        loop.call_later(_PAUSE, self._resume, sock)

    def _refuse_all(self, sock: socket.socket) -> None:
        for _ in range(_BACKLOG):
            try:
                connection, _peer = sock.accept()
            except OSError:  # nobody waits any more, or somebody else has taken the descriptor
                return
            self._turn_away(connection, "too many files are open here")

    def _resume(self, sock: socket.socket) -> None:
        if sock in self._sockets:
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def _welcome(self, connection: socket.socket, address: str) -> None:
        shared = cast("Shared", self._shared)
        address = address.partition("%")[0].removeprefix("::ffff:")
        known = self._known(address)
        refusal = shared.connections.refusal(address, known=known)
        if refusal:
            self._hooks.count("refused", why="connections")
            self._turn_away(connection, refusal)
            return
        connection.settimeout(0)
        shared.connections.opened(address)
        task = shared.loop.create_task(self._serve(connection, address, known=known))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _known(self, address: str) -> bool:
        try:
            tls = False
            return self._hooks.source_for(address, tls, (), "") is not None
        except Exception as problem:
            self._hooks.say("receive.error", error=repr(problem), event="connect", client=address)
            return False

    @staticmethod
    def _turn_away(connection: socket.socket, why: str) -> None:
        with connection:
            connection.settimeout(0)
            try:
                connection.send(answer(421, "4.3.2", f"Not now: {why}"))
            except OSError:
                return

    async def _serve(self, connection: socket.socket, address: str, *, known: bool) -> None:
        shared = cast("Shared", self._shared)
        delay = 0.0 if known else shared.options.banner_delay
        try:
            await shared.loop.connect_accepted_socket(lambda: Session(shared, address, delay), connection)
        except OSError as problem:
            connection.close()
            shared.connections.closed(address)
            self._hooks.say("receive.error", error=repr(problem), event="connect", client=address)

    def _sweep(self) -> None:
        shared = cast("Shared", self._shared)
        now = shared.loop.time()
        for session in list(shared.sessions):
            session.sweep(now)
        self._timer = shared.loop.call_later(_SWEEP, self._sweep)


def _config(options: ReceiveOptions) -> ServerConfig:
    return ServerConfig(
        hostname=options.hostname,
        max_message_size=options.max_message_size,
        max_line_length=options.max_line_length,
        max_hops=options.max_hops,
        eight_bit_headers=options.eight_bit_headers,
        starttls=options.tls is not None,
        auth=options.auth,
    )


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.settimeout(0)
        sock.bind(where)
        sock.listen(_BACKLOG)
    except OSError as problem:
        sock.close()
        raise OSError(problem.errno, f"cannot listen on {host}:{port}: {problem.strerror}") from problem
    return sock
