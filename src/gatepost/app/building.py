"""How each part is made from the settings."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from gatepost.app.stored import object_of
from gatepost.config import overrides
from gatepost.config.objects import KINDS
from gatepost.config.secrets import open_box
from gatepost.config.settings import BadSettings, Problem, Settings
from gatepost.deliver.options import Deadlines
from gatepost.flow.journey import Journey
from gatepost.flow.pressure import Limits, Pressure
from gatepost.flow.quota import Quota
from gatepost.flow.world import World
from gatepost.model.ids import IdMaker
from gatepost.model.objects import Objects, Source
from gatepost.net.dns import Resolver
from gatepost.net.tls import server_context
from gatepost.queue.schedule import ClockGuard
from gatepost.receive.hooks import Accept, Hooks, Refuse
from gatepost.receive.listener import Listener
from gatepost.receive.options import ReceiveOptions
from gatepost.receive.policy import Refusal, SourceIndex, decide_recipient, decide_sender, decide_source
from gatepost.storage.journal import Journal
from gatepost.storage.opening import open_store
from gatepost.telemetry.flows import FlowCounts
from gatepost.telemetry.log import Log
from gatepost.telemetry.metrics import Metrics

BACKLOG = 512
MAX_KNOWN_CLIENTS = 10_000
MAX_KNOWN_DOMAINS = 10_000
TRUSTED_MS = 100  # far below what the guard tolerates
LONGEST_SOCKET_PATH = 107  # octets, a limit of the kernel


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970; `believing` reads it too, and nothing else."""
    return time.time_ns() // 1_000_000


def uptime() -> float:
    """Return seconds that no clock setting changes, and that a suspended machine counts too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def believing(guard: ClockGuard) -> Callable[[], int]:
    """Return the clock that mail is stamped with: the guard looks at each jump, and some times a second anyway.

    It is read five times a message. What lies within `TRUSTED_MS` behind the last time that the guard saw is no jump.
    """
    seen = 0

    def believed() -> int:
        nonlocal seen
        wall = time.time_ns() // 1_000_000
        if seen <= wall < seen + TRUSTED_MS:
            return wall
        time_now = guard.believed(wall, uptime())
        seen = wall if time_now == wall else 0
        return time_now

    return believed


def make_log(settings: Settings) -> Log:
    """Return the log: standard error, or the file of the settings."""
    if settings.log.file is None:
        return Log(sys.stderr.fileno(), settings.log.level)
    path = Path(settings.log.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    return Log(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600),
        settings.log.level,
        path=str(path),
    )


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises `OSError` with the address in it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as problem:
        sock.close()
        raise OSError(problem.errno, f"cannot listen on {host}:{port}: {problem.strerror}") from problem
    sock.setblocking(False)  # noqa: FBT003 - the socket module's interface
    return sock


def bind_control(settings: Settings) -> socket.socket:
    """Return the control socket in the data folder: who may open it is the administrator."""
    path = Path(settings.data_dir) / "control.sock"
    path.unlink(missing_ok=True)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if len(str(path).encode()) > LONGEST_SOCKET_PATH:
        control.close()
        raise OSError(
            f"the path of the control socket, {path}, is too long: "
            f"choose a data_dir of at most {LONGEST_SOCKET_PATH - len('/control.sock')} octets"
        )
    control.bind(str(path))
    path.chmod(0o600)
    control.listen(64)
    control.setblocking(False)  # noqa: FBT003 - the socket module's interface
    return control


async def make_world(settings: Settings, log: Log) -> World:
    """Open the store and build everything around the journey."""
    data_dir = Path(settings.data_dir)
    store = await open_store(settings.store.url, data_dir)
    metrics = Metrics()
    store.watch_commits(metrics.commit)
    queued = {"count": 0}
    pressure = Pressure(str(data_dir), pressure_limits(settings), lambda: queued["count"])
    maildir = settings.mailboxes.maildir
    resolver = Resolver(
        [str(server) for server in settings.dns.servers],
        timeout=settings.dns.timeout,
        max_ttl=float(settings.dns.max_ttl),
    )
    guard = ClockGuard(now_ms(), uptime(), float(settings.clock.tolerance), float(settings.clock.settle))

    believed = believing(guard)

    world = World(
        settings=settings,
        store=store,
        journal=Journal(data_dir / "in-doubt"),
        resolver=resolver,
        say=log.say,
        tell=log.tell,
        metrics=metrics,
        new_id=IdMaker(believed, settings.node),
        now=believed,
        monotonic=uptime,
        pressure=pressure,
        maildir=maildir,
        own_endpoints=own_endpoints(settings),
        deadlines=deadlines(settings),
        guard=guard,
        wall=now_ms,
        flows=FlowCounts(believed, settings.node),
    )
    world.queued_count = queued
    return world


def pressure_limits(settings: Settings) -> Limits:
    """Return what must be free, and how much may be held, for mail to be accepted."""
    free = settings.smtp.min_free_disk
    return Limits(
        max(free.size, settings.smtp.max_message_size * 3 // 2 if not free.share else 0),
        free.share,
        settings.smtp.max_queue_messages,
        settings.smtp.max_memory,
    )


def deadlines(settings: Settings) -> Deadlines:
    """Return the deadlines of a delivery's phases."""
    delivery = settings.delivery
    return Deadlines(
        connect=delivery.connect_timeout,
        banner=delivery.banner_timeout,
        ehlo=delivery.ehlo_timeout,
        starttls=delivery.starttls_timeout,
        tls=delivery.tls_timeout,
        auth=delivery.auth_timeout,
        mail=delivery.mail_timeout,
        rcpt=delivery.rcpt_timeout,
        data=delivery.data_timeout,
        block=delivery.block_timeout,
        eod=delivery.eod_timeout,
        quit=delivery.quit_timeout,
        idle=delivery.idle_timeout,
        min_rate=delivery.min_data_rate,
    )


