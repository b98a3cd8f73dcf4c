# ruff: noqa: E501 (a pattern is one line)
"""Exchange's ways to tell an error: bracket pairs, brace groups, `Server at X returned '...'`, `X #550 ... ##`.

Rule: every part may be missing, empty, cut off in the middle or wrapped in another; what is there is read.
Rule: names of the service's own machines are those that report, not those that failed.
"""

import re
from typing import NamedTuple

_SERVER = re.compile(r"Last\s?Attempted\s?Server\s?Name=\s*([^\]\[{};\s]{1,255})", re.IGNORECASE)
_IP = re.compile(
    r"Last\s?Attempted\s?IP=\s*([0-9a-fA-F.:]{2,60}(?:\]:\d{1,5})?|\[[0-9a-fA-F:.]{2,60}\](?::\d{1,5})?)",
    re.IGNORECASE,
)
_FQDN = re.compile(r"\{?\bFQDN=\s*([^};\]\s]{1,255})")
_BRACE_IP = re.compile(r"\{IP=\s*([0-9a-fA-F.:]{2,60})")
_PROXY_HOST = re.compile(r"OutboundProxyTargetHostName:?\s*([A-Za-z0-9._-]{1,255})")
_PROXY_IP = re.compile(r"OutboundProxyTargetIP(?:Address)?:?\s*([0-9a-fA-F.:]{2,60})")
_SERVER_AT = re.compile(
    r"(?:Remote )?[Ss]erver at (?P<server>[^\s()'\"]{1,255})(?: \((?P<address>[^()\s]{2,60})\))? (?:returned|gave|replied)"
)
_HASH = re.compile(r"(?:^|[\s<])(?P<server>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})\s?#[<\d]")
_GAVE = re.compile(
    r"^\s*(?P<server>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})\s(?:gave this error|rejected your message|returned this error"
    r"|hat diesen Fehler|a généré cette erreur|generó este error|给出了此错误|からこのエラー)",
    re.IGNORECASE,
)
_RETURNED = re.compile(r"<(?P<server>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}) #\d")
_BEFORE_RETURNED = re.compile(
    r"@[\w.-]{1,255}>?\s{1,8}(?P<server>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})\s{1,8}(?:#\S{0,20}\s{0,4})?Remote Server returned"
)  # the administrators' section: the address, the server below it, what that said
_RECEIVING = re.compile(
    r"Receiving server: (?P<server>[\w.-]{1,255})(?: \((?P<address>[0-9a-fA-F.:]{2,60})\))?"
)
_OURS = re.compile(
    r"\.prod\.(?:outlook\.com|exchangelabs\.com|protection\.outlook\.com|partner\.outlook\.cn)\.?$"
    r"|\.prod\.protection\.partner\.outlook\.cn$|eop-\w+\.prod\b",
    re.IGNORECASE,
)
_MARKS = (
    "LastAttempted",
    "Last attempted",
    "{LED=",
    "LED=",
    "returned '",
    "returned “",
    "FQDN=",
    "OutboundProxyTarget",
    " #",
    "gave ",
    "Receiving server",
    "rejected your",
)


class Seen(NamedTuple):
    """Whom an error of Exchange names; `found` tells whether the text is one of its forms."""

    found: bool = False
    server: str = ""
    address: str = ""


def look(text: str) -> Seen:
    """Return the server that an error names: the one last attempted before the one that is said to have returned it."""
    if not any(mark in text for mark in _MARKS):
        return Seen()
    server, address = _first(text, _SERVER, _FQDN, _PROXY_HOST), _first(text, _IP, _BRACE_IP, _PROXY_IP)
    if server or address:
        return Seen(found=True, server=_name(server) or _bare(address), address=_address(address))
    for pattern in (_SERVER_AT, _BEFORE_RETURNED, _HASH, _RETURNED, _GAVE, _RECEIVING):
        found = pattern.search(text)
        if found:
            at = found.groupdict().get("address") or ""
            return Seen(found=True, server=_name(found["server"]), address=_address(at))
    return Seen(found="LED=" in text or "returned '" in text)


def _first(text: str, *patterns: re.Pattern[str]) -> str:
    return next((found[1] for pattern in patterns if (found := pattern.search(text))), "")


def _name(text: str) -> str:
    name = text.strip(".,;'\"<>()")
    return "" if _OURS.search(name) else name


def _address(text: str) -> str:
    text = text.rstrip(".")
    return "" if text.strip("[]").startswith("0.0.0.0") else text  # noqa: S104 - an address in an error, not one to bind


def _bare(address: str) -> str:
    """Return an address without its port."""
    address = _address(address)
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
