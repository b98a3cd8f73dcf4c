"""When what fails is ours: the table."""

import pytest

from gatepost.insight.correlate import (
    WINDOW_MS,
    Failing,
    common_cause,
    dissolved,
    family,
    family_of,
    joins,
    organisation,
)

NOW = 1_795_420_800_000
SECOND = 1000


def failing(number, failure_class="connection_timeout", *, sub="", place="", since=None):
    return Failing(
        f"v1:{number}",
        failure_class,
        sub,
        place or f"d{number}.example",
        NOW + number * SECOND if since is None else since,
    )


def test_many_destinations_that_fail_alike_at_once_are_one_cause_of_ours():
    """B3."""
    (group,) = common_cause([failing(n) for n in range(12)], [])
    assert (group.family, group.failure_class, group.failing, group.working) == (
        "reaching",
        "connection_timeout",
        12,
        0,
    )
    assert group.members == tuple(f"v1:{n}" for n in range(12))
    assert group.since == NOW


def test_two_are_not_many():
    assert common_cause([failing(1), failing(2)], []) == []


def test_three_while_many_work_are_theirs_not_ours():
    after = [NOW + 60 * SECOND] * 2
    assert common_cause([failing(n) for n in range(3)], after) == []
    assert common_cause([failing(n) for n in range(3)], after[:1]) != []


def test_what_worked_before_it_began_says_nothing():
    before = [NOW - SECOND] * 50
    assert common_cause([failing(n) for n in range(3)], before) != []


def test_what_has_failed_for_days_counts_neither_for_nor_against():
    old = [failing(n, since=NOW - 100 * WINDOW_MS * (n + 1)) for n in range(10)]
    assert common_cause(old, []) == []
    (group,) = common_cause([*old, *[failing(n) for n in range(20, 24)]], [])
    assert group.failing == 4


def test_three_domains_at_one_provider_are_the_providers_fault():
    same = [failing(n, place="provider.example") for n in range(5)]
    assert common_cause(same, []) == []


def test_domains_that_do_not_exist_say_nothing_of_our_resolver():
    assert common_cause([failing(n, "dns_query_failed", sub="nxdomain") for n in range(9)], []) == []
    (group,) = common_cause([failing(n, "dns_query_failed", sub="timeout") for n in range(9)], [])
    assert group.failure_class == "dns_query_failed"


def test_what_fails_at_once_in_many_ways_is_no_cause_of_ours():
    """Six servers, six troubles."""
    classes = (
        "dns_query_failed", "connection_timeout", "connection_refused", "service_unavailable", "connection_dropped",
        "cert_invalid",
    )  # fmt: skip
    assert common_cause([failing(n, name, sub="timeout") for n, name in enumerate(classes)], []) == []


def test_what_else_the_same_fault_shows_joins_the_group_that_is_known():
    names = [failing(n, "dns_query_failed", sub="timeout") for n in range(6)]
    (group,) = common_cause([*names, failing(7, "connection_timeout")], [])
    assert (group.failure_class, group.failing) == ("dns_query_failed", 6)
    assert joins(failing(7, "connection_timeout"), group.family, group.since)


def test_a_network_that_is_down_shows_in_more_ways_than_one():
    mixed = [
        failing(n, ("host_unreachable", "connection_timeout", "connection_timeout")[n % 3]) for n in range(9)
    ]
    (group,) = common_cause(mixed, [])
    assert (group.failure_class, group.failing) == ("connection_timeout", 9)


def test_certificates_that_all_expired_at_once_mean_our_clock():
    (group,) = common_cause([failing(n, "cert_invalid", sub="expired") for n in range(4)], [])
    assert group.family == family_of("cert_invalid") == "clock"
    assert common_cause([failing(n, "cert_invalid", sub="name_mismatch") for n in range(4)], []) == []


def test_a_full_mailbox_here_and_there_is_no_cause_of_ours():
    assert family("mailbox_full", "") == ""
    assert common_cause([failing(n, "service_unavailable") for n in range(20)], []) == []


@pytest.mark.parametrize(
    ("server", "endpoint", "expected"),
    [
        ("mx1.mail.contoso.example", "192.0.2.7:25", "contoso.example"),
        ("mx1.contoso.co.uk", "192.0.2.7:25", "contoso.co.uk"),
        ("alt1.aspmx.l.google.com", "192.0.2.7:25", "google.com"),
        ("contoso.example", "", "contoso.example"),
        ("192.0.2.7", "192.0.2.7:25", "192.0.2.7:25"),
        ("2001:db8::7", "[2001:db8::7]:25", "[2001:db8::7]:25"),
        ("mail", "192.0.2.7:25", "192.0.2.7:25"),
        ("", "192.0.2.7:25", "192.0.2.7:25"),
    ],
)
def test_who_runs_a_server_is_told_from_its_name(server, endpoint, expected):
    assert organisation(server, endpoint) == expected


def test_what_fails_alike_later_joins_and_what_failed_long_before_does_not():
    assert joins(failing(1, since=NOW + 10 * WINDOW_MS), "reaching", NOW)
    assert not joins(failing(1, since=NOW - 2 * WINDOW_MS), "reaching", NOW)
    assert not joins(failing(1, "cert_invalid", sub="expired"), "reaching", NOW)


@pytest.mark.parametrize(
    ("failing_now", "working", "expected"), [(12, 1, False), (6, 6, True), (2, 0, True), (3, 0, False)]
)
def test_it_dissolves_when_most_of_them_work_again(failing_now, working, expected):
    assert dissolved(failing_now, working) is expected
