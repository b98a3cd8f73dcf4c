"""The rules: what failures are told in, of any mail system; data (`rules/*.toml`), each with a sample of its own.

A rule is words that a text may say, the class that they mean, and how sure that is. A rule of codes says the same of
enhanced status codes. What they amount to together is `diagnose.opinion`. Loaded is `rules.json`, which
`diagnose.compile` makes of them.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from gatepost.diagnose.phrases import Index
from gatepost.model.failure import FailureClass

COMPILED = Path(__file__).with_name("rules.json")


class Rule(NamedTuple):
    """Words and what they mean; `weight` says how sure: 95 certain, 85 clear, 70 likely, 50 a hint, 25 filler.

    `phase` and `reason` are hints for texts that do not say it otherwise. `also`: what it may be as well. `unless`:
    phrases that take the meaning away. Conditions, empty for any: `smtp` (codes or their first digit), `phases`.
    """

    name: str
    failure_class: FailureClass
    weight: int
    sample: str
    sub: str = ""
    phase: str = ""
    reason: str = ""
    also: tuple[FailureClass, ...] = ()
    unless: tuple[str, ...] = ()
    smtp: tuple[int, ...] = ()
    phases: tuple[str, ...] = ()


class CodeRule(NamedTuple):
    """Enhanced codes (without the class digit) and what they mean where no words say more."""

    codes: tuple[str, ...]
    failure_class: FailureClass
    weight: int
    sub: str = ""
    phase: str = ""
    also: tuple[FailureClass, ...] = ()


class DigitRule(NamedTuple):
    """Three digits and what they mean (RFC 5321 section 4.2.3); `phase` where one code has two meanings."""

    smtp: int
    failure_class: FailureClass
    weight: int
    phase: str = ""


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of words."""
    return tuple(_rule(row) for row in _data()["rules"])


@cache
def index() -> Index[int]:
    """Return the index of all phrases; its values are places in `rules()`."""
    return Index(_data()["index"])


@cache
def code_rules() -> dict[str, CodeRule]:
    """Return the rules of enhanced codes, by code without class digit."""
    found = {}
    for codes, failure_class, weight, sub, phase, also in _data()["codes"]:
        row = CodeRule(tuple(codes), FailureClass(failure_class), weight, sub, phase, _classes(also))
        found.update(dict.fromkeys(codes, row))
    return found


@cache
def digit_rules() -> dict[tuple[str, int], DigitRule]:
    """Return the rules of three digits, by phase ("" for any) and code."""
    rows = [
        DigitRule(smtp, FailureClass(name), weight, phase) for smtp, name, weight, phase in _data()["digits"]
    ]
    return {(row.phase, row.smtp): row for row in rows}


def _rule(row: list[Any]) -> Rule:
    name, failure_class, weight, sample, sub, phase, reason, also, unless, smtp, phases = row
    return Rule(
        name, FailureClass(failure_class), weight, sample, sub, phase, reason, _classes(also),
        tuple(unless), tuple(smtp), tuple(phases),
    )  # fmt: skip


def _classes(names: list[str]) -> tuple[FailureClass, ...]:
    return tuple(FailureClass(name) for name in names)


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(COMPILED.read_text("utf-8"))
    return found
