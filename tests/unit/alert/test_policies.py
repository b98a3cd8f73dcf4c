"""Which alerts there are, and when they are over (R18, B7)."""

from dataclasses import replace
from itertools import count

import pytest

from gatepost.alert.policies import DEFAULTS, Key, Subject, effective, evaluate, holds, said_already, silenced
from gatepost.alert.quiet import is_quiet
from gatepost.config.objects import from_dict, to_dict
from gatepost.config.problems import BadObjects
from gatepost.model.alert import Alert, AlertPolicy, AlertState, Channel, Silence
from gatepost.model.objects import Objects

NOW = 1_764_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
STUCK = Subject("v1:1", "insight", "to-office", "on-premises", "high", "connection_refused", messages=3)
QUEUE = Subject("queue/to-office", "queue", "to-office", "on-premises", "", "", messages=3)
AT_ONCE = AlertPolicy("now", least_severity="high", keep_firing=300)


class World:
    """Evaluates step by step, as the gateway does every second."""

    def __init__(self, *policies: AlertPolicy) -> None:
        self.policies = list(policies)
        self.alerts: dict[Key, Alert] = {}
        self.ids = count(1)
        self.moves: list[str] = []

    def step(self, now: int, *subjects: Subject) -> None:
        self.alerts, moved = evaluate(self.policies, subjects, self.alerts, now, lambda: next(self.ids))
        self.moves += [m.what for m in moved]
        self.alerts = {k: a for k, a in self.alerts.items() if a.state is not AlertState.RESOLVED}


def test_a_hard_failure_fires_at_once_and_is_over_after_it_was_over_for_a_while():
    """R18."""
    world = World(AT_ONCE)
    world.step(NOW, STUCK)
    assert world.moves == ["fired"]
    world.step(NOW + MINUTE, STUCK)
    world.step(NOW + 2 * MINUTE)
    assert world.moves == ["fired"]
    world.step(NOW + 7 * MINUTE)
    assert world.moves == ["fired", "resolved"]


def test_a_condition_that_flaps_is_one_alert():
    """Fault row 47: one alert opened, one closed."""
    world = World(AT_ONCE)
    for minute in range(60):
        world.step(NOW + minute * MINUTE, *([STUCK] if minute % 2 else []))
    world.step(NOW + 70 * MINUTE)
    assert world.moves == ["fired", "resolved"]


def test_what_has_not_held_long_enough_tells_nobody():
    world = World(replace(AT_ONCE, pending=600))
    for minute in range(9):
        world.step(NOW + minute * MINUTE, STUCK)
    world.step(NOW + 9 * MINUTE)
    assert world.moves == []
    for minute in range(20, 32):
        world.step(NOW + minute * MINUTE, STUCK)
    assert world.moves == ["fired"]


