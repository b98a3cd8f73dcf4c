"""The journey of a message, one function per step, top to bottom.

Rule 1: stages do not know each other; what passes between them is a value of `model`.
Rule 2: a failure of the destination is written once, at the destination; one of a message or recipient with it.
Rule 3: a message ends in one transaction with everything that its end causes (history, ledger, NDR).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

from gatepost.deliver.local import MailboxCarrier
from gatepost.deliver.options import Result
from gatepost.deliver.session import Connection
from gatepost.diagnose.classify import classify
from gatepost.flow import lines
from gatepost.flow.observer import Several
from gatepost.flow.opening import Opening
from gatepost.flow.records import Final, attempt_of_failure, attempt_of_success, error_of
from gatepost.flow.trouble import Trouble
from gatepost.flow.world import World
from gatepost.flow.writing import Writing
from gatepost.model.attempt import Attempt, Failure, SessionFacts
from gatepost.model.failure import Concern, Phase, Verdict
from gatepost.model.ids import to_text
from gatepost.model.mail import Item, NewMessage, QueuedRecipient, Recipient, Settlement
from gatepost.model.objects import Connector
from gatepost.model.route import DestinationKey
from gatepost.queue import schedule
from gatepost.queue.lane import Carrier, Lane, LanePolicy
from gatepost.queue.lanes import Lanes
from gatepost.storage.interface import Change, DestinationState
from gatepost.telemetry.flows import ACCEPTED, CLEAR, RECEIVED, SENT


class Journey:
    """Carries messages from acceptance to their end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store
        self.say = world.say
        self.lanes = Lanes(self, self._make_lane, lambda: world.settings.delivery.connections)
        self.writing = Writing(world.store, self.lanes.halt, world.say)
        self.observer = Several(self.say)
        self.retry_clock = schedule.RetryClock(world.now(), world.monotonic())
        self.trouble = Trouble(world, self.lanes, self.observer, self.changed, self.fail_all)
        self._opening = Opening(world, self.lanes, self.observer, self.trouble)
        self.flying: set[tuple[int, int]] = set()  # (destination, message) on a connection now
        self.ending: set[tuple[int, int]] = set()  # about to be returned or cancelled: not tried any more
        self.delivered_sizes: dict[int, int] = {}  # the largest message that passed where connections break
        self.recheck: Callable[[Lane], None] = lambda lane: None
        self.ended: Callable[[Lane, Item, list[Final]], None]
        self.ended_now: Callable[[Lane, Item, list[Final]], Awaitable[None]]  # waits for the disk
        self.relayed: Callable[[Lane, Item, list[QueuedRecipient]], None]

    # ---------------------------------------------------------------- accept

    def keep(self, message: NewMessage, done: Callable[[BaseException | None], None]) -> None:
        """Make a message safe; `done(None)` after the sync, and only then, lets the 250 go out."""
        lanes = {self.lanes.by_id[r.destination_id]: None for r in message.recipients}
        claimed = False
        states: tuple[DestinationState, ...] = ()
        for lane in lanes:
            claimed = claimed or lane.accepts
            if not lane.queued_since:
                lane.queued_since = message.accepted_at
                states += (self.state_of(lane),)
        if claimed != message.claimed:
            message = message._replace(claimed=claimed)

        def durable(problem: BaseException | None) -> None:
            done(problem)
            if problem is None:
                self.accepted(message)

        self.store.write(Change(accepts=(message,), destinations=states), durable)

    def accepted(self, message: NewMessage) -> None:
        """Put a message that is now safe into its lanes."""
        self.world.metrics.accepted(message)
        travelled = "" if message.tls is None else RECEIVED + (message.tls or CLEAR)
        count = self.world.flows.count
        for recipient in message.recipients:
            count(message.source, recipient.address, recipient.destination_id, ACCEPTED, travelled)
        self.world.tell("message.accepted", lines.accepted(message))
        if len(message.recipients) == 1:
            self._enqueue(message, message.recipients[0].destination_id, message.recipients)
            return
        by_destination: dict[int, list[Recipient]] = {}
        for recipient in message.recipients:
            by_destination.setdefault(recipient.destination_id, []).append(recipient)
        for destination_id, recipients in by_destination.items():
            self._enqueue(message, destination_id, tuple(recipients))

    def _enqueue(self, message: NewMessage, destination_id: int, recipients: tuple[Recipient, ...]) -> None:
        lane = self.lanes.by_id[destination_id]
        if not message.claimed:
            self.lanes.arrived(lane)
            return
        item = Item(
            message.id,
            destination_id,
            message.accepted_at,
            message.sender,
            message.size,
            message.flags,
            message.envid,
            tuple([QueuedRecipient(r.n, r.address, r.orcpt, r.notify, 0, 0) for r in recipients]),
            message.body,
            message.crc,
            len(message.recipients) == 1,
            message.source,
        )
        if not self.lanes.enqueue(lane, item):
            self.release([item])

    # ---------------------------------------------------------------- lanes ask

    def now(self) -> int:
        """Return the wall clock in milliseconds."""
        return self.world.now()

    def retry_now(self) -> int:
        """Return the time by which messages are deferred: no setting of the wall clock changes it."""
        return self.retry_clock.now(self.world.monotonic())

    def chance(self) -> float:
        """Return a random number in [0, 1)."""
        return random.random()  # noqa: S311 - jitter, not a secret

    async def claim(self, lane: Lane, limit: int, max_bytes: int) -> list[Item]:
        """Claim what is due at a destination."""
        now = self.retry_now()
        beyond = schedule.horizon(now, lane.policy.retry)
        items: list[Item] = await self.store.claim(lane.id, limit, max_bytes, now, horizon=beyond)
        return items

    async def next_due(self, lane: Lane) -> int | None:
        """Return when the next deferred item of a destination is due."""
        due: int | None = await self.store.next_due(lane.id)
        return due

    def release(self, items: list[Item]) -> None:
        """Give claimed items back."""
        self.store.release([(item.destination_id, item.message_id) for item in items])

    def changed(self, lane: Lane) -> None:
        """Write a destination's state down."""
        self.store.write(Change(destinations=(self.state_of(lane),)))

    def state_of(self, lane: Lane) -> DestinationState:
        """Return what is kept of a lane."""
        return DestinationState(
            id=lane.id,
            kind=lane.key.kind,
            connector=lane.key.connector,
            next_hop=lane.key.next_hop,
            state=lane.state,
            attempts=lane.attempts,
            next_attempt_at=lane.next_attempt_at,
            last_error=lane.last_error,
            queued_since=lane.queued_since,
            suspended_by=lane.suspended_by,
            suspended_until=lane.suspended_until,
            suspended_reason=lane.suspended_reason,
            changed_at=self.now(),
        )

    def _make_lane(self, key: DestinationKey) -> Lane:
        connector = self.world.connector(key.connector)
        return Lane(key, connector, self.policy(connector))

    def expiry_of(self, state: DestinationState) -> int:
        """Return how long mail for a destination is kept, in milliseconds."""
        lane = self.lanes.by_id.get(state.id)
        if lane is not None:
            return lane.policy.expiry * 1000
        return self.policy(self.world.connector(state.connector)).expiry * 1000

    def policy(self, connector: Connector | None) -> LanePolicy:
        """Return a connector's schedule, with the settings where it says nothing."""
        delivery = self.world.settings.delivery
        return LanePolicy(
            retry=(connector.retry if connector else None) or delivery.retry,
            expiry=(connector.expiry if connector else None) or delivery.expiry,
            concurrency=(connector.concurrency if connector else None) or delivery.concurrency,
            probe_interval=delivery.probe_interval,
        )

    # ---------------------------------------------------------------- deliver

    async def connect(self, lane: Lane) -> Carrier | None:
        """Open a connection to a destination and let it work."""
        opened = await self._opening.open(lane)
        return self._run(lane, opened) if opened is not None else None

    def _run(self, lane: Lane, connection: Connection | MailboxCarrier) -> Carrier:
        lane.connections.add(connection)
        self.world.metrics.connections("out", lane.key.connector, 1)
        session = connection.session
        where = lines.place(lane.key.connector, session)
        first = True

        def finish(item: Item, results: list[Result]) -> None:
            nonlocal first
            if first or lane.attempts:
                first = False
                if any(r.outcome == "delivered" for r in results):
                    self._succeeded(lane)
            lane.measure(results[0].milliseconds)
            self._settle(lane, item, results, session, where)

        def lost(connection: Connection | MailboxCarrier, failure: Failure | None) -> None:
            if failure is not None:
                self.trouble.connection_broke(lane, failure)
            self.world.metrics.connections("out", lane.key.connector, -1)
            self.lanes.detach(lane, connection)

        connection.run(partial(self._take, lane), finish, lambda c: self.lanes.rest(lane, c), lost)
        return connection

    def _take(self, lane: Lane) -> Item | None:
        while (item := lane.take()) is not None:
            key = (lane.id, item.message_id)
            if key not in self.ending:
                self.flying.add(key)
                return item
            lane.under_way -= 1
        return None

    # ---------------------------------------------------------------- settle

    def _settle(
        self, lane: Lane, item: Item, results: list[Result], session: SessionFacts, where: str
    ) -> None:
        """Write down how a message ended at a destination, or when it goes on."""
        self.flying.discard((lane.id, item.message_id))
        if len(results) == 1 and results[0].outcome == "delivered":
            lane.under_way -= 1
            lane.breaks = 0
            self._delivered(lane, item, item.recipients[0], results[0], session, where)
            return
        if any(r.outcome == "untouched" for r in results):
            self._untouched(lane, item)
            return
        lane.under_way -= 1
        by_n = {r.n: r for r in item.recipients}
        final: list[Final] = []
        for result in results:
            recipient = by_n[result.n]
            if result.outcome == "delivered":
                lane.breaks = 0
                self._delivered(lane, item, recipient, result, session, where)
            else:
                self._refused(lane, item, recipient, result, final)
        if final:
            self.ended(lane, item, final)
        if lane.recheck:
            self.recheck(lane)

    def _untouched(self, lane: Lane, item: Item) -> None:
        if lane.allowed and not self.lanes.stopping:
            self.lanes.put_back(lane, [item])
            self.lanes.pump(lane)
        else:
            lane.under_way -= 1
            lane.more = True
            self.release([item])

    def _delivered(
        self,
        lane: Lane,
        item: Item,
        recipient: QueuedRecipient,
        result: Result,
        session: SessionFacts,
        where: str,
    ) -> None:
        world, now, message_id = self.world, self.now(), item.message_id
        reply, spent = result.reply, result.milliseconds
        attempt = attempt_of_success(world.new_id(), now, message_id, recipient.n, session, reply, spent)
        alone = item.last and len(item.recipients) == 1 and item.body is not None
        size = item.size if alone else 0
        settlement = Settlement(message_id, recipient.n, lane.id, "delivered", attempt, 0, size)
        self.writing.write(
            Change(settles=(settlement,)),
            lambda problem: None if problem else world.journal.settled(message_id),
        )
        lane.last_attempt_at = lane.last_success_at = now
        if lane.id in self.delivered_sizes:
            self.delivered_sizes[lane.id] = max(self.delivered_sizes[lane.id], item.size)
        world.metrics.delivered(lane.key.connector)
        travelled = ""
        if lane.key.kind in ("smart", "mx"):
            travelled = SENT + (session.tls.version if session.tls is not None else CLEAR)
        world.flows.count(item.source, recipient.address, lane.id, "delivered", travelled)
        waited = now - item.accepted_at
        text = reply.text if reply else ""
        world.tell("message.delivered", lines.delivered(item, recipient, where, text, spent, waited))
        if recipient.notify & 2 or waited > world.delay_ms:
            self.relayed(lane, item, [recipient])

    def _refused(
        self,
        lane: Lane,
        item: Item,
        recipient: QueuedRecipient,
        result: Result,
        final: list[Final],
    ) -> None:
        failure = result.failure
        assert failure is not None
        verdict = classify(failure, connector=lane.connector, kind=lane.key.kind)
        now = self.now()
        number = self.world.new_id()
        outcome = "failed" if verdict.permanent else "deferred"
        attempt = attempt_of_failure(
            number,
            now,
            failure,
            verdict,
            message_id=item.message_id,
            recipient=recipient.n,
            outcome=outcome,
            milliseconds=result.milliseconds,
            gateway=self.world.settings.hostname,
        )
        lane.last_attempt_at = now
        lane.last_error = error_of(failure, verdict, now, self.world.settings.hostname, number)
        self.trouble.say(
            f"message.{outcome}",
            lane,
            failure,
            verdict,
            message_id=to_text(item.message_id),
            recipient=recipient.address,
            in_doubt=failure.in_doubt,
            size=item.size,
        )
        if verdict.permanent:
            final.append((recipient, failure, verdict, attempt))
            return
        concerns_destination = verdict.concern is Concern.DESTINATION and failure.reply is not None
        wait = schedule.interval(lane.policy.retry, recipient.attempts + 1, self.chance())
        not_before = 0 if concerns_destination else self.retry_now() + wait
        settlement = Settlement(item.message_id, recipient.n, lane.id, "deferred", attempt, not_before)

        def durable(problem: BaseException | None) -> None:
            if problem is None and not_before:
                self.lanes.deferred(lane, not_before - self.retry_now())

        self.writing.write(Change(settles=(settlement,), destinations=(self.state_of(lane),)), durable)
        if concerns_destination:
            self.lanes.failed(lane)
        else:
            self._probed_alive(lane, failure)

    def _probed_alive(self, lane: Lane, failure: Failure) -> None:
        """A server that answers MAIL, RCPT or the dot with a reply of its own is there: the others may go."""
        if failure.reply is not None and failure.phase in (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.EOD):
            error = lane.last_error
            self._succeeded(lane)
            lane.last_error = error

    def _succeeded(self, lane: Lane) -> None:
        """Note a success; where the destination had failed, it is over."""
        had_failed = bool(lane.attempts)
        self.lanes.succeeded(lane)
        if had_failed:
            self.observer.recovered(lane)

    async def fail_all(self, lane: Lane, failure: Failure, verdict: Verdict, attempt: Attempt) -> None:
        """End all mail of a destination that can never work (its domain does not exist)."""
        while not self.lanes.stopping:
            items: list[Item] = await self.store.claim(lane.id, 100, 1 << 20, self.now())
            if not items:
                break
            for item in items:
                final: list[Final] = []
                for recipient in item.recipients:
                    own = attempt_of_failure(
                        self.world.new_id(),
                        self.now(),
                        failure,
                        verdict,
                        message_id=item.message_id,
                        recipient=recipient.n,
                        outcome="failed",
                        gateway=self.world.settings.hostname,
                    )
                    final.append((recipient, failure, verdict, own))
                self.ended(lane, item, final)
            await asyncio.sleep(0)
        lane.more = False
