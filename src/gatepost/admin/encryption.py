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
        found = self._counted(since, connectors)
        more = {"window": window, "shares": shares(found), "course": self._course(since)}
        return Report("tls", COLUMNS, _rows(found), since, now, more=more)

    def lately(self) -> TlsShares:
        """Return the shares of the last 24 hours."""
        return shares(self._counted(self._gateway.now() - WINDOWS["24h"], {}))

    def _counted(self, since: int, connectors: Mapping[int, str]) -> Counter[Travelled]:
        found: Counter[Travelled] = Counter()
        for _stretch, counted in self._gateway.flows.since(since):
            for way, number in counted.items():
                if (path := _path(way, connectors)) is not None:
                    found[path] += number
        return found

    def _course(self, since: int) -> list[TlsHour]:
        """Return how many recipients travelled in each hour, and how many of them under TLS."""
        hours: dict[int, Counter[str]] = {}
        for stretch, counted in self._gateway.flows.since(since):
            sums = hours.setdefault(stretch.start - stretch.start % COARSE_MS, Counter())
            for way, number in counted.items():
                if (path := _path(way, {})) is not None:
                    sums[path.direction] += number
                    sums[f"{path.direction}_tls"] += 0 if path.version == CLEAR else number
        return [
            {
                "at": when(hour),
                "received": sums["received"],
                "received_tls": sums["received_tls"],
                "sent": sums["sent"],
                "sent_tls": sums["sent_tls"],
            }
            for hour, sums in sorted(hours.items())
        ]


def _path(way: Way, connectors: Mapping[int, str]) -> Travelled | None:
    """Return how a way travelled; None where it says nothing of that."""
    if way.outcome.startswith(RECEIVED):
        return Travelled("received", way.source, "", way.domain, way.outcome.removeprefix(RECEIVED))
    if way.outcome.startswith(SENT):
        connector = connectors.get(way.destination, UNKNOWN)
        return Travelled("sent", "", connector, way.domain, way.outcome.removeprefix(SENT))
    return None


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


def shares(found: Mapping[Travelled, int]) -> TlsShares:
    """Return by direction how many recipients there were, and how many of them under TLS."""
    return {"received": _share(found, "received"), "sent": _share(found, "sent")}


def _share(found: Mapping[Travelled, int], direction: str) -> TlsShare:
    mine = {path: number for path, number in found.items() if path.direction == direction}
    total = sum(mine.values())
    encrypted = sum(number for path, number in mine.items() if path.version != CLEAR)
    return {
        "recipients": total,
        "encrypted": encrypted,
        "share": round(encrypted / total, 4) if total else None,
    }
