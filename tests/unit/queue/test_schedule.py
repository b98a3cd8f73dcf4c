"""The schedule decides from facts alone."""

from hypothesis import given
from hypothesis import strategies as st

from gatepost.queue import schedule

MINUTE = 60
TABLE = (60, 60, 60, 60, 300, 300, 300, 300, 300, 300, 600)


def test_the_table_is_walked_and_its_last_interval_repeats():
    """R3: 1m x 4, 5m x 6, then every 10 minutes."""
    waits = [schedule.interval(TABLE, n, 0.5) / 1000 for n in range(1, 14)]
    assert waits == [60] * 4 + [300] * 6 + [600] * 3


@given(attempts=st.integers(-3, 1000), chance=st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_ten_percent(attempts, chance):
    wait = schedule.interval(TABLE, attempts, chance) / 1000
    base = TABLE[min(max(attempts, 1), len(TABLE)) - 1]
    assert 0.9 * base - 0.001 <= wait <= 1.1 * base


def test_a_restart_does_not_retry_everything_in_the_same_second():
    times = {schedule.after_restart(0, 1_000_000, n / 100) for n in range(100)}
    assert len(times) == 100
    assert max(times) - 1_000_000 <= 10_000


def test_a_planned_retry_survives_a_restart():
    assert schedule.after_restart(2_000_000, 1_000_000, 0.3) == 2_000_000


def test_retries_are_planned_by_a_clock_that_nobody_sets():
    """Fault matrix 25, 26: it begins as the wall clock, and then only the monotonic clock counts."""
    clock = schedule.RetryClock(1_000_000, 50.0)
    assert clock.now(50.0) == 1_000_000
    assert clock.now(110.5) == 1_060_500


def test_no_retry_is_planned_beyond_the_longest_interval():
    beyond = schedule.horizon(1_000_000, (60, 300))
    for attempts in (1, 2, 9):
        assert 1_000_000 + schedule.interval((60, 300), attempts, 0.999) < beyond


def test_the_window_ramps_and_stops_at_the_limit():
    """B6: after trouble the queue drains with a ramp."""
    sizes = [1]
    while sizes[-1] != 20:
        sizes.append(schedule.grow(sizes[-1], 20))
    assert sizes == [1, 2, 4, 8, 16, 20]


class TestExpiry:
    """R4: after its time a message expires, by the clock."""

    def test_nothing_expires_before_its_time(self):
        assert not schedule.may_expire(1000, 5000, 999, window_ms=60_000, triable=True)

    def test_a_destination_that_was_tried_lately_ends_at_once(self):
        assert schedule.may_expire(1_000_000, 990_000, 1_000_001, window_ms=60_000, triable=True)

    def test_a_destination_not_tried_for_long_gets_a_last_attempt(self):
        assert not schedule.may_expire(1_000_000, 100_000, 1_000_001, window_ms=60_000, triable=True)

    def test_a_last_attempt_that_never_ends_does_not_keep_mail_for_ever(self):
        assert schedule.may_expire(1_000_000, 100_000, 1_000_000 + 900_000, window_ms=60_000, triable=True)

    def test_a_suspended_destination_expires_by_the_clock(self):
        assert schedule.may_expire(1_000_000, 0, 1_000_001, window_ms=60_000, triable=False)


class TestClockGuard:
    """A clock that jumps expires nothing (fault rows 24-26)."""

    def guard(self):
        return schedule.ClockGuard(1_000_000_000, 100.0, tolerance=60, settle=900)

    def test_an_honest_clock_is_believed(self):
        guard = self.guard()
        assert guard.now(1_000_005_000, 105.0) == 1_000_005_000

    def test_a_clock_ten_years_ahead_for_five_seconds_is_not_believed(self):
        guard = self.guard()
        years = 10 * 365 * 86_400_000
        assert guard.now(1_000_005_000 + years, 105.0) == 1_000_005_000
        assert guard.jumped_at is not None
        assert guard.now(1_000_010_000, 110.0) == 1_000_010_000
        assert guard.jumped_at is None

    def test_mail_that_comes_while_the_clock_is_wrong_gets_the_right_time(self):
        guard = self.guard()
        for wrong in (10 * 365 * 86_400_000, -3 * 3_600_000):
            assert guard.believed(1_000_005_000 + wrong, 105.0) == 1_000_005_000
        assert guard.believed(1_000_010_000, 110.0) == 1_000_010_000
        assert guard.settled == 0

    def test_a_machine_that_starts_in_1970_is_set_right_at_once(self):
        guard = self.guard()
        truth = 1_790_000_000_000
        assert guard.believed(truth, 101.0) == truth
        assert guard.now(truth + 1000, 102.0) == truth + 1000
        assert guard.settled == 1

    def test_a_clock_that_stays_where_it_jumped_becomes_the_truth(self):
        guard = self.guard()
        day = 86_400_000
        assert guard.now(1_000_000_000 + day, 100.0) == 1_000_000_000
        assert guard.now(1_000_000_000 + day + 899_000, 999.0) == 1_000_000_000 + 899_000
        assert guard.now(1_000_000_000 + day + 901_000, 1001.0) == 1_000_000_000 + day + 901_000

    def test_a_clock_set_back_never_makes_expiry_run_ahead(self):
        guard = self.guard()
        assert guard.now(1_000_000_000 - 3 * 3_600_000, 100.0) == 1_000_000_000 - 3 * 3_600_000
