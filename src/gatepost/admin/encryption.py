"""How much mail travels under TLS: handed in by clients and taken by servers, by version and over time."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from gatepost.admin.answers.reports import TlsHour, TlsRow, TlsShare, TlsShares
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.flows import UNKNOWN, WINDOWS
from gatepost.admin.gateway import Gateway
from gatepost.admin.queue import QueueUseCases
from gatepost.admin.reports import Report
from gatepost.admin.shapes import when
from gatepost.telemetry.flows import CLEAR, COARSE_MS, RECEIVED, SENT, Way

TOLD = (RECEIVED, SENT)
COLUMNS = ("direction", "source", "connector", "domain", "version", "recipients", "share")


class Travelled(NamedTuple):
    """One way that mail travelled; `source` with received mail, `connector` with sent mail."""

    direction: str
    source: str
    connector: str
    domain: str  # of ours, "" for all others
    version: str  # "TLSv1.3", or `clear`


class EncryptionUseCases:
    """What can be asked of the counts."""

    def __init__(self, gateway: Gateway, queue: QueueUseCases) -> None:
        self._gateway = gateway
        self._queue = queue

    async def report(self, window: str = "24h") -> Report:
        """Return recipients by direction, source or connector, domain and version; beside them sums and a course."""
        if window not in WINDOWS:
            raise Invalid(tr('"{word}" is none of {choices}.'), word=window, choices=", ".join(WINDOWS))
        now = self._gateway.now()
        since = now - WINDOWS[window]
        connectors = {place.id: place.summary.state.connector for place in await self._queue.places()}
        ways: Counter[Way] = Counter()
        hours: dict[int, Counter[str]] = {}
        for stretch, counted in self._gateway.flows.since(since):
            told = {way: number for way, number in counted.items() if way.outcome.startswith(TOLD)}
            ways.update(told)
            hours.setdefault(stretch.start - stretch.start % COARSE_MS, Counter()).update(_by_outcome(told))
        found: Counter[Travelled] = Counter()
        for way, number in ways.items():
            found[_travelled(way, connectors)] += number
        course = [_hour(hour, sums) for hour, sums in sorted(hours.items())]
        more = {"window": window, "shares": shares(_by_outcome(ways)), "course": course}
        return Report("tls", COLUMNS, _rows(found), since, now, more=more)

    def lately(self) -> TlsShares:
        """Return the shares of the last 24 hours."""
        outcomes: Counter[str] = Counter()
        for _stretch, counted in self._gateway.flows.since(self._gateway.now() - WINDOWS["24h"]):
            outcomes.update(_by_outcome(counted))
        return shares(outcomes)


def _by_outcome(counted: Mapping[Way, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for way, number in counted.items():
        found[way.outcome] += number
    return found


def _hour(hour: int, outcomes: Mapping[str, int]) -> TlsHour:
    sums = shares(outcomes)
    return {
        "at": when(hour),
        "received": sums["received"]["recipients"],
        "received_tls": sums["received"]["encrypted"],
        "sent": sums["sent"]["recipients"],
        "sent_tls": sums["sent"]["encrypted"],
    }


def _travelled(way: Way, connectors: Mapping[int, str]) -> Travelled:
    """Return how a way that says so travelled."""
    if way.outcome.startswith(RECEIVED):
        return Travelled("received", way.source, "", way.domain, way.outcome.removeprefix(RECEIVED))
    connector = connectors.get(way.destination, UNKNOWN)
    return Travelled("sent", "", connector, way.domain, way.outcome.removeprefix(SENT))


def _rows(found: Mapping[Travelled, int]) -> list[TlsRow]:
    together: Counter[Travelled] = Counter()
    for path, number in found.items():
        together[path._replace(version="")] += number
    ordered = sorted(found.items(), key=lambda entry: (entry[0].direction, -entry[1], entry[0]))
    return [
        {
            "direction": path.direction,
            "source": path.source,
            "connector": path.connector,
            "domain": path.domain,
            "version": path.version,
            "recipients": number,
            "share": round(number / together[path._replace(version="")], 4),
        }
        for path, number in ordered
    ]


def shares(outcomes: Mapping[str, int]) -> TlsShares:
    """Return by direction how many recipients there were, and how many of them under TLS."""
    return {"received": _share(outcomes, RECEIVED), "sent": _share(outcomes, SENT)}


def _share(outcomes: Mapping[str, int], direction: str) -> TlsShare:
    total = sum(number for outcome, number in outcomes.items() if outcome.startswith(direction))
    encrypted = total - outcomes.get(direction + CLEAR, 0)
    return {
        "recipients": total,
        "encrypted": encrypted,
        "share": round(encrypted / total, 4) if total else None,
    }
