"""What names lead to, remembered: where destinations were and are, which mail servers our own domains have (B3, B7).

The documents of kind `dns` hold it: by name for the fixes (`good`: the last answer that led somewhere), by destination
and by domain for forecasts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gatepost.deliver.targets import Plan, Target
from gatepost.flow.checking import CheckRequest, Outcome
from gatepost.flow.journey import Journey
from gatepost.flow.records import Final
from gatepost.insight.foresight import Lapsed, Moved, Place
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.document import Document
from gatepost.model.failure import Reason, Verdict
from gatepost.model.mail import Item
from gatepost.net.dns import DnsFailure
from gatepost.queue.lane import Lane
from gatepost.storage.interface import Change

DNS = "dns"
FIRST_LOOK_MS = 120_000  # after the start
EVERY_MS = 3_600_000
MOST_DOMAINS = 500
MOST_PLACES = 20_000
SURE = 2  # lookups in a row that say that a domain is gone


class Led(NamedTuple):
    """Where a destination's names lead: (server, address) each."""

    pairs: frozenset[tuple[str, str]]
    moved: Moved | None = None


class Mx(NamedTuple):
    """The mail servers of a domain of ours; times in ms since 1970."""

    now: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    changed_at: int = 0
    seen_at: int = 0  # when it had some last
    gone_at: int = 0  # since when it does not exist
    gone: int = 0  # lookups in a row that said so


