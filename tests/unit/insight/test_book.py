"""Insights open, stand, are over and come back, by themselves."""

import itertools

import pytest

from gatepost.insight.book import SUPERSEDED_AFTER, Book, Trouble
from gatepost.insight.weigh import HOUR, MINUTE, Load
from gatepost.model.failure import LastError
from gatepost.model.insight import InsightState, Scope, Severity

NOW = 1_795_420_800_000
DAY = 24 * HOUR
OFFICE, PARTNER = 11, 22


def error(failure_class="connection_refused", at=NOW):
    return LastError(
        450, "4.4.316", "Connection refused", "connect", "refused", failure_class, "4.4.316", "ECONNREFUSED",
        "mail.contoso.example", "192.0.2.7:25", at, "gw1.example", "01J",
    )  # fmt: skip


def trouble(failure_class="connection_refused", scope=Scope.DESTINATION, place=OFFICE, **more):
    values = {"connector": "to-office", "destination": "mail.contoso.example", "quiet_ms": 25 * MINUTE} | more
    return Trouble(
        scope=scope, destination_id=place, failure_class=failure_class, error=error(failure_class), **values
    )


@pytest.fixture
def book():
    return Book(itertools.count(1).__next__, 90 * DAY)


def waiting(messages, expires_in=20 * HOUR, place=OFFICE):
    loads = {place: Load(messages=messages, share=0.1, expires_in=expires_in, lifetime=DAY)}
    return lambda destination_id: loads.get(destination_id, Load())


def nothing(_destination_id):
    return Load()


def test_failures_that_belong_together_are_one_insight(book):
    """R19."""
    for second in range(3):
        book.failed(trouble(), NOW + second * MINUTE)
    (insight,) = book.all()
    assert (insight.attempts, insight.first_seen, insight.last_seen) == (3, NOW, NOW + 2 * MINUTE)
    assert insight.last_error == error()
    assert insight.trend == ((NOW, 3),)
    assert book.get(insight.fingerprint.text) is insight


def test_another_class_or_connector_or_scope_is_another_insight(book):
    book.failed(trouble(), NOW)
    book.failed(trouble("cert_invalid"), NOW)
    book.failed(trouble(connector="other", place=PARTNER), NOW)
    book.failed(trouble(scope=Scope.MESSAGES), NOW)
    assert len({i.fingerprint.text for i in book.all()}) == 4


def test_many_that_hear_of_it_in_one_moment_count_once(book):
    book.failed(trouble(), NOW)
    seen_again = book.failed(trouble(times=0), NOW + 1)
    assert seen_again.attempts == 1


def test_a_new_insight_is_ongoing_once_a_second_attempt_has_seen_it(book):
    book.failed(trouble(), NOW)
    book.tick(NOW + 30_000, waiting(1))
    assert book.all()[0].state is InsightState.NEW
    book.failed(trouble(), NOW + MINUTE)
    book.tick(NOW + MINUTE, waiting(1))
    assert book.all()[0].state is InsightState.ONGOING


def test_a_new_insight_is_ongoing_after_five_minutes_anyway(book):
    book.failed(trouble(), NOW)
    book.tick(NOW + 5 * MINUTE, waiting(1))
    assert book.all()[0].state is InsightState.ONGOING


def test_our_own_mailboxes_are_a_route_of_ours_and_the_mx_of_a_stranger_is_not(book):
    book.failed(trouble(connector="", destination="mailboxes"), NOW)
    book.failed(trouble(connector="", place=PARTNER, stranger=True), NOW)
    book.tick(NOW + 1, waiting(1))
    assert [str(i.severity) for i in book.all()] == ["high", "low"]


def test_what_waits_may_be_counted_a_moment_later(book):
    """A refusal is high from its first message on, not only once that is counted."""
    book.failed(trouble(), NOW)
    book.tick(NOW + 500, nothing)
    assert book.all()[0].severity is Severity.HIGH
    book.tick(NOW + 10_000, nothing)
    assert book.all()[0].severity is Severity.MEDIUM


def test_it_escalates_when_clearly_more_waits_and_calms_down_after_half_an_hour(book):
    book.failed(trouble(), NOW)
    book.tick(NOW, waiting(40))
    book.tick(NOW + 5 * MINUTE, waiting(60))
    assert book.all()[0].state is InsightState.ONGOING
    book.tick(NOW + 6 * MINUTE, waiting(120))
    insight = book.all()[0]
    assert (insight.state, insight.mark, insight.peak) == (InsightState.ESCALATING, 120, 120)
    book.tick(NOW + 30 * MINUTE, waiting(130))
    assert book.all()[0].state is InsightState.ESCALATING
    book.tick(NOW + 36 * MINUTE, waiting(130))
    assert book.all()[0].state is InsightState.ONGOING


