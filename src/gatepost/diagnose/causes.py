"""Causes ranked by evidence: rules as data, each with its "because" (B3; pure).

A rule looks at facts, and where they hold it makes one cause of the catalogue likelier (or less likely) by a factor and
says why. Weights start from the order of the catalogue; what cannot be decided is said to be so, with the next check.
"""

from gatepost.diagnose.because import Rule
from gatepost.diagnose.catalogue import entry
from gatepost.diagnose.reaching import REACHING
from gatepost.diagnose.refusing import REFUSING
from gatepost.diagnose.remedies import ACTIONS, ASK_THEIR_LOG, NEXT_CHECKS, OTHERWISE, OWNERS
from gatepost.model.evidence import Because, Facts, RankedCause, Ranking
from gatepost.model.failure import FailureClass

CLEARLY = 1.7  # how far ahead the first cause must be
RARE = 0.3  # what is seldom the cause starts behind, whatever its place in the catalogue
SELDOM = ("own_network", "one_host", "stale_answer", "own_part", "compromised", "old_list")
RULES: tuple[Rule, ...] = (*REACHING, *REFUSING)


def rank(facts: Facts, rules: tuple[Rule, ...] = RULES) -> Ranking:
    """Return the causes of a failure, the likeliest first; the weights of all sum up to 1."""
    known = entry(FailureClass(facts.failure_class)).causes
    weights = {cause.id: 1.0 / (2 + place) for place, cause in enumerate(known)}
    for cause in SELDOM:
        if cause in weights:
            weights[cause] *= RARE
    because: dict[str, list[Because]] = {cause: [] for cause in weights}
    for rule in rules:
        if rule.cause not in weights or facts.failure_class not in rule.classes:
            continue
        values = rule.holds(facts)
        if values is not None:
            weights[rule.cause] *= rule.factor
            because[rule.cause].append(Because(rule.name, rule.text, values))
    total = sum(weights.values()) or 1.0
    order = sorted(weights, key=lambda cause: -weights[cause])
    ranked = tuple(
        RankedCause(cause, weights[cause] / total, owner_of(cause, facts), tuple(because[cause]))
        for cause in order
    )
    first = ranked[0] if ranked else None
    decided = bool(
        first and first.because and (len(ranked) == 1 or first.weight >= CLEARLY * ranked[1].weight)
    )
    check = NEXT_CHECKS.get(facts.failure_class, ASK_THEIR_LOG)
    next_check = None if decided or not ranked else Because("next_check", check, {})
    return Ranking(ranked, decided, first.owner if first else "", next_check)


def owner_of(cause: str, facts: Facts) -> str:
    """Return who can mend a cause; what is not ours is the partner's where the connector goes to one (R13)."""
    owner = OWNERS.get(cause, "destination")
    if owner == "destination":
        return facts.to if facts.to in ("on-premises", "partner") else "recipient"
    return owner


def actions_for(ranking: Ranking) -> list[tuple[str, tuple[Because, ...]]]:
    """Return the fixes that the ranked causes ask for, with the evidence of the first cause that asks."""
    found: dict[str, tuple[Because, ...]] = {}
    for cause in ranking.causes:
        for action in ACTIONS.get(cause.id, OTHERWISE):
            found.setdefault(action, cause.because)
    return list(found.items())
