"""Answers about foreign evidence: errors, bounces, logs, and the systems that tell of theirs."""

from typing import Annotated

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import FLOW_CODES, Class, DryRun, at, says

Maybe = Annotated[str | None, says("Null where the text does not say.")]


class CauseInWords(TypedDict):
    """A cause of the catalogue."""

    id: str
    text: str


class FixInWords(TypedDict):
    """Something to do, and who can."""

    owner: str
    owner_name: str
    text: str
    action: Annotated[str | None, says("Name of our fix that does it; null: by hand.")]


_JudgedClass = TypedDict("_JudgedClass", {"class": Class})


class JudgementJson(_JudgedClass):
    """What is known of one failure."""

    source_kind: Annotated[str, says("What it was read from.")]
    smtp: Annotated[int | None, says("SMTP code; null where there is none.")]
    enhanced: Maybe
    code: Annotated[str, says("Code of mail flow intelligence.", FLOW_CODES)]
    sub: Maybe
    title: str
    phase: Annotated[str, says("How far it came; may be empty.")]
    reason: Annotated[str, says("What ended it; may be empty.")]
    server: Maybe
    address: Maybe
    recipient: Maybe
    sender: Maybe
    message: Maybe
    at: Annotated[str | None, at("When it happened; null where the text does not say.")]
    outcome: Maybe
    permanent: Annotated[bool | None, says("Whether it is for good; null where nobody can say.")]
    confidence: Annotated[float, says("How sure this is, 0 to 1.", minimum=0, maximum=1)]
    also: Annotated[list[str], says("Classes that are possible too.")]
    why: Annotated[list[str], says("The rules that decided.")]
    side: str
    explanation: str
    causes: list[CauseInWords]
    fixes: list[FixInWords]
    text: Annotated[str, says("The text itself, made harmless, 1000 characters at most.")]


class HourCount(TypedDict):
    """Failed attempts of an hour."""

    at: Annotated[str, at("Begin of the hour.")]
    attempts: int


class LogInsightJson(_JudgedClass):
    """What a log says of one destination in one class."""

    direction: Annotated[str, says("Mail that the system took, or sent.", ("in", "out"))]
    destination: Maybe
    destinations: Annotated[int, says("Destinations that fail alike.")]
    sub: Maybe
    code: Annotated[str, says("Code of mail flow intelligence.", FLOW_CODES)]
    title: str
    phase: str
    severity: str
    since: Annotated[str | None, at("Since when it has failed.")]
    last_seen: Annotated[str | None, at("When it last failed.")]
    stuck: Annotated[int, says("Recipients that wait.")]
    oldest_at: Annotated[str | None, at("When the oldest of them came.")]
    attempts: int
    delivered_later: int
    returned: int
    trend: Annotated[str | None, says("Whether it grows; null where nobody can say.")]
    over: bool
    hours: list[HourCount]
    works_at: Annotated[str | None, at("When it last worked.")]
    side: str
    next_step: str
    confidence: float
    server: Maybe
    address: Maybe
    recipient: Maybe
    text: str


_LogFrom = TypedDict("_LogFrom", {"from": Annotated[str | None, at("Time of the first line.")]})


class LogSummaryJson(_LogFrom):
    """The picture of a log."""

    source_kind: str
    lines: int
    bad_lines: Annotated[int, says("Lines that could not be read.")]
    bad_example: str | None
    until: Annotated[str | None, at("Time of the last line.")]
    delivered: int
    stuck: int
    attempts_failed: Annotated[int, says("Failed attempts in it.")]
    returned: int
    refused_incoming: int
    insights: list[LogInsightJson]
    more_insights: Annotated[int, says("Insights that are not shown.")]
    forgotten: Annotated[int, says("Groups that were given up, since there were too many.")]


class ReportedJson(TypedDict):
    """What was taken of a foreign system."""

    dry_run: DryRun
    system: str
    connector: Annotated[str, says("Name that its insights carry, `foreign:SYSTEM`.")]
    insights: Annotated[int, says("Insights that are open now.")]


class ExplainedJson(TypedDict):
    """What is known of what was handed in."""

    source_kind: str
    answers: list[JudgementJson]
    more_answers: Annotated[bool, says("Whether there are further failures in it.")]
    cut: Annotated[bool, says("Whether only the beginning was read.")]
    summary: LogSummaryJson
    kept: Annotated[ReportedJson | None, says("What was kept; null where nobody asked for that.")]


class ForeignSystem(TypedDict):
    """A foreign mail system that has told something."""

    system: str
    connector: str
    source_kind: str
    heard_at: Annotated[str | None, at("When it was last heard of.")]
    insights: int
    stuck: Annotated[int, says("Recipients that wait there.")]


class ForgottenJson(TypedDict):
    """That a foreign system was forgotten."""

    system: str
    forgotten: int
