"""Which queued recipients are meant: the filter language of page, API and command line, parsed and judged (pure).

Rule: a filter is terms that must all hold; a term is `field:value`, or `field<value` for numbers and times; `-` before
it turns it round, a comma in the value means "or", `*` matches anything, quotes keep blanks and commas.
Rule: it is judged recipient by recipient: an action touches those recipients of a message that match, no others.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from operator import ge, gt, le, lt

from gatepost.config import values
from gatepost.config.problems import BadValue
from gatepost.i18n import tr
from gatepost.model.failure import FailureClass
from gatepost.model.ids import from_text, to_text

STATES = ("ready", "active", "retry", "suspended", "deferred")
PLACE_FIELDS = ("connector", "destination")
TEXT_FIELDS = (
    "from",
    "to",
    "connector",
    "destination",
    "source",
    "id",
    "message-id",
    "code",
    "class",
    "state",
)
SPAN_FIELDS = ("age", "expires")
NUMBER_FIELDS = (*SPAN_FIELDS, "size", "attempts", "recipients")
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
LONGEST = 2000  # characters of a filter
MOST_TERMS = 50
_TOKEN = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')
_TERM = re.compile(r"(-?)([a-z-]+)(>=|<=|:|=|>|<)(.*)", re.DOTALL)
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,"]+)')
_ESCAPED = re.compile(r"\\(.)")
_COMPARE: Mapping[str, Callable[[int, int], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class BadFilter(Exception):
    """A filter that cannot be understood: an English template, and what fills it."""

    def __init__(self, text: str, /, **filling: object) -> None:
        super().__init__(text.format(**filling))
        self.text = text
        self.values = filling


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one queued recipient. Times are ms since 1970, sizes octets."""

    now: int
    message_id: int
    accepted_at: int
    expires_at: int
    size: int
    recipients: int  # of the message, at this destination
    sender: str
    address: str
    connector: str
    destination: tuple[str, ...]  # its names: what people call it, its hosts, its number
    source: str
    header_id: str
    attempts: int
    states: frozenset[str]  # of the destination, and deferred or suspended of its own
    codes: frozenset[str] = frozenset()  # of the last error
    failure_class: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: `values` are alternatives in lower case, `number` is in ms, octets or pieces."""

    field: str
    compare: str = ":"
    values: tuple[str, ...] = ()
    number: int = 0
    negated: bool = False

    def holds(self, facts: Facts) -> bool:
        """Tell whether a recipient fulfils it."""
        found = self._number_holds(facts) if self.compare in _COMPARE else self._text_holds(facts)
        return found is not self.negated

    def text(self) -> str:
        """Return it as it is written; reading that gives the same term."""
        sign = "-" if self.negated else ""
        if self.field in NUMBER_FIELDS:
            unit = f"{self.number // 1000}s" if self.field in SPAN_FIELDS else str(self.number)
            return f"{sign}{self.field}{self.compare}{unit}"
        return f"{sign}{self.field}:" + ",".join(_quoted(value) for value in self.values)

    def _number_holds(self, facts: Facts) -> bool:
        return _COMPARE[self.compare](_number_of(self.field, facts), self.number)

    def _text_holds(self, facts: Facts) -> bool:
        if self.field in NUMBER_FIELDS:
            return _number_of(self.field, facts) == self.number
        known = _texts_of(self.field, facts)
        return any(like(text, pattern) for text in known for pattern in self.values)


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms that must all hold; without any, everything is meant."""

    terms: tuple[Term, ...] = ()
    text: str = ""

    @property
    def empty(self) -> bool:
        """Return whether it names nothing, so that it would match everything."""
        return not self.terms

    @property
    def asks_for_errors(self) -> bool:
        """Return whether the last error of a recipient has to be known to judge it."""
        return any(term.field in ("code", "class") for term in self.terms)

    def matches(self, facts: Facts) -> bool:
        """Tell whether a recipient is meant."""
        return all(term.holds(facts) for term in self.terms)

    def may_match_at(self, connector: str, destination: tuple[str, ...]) -> bool:
        """Tell whether anything at a destination can be meant, so that others need not be looked through."""
        facts = Facts(0, 0, 0, 0, 0, 0, "", "", connector, destination, "", "", 0, frozenset())
        return all(term.holds(facts) for term in self.terms if term.field in PLACE_FIELDS)

    def only(self, field: str) -> str:
        """Return the one exact value that a field must have, "" where several are possible."""
        for term in self.terms:
            exact = term.field == field and not term.negated and len(term.values) == 1
            if exact and "*" not in term.values[0]:
                return term.values[0]
        return ""

    def accepted_before(self, now: int) -> int:
        """Return before when everything that is meant was accepted (ms since 1970), 0 where that is open."""
        spans = [t.number for t in self.terms if t.field == "age" and t.compare == ">" and not t.negated]
        return now - max(spans) if spans else 0


