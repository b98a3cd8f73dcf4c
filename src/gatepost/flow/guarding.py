"""Gather what speaks for an outage, so that `fix.guard` can warn before a fix that takes mail away (B4)."""

from collections.abc import Callable, Sequence

from gatepost.fix.edit import Target
from gatepost.fix.guard import GuardFacts
from gatepost.flow.checking import Checking
from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.model.failure import from_iso
from gatepost.queue.lane import Lane

FRESH_MS = 3_600_000  # a probe that is older says nothing about now


class Guarding:
    """Knows what insights, hosts and probes say about the target of a fix."""

    def __init__(
        self,
        journey: Journey,
        insights: Insights,
        checking: Checking,
        lanes_of: Callable[[Target], Sequence[Lane]],
    ) -> None:
        self._journey = journey
        self._insights = insights
        self._checking = checking
        self._lanes_of = lanes_of

    async def facts(self, target: Target) -> GuardFacts:
        """Return the facts about the destinations of a target, taken together."""
        now = self._journey.now()
        lanes = self._lanes_of(target)
        numbers = [lane.id for lane in lanes] or ([target.destination_id] if target.destination_id else [])
        rows = [row for number in numbers for row in self._insights.hosts.current(number)]
        opened = [i for number in numbers for i in self._insights.book.open_at(number)]
        return GuardFacts(
            now=now,
            last_success=max(
                [lane.last_success_at for lane in lanes] + [self._insights.hosts.worked(n) for n in numbers],
                default=0,
            ),
            first_failure=min((i.opened_at for i in opened), default=0),
            hosts=len(rows),
            working=sum(row.works is True for row in rows),
            gateway_wide=bool(self._insights.book.open_of("gateway")),
            probe_works=await self._probed_well(numbers, now),
        )

    async def _probed_well(self, numbers: Sequence[int], now: int) -> bool:
        """Tell whether the latest probes of all destinations found them well, lately."""
        found = [row for number in numbers for row in await self._checking.kept(number, 1)]
        fresh = [row for row in found if now - from_iso(str(row["at"])) < FRESH_MS]
        return bool(fresh) and len(fresh) == len(numbers) and all(row.get("ok") for row in fresh)
