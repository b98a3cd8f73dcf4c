"""Answers about alerts, silences, notices, and the policies in force."""

from typing import Annotated, Any

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import ConnectorName, at, says
from gatepost.admin.answers.objects import PolicyJson
from gatepost.model.alert import SEVERITIES, AlertState


class AlertJson(TypedDict):
    """An alert: a policy and what it is about."""

    id: str
    policy: Annotated[str, says("Name of the policy.")]
    subject: Annotated[str, says("Fingerprint of an insight, `queue/CONNECTOR`, or key of a forecast.")]
    connector: ConnectorName
    severity: Annotated[str, says("How loud it is.", SEVERITIES)]
    state: Annotated[str, says("Where it stands.", tuple(AlertState))]
    since: Annotated[str, at("Since when the condition has held.")]
    fired_at: Annotated[str | None, at("When it fired; null while it is pending.")]
    resolved_at: Annotated[str | None, at("When it was over; null while it fires.")]
    notified_at: Annotated[str | None, at("When somebody was last told.")]
    silenced: bool
    acknowledged_by: Annotated[str, says("Who looks after it; empty: nobody.")]
    acknowledged_at: Annotated[str | None, at("Since when.")]


class AlertRow(AlertJson):
    """An alert in words."""

    sentence: Annotated[str, says("What it says, in the caller's language.")]
    about: Annotated[
        dict[str, Any],
        says(
            "What is known of its subject now: messages, queued_since, server, last_error, causes, fixes ..."
        ),
    ]


class TryJson(TypedDict):
    """One try to tell somebody."""

    at: Annotated[str, at("When.")]
    ok: bool
    way: Annotated[str, says("By which way: a server, an address of the web.")]
    result: Annotated[str, says("What was answered.")]


class NoticeJson(TypedDict):
    """A notice to one channel, with every try."""

    id: str
    channel: str
    kind: Annotated[str, says("What it tells.", ("firing", "resolved", "test"))]
    alerts: Annotated[list[str], says("Ids of the alerts that it tells of.")]
    at: Annotated[str, at("When it was made.")]
    state: Annotated[str, says("Where it stands.", ("waiting", "sent", "failed"))]
    tries: int
    next_at: Annotated[str | None, at("When it is tried next; null: no more.")]
    log: list[TryJson]


class AlertDetail(AlertRow):
    """An alert with its notices."""

    notices: list[NoticeJson]


class SilenceJson(TypedDict):
    """What is silenced, until when, and why."""

    id: str
    policy: Annotated[str, says("Name of a policy, `*` matches anything; empty: all.")]
    connector: Annotated[str, says("Name of a connector, `*` matches anything; empty: all.")]
    until: Annotated[str, at("When it ends.")]
    reason: str
    who: str
    at: Annotated[str, at("Since when.")]


class EndedJson(TypedDict):
    """That something was ended."""

    ended: Annotated[int, says("How many.")]


class PolicyInForce(PolicyJson):
    """A policy in force."""

    built_in: Annotated[bool, says("Whether it is there without an object of its own.")]


class ChannelTest(TypedDict):
    """What became of a test notice."""

    ok: bool
    channel: str
    way: str
    result: str
