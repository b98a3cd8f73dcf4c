"""What a failure does: it is judged, written down where it belongs, counted, logged, and told to the observer.

Rule: a failure of the destination is written once, at the destination; its root error is the last real attempt.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from gatepost.diagnose.classify import classify
from gatepost.flow.observer import Several
from gatepost.flow.records import attempt_of_failure, error_of
from gatepost.flow.world import World
from gatepost.model.attempt import Attempt, Failure, SessionFacts
from gatepost.model.failure import Phase, Reason, Verdict
from gatepost.model.mail import Item, QueuedRecipient
from gatepost.queue.lane import Lane
from gatepost.queue.lanes import Lanes
from gatepost.storage.interface import Change
from gatepost.telemetry.flows import DEFERRED

Judged = tuple[Failure, Attempt, Verdict]
FailAll = Callable[[Lane, Failure, Verdict, Attempt], Coroutine[Any, Any, None]]


class Trouble:
    """Judges failures and writes them down."""

    def __init__(
        self,
        world: World,
        lanes: Lanes,
        observer: Several,
        changed: Callable[[Lane], None],
        fail_all: FailAll,
    ) -> None:
        self._world = world
        self._lanes = lanes
        self._observer = observer
        self._changed = changed
        self._fail_all = fail_all

    def judge(self, lane: Lane, failure: Failure) -> Judged:
        """Return a failure of a destination with its record and what it means."""
        verdict = classify(failure, connector=lane.connector, kind=lane.key.kind)
        outcome = "failed" if verdict.permanent else "deferred"
        attempt = attempt_of_failure(
            failure.session.id,
            self._world.now(),
            failure,
            verdict,
            outcome=outcome,
            gateway=self._world.settings.hostname,
        )
        return failure, attempt, verdict

    def note_hosts(self, lane: Lane, failures: list[Judged]) -> None:
        """Keep the failures of some hosts although another one took us (B2)."""
        if failures:
            self._world.store.write(Change(attempts=tuple(attempt for _, attempt, _ in failures)))
            for failure, _, verdict in failures:
                self.say("host.failed", lane, failure, verdict)

    def destination_failed(self, lane: Lane, failures: list[Judged]) -> None:
        """Hold a destination back: its root error is that of the last host that was really tried."""
        if not failures:
            self._lanes.failed(lane)
            return
        failure, attempt, verdict = failures[-1]
        lane.last_attempt_at = attempt.at
        lane.last_error = error_of(failure, verdict, attempt.at, self._world.settings.hostname, attempt.id)
        attempts = tuple(a for _, a, _ in failures)
        if lane.connections and not verdict.permanent and lane.state == "ready":
            self._world.store.write(Change(attempts=attempts))
            self._lanes.limited(lane)
            return
        self._world.store.write(Change(attempts=attempts))
        self._lanes.failed(lane)
        for one, _, said in failures:
            self.say("destination.failed", lane, one, said, root=one is failure)
        if verdict.permanent:
            self._world.start(self._fail_all(lane, failure, verdict, attempt))

    def connection_broke(self, lane: Lane, failure: Failure) -> None:
        """Judge a connection that broke under messages: theirs alone, or the destination's trouble."""
        judged = self.judge(lane, failure)
        verdict = judged[2]
        lane.last_attempt_at = self._world.now()
        lane.last_error = error_of(
            failure, verdict, self._world.now(), self._world.settings.hostname, failure.session.id
        )
        if (self._lanes.broke(lane) and lane.state == "ready") or lane.state == "retry":
            self.say("destination.failed", lane, failure, verdict)
            self._lanes.failed(lane)
        else:
            self._changed(lane)

    def say(self, event: str, lane: Lane, failure: Failure, verdict: Verdict, **more: object) -> None:
        """Count a failure, log it, and tell the observer."""
        self._world.metrics.deferred(lane.key.connector, verdict.flow_code, str(failure.phase))
        if event != "message.failed":
            self._world.flows.count("", "", lane.id, DEFERRED)
        self._world.say(
            event,
            level="warning",
            connector=lane.key.connector,
            destination=self._world.destination_name(lane),
            code=verdict.code,
            smtp=verdict.smtp,
            failure_class=str(verdict.failure_class),
            phase=str(failure.phase),
            reason=str(failure.reason),
            server=failure.session.server,
            address=failure.session.endpoint,
            error=verdict.message or verdict.title,
            next_attempt_at=lane.next_attempt_at,
            **more,
        )
        self._observer.failed(event, lane, failure, verdict, more)

    def own_failure(
        self,
        lane: Lane,
        item: Item,
        recipient: QueuedRecipient,
        verdict: Verdict,
        phase: Phase,
        reason: Reason,
        outcome: str,
    ) -> tuple[Failure, Verdict, Attempt]:
        """Return an end that no server caused, as a failure with its record."""
        last = lane.last_error
        server = last.server if last else lane.key.next_hop
        session = SessionFacts(self._world.new_id(), lane.id, self._world.now(), server=server)
        failure = Failure(phase, reason, verdict.message, session)
        attempt = attempt_of_failure(
            self._world.new_id(),
            self._world.now(),
            failure,
            verdict,
            message_id=item.message_id,
            recipient=recipient.n,
            outcome=outcome,
            gateway=self._world.settings.hostname,
        )
        return failure, verdict, attempt

    def no_route(self, lane: Lane) -> Failure:
        """Return the failure of a destination that has no way out."""
        session = SessionFacts(self._world.new_id(), lane.id, self._world.now(), lane.key.next_hop)
        return Failure(
            Phase.ROUTE, Reason.NO_CONNECTOR, f"no enabled connector for {lane.key.next_hop}", session
        )
