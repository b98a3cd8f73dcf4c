"""What mail flow intelligence hears of the journey, as it happens.

Rule: nothing is called for a message that is delivered at once, so watching costs the healthy path nothing; an
observer counts and returns, it never waits, and what it does not catch is not lost: attempts are in the store.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gatepost.deliver.targets import Target
from gatepost.flow.records import Final
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.failure import Verdict
from gatepost.model.mail import Item
from gatepost.queue.lane import Lane


class Observer(Protocol):
    """Whoever wants to know what happens to destinations. Called on the loop."""

    def failed(
        self, event: str, lane: Lane, failure: Failure, verdict: Verdict, more: Mapping[str, object]
    ) -> None:
        """Hear of a failed attempt.

        `event` is host.failed (another host took us), destination.failed (`more` may have `root`: False for a host
        that failed before the last one), message.deferred or message.failed (then `more` has message_id and recipient).
        """

    def resolved(self, lane: Lane, targets: Sequence[Target]) -> None:
        """Hear what a destination's names lead to now."""

    def opened(self, lane: Lane, session: SessionFacts) -> None:
        """Hear of a connection that is ready for mail, with its handshake and its timings."""

    def recovered(self, lane: Lane) -> None:
        """Hear that a destination which had failed works again."""

    def ended(self, lane: Lane, item: Item, final: Sequence[Final]) -> None:
        """Hear of recipients that ended without being delivered."""


class Several:
    """Tells several observers, in their order; what one of them does wrong harms neither the others nor the mail."""

    def __init__(self, say: Callable[..., None]) -> None:
        self.observers: list[Observer] = []
        self._say = say

    def failed(
        self, event: str, lane: Lane, failure: Failure, verdict: Verdict, more: Mapping[str, object]
    ) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.failed(event, lane, failure, verdict, more))

    def resolved(self, lane: Lane, targets: Sequence[Target]) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.resolved(lane, targets))

    def opened(self, lane: Lane, session: SessionFacts) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.opened(lane, session))

    def recovered(self, lane: Lane) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.recovered(lane))

    def ended(self, lane: Lane, item: Item, final: Sequence[Final]) -> None:
        """Pass it on."""
        self._tell(lambda observer: observer.ended(lane, item, final))

    def _tell(self, what: Callable[[Observer], None]) -> None:
        for observer in self.observers:
            try:
                what(observer)
            except Exception as problem:
                name = type(observer).__name__
                self._say("observer.failed", level="error", observer=name, error=repr(problem))
