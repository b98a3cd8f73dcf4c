"""Recipients that do not exist: counted in windows that slide, and whom that costs something (R16)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.insight.invalid import MOST_KEYS, InvalidRecipients, Limits, Seen

NOW = 1_795_420_800_000
HOUR = 3_600_000
MINUTE = 60_000
LIMITS = Limits(HOUR, warn=3, limit=5, total_warn=8, harvest=0)


def refused(number=0, client="192.0.2.9", **more):
    values = {"domain": "contoso.example", "address": f"u{number}@contoso.example", "client": client} | more
    return Seen("refused", **values)


def counted(seen, limits=LIMITS, every=0):
    counters = InvalidRecipients(limits)
    for place, one in enumerate(seen):
        counters.count(one, NOW + place * every)
    return counters


def level(counters, dimension, name="", now=NOW):
    found = counters.standing(dimension, name, now)
    return found.level if found is not None else None


@pytest.mark.parametrize(("number", "expected"), [(2, "fine"), (3, "warned"), (4, "warned"), (5, "limited")])
def test_a_client_is_warned_about_and_then_limited(number, expected):
    counters = counted([refused(n) for n in range(number)])
    assert level(counters, "client", "192.0.2.9") == expected
    blocked = counters.blocked("", "192.0.2.9", "", NOW)
    assert (blocked is not None) == (expected == "limited")


def test_only_the_offender_waits():
    counters = counted([refused(n) for n in range(5)])
    assert counters.blocked("", "192.0.2.9", "", NOW)
    assert counters.blocked("", "192.0.2.10", "", NOW) is None
    assert counters.blocked("cloud", "192.0.2.9", "ann@contoso.example", NOW) is None


def test_one_sender_of_a_source_waits_and_the_others_do_not():
    counters = counted([refused(n, source="cloud", client="", sender="Bad@x.example") for n in range(6)])
    assert counters.blocked("cloud", "", "bad@x.example", NOW).name == "cloud: <bad@x.example>"
    assert counters.blocked("cloud", "", "good@x.example", NOW) is None
    assert level(counters, "source", "cloud") == "fine"


def test_a_whole_source_waits_only_where_a_limit_for_it_is_set():
    seen = [refused(n, source="cloud", client="", sender=f"s{n}@x.example") for n in range(9)]
    assert counted(seen).blocked("cloud", "", "new@x.example", NOW) is None
    strict = counted(seen, Limits(HOUR, warn=3, limit=5, total_warn=8, source_limit=9, harvest=0))
    assert strict.blocked("cloud", "", "new@x.example", NOW).dimension == "source"


def test_domains_connectors_and_the_organisation_are_warned_about():
    counters = counted([refused(n, f"192.0.2.{n}", connector="to-office") for n in range(8)])
    for dimension, name in (("domain", "contoso.example"), ("connector", "to-office"), ("organisation", "")):
        assert level(counters, dimension, name) == "warned"
    assert {s.dimension for s in counters.notable(NOW)} == {"domain", "connector", "organisation"}


def test_the_window_slides():
    """The first of five leaves the window: four are left, and the client may send again."""
    counters = counted([refused(n) for n in range(5)], every=10 * MINUTE)
    last = NOW + 40 * MINUTE
    until = counters.standing("client", "192.0.2.9", last).until
    assert NOW + HOUR - MINUTE <= until <= NOW + HOUR + MINUTE
    assert counters.blocked("", "192.0.2.9", "", until - 1)
    assert counters.blocked("", "192.0.2.9", "", until) is None
    assert counters.standing("client", "192.0.2.9", last + 2 * HOUR) is None
    counters.tick(last + 2 * HOUR)
    assert counters.standings(last + 2 * HOUR) == []


@pytest.mark.parametrize(
    ("addresses", "valid", "harvests"), [(4, 0, False), (5, 0, True), (5, 1, True), (5, 2, False)]
)
def test_who_tries_which_addresses_exist_is_told_from_who_mistypes(addresses, valid, harvests):
    limits = Limits(HOUR, warn=100, limit=100, harvest=5)
    seen = [refused(n, valid=valid if n == 0 else 0) for n in range(addresses)]
    found = counted(seen, limits).standing("client", "192.0.2.9", NOW)
    assert found.harvest is harvests
    assert (counted(seen, limits).blocked("", "192.0.2.9", "", NOW) is not None) is harvests


def test_the_same_address_again_and_again_is_no_harvest():
    limits = Limits(HOUR, warn=100, limit=100, harvest=5)
    assert not counted([refused(1) for _ in range(50)], limits).standing("client", "192.0.2.9", NOW).harvest


def test_how_each_was_met_is_told_apart():
    seen = [
        refused(1), Seen("rejected", "c.example", "a@c.example", "to-office", client="192.0.2.9", reported=True),
        Seen("returned", "c.example", "b@c.example", "to-office", client="192.0.2.9"),
    ]  # fmt: skip
    found = counted(seen).standing("client", "192.0.2.9", NOW)
    assert (found.refused, found.rejected, found.returned, found.reports, found.total) == (1, 1, 1, 1, 3)


def test_a_restart_forgives_nobody():
    before = counted([refused(n) for n in range(5)], every=MINUTE)
    after = InvalidRecipients(LIMITS)
    after.load(before.dump(100), NOW + 10 * MINUTE)
    assert after.standings(NOW + 10 * MINUTE) == before.standings(NOW + 10 * MINUTE)
    assert after.blocked("", "192.0.2.9", "", NOW + 10 * MINUTE)


def test_tables_are_bounded():
    counters = InvalidRecipients(LIMITS)
    for number in range(MOST_KEYS + 50):
        counters.count(refused(number, f"client-{number}"), NOW)
    assert len(counters.standings(NOW, "client", most=MOST_KEYS * 2)) == MOST_KEYS
    assert counters.standing("client", "client-0", NOW) is None


@given(st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=60), st.integers(0, 4 * HOUR))
def test_a_window_holds_what_came_in_it(times, later):
    """Within one step (a sixtieth of the window)."""
    counters = InvalidRecipients(LIMITS)
    for at in sorted(times):
        counters.count(refused(), NOW + at)
    now = NOW + max(times) + later
    found = counters.standing("client", "192.0.2.9", now)
    total = found.total if found is not None else 0
    certain = sum(1 for at in times if now - (NOW + at) <= HOUR - MINUTE)
    possible = sum(1 for at in times if now - (NOW + at) < HOUR)
    assert certain <= total <= possible