def test_the_models_policy_counts_only_what_has_waited_for_more_than_an_hour():
    """R18: 2,000 messages queued for over an hour."""
    (policy,) = [p for p in DEFAULTS if p.name == "messages-delayed"]
    young = QUEUE._replace(messages=5000, ages=((NOW - HOUR // 2, 5000),))
    old = QUEUE._replace(messages=2000, ages=((NOW - 2 * HOUR, 2000),))
    few = QUEUE._replace(messages=1999, ages=((NOW - 2 * HOUR, 1999),))
    assert [holds(policy, s, NOW) for s in (young, old, few)] == [False, True, False]


@pytest.mark.parametrize(
    ("policy", "subject", "expected"),
    [
        (replace(AT_ONCE, connectors=("to-*",)), STUCK, True),
        (replace(AT_ONCE, connectors=("other",)), STUCK, False),
        (replace(AT_ONCE, to="partner"), STUCK, False),
        (replace(AT_ONCE, classes=("cert_invalid",)), STUCK, False),
        (replace(AT_ONCE, classes=("connection_refused",)), STUCK, True),
        (replace(AT_ONCE, least_severity="critical"), STUCK, False),
        (replace(AT_ONCE, enabled=False), STUCK, False),
        (replace(AT_ONCE, messages=4), STUCK, False),
        (replace(AT_ONCE, share=0.5), STUCK, False),
        (replace(AT_ONCE, share=0.5), STUCK._replace(share=0.6), True),
        (AlertPolicy("q", on="queue", expires_within=3600), QUEUE, False),
        (
            AlertPolicy("q", on="queue", expires_within=3600),
            QUEUE._replace(first_expires_at=NOW + HOUR),
            True,
        ),
        (
            AlertPolicy("q", on="queue", expires_within=3600),
            QUEUE._replace(first_expires_at=NOW + 2 * HOUR),
            False,
        ),
        (AlertPolicy("q", on="queue", messages=1), STUCK, False),
    ],
)
def test_everything_that_a_policy_asks_must_hold(policy, subject, expected):
    assert holds(policy, subject, NOW) is expected


def test_one_trouble_is_told_once_under_several_policies():
    """One notice, not many."""
    world = World(*DEFAULTS)
    late = QUEUE._replace(messages=5000, ages=((NOW - 2 * HOUR, 5000),))
    world.step(NOW, STUCK, late)
    stuck = world.alerts["mail-stuck", "v1:1"]
    delayed = world.alerts["messages-delayed", "queue/to-office"]
    told = replace(stuck, notified_at=NOW)
    assert said_already(delayed, [told, delayed])
    assert not said_already(replace(delayed, severity="critical"), [told, delayed])
    assert not said_already(replace(delayed, connector="other"), [told, delayed])


def test_a_silence_ends_and_matches_by_name():
    alert = Alert(1, "mail-stuck", "v1:1", "to-office", "high", AlertState.FIRING, NOW)
    silence = Silence(1, "", "to-*", NOW + HOUR, "maintenance", "ann", NOW)
    assert silenced(alert, [silence], NOW)
    assert not silenced(alert, [silence], NOW + HOUR)
    assert not silenced(replace(alert, connector="x"), [silence], NOW)


def test_quiet_hours_follow_the_clock_of_their_zone():
    at_eight = 1_763_971_200_000  # 2025-11-24 08:00 UTC, 16:00 in Shanghai
    assert is_quiet("07:00-09:00", at_eight)
    assert not is_quiet("07:00-09:00 Asia/Shanghai", at_eight)
    assert is_quiet("15:00-17:00 Asia/Shanghai", at_eight)
    assert is_quiet("22:00-09:00", at_eight)
    assert not is_quiet("", at_eight)


def test_an_own_policy_takes_the_place_of_the_built_in_one():
    own = AlertPolicy("mail-stuck", enabled=False)
    assert [p for p in effective(Objects(policies=(own,))) if p.name == "mail-stuck"] == [own]
    assert len(effective(Objects())) == len(DEFAULTS)


@pytest.mark.parametrize(
    "policy", [*DEFAULTS, AlertPolicy("x", share=0.255, quiet="22:00-07:00 Asia/Shanghai")]
)
def test_a_policy_is_read_as_it_was_written(policy):
    assert from_dict("alert_policy", to_dict(policy)) == policy


def test_a_channel_keeps_its_secrets_to_itself():
    channel = Channel("hook", "webhook", url="https://a.example/x", password="secret")
    assert "secret" not in repr(channel)
    assert "secret" not in str(to_dict(channel))
    assert from_dict("notification_channel", to_dict(channel, secrets=True)) == channel
    assert "token" not in str(to_dict(Channel("a", "apprise", url="slack://token")))


@pytest.mark.parametrize(
    ("kind", "data", "word"),
    [
        ("alert_policy", {"name": "x", "on": "queue"}, "say when"),
        ("alert_policy", {"name": "x", "quiet": "at night"}, "span of a day"),
        ("alert_policy", {"name": "x", "quiet": "22:00-07:00 Mars/Phobos"}, "time zone"),
        ("alert_policy", {"name": "x", "classes": ["bad_luck"]}, "bad_luck"),
        ("alert_policy", {"name": "x", "messages": -1}, "messages"),
        ("alert_policy", {"name": "x", "share": "half"}, "percentage"),
        ("notification_channel", {"name": "x"}, "name the addresses"),
        ("notification_channel", {"name": "x", "kind": "webhook"}, "name where"),
        ("notification_channel", {"name": "x", "kind": "webhook", "url": "ftp://a"}, "http"),
        ("notification_channel", {"name": "x", "to": ["nobody"]}, "nobody"),
        ("notification_channel", {"name": "x", "to": ["a@b.example"], "language": "de"}, "language"),
    ],
)
def test_a_policy_or_channel_that_cannot_be_is_refused_in_one_sentence(kind, data, word):
    with pytest.raises(BadObjects, match=word):
        from_dict(kind, data)
