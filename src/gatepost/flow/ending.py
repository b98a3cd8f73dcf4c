"""End everything that waits at a destination, because an administrator says so.

Rule: only what was accepted before the order was given; what is on a connection now ends where it is.
"""

import asyncio

from gatepost.flow.journey import Journey
from gatepost.flow.records import Final
from gatepost.model.failure import Concern, FailureClass, Phase, Reason, Verdict
from gatepost.model.mail import Item, Settlement
from gatepost.queue.lane import Lane
from gatepost.storage.interface import Change, Event

PAGE = 500
CLAIM_BYTES = 8 << 20
EVERY_TIME = 1 << 60
RETURNED = Verdict(
    FailureClass.POLICY_REJECT,
    "cancelled",
    "other",
    550,
    "5.7.0",
    "Removed from the queue by the administrator",
    "",
    permanent=True,
    concern=Concern.RECIPIENT,
)


async def end_all(journey: Journey, lane: Lane, before: int, how: str, who: str) -> int:
    """End what was accepted before a time (ms since 1970), by return_now or delete; return how many recipients."""
    journey.lanes.drop_items(lane)
    newer: list[Item] = []
    ended = 0
    try:
        while items := await journey.store.claim(lane.id, PAGE, CLAIM_BYTES, EVERY_TIME):
            newer += [item for item in items if item.accepted_at > before]
            older = [item for item in items if item.accepted_at <= before]
            ended += sum(len(item.recipients) for item in older)
            # a page at a time: they share their syncs, and never more of them are in memory
            await asyncio.gather(*(_end_one(journey, lane, item, how, who) for item in older))
    finally:
        journey.release(newer)
    if newer:
        journey.lanes.arrived(lane)
    journey.say("queue.ended", connector=lane.key.connector, recipients=ended, how=how, by=who)
    return ended


async def _end_one(journey: Journey, lane: Lane, item: Item, how: str, who: str) -> None:
    if how == "delete":
        settles = tuple(Settlement(item.message_id, r.n, lane.id, "cancelled") for r in item.recipients)
        event = Event(item.message_id, journey.world.new_id(), "cancelled", {"by": who})
        journey.store.write(Change(settles=settles, events=(event,)))
        return
    final: list[Final] = [
        (r, *journey.trouble.own_failure(lane, item, r, RETURNED, Phase.ROUTE, Reason.CANCELLED, "returned"))
        for r in item.recipients
    ]
    await journey.ended_now(lane, item, final)
