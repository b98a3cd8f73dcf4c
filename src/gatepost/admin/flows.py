"""The map of mail flow and its course over time, made of what was counted as it happened.

Rule: the sums agree with the queue: whatever waits at a destination now is on the map, whenever it was accepted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import NamedTuple, cast

from gatepost.admin.answers.reports import FlowMap, FlowRow, Picture
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.queue import Place, QueueUseCases
from gatepost.admin.shapes import Json, when
from gatepost.telemetry.flows import ACCEPTED, DEFERRED, OUTCOMES, Way

HOUR_MS = 3_600_000
WINDOWS = {"1h": HOUR_MS, "4h": 4 * HOUR_MS, "24h": 24 * HOUR_MS, "7d": 168 * HOUR_MS}
COLUMNS = ("source", "domain", "connector", "destination", "outcome")
WAITING = "waiting"
LATELY_MS = 600_000
MOST = 12  # nodes of a column; the others become one
OTHERS = "…"
UNKNOWN = "?"  # accepted before the window, or by a way that was too rare to be kept apart


class Flow(NamedTuple):
    """Recipients that went one way; the fields in the order of the map's columns."""

    source: str
    domain: str
    connector: str
    destination: str
    outcome: str
    recipients: int


@dataclass(frozen=True, slots=True)
class FlowFilter:
    """Which flows: of what time, and through which nodes; "" means any."""

    window: str = "24h"
    source: str = ""
    domain: str = ""
    connector: str = ""
    destination: str = ""
    outcome: str = ""

    def check(self) -> None:
        """Raise `Invalid` where the window is none that is kept."""
        if self.window not in WINDOWS:
            raise Invalid(tr('"{word}" is none of {choices}.'), word=self.window, choices=", ".join(WINDOWS))

    def takes(self, flow: Flow) -> bool:
        """Tell whether a flow is meant."""
        wanted = ((getattr(self, name), getattr(flow, name)) for name in COLUMNS)
        return all(not asked or asked == found for asked, found in wanted)

    @property
    def narrowed(self) -> dict[str, str]:
        """Return what is asked for beside the window."""
        values = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in values.items() if value and name != "window"}


class FlowUseCases:
    """What can be asked of the counts."""

    def __init__(self, gateway: Gateway, queue: QueueUseCases) -> None:
        self._gateway = gateway
        self._queue = queue

    async def map(self, which: FlowFilter = FlowFilter()) -> FlowMap:
        """Return the flows of a window: rows for a table, nodes and links for a picture."""
        which.check()
        since = self._gateway.now() - WINDOWS[which.window]
        ways: Counter[Way] = Counter()
        for _stretch, counted in self._gateway.flows.since(since):
            ways.update(counted)
        places = {place.id: place for place in await self._queue.places()}
        found = [flow for flow in named(ways, places) if which.takes(flow)]
        found.sort(key=lambda flow: -flow.recipients)
        return {
            "window": which.window,
            "since": when(since),
            "filter": which.narrowed,
            "recipients": sum(flow.recipients for flow in found),
            "outcomes": dict(_sums(found)),
            "rows": [cast("FlowRow", flow._asdict()) for flow in found],
            **picture(found),
        }

    def lately(self) -> Json:
        """Return what happened in the last ten minutes, by the minute, and in the last hour."""
        now = self._gateway.now()
        recent = self._gateway.flows.since(now - LATELY_MS)
        minutes = max(1.0, (now - recent[0][0].start) / 60_000) if recent else 1.0
        few, hour = _outcomes(c for _s, c in recent), self._outcomes_since(now - HOUR_MS)
        return {
            "accepted_per_minute": round(few[ACCEPTED] / minutes, 1),
            "delivered_per_minute": round(few["delivered"] / minutes, 1),
            "deferred_per_minute": round(few[DEFERRED] / minutes, 1),
            "failed_last_hour": hour["failed"] + hour["returned"],
            "returned_last_hour": hour["returned"],
        }

    def _outcomes_since(self, since: int) -> Counter[str]:
        return _outcomes(counted for _stretch, counted in self._gateway.flows.since(since))

    def delivered_ever(self) -> bool:
        """Tell whether anything was delivered in what is kept of the past."""
        week = self._gateway.flows.since(self._gateway.now() - WINDOWS["7d"])
        return any(way.outcome == "delivered" for _stretch, counted in week for way in counted)

    def course(self) -> list[Json]:
        """Return deliveries, failed attempts and ends without delivery of the last 24 hours, hour by hour."""
        now = self._gateway.now()
        first = now - now % HOUR_MS - 23 * HOUR_MS
        hours: dict[int, Counter[str]] = {first + n * HOUR_MS: Counter() for n in range(24)}
        for stretch, counted in self._gateway.flows.since(first):
            hour = stretch.start - stretch.start % HOUR_MS
            if hour in hours:
                hours[hour].update(_outcomes([counted]))
        return [
            {
                "at": when(hour),
                "delivered": sums["delivered"],
                "deferred": sums[DEFERRED],
                "failed": sums["failed"] + sums["returned"],
            }
            for hour, sums in hours.items()
        ]


