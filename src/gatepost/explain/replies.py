"""Find the reply of a server in a text: its three digits and its enhanced code."""

import re
from typing import NamedTuple

_ENHANCED = r"[245]\.\d{1,3}\.\d{1,3}"
_IP = r"\d{1,3}(?:\.\d{1,3}){3}"
_DIGITS = re.compile(
    rf"(?<![\w.:@-])([245][0-79]\d)(?=[ \-\t:,(]{{1,3}}#?{_ENHANCED}|[- ]{_IP}|[- ]\D|-|[ :,]*$|[,:] )"
)
_BEFORE = "\n:'\"“‘«「（(;>#=[,|]}"
_WORDS = (
    "said",
    "with",
    "code",
    "error",
    "reply",
    "response",
    "b",
    "smtp",
    "returned",
    "was",
    "is",
    "status",
    "dsn",
)
_BESIDE = re.compile(rf"[ \-\t:,(]{{1,3}}#?({_ENHANCED})(?![\d.]*\d)")
_ALONE = re.compile(rf"(?:^|(?<=[\s(#<\[=;:'\"/]))({_ENHANCED})(?![\d.]*\d|[-.]\w)")


class ReplyCodes(NamedTuple):
    """The codes of a reply and where it begins; 0, "" and -1 where there is none."""

    smtp: int
    enhanced: str
    start: int


def find_reply(text: str) -> ReplyCodes:
    """Return the first reply in a text (RFC 5321 section 4.2), with its enhanced code (RFC 2034)."""
    for found in _DIGITS.finditer(text):
        smtp, start = int(found[1]), found.start()
        beside = _BESIDE.match(text, found.end(1))
        if beside and beside[1][0] == found[1][0]:
            return ReplyCodes(smtp, beside[1], start)
        if _begins(text[max(0, start - 12) : start]) and (smtp >= 400 or not start):
            return ReplyCodes(smtp, beside[1] if beside else _alone(text[start : start + 400]), start)
    return ReplyCodes(0, _alone(text), -1)


def _begins(before: str) -> bool:
    """Tell whether a reply may begin behind these characters."""
    before = before.rstrip(" \t")
    return not before or before[-1] in _BEFORE or before.rpartition(" ")[2].lower() in _WORDS


def _alone(text: str) -> str:
    found = _ALONE.search(text)
    return found[1] if found else ""
