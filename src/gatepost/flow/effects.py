"""What would become of queued mail if the objects were these: the same decisions as re-routing, without the moves.

Rule: whatever re-routing does with an address, this counts; a test compares the two.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gatepost.config import overrides
from gatepost.flow.journey import Journey
from gatepost.flow.rerouting import holds_mail
from gatepost.model.fix import Effect
from gatepost.model.objects import Objects
from gatepost.model.route import DestinationKey
from gatepost.queue.lane import Lane
from gatepost.route.decide import Router, Standing
from gatepost.storage.interface import MessageFilter

PAGE = 2000
SAMPLES = 10


@dataclass(slots=True)
class Count:
    """Recipients by fate, with a few addresses of each."""

    fates: dict[str, int] = field(default_factory=dict)
    samples: dict[str, list[str]] = field(default_factory=dict)
    messages: int = 0

    def add(self, fate: str, number: int, sample: str) -> None:
        """Count recipients of one fate."""
        self.fates[fate] = self.fates.get(fate, 0) + number
        kept = self.samples.setdefault(fate, [])
        if sample and len(kept) < SAMPLES:
            kept.append(sample)

    def recipients(self) -> int:
        """Return how many recipients were counted so far."""
        return sum(number for fate, number in self.fates.items() if fate not in ("known", "unknown"))

    def move(self, fate: str, other: str, addresses: list[str]) -> None:
        """Count recipients under another fate than before."""
        moved = min(len(addresses), self.fates.get(fate, 0))
        if not moved:
            return
        self.fates[fate] -= moved
        self.fates[other] = self.fates.get(other, 0) + moved
        self.samples[other] = [*self.samples.get(other, []), *addresses][:SAMPLES]

    def effect(self) -> Effect:
        """Return the effect."""
        samples = {fate: tuple(found) for fate, found in self.samples.items() if found}
        return Effect(messages=self.messages, samples=samples, **self.fates)


async def effect_of_objects(journey: Journey, after: Objects) -> Effect:
    """Return what would become of queued recipients if the objects were changed to these."""
    now = journey.now()
    world = journey.world
    router = Router(after, overrides.reroutes(after, now))
    connectors = {c.name: overrides.effective(c, after, now) for c in after.connectors}
    pins = tuple(o for o in after.overrides if o.until > now)
    count = Count()
    touched: set[int] = set()  # destinations where anything becomes of mail
    sent_there = {held.destination_id for held in await journey.store.rerouted()}
    for lane in list(journey.lanes.by_id.values()):
        connector = connectors.get(lane.key.connector)
        changed = world.connectors.get(lane.key.connector) != connector
        stayed, all_before = count.fates.get("unchanged", 0), count.recipients()
        judge = _Judge(lane, router, "retried" if changed or pins != world.pins() else "unchanged")
        if lane.id in sent_there and holds_mail(connector):
            await _lane(journey, replace(judge, rerouted=False), count)
            await _lane(journey, replace(judge, rerouted=True), count)
        else:
            await _lane(journey, judge, count)
        if count.recipients() == all_before:
            continue
        after_expiry = journey.policy(connector).expiry
        if after_expiry < lane.policy.expiry:
            overdue = await _overdue(journey, lane, now - after_expiry * 1000)
            count.move(judge.stays, "returned", overdue)
        if count.recipients() - all_before > count.fates.get("unchanged", 0) - stayed:
            touched.add(lane.id)
    summaries = await journey.store.destinations(journey.expiry_of)
    count.messages = sum(s.messages for s in summaries if s.state.id in touched)
    return count.effect()


async def _overdue(journey: Journey, lane: Lane, before: int) -> list[str]:
    """Return the recipients without an expiry of their own in mail that was accepted before a time."""
    found: list[str] = []
    which = MessageFilter(destination_id=lane.id, older_than=before + 1)
    position = (lane.id, 0)
    while page := await journey.store.messages(which, PAGE, position):
        found += [r.address for message in page for r in message.recipients if not r.expires_at]
        position = (lane.id, page[-1].message_id)
    return found


@dataclass(frozen=True, slots=True)
class _Judge:
    lane: Lane
    router: Router
    stays: str
    rerouted: bool | None = None  # only of what somebody sent here, only of the rest, of all

    def fate(self, address: str) -> str:
        """Return what becomes of an address that waits here."""
        if self.rerouted:
            return self.stays
        key: DestinationKey = self.router.route(address).destination
        if key.kind == "none":
            return "returned" if self.router.standing(address) == Standing.UNKNOWN else "held"
        if key.id == self.lane.id:
            return self.stays
        return "delivered" if key.kind == "mailbox" else "rerouted"


async def _lane(journey: Journey, judge: _Judge, count: Count) -> None:
    for domain, number in await journey.store.groups(judge.lane.id, judge.rerouted):
        await _domain(journey, judge, domain, number, count)


async def _domain(journey: Journey, judge: _Judge, domain: str, number: int, count: Count) -> None:
    if not judge.router.depends_on_address(domain):
        count.add(judge.fate(f"x@{domain}"), number, f"@{domain}")
        return
    after = ""
    while True:
        rows = await journey.store.queued_addresses(judge.lane.id, domain, after, PAGE, judge.rerouted)
        if not rows:
            return
        for address, waiting in rows:
            standing = judge.router.standing(address)
            known = standing == Standing.KNOWN
            count.fates["known" if known else "unknown"] = (
                count.fates.get("known" if known else "unknown", 0) + waiting
            )
            count.add(judge.fate(address), waiting, address)
        after = rows[-1][0]
        await asyncio.sleep(0)


async def effect_of_ending(journey: Journey, lanes: Iterable[Lane], fate: str) -> Effect:
    """Return what would become of mail if everything that waits in lanes were returned, deleted, held or retried."""
    ids = {lane.id for lane in lanes}
    count = Count()
    for summary in await journey.store.destinations(journey.expiry_of):
        if summary.state.id in ids and summary.recipients:
            count.messages += summary.messages
            rows = await journey.store.groups(summary.state.id)
            for domain, number in rows:
                count.add(fate, number, f"@{domain}")
    return count.effect()
