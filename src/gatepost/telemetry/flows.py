"""Which way mail goes, counted as it happens: recipients by source, domain of ours, destination and outcome.

Rule 1: an addition to a dictionary for a recipient, on the loop; nothing is scanned to draw the map of mail flow.
Rule 2: bounded: so many ways are kept apart in a stretch of time, what comes after them is counted together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

MINUTE_MS = 60_000
FINE_MS = 10 * MINUTE_MS  # a stretch of time of which a day is kept
COARSE_MS = 60 * MINUTE_MS  # and one of which a week is kept
KEPT_MS = {FINE_MS: 24 * 60 * MINUTE_MS, COARSE_MS: 7 * 24 * 60 * MINUTE_MS}
MAX_PENDING = 1000  # ways that are counted before they are folded into the stretches
MAX_WAYS = 600  # of one stretch
ACCEPTED = "accepted"
DEFERRED = "deferred"  # failed attempts that are repeated, at whatever they were made
OUTCOMES = ("delivered", "returned", "failed", "cancelled")
RECEIVED, SENT = (
    "received:",
    "sent:",
)  # how accepted and delivered mail travelled: what follows is a TLS version
CLEAR = "clear"  # or this


class Way(NamedTuple):
    """One way: who handed it in, the domain of ours that it is for, where it goes, what became of it."""

    source: str
    domain: str  # "" where it is not ours
    destination: int
    outcome: str


class Stretch(NamedTuple):
    """A stretch of time as one process counted it: its length and beginning (ms), and the process."""

    length: int
    start: int
    node: int

    @property
    def key(self) -> str:
        """Return the name under which it is kept."""
        return f"{self.length}:{self.start}:{self.node}"

    @classmethod
    def of(cls, key: str) -> "Stretch":
        """Return the stretch of a name."""
        return cls(*(int(part) for part in key.split(":")))


class FlowCounts:
    """The counts of this process, and what is known of those of others."""

    def __init__(self, now: Callable[[], int], node: int = 0) -> None:
        self._now = now
        self._node = node
        self._pending: dict[tuple[str, str, int, str, str], int] = {}
        self._changed: set[Stretch] = set()
        self.stretches: dict[Stretch, Counter[Way]] = {}
        self.accepted_domain: Callable[[str], str] = lambda domain: ""

    def count(self, source: str, address: str, destination: int, outcome: str, travelled: str = "") -> None:
        """Count one recipient, and how its mail travelled where that is known: `received:...` or `sent:...`."""
        way = (source, address[address.rfind("@") + 1 :], destination, outcome, travelled)
        pending = self._pending
        if way in pending:
            pending[way] += 1
            return
        pending[way] = 1
        if len(pending) > MAX_PENDING:
            self.fold()

    def fold(self) -> None:
        """Put what was counted since the last time into the stretches of now."""
        pending, self._pending = self._pending, {}
        if not pending:
            return
        now = self._now()
        found: Counter[Way] = Counter()
        for (source, domain, destination, outcome, travelled), number in pending.items():
            ours = self.accepted_domain(domain)
            found[Way(source, ours, destination, outcome)] += number
            if travelled.startswith(RECEIVED):  # by whom it came, wherever it goes
                found[Way(source, ours, 0, travelled)] += number
            elif travelled:  # where it went, whoever sent it
                found[Way("", ours, destination, travelled)] += number
        for length in KEPT_MS:
            stretch = Stretch(length, now - now % length, self._node)
            add(self.stretches.setdefault(stretch, Counter()), found)
            self._changed.add(stretch)

    def changes(self) -> list[Stretch]:
        """Return the stretches that changed since the last time, after forgetting those that are too old."""
        self.fold()
        now = self._now()
        for stretch in [s for s in self.stretches if s.start + s.length < now - KEPT_MS[s.length]]:
            del self.stretches[stretch]
        changed, self._changed = self._changed, set()
        return sorted(stretch for stretch in changed if stretch in self.stretches)

    def mine(self, stretch: Stretch) -> bool:
        """Tell whether this process counts a stretch."""
        return stretch.node == self._node

    def since(self, start: int) -> list[tuple[Stretch, Mapping[Way, int]]]:
        """Return what was counted since a time, in stretches of the length that is kept so long, oldest first."""
        self.fold()
        length = FINE_MS if self._now() - start <= KEPT_MS[FINE_MS] else COARSE_MS
        chosen = [s for s in self.stretches if s.length == length and s.start + s.length > start]
        return [(stretch, self.stretches[stretch]) for stretch in sorted(chosen)]


def add(ways: Counter[Way], found: Mapping[Way, int]) -> None:
    """Add counts to a stretch; ways beyond the bound become one for each outcome."""
    for way, number in found.items():
        known = way in ways or len(ways) < MAX_WAYS
        ways[way if known else Way("", "", 0, way.outcome)] += number


def rows(ways: Mapping[Way, int]) -> list[list[object]]:
    """Return counts as they are kept."""
    return [[*way, number] for way, number in ways.items()]


def from_rows(kept: Iterable[Iterable[object]]) -> Counter[Way]:
    """Return counts from how they are kept."""
    found: Counter[Way] = Counter()
    for row in kept:
        source, domain, destination, outcome, number = row
        found[Way(str(source), str(domain), int(str(destination)), str(outcome))] += int(str(number))
    return found
