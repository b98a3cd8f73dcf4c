"""Sendmail's own form: failed addresses in a list, and the transcript of the session that says why."""

import re
from typing import NamedTuple

from gatepost.explain.bounces.address import mark
from gatepost.explain.bounces.diagnostic import phase_of
from gatepost.explain.bounces.plain import Notice

_HEADING = re.compile(r"^\s*-{3,}\s*(?P<what>.*?)\s*-{3,}\s*$")
_TALKING = re.compile(r"^\W{0,6}while (?:talking|connected) to (?P<server>[\w.-]{1,255})", re.IGNORECASE)
_CODED = re.compile(r"^(?P<code>[245]\d\d)[ -](?:(?P<status>[245]\.\d\.\d{1,3})\s)?")
_LISTS = (
    "permanent fatal errors",
    "transient non-fatal errors",
    "fatal errors",
    "delivery problems",
    "delivery errors",
)


class Attempt(NamedTuple):
    """What the transcript says of one recipient (or of the whole session, with recipient "")."""

    recipient: str
    words: str
    server: str
    phase: str


def is_sendmail(squeezed: str) -> bool:
    """Say whether a notification (lower case, one line) is in this form."""
    return "transcript of session follows" in squeezed or "addresses had permanent fatal errors" in squeezed


class _State:
    """What has been read of a transcript so far."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.reasons: dict[str, str] = {}
        self.section = ""
        self.server = ""
        self.command = ""
        self.replies: list[str] = []
        self.loose: list[str] = []
        self.attempts: list[Attempt] = []


def read(note: Notice) -> tuple[Attempt, ...]:
    """Return one attempt for each failed recipient, with the server's own reply where the transcript has it."""
    state = _State()
    for line in note.lines:
        heading = _HEADING.match(line)
        if heading:
            state.section = _section(heading["what"].lower())
        elif state.section == "list":
            _listed(state, line)
        elif state.section == "transcript":
            _transcribed(state, line)
    return _joined(state)


def _section(what: str) -> str:
    if "transcript" in what:
        return "transcript"
    return "list" if any(words in what for words in _LISTS) else ""


def _listed(state: _State, line: str) -> None:
    marked = mark(line)
    text = marked.text.strip()
    if text.startswith("(reason:") and state.listed:
        state.reasons[state.listed[-1].lower()] = line.strip()[8:].rstrip(") ").strip()
    elif text.startswith("(expanded from:"):
        if marked.addresses and (not state.listed or "@" not in state.listed[-1]):
            state.listed[-1:] = [marked.addresses[-1]]
    elif text.startswith(("(", "|", '"|')):
        state.listed += [] if text.startswith("(") else [text.strip('"')]
    elif marked.addresses:
        state.listed.append(marked.addresses[-1])
    elif text and " " not in text.strip("<>"):
        state.listed.append(text.strip("<>"))


def _transcribed(state: _State, line: str) -> None:
    talking = _TALKING.match(line)
    if talking:
        state.server, state.command, state.replies = talking["server"].rstrip(".").lower(), "", []
    elif line.startswith(">>>"):
        state.command, state.replies = line[3:].strip(), []
    elif line.startswith("<<<"):
        state.replies.append(line[3:].strip())
    elif line.strip():
        _error(state, line.strip())


def _error(state: _State, line: str) -> None:
    """Take one of sendmail's own lines: `550 5.1.1 <ann@example.org>... User unknown`."""
    marked = mark(line)
    named = "..." in marked.text[:80] and marked.addresses
    if not named:
        state.loose.append(line)
        return
    said = " ".join(state.replies) or line
    if state.replies and not _CODED.match(said):
        said = f"{said} {line}"
    state.attempts.append(Attempt(marked.addresses[0], said, state.server, phase_of(state.command)))
    state.replies = []


def _joined(state: _State) -> tuple[Attempt, ...]:
    """Bring list and transcript together; a session that failed as a whole speaks for all that are listed."""
    by_name = {attempt.recipient.lower(): attempt for attempt in reversed(state.attempts)}
    names = (
        [name for name in state.listed if "@" in name]
        or [a.recipient for a in state.attempts]
        or state.listed
    )
    named = any(name.lower() in by_name for name in names)
    session = _session(state, named=named)
    out = []
    for name in dict.fromkeys(names):
        attempt = by_name.get(name.lower(), session)
        reason = state.reasons.get(name.lower(), "")
        words = attempt.words if attempt.recipient or not reason else reason
        out.append(attempt._replace(recipient=name, words=words or reason))
    return tuple(out)


def _session(state: _State, *, named: bool) -> Attempt:
    """Return what speaks for those of whom nothing is said; what is said of another, `named`, does not."""
    words = " ".join(state.replies) or " ".join(state.loose[:8])
    if not words and named:
        return Attempt("", "", "", "")
    last = state.attempts[-1].words if state.attempts else ""
    return Attempt("", words or last, state.server, phase_of(state.command))