def test_it_escalates_when_mail_is_about_to_be_returned(book):
    """B7."""
    book.failed(trouble(), NOW)
    book.tick(NOW + 5 * MINUTE, waiting(1, expires_in=5 * HOUR))
    assert book.all()[0].state is InsightState.ONGOING
    book.tick(NOW + 6 * MINUTE, waiting(1, expires_in=3 * HOUR))
    insight = book.all()[0]
    assert (insight.state, insight.severity) == (InsightState.ESCALATING, Severity.HIGH)
    book.tick(NOW + 7 * MINUTE, waiting(1, expires_in=HOUR))
    assert book.all()[0].severity is Severity.CRITICAL


def test_it_is_over_when_the_destination_works_again_and_keeps_what_it_was(book):
    """B6."""
    book.failed(trouble(), NOW)
    book.tick(NOW + 1, waiting(63))
    book.recovered(OFFICE, NOW + HOUR)
    (insight,) = book.all()
    assert (insight.state, insight.resolved_at, insight.resolved_why) == (
        InsightState.RESOLVED,
        NOW + HOUR,
        "recovered",
    )
    (episode,) = insight.past
    assert (episode.opened_at, episode.attempts, episode.peak) == (NOW, 1, 63)


def test_another_destination_that_works_again_changes_nothing(book):
    book.failed(trouble(), NOW)
    book.recovered(PARTNER, NOW + 1)
    assert book.all()[0].state.open


def test_what_comes_back_is_the_same_insight_with_one_episode_more(book):
    book.failed(trouble(), NOW)
    first = book.acknowledge(book.all()[0].fingerprint.text, "ann", NOW)
    book.recovered(OFFICE, NOW + HOUR)
    book.failed(trouble(), NOW + 2 * HOUR)
    (insight,) = book.all()
    assert (insight.id, insight.state, insight.episodes) == (first.id, InsightState.REGRESSED, 2)
    assert (insight.first_seen, insight.opened_at) == (NOW, NOW + 2 * HOUR)
    assert (insight.attempts, insight.acknowledged_by, insight.resolved_at) == (1, "", 0)
    book.tick(NOW + 3 * HOUR, waiting(1))
    assert book.all()[0].state is InsightState.ONGOING


def test_what_comes_back_after_the_retention_is_new(book):
    book.failed(trouble(), NOW)
    book.recovered(OFFICE, NOW + 1)
    book.failed(trouble(), NOW + 91 * DAY)
    (insight,) = book.all()
    assert (insight.state, insight.episodes, insight.first_seen) == (InsightState.NEW, 1, NOW + 91 * DAY)


def test_it_is_not_over_while_mail_waits_however_quiet_it_is(book):
    """A suspended destination is not tried; its mail waits all the same."""
    book.failed(trouble(), NOW)
    book.tick(NOW + 10 * HOUR, waiting(1))
    assert book.all()[0].state.open
    book.tick(NOW + 10 * HOUR, nothing)
    assert book.all()[0].resolved_why == "quiet"


def test_it_is_over_at_once_when_its_connector_is_gone_and_nothing_waits(book):
    """R14: after Fix now."""
    book.failed(trouble(), NOW)
    book.tick(NOW + 1, waiting(5), frozenset({OFFICE}))
    assert book.all()[0].state.open
    book.tick(NOW + 2, nothing, frozenset({OFFICE}))
    assert book.all()[0].resolved_why == "gone"


def test_how_a_destination_failed_before_is_superseded_by_how_it_fails_now(book):
    book.failed(trouble("connection_timeout"), NOW)
    for second in range(SUPERSEDED_AFTER):
        book.failed(trouble("connection_refused"), NOW + second)
    states = {i.fingerprint.failure_class: (i.state.open, i.resolved_why) for i in book.all()}
    assert states == {"connection_timeout": (False, "superseded"), "connection_refused": (True, "")}


def test_two_ways_to_fail_in_turn_both_stay(book):
    for turn in range(10):
        book.failed(trouble(("connection_timeout", "connection_refused")[turn % 2]), NOW + turn)
    assert all(i.state.open for i in book.all())


def test_messages_that_fail_at_a_destination_that_works_are_over_when_it_is_quiet(book):
    book.failed(trouble("greylisted", Scope.MESSAGES), NOW)
    book.recovered(OFFICE, NOW + 1)
    book.tick(NOW + 20 * MINUTE, waiting(3))
    assert book.all()[0].state.open
    book.tick(NOW + 25 * MINUTE, waiting(3))
    assert book.all()[0].resolved_why == "quiet"


def test_deferred_messages_are_over_a_minute_after_nothing_waits(book):
    book.failed(trouble("greylisted", Scope.MESSAGES), NOW)
    book.failed(trouble("recipient_unknown", Scope.MESSAGES, waits=False, quiet_ms=HOUR), NOW)
    book.tick(NOW + MINUTE, nothing)
    assert {i.fingerprint.failure_class: i.state.open for i in book.all()} == {
        "greylisted": False,
        "recipient_unknown": True,
    }


