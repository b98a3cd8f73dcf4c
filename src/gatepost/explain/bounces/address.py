"""Mail addresses in foreign text: where they are in a line, and what a report's address field means.

Rule: finding is linear: from every @ outward, never by a pattern that could start anywhere.
"""

import re
from typing import NamedTuple

MAX_LINE = 2000
_MAX_SIGNS = 20  # signs of @ that are looked at in one line
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-")
_DOMAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_CJK = 0x2E80  # scripts written without spaces begin here: they are prose around an address, not part of it
_MAILTO = re.compile(r"<mailto:[^<>\s]{1,320}>", re.IGNORECASE)
_KEYED = re.compile(r"^(?:smtp|rfc822|mailto|addr|address|email|user|to|rcpt)=", re.IGNORECASE)


class Marked(NamedTuple):
    """A line in which every address is replaced by \\x01, its number and \\x02."""

    text: str
    addresses: tuple[str, ...]


def mark(line: str) -> Marked:
    """Replace the addresses of a line by marks, so that patterns need not know what an address is."""
    line = line[:MAX_LINE].replace("\x01", " ").replace("\x02", " ")
    if "@" not in line:
        return Marked(line, ())
    line = _MAILTO.sub("", line)
    out: list[str] = []
    found: list[str] = []
    at = done = 0
    for _ in range(_MAX_SIGNS):
        at = line.find("@", at)
        if at < 0:
            break
        start, end = _around(line, at, done)
        if start < at and end > at + 1:
            out += [line[done:start], f"\x01{len(found)}\x02"]
            found.append(line[start:end])
            done = at = end
        else:
            at += 1
    out.append(line[done:])
    return Marked("".join(out), tuple(found))


def _around(line: str, at: int, floor: int) -> tuple[int, int]:
    """Return where the address around the @ at `at` begins and ends; start == at or end == at + 1 without one."""
    end = _domain_end(line, at + 1)
    if at > floor and line[at - 1] == '"':
        opening = line.rfind('"', max(floor, at - 66), at - 1)
        return (opening if opening >= 0 else at), end
    start = at
    while start > floor and at - start < 128 and _is_local(line[start - 1]):
        start -= 1
    if line.startswith("//", start):  # user information of a URL
        return at, end
    keyed = _KEYED.match(line[start:at])
    if keyed:
        start += keyed.end()
    while start < at and line[start] in "'.=`*":
        start += 1
    return start, end


def _is_local(char: str) -> bool:
    return char in _LOCAL or (127 < ord(char) < _CJK and char.isalnum())


def _domain_end(line: str, start: int) -> int:
    if line[start : start + 1] == "[":
        end = line.find("]", start, start + 50)
        return end + 1 if end > 0 else start
    end = start
    while end < len(line) and end - start < 255 and (line[end] in _DOMAIN or _is_foreign(line[end])):
        if line.startswith("..", end):  # words follow: `ann@example.org...User unknown`
            break
        end += 1
    while end > start and line[end - 1] in ".-_":
        end -= 1
    return end


def _is_foreign(char: str) -> bool:
    return 127 < ord(char) < _CJK and char.isalnum()


def addresses(line: str) -> tuple[str, ...]:
    """Return the addresses of a line, in order."""
    return mark(line).addresses


def clean_address(text: str) -> str:
    """Return an address without quotes, brackets, comments and source routes; "" where there is none with a domain."""
    text = text.strip()[:600]
    found = addresses(text)
    if not found:
        return ""
    # RFC 5321 appendix C: <@relay:user@host> names the user last
    return found[-1] if text.lstrip("<").startswith("@") else found[0]


_TYPE = re.compile(r"\s*([A-Za-z][\w-]{0,30})\s*;\s*(.*)", re.DOTALL)
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")


def typed(value: str) -> tuple[str, str]:
    """Return the type and the rest of a field like `rfc822; user@example.com`; "" where no type is given."""
    match = _TYPE.match(value)
    return (match[1].lower(), match[2].strip()) if match else ("", value.strip())


def reported_address(value: str) -> str:
    """Return the address of a Final-Recipient or Original-Recipient field (RFC 3464 section 2.3, RFC 6533)."""
    kind, text = typed(value)
    if kind == "utf-8":
        text = _UNICODE.sub(lambda match: _character(match[1]), text)
    if "@" not in text and "+40" in text:  # xtext that nobody decoded (RFC 3461 section 4)
        text = _XTEXT.sub(lambda match: chr(int(match[1], 16)), text)
    return clean_address(text)


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else ""


def domain_of(address: str) -> str:
    """Return the domain of an address in lower case."""
    return address.rpartition("@")[2].lower()
