"""All lanes: who gets a connection, what is claimed next, and what happens after success or trouble.

Rule 1: a dead destination costs one probe at a time; nobody else waits for it.
Rule 2: whatever a delivery or a probe finds out changes the lane in the same turn, and is written down by `flow`.
Rule 3: no state is kept by messages here; what a message waits for alone stands in its queue row.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from gatepost.model.mail import Item
from gatepost.model.route import DestinationKey
from gatepost.queue import schedule
from gatepost.queue.lane import LOW_WATER, WINDOW_ITEMS, Carrier, Lane
from gatepost.queue.slots import Slots

BODY_BUDGET = 48 << 20
CLAIM_BYTES = 8 << 20
PATIENCE = 0.005  # seconds that items wait for connections at work before others are asked
UNLIMITED = 1 << 30


class Hooks(Protocol):
    """What the lanes ask of the rest (given by `flow`)."""

    def now(self) -> int:
        """Return the wall clock in milliseconds."""
        ...

    def retry_now(self) -> int:
        """Return the clock by which single messages are deferred (`schedule.RetryClock`)."""
        ...

    def chance(self) -> float:
        """Return a random number in [0, 1)."""
        ...

    async def connect(self, lane: Lane) -> Carrier | None:
        """Open a connection; None after a failure that was already told to `failed` or `limited`."""
        ...

    async def claim(self, lane: Lane, limit: int, max_bytes: int) -> list[Item]:
        """Claim what is due from the store."""
        ...

    async def next_due(self, lane: Lane) -> int | None:
        """Return when the next item that waits by itself is due."""
        ...

    def release(self, items: list[Item]) -> None:
        """Give claimed items back to the store."""
        ...

    def changed(self, lane: Lane) -> None:
        """Write the destination's state down."""
        ...


