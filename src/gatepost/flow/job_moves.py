"""Queued recipients sent by another connector, and back: what a job that reroutes does to them (B5).

Rule: whoever sends mail another way means it: it stays there whatever objects say, until it is delivered, sent
elsewhere or undone; only where that connector is disabled or gone does it take its own route again.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gatepost.fix.bulk import deputy, key_by
from gatepost.flow.job_records import Row
from gatepost.flow.journey import Journey
from gatepost.flow.rerouting import holds_mail
from gatepost.flow.writing import written
from gatepost.model.job import Job
from gatepost.storage.interface import LET_GO, Change, MessageFilter, Move


class _Way(NamedTuple):
    """Where recipients of a message go from and to, and which job holds them there (or `LET_GO`)."""

    source: int
    target: int
    message_id: int
    holds: int


class JobMoves:
    """Moves pages of a job."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._world = journey.world

    def target(self, job: Job, address: str) -> int:
        """Return the destination that a job sends an address to."""
        connector = deputy(self._world.objects, str(job.parameters["by"]))
        return self._journey.lanes.get(key_by(connector, address)).id

    async def there(self, job: Job, rows: Iterable[Row]) -> int:
        """Move recipients to where another connector takes them; return how many are there now."""
        ways: dict[_Way, list[str]] = {}
        for row in rows:
            way = _Way(row.destination_id, self.target(job, row.address), row.message_id, job.id)
            ways.setdefault(way, []).append(row.address)
        return await self._carry(ways)

    async def back(self, job: Job, rows: Iterable[Row]) -> None:
        """Move recipients back to where they were, held there by whichever job had sent them there before."""
        connector = next((c for c in self._world.objects.connectors if c.name == job.parameters["by"]), None)
        if connector is None:  # deleted since: its mail has taken its own route again
            return
        ways: dict[_Way, list[str]] = {}
        for row in rows:
            source = self._journey.lanes.get(key_by(connector, row.address)).id
            way = _Way(source, self._home(row), row.message_id, row.before or LET_GO)
            ways.setdefault(way, []).append(row.address)
        await self._carry(ways)

    def _home(self, row: Row) -> int:
        """Return where a recipient was; where nothing goes out there any more, where it would go if it came now."""
        lane = self._journey.lanes.by_id.get(row.destination_id)
        if (
            lane is not None
            and lane.key.kind != "none"
            and (not lane.key.connector or holds_mail(lane.connector))
        ):
            return lane.id
        return self._journey.lanes.get(self._world.router.route(row.address).destination).id

    async def _carry(self, ways: Mapping[_Way, list[str]]) -> int:
        """Move rows between destinations, and count those that are at their new place."""
        made = tuple(
            Move(
                self._world.new_id(),
                way.source,
                way.target,
                message_id=way.message_id,
                addresses=tuple(addresses),
                holds=way.holds,
            )
            for way, addresses in ways.items()
        )
        await written(self._journey.store, Change(moves=made))
        there = 0
        for way, addresses in ways.items():
            which = MessageFilter(destination_id=way.target, message_id=way.message_id)
            for message in await self._journey.store.messages(which, 1):
                there += sum(r.address in addresses for r in message.recipients)
        for target in dict.fromkeys(move.target for move in made):
            lane = self._journey.lanes.by_id[target]
            if not lane.queued_since:
                lane.queued_since = self._journey.now()
                self._journey.changed(lane)
            self._journey.lanes.arrived(lane)
        return there
