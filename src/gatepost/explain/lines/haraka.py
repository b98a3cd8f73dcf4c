# ruff: noqa: E501 (a pattern is one line)
"""Lines of Haraka: `[level] [uuid] [plugin] words`, and its logfmt form."""

import re

from gatepost.explain.lines.syslog import Head
from gatepost.explain.record import Record

_LINE = re.compile(
    r"^\[(?P<level>[A-Z]{4,8})\] \[(?P<id>[^\]]{1,60})\] (?:\[[\w.-]{1,40}\] )?\[(?P<plugin>[\w./-]{1,60})\] (?P<text>.*)",
    re.DOTALL,
)
_LOGFMT = re.compile(r"\blevel=(?P<level>[A-Z]{4,8})\b.*\b(?:plugin|source)=(?P<plugin>[\w./-]{1,60})")
_HELD = re.compile(r"(?:\*\*)?Temp(?:orary)? fail(?:ing|ure)?(?:\*\*)?[^:]{0,200}: (?P<text>.*)", re.DOTALL)
_BOUNCE = re.compile(r"\bbounc\w{2,5}\b[^:]{0,200}: (?P<text>.*)", re.DOTALL | re.IGNORECASE)
_MESSAGE = re.compile(
    r"\b(?:message|error|reason|msg|response)=(?P<q>\"?)(?P<text>(?(q)[^\"]{0,2000}|.{0,2000}))"
)


def read(head: Head) -> Record | None:
    """Return the failure that a line tells; None for a line of another kind."""
    line = head.rest.strip()
    found = _LINE.match(line)
    if found:
        held = _HELD.search(found["text"]) or _BOUNCE.search(found["text"])
        text = held["text"] if held else found["text"]
        return Record(
            "haraka",
            text,
            raw=line,
            at=head.at,
            message=found["id"],
            outcome="deferred" if _HELD.search(line) else "",
        )
    if _LOGFMT.search(line):
        said = _MESSAGE.search(line)
        return Record("haraka", said["text"] if said else line, raw=line, at=head.at)
    return Record("haraka", line, raw=line, at=head.at) if head.program.startswith("haraka") else None