def _outcomes(counted: Iterable[Mapping[Way, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for ways in counted:
        for way, number in ways.items():
            found[way.outcome] += number
    return found


def _sums(flows: Iterable[Flow]) -> Counter[str]:
    found: Counter[str] = Counter()
    for flow in flows:
        found[flow.outcome] += flow.recipients
    return found


def named(ways: Mapping[Way, int], places: Mapping[int, Place]) -> list[Flow]:
    """Return counted ways with the names of where they go, and what waits there now."""

    def flow(way: Way, outcome: str, number: int) -> Flow:
        place = places.get(way.destination)
        connector = place.summary.state.connector if place is not None else UNKNOWN
        name = place.name if place is not None else UNKNOWN
        return Flow(way.source or UNKNOWN, way.domain, connector, name, outcome, number)

    ended = [(way, number) for way, number in ways.items() if way.outcome in OUTCOMES]
    found = [flow(way, way.outcome, number) for way, number in ended]
    return found + [flow(way, WAITING, number) for way, number in waiting(ways, places)]


def waiting(ways: Mapping[Way, int], places: Mapping[int, Place]) -> list[tuple[Way, int]]:
    """Return what waits at each destination, by the way it came; what nobody can tell comes from nowhere."""
    open_: Counter[Way] = Counter()
    for way, number in ways.items():
        if way.outcome == ACCEPTED or way.outcome in OUTCOMES:
            sign = 1 if way.outcome == ACCEPTED else -1
            open_[Way(way.source, way.domain, way.destination, WAITING)] += sign * number
    found: list[tuple[Way, int]] = []
    left = {number: place.summary.recipients for number, place in places.items()}
    for way, number in open_.most_common():
        here = min(number, left.get(way.destination, 0))
        if here > 0:
            left[way.destination] -= here
            found.append((way, here))
    return found + [(Way("", "", number, WAITING), rest) for number, rest in left.items() if rest > 0]


def picture(flows: Sequence[Flow]) -> Picture:
    """Return nodes and links of a Sankey diagram; a node is (column, name), rare ones of a column are one."""
    kept = _common(flows)
    links: Counter[tuple[int, str, str]] = Counter()
    sums: Counter[tuple[int, str]] = Counter()
    for flow in flows:
        names = [name if (i, name) in kept else OTHERS for i, name in enumerate(flow[:5])]
        for i, name in enumerate(names):
            sums[i, name] += flow.recipients
        for i, (left, right) in enumerate(pairwise(names)):
            links[i, left, right] += flow.recipients
    return {
        "nodes": [{"column": COLUMNS[i], "name": name, "recipients": n} for (i, name), n in sums.items()],
        "links": [
            {"column": COLUMNS[i], "from": left, "to": right, "recipients": number}
            for (i, left, right), number in links.items()
        ],
    }


def _common(flows: Sequence[Flow]) -> set[tuple[int, str]]:
    sums: Counter[tuple[int, str]] = Counter()
    for flow in flows:
        for i, name in enumerate(flow[:5]):
            sums[i, name] += flow.recipients
    found: set[tuple[int, str]] = set()
    for column in range(5):
        own = Counter({key: number for key, number in sums.items() if key[0] == column})
        found |= {key for key, _number in own.most_common(MOST)}
    return found


def of_query(values: Mapping[str, str]) -> FlowFilter:
    """Return a filter from an address' query."""
    known = {field.name for field in fields(FlowFilter)}
    return replace(FlowFilter(), **{k: v for k, v in values.items() if k in known and v})
