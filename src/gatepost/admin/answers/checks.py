"""Answers about checks of destinations and validations of connectors."""

from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from gatepost.admin.answers.fields import ConnectorName, DestinationId, at, says
from gatepost.admin.answers.queue import ErrorJson

VERDICTS = ("pass", "warning", "fail", "unknown", "skipped")
STAGES = ("resolve", "connect", "banner", "ehlo", "starttls", "certificate", "auth", "mail", "rcpt", "data")
WHYS = ("check", "schedule", "insight", "fix", "validate")
Verdict = Annotated[str, says("How it went; unknown: not reached, skipped: not asked for.", VERDICTS)]


class StageJson(TypedDict):
    """One stage at one target."""

    stage: Annotated[str, says("Which one.", STAGES)]
    target: Annotated[str, says("The name, or name, address and port.")]
    ok: Annotated[bool, says("Whether mail can go on from here.")]
    verdict: Verdict
    ms: Annotated[float, says("How long it took, in milliseconds.")]
    evidence: Annotated[dict[str, Any], says("What was seen: addresses, reply, chain, error ...")]


class ProbeJson(TypedDict):
    """What a probe saw."""

    id: str
    at: Annotated[str, at("When it began.")]
    why: Annotated[str, says("Who wanted it.", WHYS)]
    connector: ConnectorName
    destination_id: DestinationId
    ok: Annotated[bool, says("Whether at least one address takes mail.")]
    verdict: Verdict
    hosts: Annotated[int, says("Addresses that were tried.", minimum=0)]
    working: Annotated[int, says("Addresses that take mail.", minimum=0)]
    stages: list[StageJson]
    last_error: ErrorJson | None


class StageInWords(StageJson):
    """A stage with its evidence in a few words."""

    text: str


class CheckJson(TypedDict):
    """A check with what it means."""

    id: str
    at: Annotated[str, at("When it began.")]
    why: Annotated[str, says("Who wanted it.", WHYS)]
    connector: ConnectorName
    destination_id: DestinationId
    ok: Annotated[bool, says("Whether at least one address takes mail.")]
    verdict: Verdict
    hosts: Annotated[int, says("Addresses that were tried.", minimum=0)]
    working: Annotated[int, says("Addresses that take mail.", minimum=0)]
    stages: list[StageInWords]
    last_error: ErrorJson | None
    sentence: Annotated[str, says("What it means, in the caller's language.")]
    advice: Annotated[str, says("What would help; empty where nothing has to.")]


class CheckStep(TypedDict):
    """One line of a streamed check: a stage as it ends, or (the last line) the whole."""

    stage: NotRequired[StageInWords]
    result: NotRequired[CheckJson]


class TaskJson(TypedDict):
    """One task of a validation."""

    task: Annotated[str, says("A check as far as RCPT, or a test message.", ("check", "message"))]
    recipient: str
    ok: bool
    result: Annotated[str, says("What went wrong, or the server's reply.")]
    hosts: NotRequired[int]
    working: NotRequired[int]
    stages: NotRequired[Annotated[list[StageJson], says("Every step of the check, without its evidence.")]]


class ValidationJson(TypedDict):
    """What became of every task of a validation."""

    id: str
    at: Annotated[str, at("When it ended.")]
    connector: ConnectorName
    who: str
    ok: bool
    tasks: list[TaskJson]
