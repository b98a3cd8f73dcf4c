"""Recipients that do not exist, counted as they come in sliding windows; who is to blame, and who has to wait (R16).

Rule 1: only an offender waits: a client that is no source, one sender of a source, or a whole source where a limit
for it is set; domains, connectors and the organisation are counted and warned about, their mail is not held back.
Rule 2: nothing here reads a clock or a queue, and every table is bounded: the key that was heard of least lately goes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import NamedTuple

STEPS = 60  # of a window: it slides in so many steps
MOST_KEYS = 5000  # of one dimension
MOST_GUESSES = 1000  # addresses of one key that are told apart
EXAMPLES = 3
HOWS = ("refused", "rejected", "returned")
COUNTS = len(HOWS) + 2  # and reports, and valid recipients
DIMENSIONS = ("organisation", "domain", "connector", "source", "client", "sender")
OFFENDERS = ("client", "sender", "source")
GUESSED_SHARE = 0.8  # of the addresses that a harvester names, so many do not exist
LEVELS = ("fine", "warned", "limited")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is borne within a window; 0: any number."""

    window_ms: int = 3_600_000
    warn: int = 100  # of one client, or one sender of a source
    limit: int = 500
    total_warn: int = 1000  # of a source, domain, connector, or all together
    source_limit: int = 0  # of a whole source
    harvest: int = 50  # different addresses of one client

    def warned_at(self, dimension: str) -> int:
        """Return from which number on a key is warned about."""
        return self.warn if dimension in ("client", "sender") else self.total_warn

    def limited_at(self, dimension: str) -> int:
        """Return from which number on a key has to wait."""
        if dimension == "source":
            return self.source_limit
        return self.limit if dimension in ("client", "sender") else 0


