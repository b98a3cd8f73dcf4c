"""Re-evaluate queued mail the moment an object changes.

Rule: what is under way ends where it is; what waits moves to where it would go if it came now. A destination that
stays where it is gets the connector's new policy and, where it was held back, an attempt at once (R17).
Rule: what somebody sent another way stays there, as long as that connector is there and enabled.
"""

import asyncio
from collections.abc import Awaitable

from gatepost.flow.journey import Journey
from gatepost.flow.records import Final
from gatepost.model.document import Document
from gatepost.model.failure import Concern, FailureClass, Phase, Reason, Verdict
from gatepost.model.mail import Item
from gatepost.model.objects import Connector, Objects
from gatepost.model.route import DestinationKey
from gatepost.queue.lane import Lane
from gatepost.route.decide import Router, Standing
from gatepost.storage.interface import LET_GO, Change, MessageFilter, Move, RowUpdate

PAGE = 2000
RETURNED_AT_ONCE = 300
CLAIM_BYTES = 8 << 20
EVERY_TIME = 1 << 60
CARRIED_OUT = "carried-out"  # the kind of the document that names the revision whose re-routing is complete
UNKNOWN = Verdict(
    FailureClass.RECIPIENT_UNKNOWN,
    "",
    "other",
    550,
    "5.1.10",
    "Recipient not found",
    "the domain is authoritative and does not know this address",
    permanent=True,
    concern=Concern.RECIPIENT,
)


async def apply_objects(journey: Journey, objects: Objects) -> int:
    """Take new objects into use; returns how many queued recipients moved."""
    world = journey.world
    before, pins = world.connectors, world.pins()
    world.use(objects)
    pins_changed = pins != world.pins()
    moved = 0
    for lane in list(journey.lanes.by_id.values()):
        connector = world.connector(lane.key.connector)
        changed = before.get(lane.key.connector) != connector or pins_changed
        lane.connector = connector
        lane.policy = journey.policy(connector)
        lane.window = min(lane.window, lane.policy.concurrency)
        if changed:
            for connection in list(lane.connections):
                connection.close(graceful=True)
        lane.recheck = lane.under_way > 0
        moved += await reroute(journey, lane, world.router)
        if changed and lane.queued_since:
            world.resolver.flush()
            journey.lanes.retry_now(lane)
            world.start(release_deferred(journey, lane))
    world.start(_return_all_unknown(journey, objects.revision))
    return moved


async def _return_all_unknown(journey: Journey, revision: int) -> None:
    """Return what has no way out and whose recipient nobody knows; then the change has been carried out whole."""
    for lane in [x for x in journey.lanes.by_id.values() if x.key.kind == "none" and x.queued_since]:
        await return_unknown(journey, lane)
        journey.lanes.arrived(lane)
    carried_out = Document(CARRIED_OUT, "", journey.now(), {"revision": revision})
    journey.store.write(Change(documents=(carried_out,)))


async def release_deferred(journey: Journey, lane: Lane) -> None:
    """Let messages that wait for a time of their own be tried now, too (greylisting, a connection that broke)."""
    if await journey.store.next_due(lane.id) is None:
        return
    position = (lane.id, 0)
    which = MessageFilter(destination_id=lane.id)
    while page := await journey.store.messages(which, RETURNED_AT_ONCE, position):
        position = (lane.id, page[-1].message_id)
        deferred = [(m.message_id, r.n) for m in page for r in m.recipients if r.not_before]
        updates = tuple(RowUpdate(lane.id, number, n, not_before=0) for number, n in deferred)
        if updates:
            journey.store.write(Change(updates=updates), lambda _problem: journey.lanes.arrived(lane))


async def finish_apply(journey: Journey) -> None:
    """Carry out, after a crash, a change of the objects whose re-routing was cut off."""
    done = await journey.store.document(CARRIED_OUT, "")
    revision = done.data.get("revision") if done is not None and done.data is not None else None
    if revision != journey.world.objects.revision:
        await apply_objects(journey, journey.world.objects)


async def return_unknown(journey: Journey, lane: Lane) -> int:
    """Return what waits for recipients that their domain, authoritative now, does not know: nothing can help it."""
    world = journey.world
    kept: list[Item] = []
    returned = 0
    while True:
        # whatever time its next attempt was to be: nothing can help it
        items = await journey.store.claim(lane.id, RETURNED_AT_ONCE, CLAIM_BYTES, EVERY_TIME)
        if not items:
            break
        ending: list[Awaitable[None]] = []
        for item in items:
            unknown = tuple(
                r for r in item.recipients if world.router.standing(r.address) == Standing.UNKNOWN
            )
            if len(unknown) < len(item.recipients):
                kept.append(item)
            if unknown:
                returned += len(unknown)
                reason = (UNKNOWN, Phase.ROUTE, Reason.NO_CONNECTOR, "returned")
                final: list[Final] = [
                    (r, *journey.trouble.own_failure(lane, item, r, *reason)) for r in unknown
                ]
                ending.append(journey.ended_now(lane, item._replace(recipients=unknown), final))
        await asyncio.gather(*ending)
    journey.release(kept)
    return returned


def recheck(journey: Journey, lane: Lane) -> None:
    """Look again at what was under way while the objects changed and has come back to the queue."""
    if not lane.under_way:
        lane.recheck = False
        # behind the commit of the settlement that asked for it
        journey.world.later(0.2, lambda: journey.world.start(reroute(journey, lane, journey.world.router)))


async def reroute(journey: Journey, lane: Lane, router: Router) -> int:
    """Move what waits in one lane to where it belongs now."""
    groups = await journey.store.groups(lane.id)
    if not groups:
        return 0
    journey.lanes.drop_items(lane)
    moved = 0
    for domain, _count in groups:
        moved += await _reroute_domain(journey, lane, router, domain)
    if moved:
        journey.say("queue.rerouted", connector=lane.key.connector, recipients=moved)
    lane.more = True
    journey.lanes.pump(lane)
    return moved


async def _reroute_domain(journey: Journey, lane: Lane, router: Router, domain: str) -> int:
    if not router.depends_on_address(domain):
        key = router.route(f"x@{domain}").destination
        if key.id == lane.id:
            return 0
        return await _move(journey, lane, key, domain)
    moved = 0
    after = ""
    while True:
        rows = await journey.store.queued_addresses(lane.id, domain, after, PAGE)
        if not rows:
            return moved
        leaving: dict[DestinationKey, list[str]] = {}
        for address, _count in rows:
            after = address
            key = router.route(address).destination
            if key.id != lane.id:
                leaving.setdefault(key, []).append(address)
        for key, addresses in leaving.items():
            moved += await _move(journey, lane, key, domain, tuple(addresses))


def holds_mail(connector: Connector | None) -> bool:
    """Tell whether what somebody sent by a connector stays there."""
    return connector is not None and connector.enabled


async def _move(
    journey: Journey, lane: Lane, key: DestinationKey, domain: str, addresses: tuple[str, ...] = ()
) -> int:
    target = journey.lanes.get(key)
    if not target.queued_since:
        target.queued_since = journey.now()
        journey.changed(target)
    holds = 0 if holds_mail(lane.connector) else LET_GO
    move = Move(journey.world.new_id(), lane.id, target.id, domain, addresses=addresses, holds=holds)
    count: int = await journey.store.move(move)
    if count and key.kind != "none":
        journey.lanes.arrived(target)
    return count
