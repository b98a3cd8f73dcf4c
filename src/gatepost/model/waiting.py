"""How old waiting mail is and when it expires, from counts by age alone (pure).

`Ages` are (start of five minutes in ms since 1970, messages accepted in them), oldest first.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

BUCKET_MS = 300_000
MINUTE = 60_000
HOUR = 60 * MINUTE

Ages = Sequence[tuple[int, int]]
HORIZONS = (HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR, 72 * HOUR, 168 * HOUR)
AGE_STEPS = (5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR)


class Expiring(NamedTuple):
    """So many messages expire within so many milliseconds from now."""

    messages: int
    within: int


class Growth(NamedTuple):
    """How many of the messages that wait came in the last hour, and in the hour before."""

    last_hour: int
    hour_before: int


def expiries(
    ages: Ages, lifetime: int, dated: Iterable[tuple[int, int, int]] = (), *, now: int = 0
) -> list[tuple[int, int]]:
    """Return (no later than, messages), soonest first; `lifetime` in ms.

    `dated` are messages with an expiry of their own: (accepted, expires, messages), in five minutes each. With
    `now`, what was accepted in these five minutes expires no later than a message of this moment.
    """
    by_default = dict(ages)
    found: dict[int, int] = {}
    for accepted, expires, messages in dated:
        by_default[accepted] = by_default.get(accepted, 0) - messages
        found[expires + BUCKET_MS] = found.get(expires + BUCKET_MS, 0) + messages
    for start, messages in by_default.items():
        if messages > 0:
            end = start + BUCKET_MS + lifetime
            end = min(end, now + lifetime) if now else end
            found[end] = found.get(end, 0) + messages
    return sorted(found.items())


def expiring_next(soonest_first: Sequence[tuple[int, int]], now: int) -> Expiring | None:
    """Return how many expire within the first horizon in which any do: 63 messages within 3 h 12 min."""
    if not soonest_first:
        return None
    first = soonest_first[0][0] - now
    horizon = next((h for h in HORIZONS if first <= h), first)
    chosen = [(end, messages) for end, messages in soonest_first if end - now <= horizon]
    return Expiring(sum(messages for _, messages in chosen), max(chosen[-1][0] - now, 0))


def expiring_within(soonest_first: Sequence[tuple[int, int]], now: int, within: int) -> int:
    """Return how many messages expire within so many milliseconds."""
    return sum(messages for end, messages in soonest_first if end - now <= within)


def by_hour(soonest_first: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (start of an hour, messages that expire in it), soonest first."""
    hours: dict[int, int] = {}
    for end, messages in soonest_first:
        hour = (end - 1) // HOUR * HOUR
        hours[hour] = hours.get(hour, 0) + messages
    return sorted(hours.items())


def by_age(ages: Ages, now: int) -> list[tuple[int, int]]:
    """Return (younger than so many ms, messages) for each step of age; the last one, 0, has all that is older."""
    counts = dict.fromkeys((*AGE_STEPS, 0), 0)
    for start, messages in ages:
        age = now - start
        counts[next((step for step in AGE_STEPS if age < step), 0)] += messages
    return list(counts.items())


def growth(ages: Ages, now: int) -> Growth:
    """Return how the queue grew; what was delivered meanwhile is not in it."""
    last = sum(messages for start, messages in ages if now - start < HOUR)
    both = sum(messages for start, messages in ages if now - start < 2 * HOUR)
    return Growth(last, both - last)