def own_endpoints(settings: Settings) -> Any:
    """Return a predicate: is this address and port one that we listen on ourselves?"""
    listening = [(host, port) for host, port in settings.smtp.listen]
    ours = local_addresses()

    def is_ours(address: str, port: int) -> bool:
        for host, listen_port in listening:
            if port != listen_port:
                continue
            if host == address or (host in ("0.0.0.0", "::") and address in ours):  # noqa: S104 - compared only
                return True
        return False

    return is_ours


def local_addresses() -> set[str]:
    """Return the addresses of this machine."""
    found = {"127.0.0.1", "::1"}
    try:
        for info in socket.getaddrinfo(socket.gethostname(), None):
            found.add(str(info[4][0]))
    except OSError:
        return found
    return found


async def load_objects(world: World) -> Objects:
    """Return the objects of the store, with secrets opened."""
    stored = await world.store.objects()
    box = open_box(Path(world.settings.data_dir))
    kinds: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for kind, objects in stored.kinds.items():
        if kind in kinds:
            kinds[kind] = [object_of(kind, objects[name], box) for name in sorted(objects)]
    lying_over = [overrides.from_dict(data) for data in stored.kinds.get(overrides.KIND, {}).values()]
    return Objects(
        stored.revision,
        connectors=tuple(kinds["connector"]),
        domains=tuple(kinds["accepted_domain"]),
        sources=tuple(kinds["source"]),
        overrides=tuple(lying_over),
        policies=tuple(kinds["alert_policy"]),
        channels=tuple(kinds["notification_channel"]),
    )


class Reception:
    """The hooks of the receiving side: policy over the objects in use."""

    def __init__(self, world: World, journey: Journey, quota: Quota) -> None:
        self.world = world
        self.journey = journey
        self.quota = quota
        self._index = SourceIndex(world.objects.sources)
        self._objects = world.objects
        self._known: dict[tuple[str, bool, tuple[str, ...], str], Source | None] = {}
        self._router = world.router
        self._ways: dict[
            str, Accept
        ] = {}  # by domain, for those who may relay, where the address does not matter

    def source_for(
        self, address: str, tls: bool, certificate_names: tuple[str, ...], login: str
    ) -> Source | None:
        """Return which source a client is."""
        if self._objects is not self.world.objects:
            self._objects = self.world.objects
            self._index = SourceIndex(self._objects.sources)
            self._known.clear()
        key = (address, tls, certificate_names, login)
        if key not in self._known:
            if len(self._known) >= MAX_KNOWN_CLIENTS:
                self._known.clear()
            self._known[key] = decide_source(
                self._index, address, tls=tls, certificate_names=certificate_names, login=login
            )
        return self._known[key]

    def sender(self, source: Source | None, sender: str) -> Refuse | None:
        """Refuse a sender, or None."""
        refusal = decide_sender(source, sender)
        return Refuse(refusal.code, refusal.enhanced, refusal.text) if refusal else None

    def blocked(self, source: Source | None, client: str, sender: str) -> Refuse | None:
        """Let a client wait that named too many recipients that do not exist, or None."""
        found = self.quota.blocked(source.name if source is not None else "", client, sender)
        if found is None:
            return None
        what = "addresses that do not exist were tried from here"
        if not found.harvest:
            what = f"recipients that do not exist ({found.total}, the limit is {found.limited_at})"
        return Refuse(450, "4.7.1", f"Too many {what}, try again later")

    def unknown(self, source: Source | None, client: str, sender: str, recipient: str, valid: int) -> None:
        """Count a recipient that does not exist."""
        self.quota.refused(source.name if source is not None else "", client, sender, recipient, valid)

    def recipient(self, source: Source | None, sender: str, address: str, login: str) -> Accept | Refuse:
        """Accept a recipient with its destination, or refuse it."""
        if self._router is not self.world.router:
            self._router = self.world.router
            self._ways.clear()
        local, _, domain = address.rpartition("@")
        may_relay = local and source is not None and source.may_relay
        known = self._ways.get(domain) if may_relay else None
        if known is not None:
            return known
        decided = decide_recipient(
            self._router,
            source,
            address,
            strangers=self._index.strangers,
            postmaster=self.world.settings.postmaster,
        )
        if isinstance(decided, Refusal):
            return Refuse(decided.code, decided.enhanced, decided.text, decided.unknown)
        accept = Accept(self.journey.lanes.get(decided.route.destination).id)
        if may_relay and not self._router.depends_on_address(decided.route.domain):
            if len(self._ways) >= MAX_KNOWN_DOMAINS:
                self._ways.clear()
            self._ways[domain] = accept
        return accept

    async def check_login(self, user: str, password: str) -> bool:
        """Check a login against the sources, in a thread: a password hash takes a tenth of a second."""
        known = dict(
            login for source in self.world.objects.sources if source.enabled for login in source.logins
        )
        hashed = known.get(user) or DUMMY_HASH
        good = await asyncio.to_thread(verify, hashed, password)
        return good and user in known


