# ruff: noqa: E501 (a pattern is one line)
"""What the words of a failed delivery mean: texts that differ in names and numbers only are judged once."""

import re
from typing import NamedTuple, TypeVar

from gatepost.explain.judge import judge
from gatepost.explain.record import Judgement, Record
from gatepost.explain.shapes import is_explained
from gatepost.model.failure import FailureClass

MAX_KNOWN = 50_000
MAX_TEXT = 4000
# addresses, names beside an address, addresses of hosts, long words with digits in them: none says why
_VOLATILE = re.compile(
    r"<[^<>\s]{1,320}>|[^\s<>,;:()]{1,64}@[^\s<>,;:()]{1,255}|[\w.-]{1,255} ?\[[0-9a-fA-F.:]{2,45}\](?::\d{1,5})?"
    r"|\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b|\bname=\S{1,255}|\b(?=[\w/+=-]{6,})[\w/+=-]{0,80}\d[\w/+=-]{0,200}"
)
_SERVER = re.compile(
    r"(?:host|[Cc]onnect to|with|server|delivery via) (?P<server>[^\s\[\](),;'\"<>]{1,255}?)\[(?P<address>[0-9a-fA-F.:]{2,45})\](?P<port>:\d{1,5})?"
)


_Key = TypeVar("_Key")


class Said(NamedTuple):
    """What a text means; the fields are those of `record.Judgement`."""

    failure_class: str
    sub: str = ""
    code: str = "other"
    phase: str = ""
    permanent: bool = False
    confidence: float = 0.0
    also: tuple[str, ...] = ()

    @property
    def bare(self) -> bool:
        """Whether it is an end without a cause of its own."""
        return self.failure_class == FailureClass.EXPIRED


class Reasons:
    """Judgements of the texts of one log."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._near: dict[tuple[str, str, str, str], Said] = {}  # by a key that is made quickly
        self._known: dict[tuple[str, str, str], Said] = {}  # by one that is the same for more texts

    def of(
        self, text: str, enhanced: str, outcome: str, *, phase: str = "", names: tuple[str, ...] = ()
    ) -> Said:
        """Return what a text means; `names` are recipient and domain, which say nothing."""
        key = (_shape(text, names), enhanced, outcome, phase)
        said = self._near.get(key)
        if said is None:
            said = self._judged(text[:MAX_TEXT], enhanced, outcome, phase)
            _bounded(self._near)[key] = said
        return said

    def _judged(self, text: str, enhanced: str, outcome: str, phase: str) -> Said:
        key = (_VOLATILE.sub("*", text), enhanced, outcome + phase)
        said = self._known.get(key)
        if said is None:
            said = said_of(judge(Record(self._kind, text, enhanced=enhanced, outcome=outcome, phase=phase)))
            _bounded(self._known)[key] = said
        return said


def _shape(text: str, names: tuple[str, ...]) -> str:
    """Return a text without what changes most: the server before its words, the names, digits behind the codes."""
    words = text[text.find("]") :] if text.startswith(_NAMING) else ""
    text = text[:5] + words[:MAX_TEXT] if words else text[:MAX_TEXT]
    for name in names:
        if name:
            text = text.replace(name, "*")
    return text[:_CODES] + text[_CODES:].translate(_NO_DIGITS)


_NAMING = ("host ", "connect to ", "lost connection with ", "conversation with ")
_NO_DIGITS = {ord(digit): None for digit in "0123456789"}
_CODES = 24  # characters in which the codes stand


def _bounded(known: dict[_Key, Said]) -> dict[_Key, Said]:
    if len(known) >= MAX_KNOWN:
        known.clear()
    return known


def said_of(judgement: Judgement) -> Said:
    """Return the part of a judgement that concerns a group."""
    known = is_explained(judgement)
    return Said(
        str(judgement.failure_class),
        judgement.sub,
        judgement.flow_code,
        judgement.phase,
        judgement.permanent,
        judgement.confidence if known else 0.0,
        tuple(str(failure_class) for failure_class in judgement.also),
    )


def server_in(text: str) -> tuple[str, str]:
    """Return the server that a text of Postfix names, and its address; "" for none."""
    found = _SERVER.search(text, 0, 1000)
    return (found["server"], found["address"] + (found["port"] or "")) if found else ("", "")