def parse_filter(text: str, longest: int = LONGEST) -> Filter:
    """Return the filter that a text means; raises `BadFilter` with a sentence that says what to write."""
    if len(text) > longest:
        raise BadFilter(tr("A filter has {most} characters at most."), most=longest)
    if _TOKEN.sub("", text).strip():
        raise BadFilter(tr("A quotation mark in the filter has no second one."))
    words = _TOKEN.findall(text)
    if len(words) > MOST_TERMS:
        raise BadFilter(tr("A filter has {most} terms at most."), most=MOST_TERMS)
    return Filter(tuple(_term(word) for word in words), " ".join(words))


def _term(word: str) -> Term:
    found = _TERM.fullmatch(word)
    if found is None:
        raise BadFilter(
            tr('"{word}" is no term of a filter: write field:value, such as from:ann@contoso.example.'),
            word=word,
        )
    minus, field, compare, value = found.groups()
    if field == "subject":
        raise BadFilter(tr("Subjects are not kept with the queue: use message-id:, from: or to: instead."))
    if field not in FIELDS:
        raise BadFilter(
            tr('There is no field "{field}" in a filter: use one of {fields}.'),
            field=field,
            fields=", ".join(FIELDS),
        )
    if not value:
        raise BadFilter(tr('"{word}" has no value.'), word=word)
    compare = ":" if compare == "=" else compare
    if field in NUMBER_FIELDS:
        return Term(field, compare, (), _measure(field, value), bool(minus))
    if compare != ":":
        raise BadFilter(tr('"{field}" is a text: write {field}:value, without < or >.'), field=field)
    alternatives = [_ESCAPED.sub(r"\1", a).lower() if a else b.lower() for a, b in _VALUE.findall(value)]
    return Term(field, ":", tuple(_checked(field, v) for v in alternatives), 0, bool(minus))


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _measure(field: str, value: str) -> int:
    """Return a number: ms for spans, octets for sizes, pieces for the rest."""
    value = value.strip('"')
    try:
        if field in SPAN_FIELDS:
            return values.seconds(value) * 1000
        if field == "size":
            return values.size(int(value) if value.isdecimal() else value.upper())
        return values.whole(int(value), 0, 1 << 40)
    except (BadValue, ValueError):
        pass
    if field in SPAN_FIELDS:
        raise BadFilter(tr('"{value}" is not a duration: write 30s, 5m, 4h or 2d.'), value=value)
    if field == "size":
        raise BadFilter(tr('"{value}" is not a size: write 500KB or 10MB.'), value=value)
    raise BadFilter(tr('"{value}" is not a number.'), value=value)


def _checked(field: str, value: str) -> str:
    """Return a value in the form that is compared; one that nothing can have is refused."""
    if field == "state" and value not in STATES:
        raise BadFilter(
            tr('"{state}" is no state of a queued message: use one of {states}.'),
            state=value,
            states=", ".join(STATES),
        )
    if field == "class" and "*" not in value and value not in {str(c) for c in FailureClass}:
        raise BadFilter(
            tr('"{name}" is no class of failures: see gatepost insight list, or docs/failures.'), name=value
        )
    if field == "id" and "*" not in value:
        try:
            return to_text(from_text(value)).lower()
        except ValueError:
            raise BadFilter(
                tr(
                    '"{text}" is not a message id: it has 13 letters and digits, as in gatepost message list.'
                ),
                text=value,
            ) from None
    return value


def like(text: str, pattern: str) -> bool:
    """Tell whether a text is like a lower-case pattern; only `*` is special, `@domain` means its addresses."""
    text = text.lower()
    if pattern.startswith("@"):
        pattern = "*" + pattern
    if "*" not in pattern:
        return text == pattern
    return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def _number_of(field: str, facts: Facts) -> int:
    return _NUMBERS[field](facts)


_NUMBERS: Mapping[str, Callable[[Facts], int]] = {
    "age": lambda facts: facts.now - facts.accepted_at,
    "expires": lambda facts: facts.expires_at - facts.now,
    "size": lambda facts: facts.size,
    "attempts": lambda facts: facts.attempts,
    "recipients": lambda facts: facts.recipients,
}


def _texts_of(field: str, facts: Facts) -> tuple[str, ...] | frozenset[str]:
    return _TEXTS[field](facts)


def _one(name: str, facts: Facts) -> tuple[str, ...]:
    return (getattr(facts, name),)


_TEXTS: Mapping[str, Callable[[Facts], tuple[str, ...] | frozenset[str]]] = {
    "from": lambda facts: (facts.sender or "<>",),
    "to": partial(_one, "address"),
    "connector": partial(_one, "connector"),
    "destination": lambda facts: facts.destination,
    "source": partial(_one, "source"),
    "id": lambda facts: (to_text(facts.message_id),),
    "message-id": lambda facts: (facts.header_id, facts.header_id.strip("<>")),
    "code": lambda facts: facts.codes,
    "class": partial(_one, "failure_class"),
    "state": lambda facts: facts.states,
}
