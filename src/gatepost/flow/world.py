"""Everything the journey needs of the process, in one place: built by `app`, replaced piecewise in tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatepost.config import overrides
from gatepost.config.settings import Settings
from gatepost.deliver.options import Deadlines, DeliveryOptions
from gatepost.flow.pressure import Pressure
from gatepost.insight.guesses import Guess, Guesses
from gatepost.model.mail import Item
from gatepost.model.objects import Connector, Objects
from gatepost.net.dns import Resolver
from gatepost.queue.lane import Lane
from gatepost.queue.schedule import ClockGuard
from gatepost.route.decide import Router
from gatepost.storage.interface import Store
from gatepost.storage.journal import Journal
from gatepost.telemetry.flows import FlowCounts


@dataclass(slots=True)
class World:
    """The process around the journey."""

    settings: Settings
    store: Store
    journal: Journal
    resolver: Resolver
    say: Callable[..., None]
    tell: Callable[[str, str], None]  # an event, and its fields as JSON without the braces
    metrics: Any
    new_id: Callable[[], int]
    now: Callable[[], int]
    monotonic: Callable[[], float]
    pressure: Pressure
    maildir: Path | None  # the root of the Maildir tree; None: the mailbox store speaks LMTP
    own_endpoints: Callable[[str, int], bool]
    deadlines: Deadlines
    guard: ClockGuard  # what `now` follows
    wall: Callable[[], int]  # the wall clock as it is set
    flows: FlowCounts = field(default_factory=lambda: FlowCounts(lambda: 0))
    guesses: Guesses = field(default_factory=Guesses)
    objects: Objects = field(default_factory=Objects)
    router: Router = field(default_factory=lambda: Router(Objects()))
    _connectors: dict[str, Connector] = field(default_factory=dict)
    _options: dict[tuple[str, bool], DeliveryOptions] = field(default_factory=dict)
    _tasks: set[asyncio.Future[Any]] = field(default_factory=set)
    queued_count: dict[str, int] = field(default_factory=lambda: {"count": 0})

    def use(self, objects: Objects) -> None:
        """Take a revision of the objects into use."""
        now = self.now()
        self.objects = objects
        self.router = Router(objects, overrides.reroutes(objects, now))
        self._connectors = {c.name: overrides.effective(c, objects, now) for c in objects.connectors}
        self._options.clear()
        self.resolver.pin(overrides.addresses(objects, now))

    @property
    def connectors(self) -> dict[str, Connector]:
        """Return the connectors by name, with what lies over them."""
        return self._connectors

    def pins(self) -> tuple[object, ...]:
        """Return what overrides say beside the connectors themselves: certificates and addresses."""
        now = self.now()
        return tuple(o for o in self.objects.overrides if o.until > now)

    def connector(self, name: str) -> Connector | None:
        """Return a connector by name."""
        return self._connectors.get(name)

    def guessed(self, door: str, user: str, client: str, *, waited: bool) -> None:
        """Count a failed login, at a door of `insight.guesses`."""
        self.guesses.note(Guess(self.now(), door, user, client, waited))

    @property
    def delay_ms(self) -> int:
        """Return after how many milliseconds a delay notice is due; a huge number where none is wanted."""
        delay = self.settings.delivery.delay_notice
        return delay * 1000 if delay else 1 << 62

    def destination_name(self, lane: Lane) -> str:
        """Return what people call a destination: the smart hosts in order, the domain, or the mailbox store."""
        if lane.key.kind == "mailbox":
            return "mailboxes"
        if lane.key.kind == "smart" and lane.connector is not None:
            return ", ".join(host.text() for host in lane.connector.smart_hosts)
        return lane.key.next_hop or lane.key.connector

    def delivery_options(self, connector: Connector | None, *, lmtp: bool) -> DeliveryOptions:
        """Return how to talk to the servers of a connector."""
        key = (connector.name if connector else "", lmtp)
        options = self._options.get(key)
        if options is None:
            options = self._options[key] = self._make_options(connector, lmtp)
        return options

    def _make_options(self, connector: Connector | None, lmtp: bool) -> DeliveryOptions:
        delivery = self.settings.delivery
        extra: dict[str, Any] = {}
        if connector is not None:
            extra = {
                "tls": connector.tls,
                "tls_domain": connector.tls_domain,
                "tls_ca": connector.tls_ca,
                "username": connector.username,
                "password": connector.password,
                "quirks": frozenset(connector.quirks),
                "source_addresses": connector.source_addresses,
                "trusted": overrides.certificates(connector.name, self.objects, self.now()),
            }
        return DeliveryOptions(
            hostname=delivery.helo or self.settings.hostname,
            lmtp=lmtp,
            deadlines=self.deadlines,
            max_messages=1
            if connector is not None and "no-reuse" in connector.quirks
            else delivery.messages_per_connection,
            open_body=self.open_body,
            dot_sent=self._dot_sent,
            now_ms=self.now,
            **extra,
        )

    async def open_body(self, item: Item) -> AsyncIterator[bytes]:
        """Read a content that is not in memory, in pieces."""
        async for piece in await self.store.open_body(item.message_id):
            yield piece

    def _dot_sent(self, item: Item) -> None:
        self.journal.dot_sent(item.message_id)

    def start(self, work: Awaitable[Any]) -> None:
        """Run something beside the journey, and hear of it when it fails."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.say("task.failed", level="error", error=repr(task.exception()))

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something in a while."""
        asyncio.get_running_loop().call_later(seconds, act)

    async def finish(self) -> None:
        """Wait for what runs beside the journey."""
        while self._tasks:
            await asyncio.wait(list(self._tasks), timeout=5)
            if all(task.done() for task in self._tasks):
                break
