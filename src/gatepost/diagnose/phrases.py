"""A small language for what a text may say, that can only be matched in linear time, and an index over many phrases.

A phrase is words as they stand in a normalised text (`diagnose.normal`). In it `(a|b)` is one of several, `(a|b)?`
or none, ` .. ` up to 60 characters in between, `*` the rest of a word, `~` one word of any kind; `^` and `$` are the
ends of the text. Phrases begin and end at the borders of words.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from gatepost.diagnose.normal import fold

T = TypeVar("T")

_TOKEN = re.compile(r"[()|*~?^$]|[^()|*~?^$]+")
_BEGINS, _ENDS = r"(?<![a-z0-9])", r"(?![a-z0-9])"
_GROUP = re.compile(r"\(([^()]*)\)(\??)")
_WORD = re.compile(r"[a-z0-9]+")
_SIGNS = {"(": "(?:", ")": ")", "|": "|", "?": "?", "*": r"\w*", "~": r"\S{1,80}", "^": "^", "$": "$"}
_GAP = r".{0,60}?"
_COMMON = frozenset(
    [
        "mailbox",
        "recipient",
        "address",
        "message",
        "server",
        "sender",
        "account",
        "user",
        "mail",
        "host",
        "connection",
        "from",
        "this",
        "that",
        "your",
        "with",
        "rejected",
        "denied",
        "domain",
        "email",
    ]
)
_STEM = 4  # letters that the beginning of a word is found by


def words_of(text: str) -> frozenset[str]:
    """Return the words of a normalised text, those of Latin letters and digits."""
    return frozenset(_WORD.findall(text))


@cache
def pattern(phrase: str) -> re.Pattern[str]:
    """Return a phrase as a pattern; compiled when it is first needed."""
    pieces = [piece.strip(" ") for piece in fold(phrase).split("..")]
    return re.compile(_GAP.join(_piece(piece) for piece in pieces))


def _piece(piece: str) -> str:
    """Return what stands between two gaps as a pattern that begins and ends at the borders of words."""
    parts = [_SIGNS.get(token) or re.escape(token) for token in _TOKEN.findall(piece)]
    before = _BEGINS if piece[:1].isalnum() or piece[:1] == "(" else ""
    after = _ENDS if piece[-1:].isalnum() or piece[-1:] in (")", "?") else ""
    return before + "".join(parts) + after


class Piece(NamedTuple):
    """A part of a phrase that a text must have: a whole word, the beginning of one, or letters of another script."""

    letters: str
    whole: bool


Needs = tuple[tuple[Piece, ...], ...]  # of each, one


@cache
def needed(phrase: str) -> Needs:
    """Return what a text must have to match a phrase, so that most phrases need not be tried."""
    phrase = fold(phrase)
    groups = [found[1].split("|") for found in _GROUP.finditer(phrase) if not found[2]]
    needs: list[tuple[Piece, ...]] = [(piece,) for piece in _pieces(_GROUP.sub("\x00", phrase))]
    for alternatives in groups:
        best = [max(_pieces(entry), key=_worth, default=None) for entry in alternatives]
        if all(best):
            needs.append(tuple(piece for piece in best if piece))
    return tuple(needs)


def _pieces(plain: str) -> list[Piece]:
    plain = plain.replace("..", " ")
    found = []
    for match in re.finditer(r"[a-z0-9]+|[^\x00-\x7f]+", plain):
        letters, after = match[0], plain[match.end() : match.end() + 1]
        touched = after in ("*", "\x00", "?") or plain[match.start() - 1 : match.start()] in ("*", "\x00")
        if after == "?":
            letters = letters[:-1]
        if letters and not (touched and plain[match.start() - 1 : match.start()] == "\x00"):
            found.append(Piece(letters, whole=letters.isascii() and not touched))
    return found


def _worth(piece: Piece) -> tuple[bool, int]:
    return piece.whole, len(piece.letters)


def has(text: str, needs: Needs) -> bool:
    """Tell whether a text has what a phrase needs."""
    return all(any(piece.letters in text for piece in one) for one in needs)


def says(text: str, phrase: str) -> bool:
    """Tell whether a normalised text says a phrase."""
    return has(text, needed(phrase)) and pattern(phrase).search(text) is not None


def _rare_word(phrase: str) -> str:
    """Return a whole word that every text must have, one of those that few texts have; "" where it is not simple."""
    best, depth = "", 0
    for token in phrase.split():
        if "(" in token or ")" in token:
            depth += token.count("(") - token.count(")")
        elif not depth and token.isalnum() and token.isascii() and _worth_of(token) > _worth_of(best):
            best = token
    return best


def _worth_of(word: str) -> int:
    return 1 if word in _COMMON else 2 * len(word)


Entries = list[tuple[str, T]]
Tables = dict[str, Any]


class Index(Generic[T]):
    """Find which of many phrases a text says, by looking only at those whose words it has."""

    def __init__(self, tables: Tables | None = None) -> None:
        tables = tables or {}
        self._by_word: dict[str, Entries[T]] = tables.get("words", {})
        self._by_stem: dict[str, Entries[T]] = tables.get("stems", {})
        self._others: Entries[T] = tables.get("others", [])  # of other scripts

    def tables(self) -> Tables:
        """Return the index as a value that JSON can hold."""
        return {"words": self._by_word, "stems": self._by_stem, "others": self._others}

    def add(self, phrase: str, value: T) -> None:
        """Put a phrase in."""
        word = _rare_word(phrase)
        if word:
            self._by_word.setdefault(word, []).append((phrase, value))
            return
        needs = needed(phrase)
        words = [one for one in needs if all(piece.whole for piece in one)]
        stems = [one for one in needs if all(len(piece.letters) >= _STEM for piece in one)]
        if words:
            for piece in max(words, key=lambda one: (min(len(p.letters) for p in one), -len(one))):
                self._by_word.setdefault(piece.letters, []).append((phrase, value))
        elif stems and all(piece.letters.isascii() for one in stems for piece in one):
            for piece in stems[0]:
                self._by_stem.setdefault(piece.letters[:_STEM], []).append((phrase, value))
        else:
            self._others.append((phrase, value))

    def matches(self, text: str) -> Iterator[tuple[str, T]]:
        """Yield the phrases that a normalised text says, with their values; one may come twice."""
        words = words_of(text)
        for word in words & self._by_word.keys():
            yield from (entry for entry in self._by_word[word] if says(text, entry[0]))
        for stem in {word[:_STEM] for word in words} & self._by_stem.keys():
            yield from (entry for entry in self._by_stem[stem] if says(text, entry[0]))
        if not text.isascii():
            yield from (entry for entry in self._others if says(text, entry[0]))
