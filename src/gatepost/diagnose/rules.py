"""The rules: what failures are told in, of any mail system; data (`rules/*.toml`), each with a sample of its own.

A rule is words that a text may say, the class that they mean, and how sure that is. A rule of codes says the same of
enhanced status codes. What they amount to together is `diagnose.opinion`.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from gatepost.model.failure import FailureClass

FILES = (
    "dns",
    "connect",
    "session",
    "tls",
    "queue",
    "recipient",
    "mailbox",
    "sender",
    "block",
    "content",
    "policy",
    "login",
    "throttle",
    "system",
    "protocol",
)


class Rule(NamedTuple):
    """Words and what they mean; `weight` says how sure: 95 certain, 85 clear, 70 likely, 50 a hint, 25 filler.

    `phase` and `reason` are hints for texts that do not say it otherwise. `also`: what it may be as well. `unless`:
    phrases that take the meaning away. Conditions, empty for any: `smtp` (codes or their first digit), `phases`.
    """

    name: str
    failure_class: FailureClass
    weight: int
    phrases: tuple[str, ...]
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
    return tuple(_rule(name, data) for file in FILES for name, data in _read(file).items())


@cache
def code_rules() -> dict[str, CodeRule]:
    """Return the rules of enhanced codes, by code without class digit."""
    found = [_code(data) for data in _read("codes")["code"]]
    return {code: row for row in found for code in row.codes}


@cache
def digit_rules() -> dict[tuple[str, int], DigitRule]:
    """Return the rules of three digits, by phase ("" for any) and code."""
    rows = [
        DigitRule(d["smtp"], FailureClass(d["class"]), d["weight"], d.get("phase", "")) for d in _digits()
    ]
    return {(row.phase, row.smtp): row for row in rows}


def _digits() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _read("codes")["digits"]
    return found


@cache
def _read(file: str) -> dict[str, Any]:
    folder = resources.files("gatepost.diagnose") / "rules"
    return tomllib.loads((folder / f"{file}.toml").read_text("utf-8"))


def _rule(name: str, data: dict[str, Any]) -> Rule:
    return Rule(
        name,
        FailureClass(data["class"]),
        data["weight"],
        _lines(data["phrases"]),
        data["sample"],
        data.get("sub", ""),
        data.get("phase", ""),
        data.get("reason", ""),
        tuple(FailureClass(name) for name in data.get("also", ())),
        _lines(data.get("unless", "")),
        tuple(data.get("smtp", ())),
        tuple(data.get("phases", ())),
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line)


def _code(data: dict[str, Any]) -> CodeRule:
    also = tuple(FailureClass(name) for name in data.get("also", ()))
    return CodeRule(
        tuple(data["codes"]),
        FailureClass(data["class"]),
        data["weight"],
        data.get("sub", ""),
        data.get("phase", ""),
        also,
    )
