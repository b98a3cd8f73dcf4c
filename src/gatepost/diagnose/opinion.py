"""Weigh what a text and its codes say, and name the class that most of it speaks for.

Rule: words say more than codes, and certain words more than vague ones; a code that agrees makes it surer, one that
contradicts makes it less sure. What nothing decides gets a low confidence, and says what it may be as well.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from gatepost.diagnose.normal import normal
from gatepost.diagnose.phrases import says
from gatepost.diagnose.rules import Rule, code_rules, digit_rules, index, rules
from gatepost.model.failure import FailureClass as C

_LONG = 60  # letters of a phrase that count
_AGREES = 0.15  # of the weight of a code that says the same as words
_ALSO = 0.6  # of the winner's weight makes a neighbour
_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_DONE = 250  # what a success code alone stands for


class Evidence(NamedTuple):
    """What is known of a failure: the words, normalised, and the codes; "" and 0 for unknown."""

    text: str
    smtp: int = 0
    details: tuple[str, ...] = ()  # enhanced codes without the class digit, the outermost first
    phase: str = ""


class Opinion(NamedTuple):
    """The class with its weight (0 to 100) and what else it may be; hints where the evidence had none."""

    failure_class: C
    weight: float
    confidence: float
    sub: str = ""
    phase: str = ""
    reason: str = ""
    also: tuple[C, ...] = ()
    why: tuple[str, ...] = ()
    worded: bool = False  # whether words decided, not codes alone


class _Vote(NamedTuple):
    failure_class: C
    weight: float
    name: str
    sub: str
    phase: str
    reason: str
    also: tuple[C, ...]
    worded: bool


def details_in(text: str) -> tuple[str, ...]:
    """Return the codes of failures (RFC 3463 section 2) that a text names, without class digit, in their order."""
    return tuple(dict.fromkeys(found[2] for found in _ENHANCED.finditer(text[:2000])))


@lru_cache(maxsize=4096)
def opinion(text: str, *, smtp: int = 0, enhanced: str = "", phase: str = "") -> Opinion:
    """Return what a text as it was read says; `enhanced` is the code that stands beside it."""
    done = enhanced.startswith("2")  # x.6.0 of a success is no broken message
    own = (enhanced.partition(".")[2],) if enhanced and not done else ()
    details = tuple(dict.fromkeys((*own, *details_in(text))))
    return weigh(Evidence(normal(text), smtp or (_DONE if done else 0), details, phase))


@lru_cache(maxsize=65536)
def weigh(evidence: Evidence) -> Opinion:
    """Return what the evidence says; equal evidence is weighed once."""
    votes = sorted((*_words(evidence), *_codes(evidence)), key=lambda vote: (-vote.weight, vote.name))
    if not votes:
        return Opinion(C.SERVER_TEMP_ERROR if evidence.smtp // 100 == 4 else C.POLICY_REJECT, 0, 0.05)
    return _decide(votes)


def _decide(votes: list[_Vote]) -> Opinion:
    sums: dict[C, float] = {}
    best: dict[C, _Vote] = {}
    for vote in votes:  # the strongest first
        if vote.failure_class not in sums:
            sums[vote.failure_class], best[vote.failure_class] = vote.weight, vote
        elif vote.worded != best[vote.failure_class].worded:
            sums[vote.failure_class] += vote.weight * _AGREES
    order = sorted(sums, key=lambda failure_class: -sums[failure_class])
    top = best[order[0]]
    also = [c for c in order[1:] if sums[c] >= sums[order[0]] * _ALSO]
    also += [c for c in top.also if c not in also]
    rival = next((sums[c] for c in order[1:] if c not in top.also), 0.0)
    return Opinion(
        top.failure_class,
        sums[order[0]],
        _confidence(sums[order[0]], rival),
        sub=top.sub or next((v.sub for v in votes if v.failure_class is top.failure_class and v.sub), ""),
        phase=top.phase,
        reason=top.reason,
        also=tuple(also[:4]),
        why=tuple(dict.fromkeys(v.name for v in votes if v.failure_class is top.failure_class)),
        worded=top.worded,
    )


def _confidence(weight: float, rival: float) -> float:
    """Return how sure a decision is: by its own weight, less where another class comes near."""
    near = max(0.0, rival / weight - 0.5) if weight else 0.0
    return round(min(0.98, weight / 100) * (1 - 0.8 * near), 2)


def _words(evidence: Evidence) -> Iterable[_Vote]:
    longest: dict[int, int] = {}  # of the phrases of a rule: more words said are surer than fewer
    for phrase, number in index().matches(evidence.text):
        longest[number] = max(len(phrase), longest.get(number, 0))
    known = rules()
    for number, length in longest.items():
        rule = known[number]
        if _fits(rule, evidence):
            weight = rule.weight + min(length, _LONG) / 100
            hints = (rule.sub, rule.phase, rule.reason, rule.also)
            yield _Vote(rule.failure_class, weight, rule.name, *hints, worded=True)


def _fits(rule: Rule, evidence: Evidence) -> bool:
    if rule.smtp and not (evidence.smtp in rule.smtp or evidence.smtp // 100 in rule.smtp):
        return False
    if rule.phases and evidence.phase not in rule.phases:
        return False
    return not any(says(evidence.text, phrase) for phrase in rule.unless)


def _codes(evidence: Evidence) -> Iterable[_Vote]:
    for number, detail in enumerate(evidence.details):
        row = code_rules().get(detail)
        if row is not None:  # the code of a wrapper says less than the one inside
            weight = row.weight + min(number, 2)
            yield _Vote(
                row.failure_class, weight, f"x.{detail}", row.sub, row.phase, "", row.also, worded=False
            )
    digits = digit_rules()
    said = digits.get((evidence.phase, evidence.smtp)) or digits.get(("", evidence.smtp))
    if said is not None:
        yield _Vote(said.failure_class, said.weight, str(evidence.smtp), "", "", "", (), worded=False)
