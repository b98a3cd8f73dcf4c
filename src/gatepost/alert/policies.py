"""Which alerts there are, from policies and what they look at (pure).

Rule 1: a condition that flaps is one alert: it fires after it held for `pending`, it is over after it was over for
`keep_firing`.
Rule 2: what is foreseen is told again when it has come nearer (30, 14, 7, 1 days); what is broken is told once.
Rule 3: the same inputs give the same alerts; nothing here reads a clock.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from gatepost.model.alert import SEVERITIES, Alert, AlertPolicy, AlertState, Silence
from gatepost.model.objects import Objects

Key = tuple[str, str]
# subjects that are another view of what an insight of the same connector says
WIDE = ("queue/", "mail_expires/", "last_host/")

# useful with one message a day; an object of the same name takes the place of each
DEFAULTS = (
    AlertPolicy(
        "mail-stuck",
        least_severity="high",
        comment="A way out is broken and does not mend itself: told at once, from one message on.",
    ),
    AlertPolicy(
        "mail-slow",
        least_severity="medium",
        pending=900,
        comment="Trouble that time may mend, and has not for a quarter of an hour.",
    ),
    AlertPolicy(
        "mail-expires",
        on="queue",
        messages=1,
        expires_within=4 * 3600,
        severity="high",
        comment="Mail is about to be returned to its senders.",
    ),
    AlertPolicy(
        "messages-delayed",
        on="queue",
        messages=2000,
        older_than=3600,
        severity="high",
        comment="Many messages have waited for more than an hour.",
    ),
    AlertPolicy(
        "foresight",
        on="foresight",
        least_severity="medium",
        comment="Mail flows still, and will not for long.",
    ),
)


class Subject(NamedTuple):
    """Something that a policy can look at; times are ms since 1970, 0 for none."""

    key: str  # stable while it is the same thing
    on: str  # insight | queue | foresight
    connector: str
    to: str
    severity: str
    kind: str  # failure class, or kind of forecast
    messages: int = 0
    share: float = 0.0  # of all that waits
    first_expires_at: int = 0
    ages: tuple[tuple[int, int], ...] = ()  # (accepted since, messages): five-minute buckets
    destination_id: int = 0


class Moved(NamedTuple):
    """An alert that has just fired or is over."""

    alert: Alert
    subject: Subject | None
    what: str  # fired | worse | resolved


def effective(objects: Objects) -> list[AlertPolicy]:
    """Return the policies in force: those of the administrator over the defaults."""
    named = {policy.name: policy for policy in DEFAULTS} | {p.name: p for p in objects.policies}
    return [named[name] for name in sorted(named)]


def holds(policy: AlertPolicy, subject: Subject, now: int) -> bool:
    """Tell whether everything that a policy asks is true of a subject."""
    if not policy.enabled or policy.on != subject.on:
        return False
    if policy.to and policy.to != subject.to:
        return False
    if policy.connectors and not any(fnmatchcase(subject.connector, p) for p in policy.connectors):
        return False
    if policy.classes and subject.kind not in policy.classes:
        return False
    if subject.severity and _rank(subject.severity) < _rank(policy.least_severity):
        return False
    return _enough(policy, subject, now)


def _enough(policy: AlertPolicy, subject: Subject, now: int) -> bool:
    waiting = subject.messages
    if policy.older_than:
        before = now - policy.older_than * 1000
        waiting = sum(number for since, number in subject.ages if since <= before)
        if not waiting:
            return False
    if waiting < policy.messages or subject.share < policy.share:
        return False
    if not policy.expires_within:
        return True
    return 0 < subject.first_expires_at <= now + policy.expires_within * 1000


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def evaluate(
    policies: Sequence[AlertPolicy],
    subjects: Iterable[Subject],
    alerts: Mapping[Key, Alert],
    now: int,
    new_id: Callable[[], int],
) -> tuple[dict[Key, Alert], list[Moved]]:
    """Return the alerts as they are now, and what moved; resolved ones are returned once and then left out."""
    kept: dict[Key, Alert] = {}
    moved: list[Moved] = []
    known = {policy.name: policy for policy in policies}
    for subject in subjects:
        for policy in policies:
            if not holds(policy, subject, now):
                continue
            key = (policy.name, subject.key)
            alert = _held(policy, subject, alerts.get(key), now, new_id)
            if alert.state is AlertState.FIRING and not alert.fired_at:
                alert = replace(alert, fired_at=now)
                moved.append(Moved(alert, subject, "fired"))
            elif subject.on == "foresight" and alert.fired_at and _worse(alert, alerts[key]):
                alert = replace(alert, state=AlertState.FIRING, notified_at=0)
                moved.append(Moved(alert, subject, "worse"))
            kept[key] = alert
    for key, alert in alerts.items():
        if key in kept or alert.state is AlertState.RESOLVED:
            continue
        keep = known[alert.policy].keep_firing * 1000 if alert.policy in known else 0
        if alert.state is AlertState.PENDING:
            continue
        if now - alert.seen_at < keep:
            kept[key] = alert
            continue
        over = replace(alert, state=AlertState.RESOLVED, resolved_at=now)
        kept[key] = over
        moved.append(Moved(over, None, "resolved"))
    return kept, moved


def _worse(alert: Alert, before: Alert) -> bool:
    return _rank(alert.severity) > _rank(before.severity)


def _held(
    policy: AlertPolicy, subject: Subject, alert: Alert | None, now: int, new_id: Callable[[], int]
) -> Alert:
    severity = policy.severity or subject.severity or "medium"
    if alert is None or alert.state is AlertState.RESOLVED:
        alert = Alert(
            new_id(),
            policy.name,
            subject.key,
            subject.connector,
            severity,
            AlertState.PENDING,
            now,
            seen_at=now,
        )
    alert = replace(alert, seen_at=now, severity=severity)
    if alert.state is AlertState.PENDING and now - alert.since >= policy.pending * 1000:
        alert = replace(alert, state=AlertState.FIRING)
    return alert


def silenced(alert: Alert, silences: Iterable[Silence], now: int) -> bool:
    """Tell whether nobody is to be told of an alert now."""
    return any(
        s.until > now
        and fnmatchcase(alert.policy, s.policy or "*")
        and fnmatchcase(alert.connector, s.connector or "*")
        for s in silences
    )


def said_already(alert: Alert, others: Iterable[Alert]) -> bool:
    """Tell whether people were told of the same trouble under another policy, at least as loudly."""
    return any(
        other is not alert
        and other.notified_at
        and other.state in (AlertState.FIRING, AlertState.ACKNOWLEDGED)
        and _rank(other.severity) >= _rank(alert.severity)
        and _same_trouble(alert, other)
        for other in others
    )


def _same_trouble(alert: Alert, other: Alert) -> bool:
    if alert.subject == other.subject:
        return True
    wide = any(one.subject.startswith(WIDE) for one in (alert, other))
    return wide and bool(alert.connector) and alert.connector == other.connector
