"""Bounces without a machine-readable part: the notification is found, and each recipient with what is said of it.

Rule: the most certain reading wins: a family's own list, any list of addresses, a sentence with an address.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from gatepost.explain.bounces import phrases
from gatepost.explain.bounces.address import MAX_LINE, Marked, domain_of, mark
from gatepost.explain.bounces.diagnostic import codes
from gatepost.explain.bounces.families import ADDRESSED, FAMILIES, LISTED, SAID, Family

MAX_LINES = 3000
_MAX_FOUND = 500
_AT_ONCE = 60  # characters before the opening that are still its beginning
_MAX_WORDS = 2000  # characters that are kept of what is said of one recipient
_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)
_RULER = re.compile(r"^[\W_]*$|^--\S{4,}$|^(?:because|weil|car|porque|perché)\s?:$", re.IGNORECASE)
_FIELD = re.compile(  # of the report or of the original, repeated among the words
    r"^\s*(?:content-[a-z-]+|(?:final|original)-recipient|action|status|reporting-mta|remote-mta|received-from-mta"
    r"|arrival-date|last-attempt-date|original-envelope-id|x-[a-z-]+|from|to|cc|subject|date|sent|message-id)\s?:",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\s*(?:please (?:reply|contact|check|send|try|note|do not)|if you (?:feel|have|need|do so|wish)"
    r"|for (?:further|more) (?:assistance|information|help)"
    r"|thank you|regards|sincerely|this has been a permanent|no further|the number of attempts"
    r"|contact your|hmailserver$|no action is required|delivery attempts will continue|some time, and this warning"
    r"|your (?:mail )?message is being returned)",
    re.IGNORECASE,
)
_REPLY = re.compile(r"\s{0,20}(?:[\"'\[<]{0,3}|.{0,30}(?:<<<|>>>|<--)\s?)[45]\d\d[ -]")
_REASON = re.compile(
    r"\s*(?:(?:reject(?:ion)?|bounce|failure|error|return)[ -])?reason\s?:\s*(?P<why>\S.{2,300})",
    re.IGNORECASE,
)
_HELPERS = (
    "postmaster",
    "mailer-daemon",
    "mailerdaemon",
    "abuse",
    "helpdesk",
    "hostmaster",
    "listmaster",
    "support",
)


class Found(NamedTuple):
    """A recipient that a notification names, and its words about it on one line."""

    recipient: str
    words: str


class Notice(NamedTuple):
    """The part of a report that a machine wrote for people: its lines, and the original that follows (or "")."""

    lines: tuple[str, ...]
    tail: str

    @property
    def squeezed(self) -> str:
        """Return it in lower case on one line, for comparing with phrases."""
        return " ".join(" ".join(self.lines).split()).lower()


class Reading(NamedTuple):
    """What a notification says: its family ("" for none known), the recipients found, and whether it opens with it."""

    family: str
    found: tuple[Found, ...]
    at_once: bool = False


def notice(text: str) -> Notice:
    """Return the notification, parted from the original that follows it."""
    lines = [_BREAK.sub(" ", line[:MAX_LINE]).rstrip() for line in text.split("\n", MAX_LINES)[:MAX_LINES]]
    start = next((n for n, line in enumerate(lines) if line), len(lines))
    cut = next((n for n in range(start + 1, len(lines)) if _begins_original(lines[n])), len(lines))
    return Notice(tuple(lines[:cut]), "\n".join(lines[cut : cut + 400]))


def _begins_original(line: str) -> bool:
    if not line or len(line) > 200:
        return bool(line) and phrases.ORIGINAL_HEADER.match(line) is not None
    return (phrases.ORIGINAL_HEADER.match(line) or phrases.ORIGINAL.match(line)) is not None


def read(note: Notice, own: frozenset[str], home: str) -> Reading:
    """Return the recipients of a notification; `own` are addresses that it cannot mean, `home` its author's domain."""
    text, starts = _indexed(note.lines)
    family, first = "", len(text)
    for candidate in FAMILIES:
        at = _opening(candidate, text)
        if at < 0:
            continue
        family, first = family or candidate.name, min(first, at)
        begin = bisect_right(starts, at) - 1
        found = _scan(note.lines[begin:], candidate, own, home) or _scan(note.lines, candidate, own, home)
        if found:
            return Reading(candidate.name, _with_reply(found, note.lines), first < _AT_ONCE)
    plain = _without_family(note, own, home)
    return Reading(family, _with_reply(plain, note.lines) if plain else (), first < _AT_ONCE)


