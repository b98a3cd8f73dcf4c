"""What evidence is: a rule that looks at facts, and the questions that rules of both families ask (pure)."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gatepost.model.evidence import Facts

HOUR = 3_600_000
DAY = 24 * HOUR

Values = Mapping[str, object]  # what fills the words of a rule
Question = Callable[[Facts], Values | None]  # None: it does not hold


class Rule(NamedTuple):
    """One piece of evidence: for which classes, which cause it touches, by what factor, and in which words."""

    name: str
    classes: frozenset[str]
    cause: str
    factor: float
    holds: Question
    text: str


def span(milliseconds: int) -> str:
    """Return a span in its largest unit that gives a whole number: `40 s`, `12 min`, `5 h`, `3 d`."""
    seconds = max(0, milliseconds) // 1000
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def edited(f: Facts, *fields: str, since: int) -> Values | None:
    """Ask for the latest edit of these fields between a success (or ever) and the first failure."""
    for edit in f.edits:
        touched = [name for name in edit.fields if name in fields]
        if touched and since <= edit.at <= max(f.first_failure, since) + HOUR:
            return {"who": edit.who, "span": span(f.now - edit.at), "fields": ", ".join(touched)}
    return None


def changed(*fields: str) -> Question:
    """Ask whether somebody edited one of these fields before it failed."""
    return lambda f: edited(f, *fields, since=f.last_success)


def worked(f: Facts) -> Values | None:
    """Ask whether it ever worked."""
    return {"span": span(f.now - f.last_success)} if f.last_success else None


def lately(f: Facts) -> Values | None:
    """Ask whether it worked within a day."""
    return worked(f) if f.now - f.last_success <= DAY else None


def unchanged(f: Facts) -> Values | None:
    """Ask whether it worked, and the connector is still the one that it was then."""
    changed = [e for e in f.edits if e.kind == "connector" and e.at >= f.last_success]
    return {"span": span(f.now - f.last_success)} if f.last_success and not changed else None


def never(f: Facts) -> Values | None:
    """Ask whether nothing ever worked."""
    return {} if not f.last_success and f.attempts >= 1 else None


def others_alike(f: Facts) -> Values | None:
    """Ask whether other destinations fail in the same way."""
    n = f.neighbours
    if n.failing_alike >= 2 and n.failing_alike >= n.working:
        return {"n": n.failing_alike, "examples": ", ".join(n.examples[:3])}
    return None


def others_work(f: Facts) -> Values | None:
    """Ask whether other destinations work, and none fails in the same way."""
    return {"n": f.neighbours.working} if f.neighbours.working and not f.neighbours.failing_alike else None


def named(*subs: str) -> Question:
    """Ask whether the finer reason is one of these."""
    return lambda f: {"sub": f.sub or f.reason} if f.sub in subs or f.reason in subs else None


def said(*words: str) -> Question:
    """Ask whether the server's own reply has one of these words."""

    def holds(f: Facts) -> Values | None:
        reply = f.reply.lower()
        return {"reply": f.reply[:120]} if any(w in reply for w in words) else None

    return holds