def test_one_host_of_two_is_over_when_it_does_not_fail_any_more(book):
    """B2."""
    book.failed(trouble("cert_invalid", Scope.HOSTS), NOW)
    book.hosts_now(OFFICE, {"cert_invalid"}, NOW + 1)
    assert book.all()[0].state.open
    book.hosts_now(OFFICE, set(), NOW + 2)
    assert book.all()[0].resolved_why == "recovered"


def test_when_all_hosts_fail_that_explains_the_one_that_failed_before(book):
    book.failed(trouble("cert_invalid", Scope.HOSTS), NOW)
    whole = book.failed(trouble("connection_timeout"), NOW + 1)
    (host,) = book.open_of(Scope.HOSTS)
    assert host.parent == whole.fingerprint.text
    book.recovered(OFFICE, NOW + 2)
    (host,) = book.open_of(Scope.HOSTS)
    assert host.parent == ""


def test_messages_that_break_off_are_explained_by_a_destination_that_breaks_off_as_a_whole(book):
    book.failed(trouble("connection_dropped", Scope.MESSAGES), NOW)
    whole = book.failed(trouble("connection_dropped"), NOW + 1)
    book.failed(trouble("mailbox_full", Scope.MESSAGES), NOW + 2)
    parents = {i.fingerprint.failure_class: i.parent for i in book.open_of(Scope.MESSAGES)}
    assert parents == {"connection_dropped": whole.fingerprint.text, "mailbox_full": ""}
    book.recovered(OFFICE, NOW + 3)
    assert {i.parent for i in book.open_of(Scope.MESSAGES)} == {""}


def test_recipients_that_ended_are_counted_where_they_failed(book):
    """R4."""
    book.failed(trouble("recipient_unknown", Scope.MESSAGES), NOW)
    book.failed(trouble(), NOW)
    book.ended("to-office", OFFICE, "recipient_unknown", 2)
    book.ended("to-office", OFFICE, "connection_refused", 3)
    book.ended("to-office", OFFICE, "mailbox_full", 4)
    assert {i.fingerprint.failure_class: i.ended for i in book.all()} == {
        "recipient_unknown": 2,
        "connection_refused": 3,
    }


def test_people_acknowledge_write_and_resolve(book):
    text = book.failed(trouble(), NOW).fingerprint.text
    assert book.acknowledge(text, "ann", NOW + 1).acknowledged_by == "ann"
    assert book.acknowledge(text, "", NOW + 2).acknowledged_at == 0
    assert book.write(text, "the firewall is being mended").note == "the firewall is being mended"
    over = book.resolve(text, NOW + 3, "by hand", "ann")
    assert (over.state, over.resolved_by) == (InsightState.RESOLVED, "ann")
    assert book.resolve("v1:0", NOW, "by hand") is None


def test_changes_are_told_once_with_what_was_told_before(book):
    book.failed(trouble(), NOW)
    book.failed(trouble(), NOW + 1)
    ((after, before),) = book.changes()
    assert (after.attempts, before) == (2, None)
    assert book.changes() == []
    book.failed(trouble(), NOW + 2)
    book.recovered(OFFICE, NOW + 3)
    ((later, known),) = book.changes()
    assert known == after
    assert later.state is InsightState.RESOLVED


def test_time_that_changes_nothing_is_no_news(book):
    book.failed(trouble(), NOW)
    book.tick(NOW + 1, waiting(5))
    book.changes()
    book.tick(NOW + 2, waiting(5))
    assert book.changes() == []


def test_a_full_book_forgets_what_is_over_before_it_refuses(book, monkeypatch):
    monkeypatch.setattr("gatepost.insight.book.MAX_ENTRIES", 10)
    for place in range(1, 11):
        book.failed(trouble(place=place), NOW + place)
    assert book.failed(trouble(place=99), NOW + 50) is None
    assert book.dropped == 1
    book.recovered(1, NOW + 60)
    assert book.failed(trouble(place=99), NOW + 70) is not None
    assert 1 not in {i.fingerprint.destination_id for i in book.all()}


def test_what_was_over_long_ago_is_forgotten(book):
    book.failed(trouble(), NOW)
    book.failed(trouble(place=PARTNER), NOW)
    book.recovered(OFFICE, NOW + 1)
    book.prune(NOW + 2)
    assert [i.fingerprint.destination_id for i in book.all()] == [PARTNER]


def test_every_open_insight_has_its_turn_however_many_there_are(book, monkeypatch):
    monkeypatch.setattr("gatepost.insight.book.SLICE", 3)
    for place in range(1, 8):
        book.failed(trouble(place=place), NOW)
    for second in range(3):
        book.tick(NOW + 5 * MINUTE + second, nothing)
    assert {i.state for i in book.all()} == {InsightState.ONGOING}
