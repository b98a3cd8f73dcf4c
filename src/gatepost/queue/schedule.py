"""When to try again, how much at once, when to stop: decisions from facts alone.

Rule 1: nothing here reads a clock; wall time is milliseconds since 1970, monotonic time seconds.
Rule 2: an interval gets +-10 % of jitter, so that a restart or an outage does not synchronise destinations.
Rule 3: a message expires by the clock, but never because a clock jumped (`ClockGuard`), and where it can be tried
        not without one attempt at the end of its time.
"""

from dataclasses import dataclass

JITTER = 0.1
LAST_TRY_GRACE_MS = 900_000
RESTART_SPREAD_MS = 8_000
BREAKS_THAT_HOLD_BACK = 3
EARLIEST_MS = 1_700_000_000_000  # no clock that is right shows less


def interval(retry: tuple[int, ...], attempts: int, chance: float) -> int:
    """Return the milliseconds until the next attempt after `attempts` failures (1 or more); chance is in [0, 1)."""
    seconds = retry[min(max(attempts, 1), len(retry)) - 1]
    return int(seconds * 1000 * (1 - JITTER + 2 * JITTER * chance))


def after_restart(next_attempt_at: int, now: int, chance: float) -> int:
    """Return when a destination is tried after a start: as planned, and spread over seconds where that has passed."""
    if next_attempt_at > now:
        return next_attempt_at
    return now + int(RESTART_SPREAD_MS * chance)


def grow(window: int, limit: int) -> int:
    """Return the concurrency window after a success (1, 2, 4 ... limit)."""
    return min(limit, window * 2)


def may_expire(expires_at: int, last_attempt_at: int, now: int, *, window_ms: int, triable: bool) -> bool:
    """Tell whether a message whose time is over ends now, or gets a last attempt first.

    `last_attempt_at` is the end of the destination's (or the message's own) last attempt, 0 for none; an attempt
    in the last `window_ms` of the message's time is the last one; `triable` is false where none can be made. Where the
    process was off, or the clock was set, at the end of its time, `expires_at` is when that was over.
    """
    if now < expires_at:
        return False
    if not triable or now >= expires_at + LAST_TRY_GRACE_MS:
        return True
    return last_attempt_at >= expires_at - window_ms


class RetryClock:
    """Milliseconds that begin as the wall clock does and then go on evenly, whatever is done to the wall clock.

    Retries of single messages are planned by it: a clock that is set back delays none of them.
    """

    def __init__(self, wall_ms: int, monotonic: float) -> None:
        self._start = wall_ms - int(monotonic * 1000)

    def now(self, monotonic: float) -> int:
        """Return the time by which retries are planned."""
        return self._start + int(monotonic * 1000)


def horizon(now: int, retry: tuple[int, ...]) -> int:
    """Return the latest time for which a retry can have been planned by now."""
    return now + int(max(retry) * 1000 * (1 + JITTER)) + 1000


@dataclass(slots=True)
class ClockGuard:
    """Compare wall time with time that cannot jump, and say which "now" may be believed.

    A gap above `tolerance` seconds is a jump: time goes on as the monotonic clock says, until the wall clock returns
    or has stayed where it is for `settle` seconds (then it is the truth, and the old one was not; `settled` counts it).
    A clock that showed a time long before this program existed is believed as soon as it is set right.
    """

    wall_ms: int
    monotonic: float
    tolerance: float = 60.0
    settle: float = 900.0
    jumped_at: float | None = None
    gap_ms: int = 0
    settled: int = 0

    def now(self, wall_ms: int, monotonic: float) -> int:
        """Return the milliseconds since 1970 that expiry may use: where two clocks disagree, the earlier one."""
        return min(self.believed(wall_ms, monotonic), wall_ms)

    def believed(self, wall_ms: int, monotonic: float) -> int:
        """Return the milliseconds since 1970 that mail is stamped with: the wall clock's, but for jumps."""
        expected = self.wall_ms + int((monotonic - self.monotonic) * 1000)
        gap = wall_ms - expected
        if abs(gap) <= self.tolerance * 1000:
            self._anchor(wall_ms, monotonic)
            return wall_ms
        if self.jumped_at is None or abs(gap - self.gap_ms) > self.tolerance * 1000:
            self.jumped_at = monotonic
        self.gap_ms = gap
        if monotonic - self.jumped_at >= self.settle or expected < EARLIEST_MS < wall_ms:
            self._anchor(wall_ms, monotonic)
            self.settled += 1
            return wall_ms
        return expected

    def _anchor(self, wall_ms: int, monotonic: float) -> None:
        self.wall_ms = wall_ms
        self.monotonic = monotonic
        self.jumped_at = None
        self.gap_ms = 0
