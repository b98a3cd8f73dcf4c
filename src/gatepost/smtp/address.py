"""One grammar for envelope paths (RFC 5321 section 4.1.2, RFC 6531): what is checked here is what is sent on.

Rule: an address is kept byte for byte; nothing in a local part (`%`, `!`, a quoted `@`) is ever interpreted.
Rule: what the grammar does not know is refused: control characters, NUL, bad UTF-8, stray dots and at signs.
"""

import ipaddress
import re
from typing import NamedTuple

import idna

MAX_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1
MAX_DOMAIN = 255  # section 4.5.3.1.2
MAX_PATH = 256  # with the angle brackets, section 4.5.3.1.3

# Groups repeat greedily, never possessively: before Python 3.11.5 a possessive group that fails half way keeps what it
# had consumed (gh-106052), and `a.@x.example` was an address. No group here can match in two ways, so it costs nothing.
_ATEXT = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = rb"[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*"
_DOMAIN = _LABEL + rb"(?:\." + _LABEL + rb")*"
_ORDINARY = re.compile(rb"<(" + _ATEXT + rb"++(?:\." + _ATEXT + rb"++)*)@(" + _DOMAIN + rb")>")
_UTEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\x80-\U0010ffff]++"
_DOT_STRING = re.compile(_UTEXT + r"(?:\." + _UTEXT + r")*")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*"')
_PLAIN_DOMAIN = re.compile(_DOMAIN.decode("ascii"))
_ANY_DOMAIN = re.compile(r"[A-Za-z0-9.\-\x80-\U0010ffff]++")
_LITERAL = re.compile(r"\[[A-Za-z0-9:.]++\]")
_SOURCE_ROUTE = re.compile(r"@[^\s@,:<>\"]++(?:,@[^\s@,:<>\"]++)*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class BadAddress(ValueError):
    """The text is not an address of the grammar; the words say what is wrong with it."""


class Path(NamedTuple):
    """A parsed path: `address` is "" for the null sender, `domain` is "" for it and for `postmaster`."""

    address: str
    local: str
    domain: str


NULL = Path("", "", "")


def parse_path(data: bytes, *, utf8: bool) -> Path:
    """Return the path that `data`, angle brackets included, is; raise `BadAddress` where it is none."""
    path, rest = take_path(data, utf8=utf8)
    if rest:
        raise BadAddress("something follows the closing bracket")
    return path


def take_path(data: bytes, *, utf8: bool) -> tuple[Path, bytes]:
    """Return the path at the start of `data` and what follows it; raise `BadAddress`."""
    found = _ORDINARY.match(data)
    if found is not None:
        local, domain = found.group(1), found.group(2)
        if len(local) <= MAX_LOCAL and len(domain) < 64 and len(local) + len(domain) + 3 <= MAX_PATH:
            local_text, domain_text = local.decode("ascii"), domain.decode("ascii")
            return Path(f"{local_text}@{domain_text}", local_text, domain_text), data[found.end() :]
    return _take_any(data, utf8=utf8)


def domain_of(address: str) -> str:
    """Return the domain of an address in lower-case A-labels; "" for the null sender and `postmaster`."""
    domain = address.rpartition("@")[2] if "@" in address else ""
    return domain.lower() if not domain or domain[0] == "[" else to_ascii(domain)


def to_ascii(domain: str) -> str:
    """Return a domain in lower-case A-labels (IDNA 2008, nothing mapped but case); raise `BadAddress`."""
    lower = domain.lower()
    if lower.isascii():
        if _PLAIN_DOMAIN.fullmatch(lower) is None:
            raise BadAddress("the domain has a character or a dot that cannot stand there")
    else:
        try:
            # strict: only U+002E separates labels, so that no other reading of the name exists
            lower = idna.encode(lower, strict=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise BadAddress("the domain is not a valid internationalised name") from None
    if len(lower) > 64 and (len(lower) > MAX_DOMAIN or any(len(label) > 63 for label in lower.split("."))):
        raise BadAddress("the domain is too long")
    if len(lower) == 64 and "." not in lower:
        raise BadAddress("the domain is too long")
    return lower


def _take_any(data: bytes, *, utf8: bool) -> tuple[Path, bytes]:
    text = _decode(data, utf8=utf8)
    if not text.startswith("<"):
        raise BadAddress("the path does not start with <")
    if text.startswith("<>"):
        return NULL, text[2:].encode()
    at = 1
    route = _SOURCE_ROUTE.match(text, at)
    if route is not None:  # RFC 5321 appendix C: accepted, and dropped
        for host in route.group()[:-1].split(","):
            to_ascii(host[1:])
        at = route.end()
    local = _local_part(text, at)
    at += len(local)
    if text.startswith(">", at):
        if local.lower() != "postmaster" or route is not None:
            raise BadAddress("the address has no domain")
        return Path(local, local, ""), text[at + 1 :].encode()
    if not text.startswith("@", at):
        raise BadAddress("the local part has a character or a dot that cannot stand there")
    domain = _domain(text, at + 1)
    at += 1 + len(domain)
    if not text.startswith(">", at):
        raise BadAddress("the domain has a character that cannot stand there")
    if len(f"<{local}@{domain}>".encode()) > MAX_PATH:
        raise BadAddress("the address is too long")
    return Path(f"{local}@{domain}", local, domain), text[at + 1 :].encode()


def _decode(data: bytes, *, utf8: bool) -> str:
    try:
        text = data.decode("utf-8" if utf8 else "ascii")
    except UnicodeDecodeError:
        raise BadAddress("not valid UTF-8" if utf8 else "not plain ASCII") from None
    if _CONTROL.search(text) is not None:
        raise BadAddress("a control character")
    return text


def _local_part(text: str, at: int) -> str:
    found = (_QUOTED if text.startswith('"', at) else _DOT_STRING).match(text, at)
    if found is None:
        raise BadAddress("the local part is missing or malformed")
    local = found.group()
    if len(local.encode()) > MAX_LOCAL:
        raise BadAddress("the local part is too long")
    return local


def _domain(text: str, at: int) -> str:
    if text.startswith("[", at):
        found = _LITERAL.match(text, at)
        if found is None:
            raise BadAddress("the address literal is malformed")
        _check_literal(found.group()[1:-1])
        return found.group()
    found = _ANY_DOMAIN.match(text, at)
    if found is None:
        raise BadAddress("the domain is missing")
    to_ascii(found.group())
    return found.group()


def _check_literal(inside: str) -> None:
    """Accept IPv4 and `IPv6:` (RFC 5321 section 4.1.3); no other kind of literal is registered."""
    try:
        if inside[:5].lower() == "ipv6:":
            ipaddress.IPv6Address(inside[5:])
        else:
            ipaddress.IPv4Address(inside)
    except ValueError:
        raise BadAddress("the address literal is neither IPv4 nor IPv6") from None