DUMMY_HASH = PasswordHasher().hash("nobody has this password")


def verify(hashed: str, password: str) -> bool:
    """Tell whether a password belongs to an argon2 hash."""
    try:
        return PasswordHasher().verify(hashed, password)
    except Argon2Error:
        return False


def shortage(pressure: Pressure) -> Refuse | None:
    """Return the answer to whoever wants to hand in mail now; None where it is welcome."""
    if not pressure.reasons:
        return None
    if "store" in pressure.reasons:
        return Refuse(451, "4.3.0", "The message could not be kept, try again later")
    return Refuse(452, "4.3.1", "Out of resources, try again later")


def make_listener(world: World, journey: Journey, quota: Quota) -> Listener:
    """Return the receiving side."""
    reception = Reception(world, journey, quota)
    hooks = Hooks(
        source_for=reception.source_for,
        sender=reception.sender,
        recipient=reception.recipient,
        keep=journey.keep,
        new_id=world.new_id,
        now=world.now,
        pressure=partial(shortage, world.pressure),
        check_login=reception.check_login,
        say=world.say,
        count=world.metrics.count,
        blocked=reception.blocked,
        unknown=reception.unknown,
        guessed=partial(world.guessed, "smtp"),
    )
    return Listener(receive_options(world.settings, world.store.spool), hooks)


def receive_options(settings: Settings, spool: Path) -> ReceiveOptions:
    """Return what the receiving side offers and bears; raises `BadSettings` where a TLS file is of no use."""
    smtp = settings.smtp
    tls = None
    if smtp.tls_certificate is not None and smtp.tls_key is not None:
        client_ca = str(smtp.tls_client_ca) if smtp.tls_client_ca else None
        try:
            tls = server_context(str(smtp.tls_certificate), str(smtp.tls_key), client_ca=client_ca)
        except OSError as problem:  # ssl.SSLError is one
            raise BadSettings([Problem("smtp.tls_certificate", f"cannot be used: {problem}")]) from problem
    return ReceiveOptions(
        hostname=settings.hostname,
        spool_dir=spool,
        listen=tuple((host, port) for host, port in smtp.listen),
        max_message_size=smtp.max_message_size,
        inline_limit=smtp.inline_limit,
        max_line_length=smtp.max_line_length,
        max_hops=smtp.max_hops,
        eight_bit_headers=smtp.eight_bit_headers == "accept",
        max_recipients=smtp.limits.recipients,
        max_connections=smtp.limits.connections,
        max_connections_per_address=smtp.limits.connections_per_address,
        reserved=smtp.limits.reserved,
        message_rate=smtp.limits.messages_per_minute,
        max_messages=smtp.limits.messages_per_connection,
        max_login_failures=smtp.limits.auth_failures,
        max_commands=smtp.limits.commands,
        max_errors=smtp.limits.errors,
        max_unknown=smtp.limits.unknown_commands,
        command_timeout=smtp.timeouts.command,
        banner_delay=smtp.timeouts.banner,
        handshake_timeout=smtp.timeouts.handshake,
        data_timeout=smtp.timeouts.data,
        session_timeout=smtp.timeouts.session,
        min_data_rate=smtp.min_data_rate,
        tls=tls,
        auth=tls is not None,
    )
