"""When a destination is probed without mail: decisions from facts alone.

Rule 1: a destination that fails is probed once between two attempts, never more often than it is tried.
Rule 2: only where the failure was one that a probe can see end: a reply to a message is no matter of reaching it.
Rule 3: a healthy one is probed on a schedule, with jitter, unless everything that a probe would ask is known already.
"""

from typing import NamedTuple

JITTER = 0.2
SHORTEST_WAIT_MS = 5_000  # between two attempts, for a probe between them to be worth it
FIRST_MS = 300_000  # so soon after a start or a change the first probe has been made
MOST_MISLED = 3  # probes that said yes before deliveries that said no
SEEN_BY_PROBES = frozenset({"dns", "connect", "banner", "ehlo", "starttls", "tls"})


class Waiting(NamedTuple):
    """A destination in retry; times in ms since 1970."""

    phase: str  # in which its last attempt failed
    last_attempt_at: int
    next_attempt_at: int
    probed_at: int = 0
    misled: int = 0  # probes that worked since it fails, while deliveries did not
    probing: bool = False  # an attempt is under way


def between(waiting: Waiting, now: int) -> bool:
    """Tell whether it is time for the probe between two attempts: half of the wait is over."""
    start, end = waiting.last_attempt_at, waiting.next_attempt_at
    if waiting.probing or waiting.phase not in SEEN_BY_PROBES or waiting.misled >= MOST_MISLED:
        return False
    if not start or end - start < SHORTEST_WAIT_MS or waiting.probed_at >= start:
        return False
    return start + (end - start) // 2 <= now < end


def first(now: int, period: int, chance: float) -> int:
    """Return when a route that has just become known is probed; `period` in ms, `chance` in [0, 1)."""
    return now + int(min(period, FIRST_MS) * (0.4 + 0.6 * chance))


def following(now: int, period: int, chance: float) -> int:
    """Return when a route that works is probed again."""
    return now + int(period * (1 - JITTER + 2 * JITTER * chance))


def known(heard_at: int, period: int, now: int) -> bool:
    """Tell whether a probe would say nothing new: every address was heard of within the period (ms)."""
    return bool(heard_at) and now - heard_at < period