class Lanes:
    """The lanes of this process, by destination id."""

    def __init__(
        self,
        hooks: Hooks,
        make: Callable[[DestinationKey], Lane],
        limit: Callable[[], int] = lambda: UNLIMITED,
    ) -> None:
        self._hooks = hooks
        self._make = make
        self.slots = Slots(limit)
        self.by_id: dict[int, Lane] = {}
        self.body_bytes = 0
        self.stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, key: DestinationKey) -> Lane:
        """Return the lane of a destination, made where there is none."""
        lane = self.by_id.get(key.id)
        if lane is None:
            lane = self.by_id[key.id] = self._make(key)
            lane.take = lambda: self.take(lane)
        return lane

    # what comes in

    def enqueue(self, lane: Lane, item: Item) -> bool:
        """Take an item that was just committed and claimed; False: it goes back to the store."""
        size = len(item.body) if item.body is not None else 0
        if not lane.accepts or self.body_bytes + size > BODY_BUDGET:
            lane.more = True
            self.pump(lane)
            return False
        lane.items.append(item)
        self.body_bytes += size
        self.pump(lane)
        return True

    def put_back(self, lane: Lane, items: Iterable[Item]) -> None:
        """Put items that were not touched back to the front."""
        for item in reversed(list(items)):
            lane.items.appendleft(item)
            lane.under_way -= 1
            self.body_bytes += len(item.body) if item.body is not None else 0

    def arrived(self, lane: Lane) -> None:
        """Note that the store holds something for this lane."""
        lane.more = True
        self.pump(lane)

    # what goes out

    def take(self, lane: Lane) -> Item | None:
        """Hand the next item to a connection; None where there is none in memory."""
        if not lane.items or not lane.allowed or self.stopping:
            return None
        if lane.state == "retry" and lane.under_way:
            return None  # one probe at a time
        item = lane.items.popleft()
        lane.under_way += 1
        lane.taken += 1
        if item.body is not None:
            self.body_bytes -= len(item.body)
        if lane.more and len(lane.items) < LOW_WATER and not lane.claiming:
            self._start(self._refill(lane))
        return item

    def pump(self, lane: Lane) -> None:
        """Give the lane what it may have: wake idle connections, open new ones, claim more."""
        allowed = lane.allowed
        if not allowed or self.stopping:
            return
        if not lane.items:
            if lane.more and not lane.claiming:
                self._start(self._refill(lane))
            return
        self._put_to_work(lane, allowed, lane.wanted)
        if lane.items and lane.patience is None:
            self._be_patient(lane)

    def _put_to_work(self, lane: Lane, allowed: int, wanted: int) -> None:
        """Wake and open connections until so many are at work: a quick next hop is served best by a few."""
        more = wanted - (len(lane.connections) - len(lane.resting)) - lane.opening
        for _ in range(min(more, len(lane.resting))):  # one that may not take anything rests again
            if not lane.items:
                return
            lane.resting.popitem()[0].wake()
            more -= 1
        room = allowed - len(lane.connections) - lane.opening
        for _ in range(min(more, room, len(lane.items) - lane.opening)):
            if not self.slots.take(lane):
                return
            lane.opening += 1
            self._start(self._open(lane))

    def _be_patient(self, lane: Lane) -> None:
        """Look again in a moment whether those at work take what waits."""
        loop = asyncio.get_running_loop()
        lane.patience = loop.call_later(PATIENCE, self._lose_patience, lane, lane.taken)

    def _lose_patience(self, lane: Lane, taken: int) -> None:
        lane.patience = None
        if not lane.items or not lane.allowed or self.stopping:
            return
        if lane.taken == taken:  # those at work are stuck: whoever else there is, now
            self._put_to_work(lane, lane.allowed, len(lane.connections) + len(lane.items))
        if len(lane.connections) > len(lane.resting):
            self._be_patient(lane)

    def rest(self, lane: Lane, connection: Carrier) -> None:
        """Keep a connection that has nothing to do, to be woken for the next item."""
        lane.resting[connection] = None
        if not lane.items:
            self.pump(lane)
        if self.slots.crowded and connection in lane.resting and lane.key.kind != "mailbox":
            connection.close(graceful=True)

    async def _open(self, lane: Lane) -> None:
        connection = None
        try:
            connection = await self._hooks.connect(lane)
        except Exception:
            self._once_more(lane)
            raise
        finally:
            lane.opening -= 1
            if connection is None:
                self.slots.give_back(lane)
                self.slots.served(self.pump)
        if connection is not None:
            if not connection.busy and connection in lane.connections:
                lane.resting[connection] = None
            self.pump(lane)

    async def _refill(self, lane: Lane) -> None:
        if lane.claiming:
            return
        lane.claiming = True
        lane.more = False  # what arrives from here on says so anew
        try:
            limit = 1 if lane.state == "retry" else WINDOW_ITEMS
            room = max(BODY_BUDGET - self.body_bytes, 1 << 20)
            items = await self._hooks.claim(lane, limit, min(CLAIM_BYTES, room))
        except Exception:
            lane.claiming = False
            self._once_more(lane)
            raise
        lane.claiming = False
        if len(items) >= limit or sum(i.size for i in items) >= min(CLAIM_BYTES, room):
            lane.more = True
        if lane.state == "retry" and items:
            lane.more = True
        if not lane.allowed:
            self._hooks.release(items)
            lane.more = lane.more or bool(items)
            return
        for item in items:
            lane.items.append(item)
            self.body_bytes += len(item.body) if item.body is not None else 0
        if items or lane.more:
            self.pump(lane)
        elif lane.state == "retry" and lane.probing and not lane.under_way:
            self._nothing_to_probe(lane)
        if not lane.more:
            # What waits by itself is not forgotten behind what could be claimed.
            await self._watch_deferred(lane)

    def _once_more(self, lane: Lane) -> None:
        """Try again in a moment what failed for a reason of our own: a lane with mail has a next event."""
        asyncio.get_running_loop().call_later(1.0, self.arrived, lane)

    def _nothing_to_probe(self, lane: Lane) -> None:
        """End a probe for which nothing was due; the first item that falls due probes instead."""
        lane.probing = False
        lane.state = "ready"

    async def _watch_deferred(self, lane: Lane) -> None:
        due = await self._hooks.next_due(lane)
        if due is None:
            return
        now = self._hooks.retry_now()
        ahead = 0 if due > schedule.horizon(now, lane.policy.retry) else due - now
        # What is due and yet was not claimed is under way, or suspended: that is asked again, but not in a hurry.
        delay = max(0.05, ahead / 1000) if ahead > 0 else 1.0
        if lane.state == "ready":
            self._look_again(lane, delay, max(ahead, 0))

    def deferred(self, lane: Lane, wait: int) -> None:
        """Look for what has to wait by itself once it is due, in `wait` milliseconds, and not before."""
        if lane.state == "ready":
            self._look_again(lane, max(0.05, wait / 1000), wait)

    def _look_again(self, lane: Lane, delay: float, ahead: int) -> None:
        """Arm the timer; one that comes earlier stays, and finds out what is next."""
        loop = asyncio.get_running_loop()
        if lane.timer is not None:
            if lane.timer.when() <= loop.time() + delay:
                return
            lane.timer.cancel()
        lane.next_attempt_at = self._hooks.now() + ahead
        lane.timer = loop.call_later(delay, self._due, lane)

    def _due(self, lane: Lane) -> None:
        lane.timer = None
        if lane.state == "ready":
            lane.more = True
            self.pump(lane)

    # what was learned

    def succeeded(self, lane: Lane) -> None:
        """Note a success: the destination is alive; its whole queue may go, with a ramp."""
        lane.breaks = 0
        if lane.state == "retry":
            self.slots.alive(lane)
            lane.state = "ready"
            lane.probing = False
            lane.window = 1
            lane.more = True
            if lane.timer is not None:
                lane.timer.cancel()
                lane.timer = None
        if lane.attempts:
            lane.attempts = 0
            lane.next_attempt_at = 0
            self._hooks.changed(lane)
        lane.window = schedule.grow(lane.window, lane.policy.concurrency)

    def failed(self, lane: Lane) -> None:
        """Note a failure that concerns the destination: hold everything back but one probe later.

        Failures of other connections of the same moment are the same failure, and count once.
        """
        if lane.state == "retry" and not lane.probing:
            self.drop_items(lane)
            self._hooks.changed(lane)
            return
        lane.probing = False
        lane.attempts += 1
        wait = schedule.interval(lane.policy.retry, lane.attempts, self._hooks.chance())
        if lane.policy.probe_interval:
            wait = min(wait, lane.policy.probe_interval * 1000)
        lane.next_attempt_at = self._hooks.now() + wait
        if lane.state != "suspended":
            lane.state = "retry"
            self._arm(lane)
        self.drop_items(lane)
        self._hooks.changed(lane)

    def limited(self, lane: Lane) -> None:
        """Note that one more connection was refused while others work: fewer, not none."""
        lane.window = max(1, len(lane.connections))

    def broke(self, lane: Lane) -> bool:
        """Note a connection that broke in the middle of a message; True where the destination must wait."""
        lane.breaks += 1
        return lane.breaks >= schedule.BREAKS_THAT_HOLD_BACK

    def probe(self, lane: Lane) -> None:
        """Try a destination in retry with one item, now."""
        lane.timer = None
        if lane.state != "retry" or lane.probing:
            return
        lane.probing = True
        lane.window = 1
        lane.more = True
        self.pump(lane)

    def retry_now(self, lane: Lane) -> None:
        """Try at once (an administrator, or a change of the connector, asks for it)."""
        if lane.state == "retry":
            lane.attempts = max(lane.attempts, 1)
            if lane.timer is not None:
                lane.timer.cancel()
            self.probe(lane)
        elif lane.state == "ready":
            self.arrived(lane)

    def restored(self, lane: Lane) -> None:
        """Start a lane whose state was read from the store."""
        if lane.state == "retry":
            lane.next_attempt_at = schedule.after_restart(
                lane.next_attempt_at, self._hooks.now(), self._hooks.chance()
            )
            self._arm(lane)
        elif lane.state == "ready":
            self.arrived(lane)

    def suspend(self, lane: Lane, who: str, reason: str, until: int) -> None:
        """Stop deliveries to a destination; what is under way ends."""
        lane.state = "suspended"
        lane.probing = False
        lane.suspended_by, lane.suspended_reason, lane.suspended_until = who, reason, until
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if until:
            delay = max(0.0, (until - self._hooks.now()) / 1000)
            lane.timer = asyncio.get_running_loop().call_later(min(delay, 86400.0 * 30), self.resume, lane)
        self.drop_items(lane)
        self._hooks.changed(lane)

    def resume(self, lane: Lane) -> None:
        """Let deliveries go on; the first one is a probe where the destination had failed."""
        if lane.state != "suspended":
            return
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        lane.suspended_by = lane.suspended_reason = ""
        lane.suspended_until = 0
        lane.state = "retry" if lane.attempts else "ready"
        lane.more = True
        self._hooks.changed(lane)
        if lane.state == "retry":
            self.probe(lane)
        else:
            self.pump(lane)

    def _arm(self, lane: Lane) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
        delay = max(0.0, (lane.next_attempt_at - self._hooks.now()) / 1000)
        longest = max(lane.policy.retry) * 1.2 + 1  # a clock that was set back stalls no retry
        lane.timer = asyncio.get_running_loop().call_later(min(delay, longest), self.probe, lane)

    def drop_items(self, lane: Lane) -> None:
        """Give everything that is claimed but not under way back to the store."""
        items = list(lane.items)
        lane.items.clear()
        self.body_bytes -= sum(len(item.body) for item in items if item.body is not None)
        if items:
            self._hooks.release(items)
            lane.more = True

    def forget(self, lane: Lane, message_id: int) -> None:
        """Take a message out of the lane's memory; it stays claimed, and whoever asked ends it."""
        for item in [i for i in lane.items if i.message_id == message_id]:
            lane.items.remove(item)
            self.body_bytes -= len(item.body) if item.body is not None else 0

    def detach(self, lane: Lane, connection: Carrier) -> None:
        """Forget a connection that has ended."""
        if connection in lane.connections:
            lane.connections.discard(connection)
            lane.resting.pop(connection, None)
            self.slots.give_back(lane)
            self.slots.served(self.pump)
        if lane.state == "retry" and lane.probing and not lane.connections and not lane.opening:
            lane.probing = False
            if lane.timer is None:
                self._arm(lane)
        self.pump(lane)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a lane's task failed", "exception": task.exception(), "task": task}
            )

    def halt(self) -> None:
        """Take nothing new: what went out now could not be written down, and would go out again."""
        self.stopping = True

    async def stop(self, grace: float) -> None:
        """Let what is under way end, take nothing new, close the connections."""
        self.stopping = True
        for lane in self.by_id.values():
            if lane.timer is not None:
                lane.timer.cancel()
            for connection in list(lane.connections):
                connection.close(graceful=True)
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        while loop.time() < end and self._at_work():  # noqa: ASYNC110 - bounded, at the end of the process
            await asyncio.sleep(0.02)
        for lane in self.by_id.values():
            for connection in list(lane.connections):
                connection.close(graceful=False)
        for task in list(self._tasks):
            task.cancel()

    def _at_work(self) -> bool:
        return any(lane.under_way or lane.connections for lane in self.by_id.values())
