"""When a destination is probed without mail (B7, B9)."""

import pytest

from gatepost.queue.probing import MOST_MISLED, Waiting, between, first, following, known

NOW = 1_795_420_800_000
MINUTE = 60_000
HELD = Waiting("connect", NOW, NOW + 10 * MINUTE)


def test_a_destination_that_fails_is_probed_once_between_two_attempts():
    assert not between(HELD, NOW + 5 * MINUTE - 1)
    assert between(HELD, NOW + 5 * MINUTE)
    assert not between(HELD._replace(probed_at=NOW + 5 * MINUTE), NOW + 6 * MINUTE)
    # the next attempt has failed since: its wait has a probe of its own
    again = HELD._replace(
        last_attempt_at=NOW + 10 * MINUTE, next_attempt_at=NOW + 20 * MINUTE, probed_at=NOW + 5 * MINUTE
    )
    assert between(again, NOW + 15 * MINUTE)


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "eod", "auth", "route", ""])
def test_what_a_probe_cannot_see_end_is_left_to_the_retries(phase):
    assert not between(HELD._replace(phase=phase), NOW + 6 * MINUTE)


@pytest.mark.parametrize("phase", ["dns", "connect", "banner", "ehlo", "starttls", "tls"])
def test_what_a_probe_can_see_end_is_probed(phase):
    assert between(HELD._replace(phase=phase), NOW + 6 * MINUTE)


def test_waits_of_a_few_seconds_attempts_under_way_and_the_past_need_no_probe():
    assert not between(HELD._replace(next_attempt_at=NOW + 4_999), NOW + 3_000)
    assert not between(HELD._replace(probing=True), NOW + 6 * MINUTE)
    assert not between(HELD, NOW + 11 * MINUTE)
    assert not between(HELD._replace(last_attempt_at=0), NOW)


def test_probes_that_said_yes_in_vain_end_until_it_works_again():
    assert between(HELD._replace(misled=MOST_MISLED - 1), NOW + 6 * MINUTE)
    assert not between(HELD._replace(misled=MOST_MISLED), NOW + 6 * MINUTE)


def test_a_route_is_probed_within_minutes_of_being_known_and_then_spread_over_the_period():
    hour = 60 * MINUTE
    assert (first(NOW, hour, 0.0), first(NOW, hour, 1.0)) == (NOW + 2 * MINUTE, NOW + 5 * MINUTE)
    assert first(NOW, 1000, 1.0) == NOW + 1000
    assert following(NOW, hour, 0.0) == NOW + 48 * MINUTE
    assert following(NOW, hour, 0.5) == NOW + hour


def test_what_is_known_needs_no_probe():
    assert known(NOW - 1, MINUTE, NOW)
    assert not known(NOW - MINUTE, MINUTE, NOW)
    assert not known(0, MINUTE, NOW)
