"""Remember whose mail destinations refused lately, class by class, for the ranking of causes (bounded)."""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from gatepost.flow.journey import Journey
from gatepost.model.evidence import Refusals
from gatepost.model.failure import Verdict
from gatepost.model.ids import from_text
from gatepost.queue.lane import Lane
from gatepost.route.decide import Standing

REMEMBERED = 50  # refusals of one class at one destination
PLACES = 1000  # classes at destinations
LOOKED_UP = 20  # messages whose senders are read


class _Refusal(NamedTuple):
    message_id: int
    recipient: str
    size: int


class RefusalsOf:
    """Counts as it happens; senders are read when somebody asks."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._seen: dict[tuple[int, str], deque[_Refusal]] = {}

    def note(self, lane: Lane, verdict: Verdict, more: Mapping[str, object]) -> None:
        """Remember the refusal of a message or a recipient."""
        number, recipient, size = more.get("message_id"), more.get("recipient"), more.get("size", 0)
        if not isinstance(number, str) or not isinstance(recipient, str):
            return
        key = (lane.id, str(verdict.failure_class))
        if key not in self._seen and len(self._seen) >= PLACES:
            self._seen.pop(next(iter(self._seen)))
        seen = self._seen.setdefault(key, deque(maxlen=REMEMBERED))
        seen.append(_Refusal(from_text(number), recipient.lower(), size if isinstance(size, int) else 0))

    async def of(self, destination_id: int, failure_class: str) -> Refusals:
        """Return what is remembered of a class at a destination."""
        seen = list(reversed(self._seen.get((destination_id, failure_class), ())))
        if not seen:
            return Refusals()
        recipients = tuple(dict.fromkeys(refusal.recipient for refusal in seen))
        numbers = tuple(dict.fromkeys(refusal.message_id for refusal in seen))
        senders = await self._senders(numbers[:LOOKED_UP])
        standing = self._journey.world.router.standing
        return Refusals(
            messages=len(numbers),
            recipients=recipients,
            known=tuple(a for a in recipients if standing(a) == Standing.KNOWN),
            senders=senders,
            foreign=tuple(s for s in senders if s and standing(s) == Standing.FOREIGN),
            smallest=min((refusal.size for refusal in seen if refusal.size), default=0),
        )

    async def _senders(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        views = [await self._journey.store.message(number) for number in numbers]
        return tuple(dict.fromkeys(view.sender.lower() for view in views if view is not None))