class Seen(NamedTuple):
    """One recipient that does not exist. `how`: refused here, rejected by its destination, or returned by us."""

    how: str
    domain: str
    address: str
    connector: str = ""
    source: str = ""  # "" for a client that is none
    client: str = ""  # its address, where it is no source
    sender: str = ""  # of the envelope
    reported: bool = False  # its sender got a report (an NDR)
    valid: int = 0  # recipients that do exist, named by the same client since the last one

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield whom it counts for."""
        yield "organisation", ""
        yield "domain", self.domain
        if self.connector:
            yield "connector", self.connector
        if self.source:
            yield "source", self.source
            yield "sender", sender_key(self.source, self.sender)
        elif self.client:
            yield "client", self.client


def sender_key(source: str, sender: str) -> str:
    """Return the name of one sender of a source."""
    return f"{source}: <{sender.lower()}>"


class Standing(NamedTuple):
    """How one key stands in the window that ends now; times in ms since 1970, 0 for none."""

    dimension: str
    name: str
    total: int
    refused: int
    rejected: int
    returned: int
    reports: int  # NDRs that it caused
    addresses: int  # different ones, as far as they were told apart
    level: str  # one of LEVELS
    harvest: bool
    warned_at: int
    limited_at: int
    first_at: int
    last_at: int
    until: int  # when it is below the limit again if nothing more comes
    examples: tuple[str, ...]

    @property
    def notable(self) -> bool:
        """Whether somebody should know."""
        return self.harvest or self.level != "fine"


class _Key:
    """The window of one key: counts by step with their sums, and the addresses that were named."""

    __slots__ = ("first_at", "guesses", "last_at", "steps", "sums")

    def __init__(self) -> None:
        self.steps: dict[int, list[int]] = {}  # step -> counts of HOWS, reports, valid ones
        self.sums = [0] * COUNTS
        self.guesses: dict[str, int] = {}  # address -> step in which it was named last
        self.first_at = 0
        self.last_at = 0

    @property
    def total(self) -> int:
        """Return how many recipients of the window do not exist."""
        return sum(self.sums[: len(HOWS)])

    def add(self, seen: Seen, step: int, now: int) -> None:
        """Count one."""
        fresh = [int(seen.how == how) for how in HOWS] + [int(seen.reported), seen.valid]
        self.take(step, fresh)
        if len(self.guesses) < MOST_GUESSES or seen.address in self.guesses:
            self.guesses[seen.address] = step
        self.first_at, self.last_at = self.first_at or now, now

    def take(self, step: int, fresh: Sequence[int]) -> None:
        """Add counts to a step."""
        counts = self.steps.setdefault(step, [0] * COUNTS)
        for place, number in enumerate(fresh):
            counts[place] += number
            self.sums[place] += number

    def slide(self, oldest: int) -> None:
        """Forget what has left the window."""
        gone = [step for step in self.steps if step < oldest]
        for step in gone:
            for place, number in enumerate(self.steps.pop(step)):
                self.sums[place] -= number
        if gone:
            self.guesses = {address: step for address, step in self.guesses.items() if step >= oldest}


class InvalidRecipients:
    """The counters of one gateway."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._keys: dict[str, dict[str, _Key]] = {dimension: {} for dimension in DIMENSIONS}
        self._over: dict[tuple[str, str], None] = {}  # offenders that have to wait
        self._noted: dict[tuple[str, str], None] = {}  # keys that somebody should know of

    @property
    def _step_ms(self) -> int:
        return max(1, self.limits.window_ms // STEPS)

    def _oldest(self, now: int) -> int:
        return now // self._step_ms - STEPS + 1

    def count(self, seen: Seen, now: int) -> None:
        """Count one."""
        step, oldest = now // self._step_ms, self._oldest(now)
        for dimension, name in seen.places():
            table = self._keys[dimension]
            key = table.pop(name, None) or _Key()
            table[name] = key  # the latest last
            key.slide(oldest)
            key.add(seen, step, now)
            self._weigh(dimension, name, key)
            if len(table) > MOST_KEYS:
                gone = next(iter(table))
                del table[gone]
                self._over.pop((dimension, gone), None)

    def _weigh(self, dimension: str, name: str, key: _Key) -> None:
        """Note a key that is above a threshold; it is looked at again whenever somebody asks."""
        harvests = self._harvests(dimension, key)
        limit, warned = self.limits.limited_at(dimension), self.limits.warned_at(dimension)
        over = bool(limit and key.total >= limit) or harvests
        if over and dimension in OFFENDERS:
            self._over[dimension, name] = None
        if over or (warned and key.total >= warned):
            self._noted[dimension, name] = None

    def _harvests(self, dimension: str, key: _Key) -> bool:
        """Tell whether somebody tries which addresses exist: many different ones, of which hardly any does."""
        if dimension != "client" or not self.limits.harvest or len(key.guesses) < self.limits.harvest:
            return False
        refused, valid = key.sums[0], key.sums[-1]
        return refused >= GUESSED_SHARE * (refused + valid)

    @property
    def limiting(self) -> bool:
        """Whether anybody may have to wait."""
        return bool(self._over)

    def blocked(self, source: str, client: str, sender: str, now: int) -> Standing | None:
        """Return the standing of the offender that has to wait, None where these need not."""
        keys = (
            [("source", source), ("sender", sender_key(source, sender))] if source else [("client", client)]
        )
        for where in keys:
            if where in self._over:
                found = self.standing(*where, now)
                if found is not None and (found.harvest or found.level == "limited"):
                    return found
                del self._over[where]
        return None

    def standing(self, dimension: str, name: str, now: int) -> Standing | None:
        """Return how one key stands; None where nothing is in its window."""
        key = self._keys[dimension].get(name)
        if key is None:
            return None
        key.slide(self._oldest(now))
        if not key.steps:
            return None
        refused, rejected, returned, reports, _valid = key.sums
        total, warned, limited = (
            key.total,
            self.limits.warned_at(dimension),
            self.limits.limited_at(dimension),
        )
        level = (
            "limited" if limited and total >= limited else "warned" if warned and total >= warned else "fine"
        )
        return Standing(
            dimension, name, total, refused, rejected, returned, reports, len(key.guesses), level,
            self._harvests(dimension, key), warned, limited, key.first_at, key.last_at, self._below(key, limited),
            tuple(list(key.guesses)[-EXAMPLES:]),
        )  # fmt: skip

    def _below(self, key: _Key, limit: int) -> int:
        """Return when so much has left the window that its sum is below a limit; 0 where it is."""
        left = key.total
        for step, counts in sorted(key.steps.items()):
            if not limit or left < limit:
                break
            left -= sum(counts[: len(HOWS)])
            if left < limit:
                return (step + STEPS) * self._step_ms
        return 0

    def standings(self, now: int, dimension: str = "", most: int = 100) -> list[Standing]:
        """Return the keys with the most in their windows, at most so many of a dimension, the worst first."""
        found: list[Standing | None] = []
        for each in [dimension] if dimension else DIMENSIONS:
            largest = nlargest(most, ((key.total, name) for name, key in self._keys[each].items()))
            found += [self.standing(each, name, now) for _, name in largest]
        return _worst_first(found)

    def notable(self, now: int) -> list[Standing]:
        """Return the keys that somebody should know of, the worst first."""
        found = {where: self.standing(*where, now) for where in self._noted}
        self._noted = {where: None for where, one in found.items() if one is not None and one.notable}
        return _worst_first(found[where] for where in self._noted)

    def tick(self, now: int) -> None:
        """Forget what has left every window."""
        oldest = self._oldest(now)
        for table in self._keys.values():
            for name, key in list(table.items()):
                key.slide(oldest)
                if not key.steps:
                    del table[name]

    # ---------------------------------------------------------------- kept

    def dump(self, most: int) -> dict[str, object]:
        """Return the latest keys as JSON, so that a restart forgives nobody."""
        return {
            "step_ms": self._step_ms,
            "keys": [
                [dimension, name, [[step, *counts] for step, counts in key.steps.items()], dict(key.guesses),
                 key.first_at, key.last_at]
                for dimension, table in self._keys.items()
                for name, key in list(table.items())[-most:]
            ],
        }  # fmt: skip

    def load(self, data: dict[str, object], now: int) -> None:
        """Take in what was kept, unless its steps are of another length."""
        rows = data.get("keys")
        if data.get("step_ms") != self._step_ms or not isinstance(rows, list):
            return
        for dimension, name, steps, guesses, first_at, last_at in rows:
            key = self._keys[dimension][name] = _Key()
            for step, *counts in steps:
                key.take(step, counts)
            key.guesses, key.first_at, key.last_at = dict(guesses), first_at, last_at
            self._weigh(dimension, name, key)
        self.tick(now)


def _worst_first(found: Iterable[Standing | None]) -> list[Standing]:
    known = [standing for standing in found if standing is not None]
    return sorted(known, key=lambda s: (-s.harvest, -LEVELS.index(s.level), -s.total, s.dimension, s.name))
