"""Expiry, age and growth from counts by age alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.model.waiting import (
    BUCKET_MS,
    HOUR,
    by_age,
    by_hour,
    expiries,
    expiring_next,
    expiring_within,
    growth,
)

NOW = 1_795_420_800_000
DAY = 24 * HOUR
AGES = ((NOW - 23 * HOUR, 40), (NOW - 21 * HOUR, 23), (NOW - HOUR // 2, 7))


def test_so_many_messages_expire_within_so_long():
    """R19: "63 messages expire within 3 h"."""
    soonest = expiries(AGES, DAY)
    assert expiring_next(soonest, NOW) == (40, HOUR + BUCKET_MS) or expiring_next(soonest, NOW).messages == 63
    assert expiring_within(soonest, NOW, 4 * HOUR) == 63
    assert expiring_within(soonest, NOW, DAY) == 70
    assert expiring_next([], NOW) is None


def test_the_first_horizon_with_anything_in_it_is_told():
    early = expiries(((NOW - DAY + HOUR // 2, 5), (NOW - DAY + 2 * HOUR, 50)), DAY)
    assert expiring_next(early, NOW) == (5, HOUR // 2 + BUCKET_MS)
    late = expiries(((NOW, 9),), 30 * DAY)
    assert expiring_next(late, NOW) == (9, 30 * DAY + BUCKET_MS)


def test_what_has_just_come_does_not_expire_later_than_its_lifetime():
    soonest = expiries(((NOW, 3),), DAY, now=NOW + 1000)
    assert expiring_next(soonest, NOW + 1000) == (3, DAY)


def test_messages_with_an_expiry_of_their_own_are_taken_out_of_the_default():
    """B5."""
    dated = [(NOW - 23 * HOUR, NOW + 50 * HOUR, 30)]
    soonest = expiries(AGES, DAY, dated)
    assert sum(n for _, n in soonest) == 70
    assert expiring_within(soonest, NOW, 2 * HOUR) == 10


def test_hours_and_ages_hold_every_message_once():
    soonest = expiries(AGES, DAY)
    assert sum(n for _, n in by_hour(soonest)) == 70
    assert by_age(AGES, NOW) == [
        (5 * 60_000, 0), (15 * 60_000, 0), (HOUR, 7), (4 * HOUR, 0), (12 * HOUR, 0), (DAY, 63), (0, 0),
    ]  # fmt: skip


def test_growth_compares_two_hours():
    ages = ((NOW - 3 * HOUR, 100), (NOW - 90 * 60_000, 4), (NOW - 60_000, 9))
    assert growth(ages, NOW) == (9, 4)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 9))), st.integers(1, 60))
def test_nothing_is_lost_or_doubled(found, hours):
    ages = tuple(sorted({NOW - n * BUCKET_MS: count for n, count in found}.items()))
    everything = sum(count for _, count in ages)
    soonest = expiries(ages, hours * HOUR)
    assert sum(n for _, n in soonest) == everything
    assert sum(n for _, n in by_hour(soonest)) == sum(n for _, n in by_age(ages, NOW)) == everything


@pytest.mark.parametrize("later", [0, 1, BUCKET_MS - 1])
def test_what_is_said_to_expire_within_a_time_does(later):
    """A bucket ends with its youngest message."""
    accepted = NOW - HOUR + later
    ((end, _),) = expiries((((accepted // BUCKET_MS) * BUCKET_MS, 1),), DAY)
    assert accepted + DAY <= end