def _with_reply(found: tuple[Found, ...], lines: tuple[str, ...]) -> tuple[Found, ...]:
    """Add the reply or reason that stands before the address, where only one is named and its words have none."""
    if len(found) > 1 or codes(found[0].words) != (0, ""):
        return found
    reply = next((line for line in lines if _REPLY.match(line)), "")
    reply = reply or next((match["why"] for line in lines if (match := _REASON.match(line))), "")
    if reply and reply in found[0].words:
        return found
    return (found[0]._replace(words=f"{reply.strip()} {found[0].words}".strip()[:_MAX_WORDS]),)


def _without_family(note: Notice, own: frozenset[str], home: str) -> tuple[Found, ...]:
    for patterns in (LISTED, SAID, ADDRESSED):
        found = _scan(note.lines, Family("", (), "", patterns), own, home)
        if found:
            return found
    return ()


def _indexed(lines: tuple[str, ...]) -> tuple[str, list[int]]:
    """Return the lines as one squeezed lower-case text, and where each begins in it."""
    pieces, starts, at = [], [], 0
    for line in lines:
        piece = " ".join(line.lower().split())
        starts.append(at)
        if piece:
            pieces.append(piece)
            at += len(piece) + 1
    return " ".join(pieces), starts


def _opening(family: Family, text: str) -> int:
    found = [at for phrase in family.opening if (at := text.find(phrase)) >= 0]
    return min(found) if found else -1


class _Entry(NamedTuple):
    recipient: str
    words: list[str]


def _scan(lines: tuple[str, ...], family: Family, own: frozenset[str], home: str) -> tuple[Found, ...]:
    """Return each line's recipient with the words that follow it; words before the first serve those without any."""
    entries: list[_Entry] = []
    before: list[str] = []
    closed = False
    for line in lines:
        marked = mark(line)
        hit = None if closed else _hit(marked, family.patterns, home)
        closed = closed or bool(entries and line.lower().lstrip().startswith(family.ending or ("\0",)))
        if hit is not None and len(entries) < _MAX_FOUND:
            entries.append(_Entry(hit[0], [hit[1]] if hit[1] else _whole(line, family)))
        elif not any(aside.match(line) for aside in (_RULER, _FIELD, _COURTESY)):
            (entries[-1].words if entries else before).append(line)
    kept = _kept(entries, own)
    if family.reason_first and before and kept:
        kept = [entry._replace(words=entry.words[:0]) for entry in kept]
    return _filled(kept, before)


def _whole(line: str, family: Family) -> list[str]:
    """Return the line itself where the recipient stands in a sentence that says what happened."""
    return [line] if family.patterns is SAID else []


def _hit(marked: Marked, patterns: tuple[re.Pattern[str], ...], home: str) -> tuple[str, str] | None:
    for pattern in patterns:
        if not marked.addresses and "local" not in pattern.groupindex:
            continue
        match = pattern.search(marked.text)
        if match is None:
            continue
        groups = match.groupdict()
        why = _unmark(groups.get("why") or "", marked)
        if groups.get("a") is not None:
            return marked.addresses[int(groups["a"])], why
        if groups.get("local") and home:
            return f"{groups['local']}@{home}", why
    return None


def _unmark(text: str, marked: Marked) -> str:
    for number, address in enumerate(marked.addresses):
        text = text.replace(f"\x01{number}\x02", address)
    return text.strip()


def _kept(entries: list[_Entry], own: frozenset[str]) -> list[_Entry]:
    """Leave out addresses that only stand by: the sender's and the helpers', unless nothing else is there."""
    tests: tuple[Callable[[str], bool], ...] = (
        lambda address: address.lower() not in own and not _is_helper(address),
        lambda address: not _is_helper(address),
    )
    for test in tests:
        kept: list[_Entry] = []
        for entry in entries:
            if test(entry.recipient):
                kept.append(entry)
            elif kept:
                kept[-1].words.extend(entry.words)
        if kept:
            return kept
    return []


def _is_helper(address: str) -> bool:
    return address.lower().partition("@")[0] in _HELPERS


def _filled(entries: list[_Entry], before: list[str]) -> tuple[Found, ...]:
    """Join the words of each recipient; who has none shares those of the next that has, or what was said before."""
    merged: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for entry in entries:
        key = entry.recipient.lower()
        names.setdefault(key, entry.recipient)
        merged.setdefault(key, []).extend(entry.words)
    out: list[Found] = []
    later = ""
    for key in reversed(list(merged)):
        text = _joined(merged[key])
        later = text or later
        out.append(Found(names[key], text or later or _joined(before)))
    return tuple(reversed(out))


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(line for line in lines[:60] if not _RULER.match(line)).split())[:_MAX_WORDS]


def home_of(sender: str) -> str:
    """Return the domain that recipients without one belong to: that of the report's author."""
    domain = domain_of(sender)
    return domain if "." in domain else ""
