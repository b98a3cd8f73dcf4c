"""Watch the clock: what expires, whose senders hear of a delay, whether the clock can be believed.

Guarantee: a message ends by the clock, not by its next attempt; a clock that jumps expires nothing; a destination that
can be tried is tried once at the end of a message's time.
"""

import asyncio
from typing import Protocol

from gatepost.diagnose.classify import expired_verdict
from gatepost.flow.journey import Journey
from gatepost.flow.records import Final
from gatepost.model.failure import Phase, Reason
from gatepost.model.mail import Item, QueuedRecipient
from gatepost.queue import schedule
from gatepost.queue.lane import Lane
from gatepost.storage.interface import DestinationSummary

SLICE = 200
ASLEEP_SECONDS = 60.0  # without a pass for so long, the machine or this process slept


class Sender(Protocol):
    """What expiry asks of the stage that tells senders."""

    def ended(
        self,
        lane: Lane,
        item: Item,
        final: list[Final],
    ) -> None:
        """Return a message to its sender."""
        ...

    async def delayed(self, lane: Lane, item: Item) -> None:
        """Tell the sender that the message waits."""
        ...


class Expiry:
    """A pass over all destinations with mail, every few seconds."""

    def __init__(self, journey: Journey, sender: Sender) -> None:
        self.journey = journey
        self.sender = sender
        world = journey.world
        self.summaries: list[DestinationSummary] = []  # as counted in the last pass, for whoever shows them
        self.guard = world.guard
        self._since = world.now()  # before it nothing could be tried: off, asleep, or by a wrong clock
        self._looked = world.monotonic()
        self._settled = self.guard.settled
        self._jumped: float | None = None

    async def run(self, period: float) -> None:
        """Look again and again until cancelled; one bad pass does not end the watch."""
        while True:
            try:
                await self.look()
            except asyncio.CancelledError:
                raise
            except Exception as problem:
                self.journey.say("expiry.problem", level="error", error=repr(problem))
            await asyncio.sleep(period)

    async def look(self) -> None:
        """Make one pass."""
        journey = self.journey
        world = journey.world
        monotonic = world.monotonic()
        now = self.guard.now(world.wall(), monotonic)
        if monotonic - self._looked > ASLEEP_SECONDS:
            self._since = now
        self._looked = monotonic
        self._note_clock(now)
        self.summaries = await journey.store.destinations(journey.expiry_of)
        for summary in self.summaries:
            lane = journey.lanes.by_id.get(summary.state.id)
            if lane is None:
                continue
            if not summary.messages:
                self._empty(lane)
                continue
            if summary.oldest_expires_at <= now:
                await self._expire(lane, now)
            if summary.oldest_at + world.delay_ms <= now:
                await self._notify(lane, now)

    def _note_clock(self, now: int) -> None:
        """Say each jump once, and once that the clock is believed again."""
        jumped, self._jumped = self._jumped, self.guard.jumped_at
        self.journey.world.pressure.note_clock(self.guard.gap_ms)
        if self._jumped is not None and self._jumped != jumped:
            self.journey.say("clock.jumped", level="warning", gap_ms=self.guard.gap_ms)
        elif self._jumped is None and jumped is not None:
            self.journey.say("clock.believed", level="warning", settled=self.guard.settled > self._settled)
        if self.guard.settled > self._settled:
            self._settled, self._since = self.guard.settled, now

    def _empty(self, lane: Lane) -> None:
        """Forget since when a destination has been queueing once it holds nothing."""
        if lane.queued_since and lane.idle and not lane.under_way:
            lane.queued_since = 0
            if lane.state == "ready":
                lane.last_error = None
            self.journey.changed(lane)

    async def _expire(self, lane: Lane, now: int) -> None:
        journey = self.journey
        expiry_ms = lane.policy.expiry * 1000
        items = await journey.store.expired(lane.id, now, expiry_ms, SLICE)
        wants_try = False
        for item in items:
            key = (lane.id, item.message_id)
            if key in journey.ending or key in journey.flying:
                continue
            expires_at = max(min(item.accepted_at + expiry_ms, now), self._since)
            triable = lane.state != "suspended" and lane.key.kind != "none"
            window = max(60, lane.policy.retry[-1]) * 1200
            if not schedule.may_expire(
                expires_at, lane.last_attempt_at, now, window_ms=window, triable=triable
            ):
                wants_try = True
                continue
            journey.lanes.forget(lane, item.message_id)
            self.sender.ended(lane, item, [self._final(lane, item, r) for r in item.recipients])
        if wants_try:
            journey.lanes.retry_now(lane)

    def _final(self, lane: Lane, item: Item, recipient: QueuedRecipient) -> Final:
        last = lane.last_error
        phase = Phase(last.phase) if last else Phase.ROUTE
        verdict = expired_verdict(last)
        ended = self.journey.trouble.own_failure(
            lane, item, recipient, verdict, phase, Reason.EXPIRED, "returned"
        )
        return (recipient, *ended)

    async def _notify(self, lane: Lane, now: int) -> None:
        journey = self.journey
        items = await journey.store.notices_due(lane.id, now, journey.world.delay_ms, SLICE)
        for item in items:
            await self.sender.delayed(lane, item)
