# ruff: noqa: E501 (a pattern is one line)
"""`key=value, key=<value>` as Postfix, Sendmail and OpenSMTPD write it."""

import re

_FIELD = re.compile(
    r"(?:^|[\s,;(])([a-z][a-z_-]{1,20})=(<[^>]{0,400}>|\"[^\"]{0,4000}\"|\[[^\]]{0,80}\] \[[^\]]{0,80}\]|[^\s,;]{1,400}(?: \[[^\]]{1,80}\]| \([^)]{1,200}\))?)"
)
_HOST = re.compile(
    r"^\[?(?P<name>[^\s\[\]()]{0,255})\]?\s?(?:[\[(](?P<address>[^\])]{2,100})[\])])?(?::(?P<port>\d{1,5}))?"
)


def fields_of(text: str) -> dict[str, str]:
    """Return the fields of a line; of one that comes twice the first."""
    found: dict[str, str] = {}
    for key, value in _FIELD.findall(text):
        found.setdefault(key, value.strip('"'))
    return found


def mailbox(value: str) -> str:
    """Return the address in a field."""
    return value.strip("<> ")


def host(value: str) -> tuple[str, str, str]:
    """Return name, address and port of `mx.example[192.0.2.1]:25`, `mx.example. [192.0.2.1]`, `192.0.2.1 (mx.example)`."""
    found = _HOST.match(value)
    if not found:
        return "", "", ""
    name, address, port = found["name"].rstrip("."), found["address"] or "", found["port"] or ""
    if (
        address
        and any(c.isalpha() for c in address)
        and ":" not in address
        and not any(c.isalpha() for c in name)
    ):
        name, address = address.rstrip("."), name
    return name, address, port
