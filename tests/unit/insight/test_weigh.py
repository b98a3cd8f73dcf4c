"""How much an insight matters: the table."""

import pytest

from gatepost.insight.weigh import HOUR, MINUTE, Load, Standing, grown, last_hours, severity, stand
from gatepost.model.insight import InsightState, Scope, Severity

DAY = 24 * HOUR
QUIET = {"expires_in": 20 * HOUR, "lifetime": DAY}


@pytest.mark.parametrize(
    ("scope", "failure_class", "sub", "load", "route", "expected"),
    [
        # a route of ours
        ("destination", "connection_refused", "", Load(messages=1, **QUIET), True, "high"),
        ("destination", "connection_timeout", "", Load(messages=1, **QUIET), True, "medium"),
        ("destination", "connection_timeout", "", Load(messages=1, age=10 * MINUTE, **QUIET), True, "high"),
        ("destination", "connection_timeout", "", Load(messages=200, **QUIET), True, "high"),
        ("destination", "connection_timeout", "", Load(messages=60, share=0.6, **QUIET), True, "high"),
        ("destination", "connection_timeout", "", Load(messages=2000, **QUIET), True, "critical"),
        ("destination", "connection_refused", "", Load(), True, "medium"),
        ("destination", "dns_query_failed", "servfail", Load(messages=1, **QUIET), True, "medium"),
        ("destination", "dns_query_failed", "nxdomain", Load(messages=1, **QUIET), True, "high"),
        ("destination", "connection_timeout", "", Load(messages=1, expires_in=HOUR, lifetime=DAY), True, "critical"),
        ("destination", "connection_timeout", "", Load(messages=1, expires_in=3 * HOUR, lifetime=DAY), True, "high"),
        # a stranger's server
        ("destination", "connection_refused", "", Load(messages=1, **QUIET), False, "low"),
        ("destination", "connection_timeout", "", Load(messages=1, age=5 * HOUR, **QUIET), False, "medium"),
        ("destination", "connection_timeout", "", Load(messages=200, **QUIET), False, "high"),
        # one host of several
        ("hosts", "cert_invalid", "expired", Load(working=3), True, "low"),
        ("hosts", "cert_invalid", "expired", Load(working=1), True, "medium"),
        # messages
        ("messages", "recipient_unknown", "", Load(lately=1, ended=1), True, "low"),
        ("messages", "recipient_unknown", "", Load(lately=1, ended=10), True, "medium"),
        ("messages", "recipient_unknown", "", Load(lately=1, ended=200), True, "high"),
        ("messages", "greylisted", "", Load(lately=500), True, "low"),
        ("messages", "mailbox_full", "", Load(lately=20), True, "medium"),
        ("messages", "ip_blocked", "", Load(lately=3), False, "medium"),
        ("messages", "ip_blocked", "", Load(lately=20), False, "high"),
        # ourselves
        ("gateway", "host_unreachable", "", Load(), False, "critical"),
    ],
)  # fmt: skip
def test_severity_follows_from_number_age_share_time_to_expiry_and_class(
    scope, failure_class, sub, load, route, expected
):
    """R18: useful from one message on."""
    assert severity(scope, failure_class, sub, load, route=route) == expected


def test_mail_of_a_short_life_is_about_to_expire_later():
    assert last_hours(DAY) == 4 * HOUR
    assert last_hours(HOUR) == 10 * MINUTE


@pytest.mark.parametrize(
    ("mark", "now", "expected"), [(0, 49, False), (0, 50, True), (100, 199, False), (100, 200, True)]
)
def test_growth_is_twice_as_many_and_fifty_at_least(mark, now, expected):
    assert grown(mark, now) is expected


def test_a_queue_that_shrank_grows_from_where_it_was_lowest():
    old = Standing(InsightState.ONGOING, 1000, 0)
    lower = stand(old, Scope.DESTINATION, Load(messages=100, age=HOUR, **QUIET), 0)
    assert lower.mark == 100
    assert (
        stand(lower, Scope.DESTINATION, Load(messages=200, age=HOUR, **QUIET), 1).state
        is InsightState.ESCALATING
    )


def test_messages_escalate_by_failures_in_an_hour():
    old = Standing(InsightState.ONGOING, 20, 0)
    assert stand(old, Scope.MESSAGES, Load(lately=69, age=HOUR), 1).state is InsightState.ONGOING
    assert stand(old, Scope.MESSAGES, Load(lately=70, age=HOUR), 1).state is InsightState.ESCALATING


def test_greylisting_of_however_many_messages_escalates_nothing():
    old = Standing(InsightState.ONGOING, 10, 0)
    for failure_class in ("greylisted", "rate_limited"):
        state = stand(old, Scope.MESSAGES, Load(lately=5000, age=HOUR), 1, failure_class).state
        assert state is InsightState.ONGOING
    assert (
        stand(old, Scope.MESSAGES, Load(lately=5000, age=HOUR), 1, "policy_reject").state
        is InsightState.ESCALATING
    )


def test_hosts_do_not_escalate_since_nothing_waits_for_them():
    old = Standing(InsightState.ONGOING, 0, 0)
    assert stand(old, Scope.HOSTS, Load(messages=5000, age=HOUR), 1).state is InsightState.ONGOING


def test_severities_have_an_order():
    assert [str(s) for s in Severity] == ["critical", "high", "medium", "low"]
