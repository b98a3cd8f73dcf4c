"""Foreign mail systems: what their logs tell becomes insights in the same book, so that alerts and pages serve them.

Rule: a report says how things stand and replaces the one before; what it no longer names is over.
Rule: nothing of ours is changed by a report: such an insight has no fix, only advice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gatepost.diagnose.codes import flow_code, phase_of, reason_of
from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.insight.book import Trouble
from gatepost.insight.weigh import Load
from gatepost.model.document import Document
from gatepost.model.failure import FailureClass, LastError, clean
from gatepost.model.foreign import ForeignReport, ForeignRow, connector_of
from gatepost.model.insight import Scope
from gatepost.model.route import DestinationKey
from gatepost.storage.interface import Change

KIND = "foreign"
MAX_SYSTEMS = 100
QUIET_MS = 3_600_000  # without a report for so long, nobody knows any more
TITLE = 200


@dataclass(frozen=True, slots=True)
class Held:
    """What waits at one place of a foreign system, as it was told last."""

    failure_class: str
    stuck: int
    attempts: int
    returned: int
    oldest_at: int


@dataclass(frozen=True, slots=True)
class System:
    """One foreign system, as it was heard last (ms since 1970)."""

    name: str
    source_kind: str
    at: int
    places: Mapping[int, Held]


class Foreign:
    """Every foreign system that tells something; a part of the mail flow intelligence."""

    def __init__(self, journey: Journey, insights: Insights) -> None:
        self._journey = journey
        self._insights = insights
        self._systems: dict[str, System] = {}
        insights.loads = self.load

    def systems(self) -> Sequence[System]:
        """Return them by name."""
        return [self._systems[name] for name in sorted(self._systems)]

    def held(self, destination_id: int) -> Held | None:
        """Return what waits at a place."""
        for system in self._systems.values():
            if destination_id in system.places:
                return system.places[destination_id]
        return None

    def load(self, destination_id: int) -> Load | None:
        """Return what an insight holds back there; None for a destination of our own."""
        held = self.held(destination_id)
        return None if held is None else Load(messages=held.stuck)

    def has_room(self, name: str) -> bool:
        """Tell whether one more system can be kept."""
        return name in self._systems or len(self._systems) < MAX_SYSTEMS

    def report(self, report: ForeignReport, now: int) -> int:
        """Take a report; return how many insights it keeps open."""
        before = self._systems.get(report.system)
        known = before.places if before is not None else {}
        places: dict[int, Held] = {}
        for row in report.rows:
            number = _place(report.system, row)
            held = Held(row.failure_class, row.stuck, row.attempts, row.returned, row.oldest_at)
            if row.stuck or not row.over:
                places[number] = held
        self._systems[report.system] = System(report.system, report.source_kind, now, places)
        for row in report.rows:
            number = _place(report.system, row)
            if number in places:
                self._count(report.system, row, number, known.get(number), now)
        self._end(set(known) - set(places), now, "recovered")
        self._keep(report.system, now)
        return len(places)

    def forget(self, name: str, now: int) -> bool:
        """Forget a system; False where it is not known."""
        system = self._systems.pop(name, None)
        if system is None:
            return False
        self._end(set(system.places), now, "gone")
        self._keep(name, now)
        return True

    def tick(self, now: int) -> None:
        """Forget what has not been told for longer than insights are kept."""
        before = now - self._insights.book.retention_ms
        for name in [name for name, system in self._systems.items() if system.at < before]:
            self.forget(name, now)

    def _count(self, system: str, row: ForeignRow, number: int, before: Held | None, now: int) -> None:
        attempts = (
            row.attempts - before.attempts if before and row.attempts >= before.attempts else row.attempts
        )
        trouble = Trouble(
            scope=Scope.FOREIGN,
            connector=connector_of(system),
            destination_id=number,
            failure_class=row.failure_class,
            error=_error(system, row, now),
            sub=row.sub,
            destination=row.destination or row.server,
            stranger=True,
            times=attempts,
            waits=bool(row.stuck),
            quiet_ms=QUIET_MS,
        )
        self._insights.book.failed(trouble, now)
        returned = row.returned - (before.returned if before and row.returned >= before.returned else 0)
        if returned:
            self._insights.book.ended_at(trouble.key, returned)

    def _end(self, numbers: set[int], now: int, why: str) -> None:
        for number in numbers:
            for insight in self._insights.book.open_at(number, Scope.FOREIGN):
                self._insights.book.resolve(insight.fingerprint.text, now, why)

    def _keep(self, name: str, now: int) -> None:
        system = self._systems.get(name)
        data: dict[str, object] | None = None
        if system is not None:
            places = {str(number): asdict(held) for number, held in system.places.items()}
            data = {"source_kind": system.source_kind, "at": system.at, "places": places}
        self._journey.store.write(Change(documents=(Document(KIND, name, now, data),)))

    async def restore(self) -> None:
        """Read what the last process knew."""
        for document in await self._journey.store.documents(KIND, limit=MAX_SYSTEMS):
            system = _system(document.key, document.data or {})
            if system is not None:
                self._systems[system.name] = system

    async def stop(self) -> None:
        """Have nothing left to do: a report is kept as it comes."""


def _place(system: str, row: ForeignRow) -> int:
    """Return the number of a destination of a foreign system, in one class."""
    return DestinationKey(
        "foreign", f"{system}\0{row.failure_class}\0{row.sub}", row.destination or row.server
    ).id


def _error(system: str, row: ForeignRow, now: int) -> LastError:
    failure_class = FailureClass(row.failure_class)
    code = flow_code(failure_class)
    return LastError(
        smtp=550 if row.returned and not row.stuck else 450,
        code=code if code not in ("other", "none") else "",
        title=clean(row.text, TITLE),
        phase=row.phase or phase_of(failure_class),
        reason=reason_of(failure_class),
        failure_class=row.failure_class,
        flow_code=code,
        message=row.text,
        server=row.server,
        address=row.address,
        at=now,
        gateway=system,
        session="",
    )


def _system(name: str, data: Mapping[str, Any]) -> System | None:
    try:
        places = {int(number): Held(**held) for number, held in data["places"].items()}
        return System(name, str(data["source_kind"]), int(data["at"]), places)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