class Names:
    """An observer and a part of `flow.intelligence`."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._world = journey.world
        self._led: dict[int, Led] = {}
        self._mx: dict[str, Mx] = {}
        self._look_at = 0
        self._looking = False

    # ---------------------------------------------------------------- who asks

    def moved(self, destination_id: int) -> Moved | None:
        """Return the last change of where a destination's names lead."""
        led = self._led.get(destination_id)
        return led.moved if led is not None else None

    def mx_of(self, domain: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the mail servers that a domain of ours had before, and has now."""
        mx = self._mx.get(domain, Mx())
        return mx.before, mx.now

    def places(self) -> list[Place]:
        """Return our domains whose mail servers have changed."""
        return [
            Place(
                0, "", domain, use_mx=True,
                moved=Moved(mx.changed_at, (domain,), (domain,), mx.before, mx.now),
            )
            for domain, mx in self._mx.items()
            if mx.changed_at and mx.before
        ]  # fmt: skip

    def lapsed(self) -> list[Lapsed]:
        """Return our domains that the DNS does not know any more."""
        return [
            Lapsed(domain, mx.gone_at, mx.seen_at)
            for domain, mx in self._mx.items()
            if mx.gone >= SURE or (mx.gone and mx.seen_at)
        ]

    # ---------------------------------------------------------------- the journey tells

    def resolved(self, lane: Lane, targets: Sequence[Target]) -> None:
        """Note where the names of a connector lead."""
        if lane.key.connector:
            self._note(lane.id, lane.key.next_hop, targets)

    def checked(self, request: CheckRequest, outcome: Outcome) -> None:
        """Note what a check of a saved connector was led to."""
        if isinstance(outcome.planned, Plan):
            self._note(request.key.id, request.key.next_hop, outcome.planned.targets)

    def _note(self, destination_id: int, domain: str, targets: Iterable[Target]) -> None:
        named = [t for t in targets if t.server != t.address]
        pairs = frozenset((t.server, t.address) for t in named)
        led = self._led.get(destination_id)
        if not pairs or (led is not None and led.pairs == pairs):
            return
        moved = led.moved if led is not None else None
        now = self._journey.now()
        if led is not None and not {a for _, a in pairs} <= {a for _, a in led.pairs}:
            moved = Moved(
                now, _sorted(a for _, a in led.pairs), _sorted(a for _, a in pairs),
                _sorted(s for s, _ in led.pairs), _sorted(s for s, _ in pairs),
            )  # fmt: skip
        if len(self._led) >= MOST_PLACES:
            del self._led[next(iter(self._led))]
        self._led[destination_id] = Led(pairs, moved)
        self._keep_led(destination_id, domain, now)

    def _keep_led(self, destination_id: int, domain: str, now: int) -> None:
        led = self._led[destination_id]
        data: dict[str, object] = {"pairs": sorted(led.pairs)}
        if led.moved is not None:
            m = led.moved
            data["moved"] = [m.at, m.before, m.now, m.hosts_before, m.hosts_now]
        by_name: dict[str, list[str]] = {}
        for server, address in sorted(led.pairs):
            by_name.setdefault(server, []).append(address)
        documents = [Document(DNS, f"destination/{destination_id}", now, data)]
        for name, addresses in by_name.items():
            good = {"at": now, "addresses": addresses, "mx": []}
            documents.append(Document(DNS, name.lower().rstrip("."), now, {"good": good}))
        if domain:
            everything = _sorted(a for _, a in led.pairs)
            good = {"at": now, "addresses": list(everything), "mx": sorted(by_name)}
            documents.append(Document(DNS, domain.lower().rstrip("."), now, {"good": good}))
        self._journey.store.write(Change(documents=tuple(documents)))

    def failed(
        self, event: str, lane: Lane, failure: Failure, verdict: Verdict, more: Mapping[str, object]
    ) -> None:
        """Nothing: a lookup that fails leaves the last good answer."""

    def opened(self, lane: Lane, session: SessionFacts) -> None:
        """Nothing."""

    def recovered(self, lane: Lane) -> None:
        """Nothing."""

    def ended(self, lane: Lane, item: Item, final: Sequence[Final]) -> None:
        """Nothing."""

    # ---------------------------------------------------------------- our own domains

    def tick(self, now: int) -> None:
        """Look our own domains up every hour."""
        if not self._look_at:
            self._look_at = now + FIRST_LOOK_MS
        if now >= self._look_at and not self._looking:
            self._look_at, self._looking = now + EVERY_MS, True
            self._world.start(self.look())

    async def look(self) -> None:
        """Look every domain of ours up, one after the other."""
        try:
            ours = [domain.name for domain in self._world.objects.domains][:MOST_DOMAINS]
            self._mx = {name: mx for name, mx in self._mx.items() if name in ours}
            for name in ours:
                before = self._mx.get(name, Mx())
                self._mx[name] = await self._look_up(name, before)
                if self._mx[name] != before:
                    self._keep_mx(name)
        finally:
            self._looking = False

    async def _look_up(self, name: str, before: Mx) -> Mx:
        now = self._journey.now()
        try:
            answer = await self._world.resolver.mx(name)
        except DnsFailure as failure:
            if failure.reason is not Reason.NXDOMAIN:
                return before
            return before._replace(gone_at=before.gone_at or now, gone=before.gone + 1)
        hosts = _sorted(host for _, host in answer.hosts)
        known = before._replace(seen_at=now, gone_at=0, gone=0)
        if hosts == before.now:
            return known
        if not before.now:
            return known._replace(now=hosts)
        return known._replace(now=hosts, before=before.now, changed_at=now)

    def _keep_mx(self, name: str) -> None:
        mx = self._mx[name]
        document = Document(DNS, f"mx/{name}", self._journey.now(), mx._asdict())
        self._journey.store.write(Change(documents=(document,)))

    # ---------------------------------------------------------------- start and stop

    async def restore(self) -> None:
        """Read what the last process knew."""
        for document in await self._journey.store.documents(DNS, prefix="destination/", limit=MOST_PLACES):
            data: Mapping[str, Any] = document.data or {}
            pairs = frozenset((server, address) for server, address in data.get("pairs", ()))
            moved = data.get("moved")
            self._led[int(document.key.partition("/")[2])] = Led(pairs, _moved(moved) if moved else None)
        for document in await self._journey.store.documents(DNS, prefix="mx/", limit=MOST_DOMAINS):
            known: Mapping[str, Any] = document.data or {}
            mx = Mx(**{**known, "now": tuple(known["now"]), "before": tuple(known["before"])})
            self._mx[document.key.partition("/")[2]] = mx

    async def stop(self) -> None:
        """Nothing is left to be written."""


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _moved(fields: Sequence[Any]) -> Moved:
    at, *lists = fields
    return Moved(int(at), *(tuple(one) for one in lists))
