# ruff: noqa: E501 (a pattern is one line)
"""`key=value, key=<value>` as Postfix, Sendmail and OpenSMTPD write it."""

import re

_FIELD = re.compile(
    r"(?:^|[\s,;(])([a-z][a-z_-]{1,20})=(<[^>]{0,400}>|\"[^\"]{0,4000}\"|\[[^\]]{0,80}\] \[[^\]]{0,80}\]|[^\s,;]{1,400}(?: \[[^\]]{1,80}\]| \([^)]{1,200}\))?)"
)
_HOST = re.compile(
    r"^\[?(?P<name>[^\s\[\]()]{0,255})\]?\s?(?:[\[(](?P<address>[^\])]{2,100})[\])])?(?::(?P<port>\d{1,5}))?"
)

_CLOCKED = re.compile(r"^(?:(\d{1,5})\+)?(\d{1,3}):(\d\d):(\d\d)$")
_SPAN = re.compile(r"^(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s?)?$")


def fields_of(text: str) -> dict[str, str]:
    """Return the fields of a line; of one that comes twice the first."""
    found: dict[str, str] = {}
    for key, value in _FIELD.findall(text):
        found.setdefault(key, value.strip('"'))
    return found


def delay_ms(value: str) -> int:
    """Return the ms of `1.25`, `2s`, `1m3s`, `00:00:05` or `1+02:00:00`; 0 where it is none of them."""
    if found := _CLOCKED.match(value):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
    if found := _SPAN.match(value):
        d, h, m, s = (float(part or 0) for part in found.groups())
        return int((((d * 24 + h) * 60 + m) * 60 + s) * 1000)
    return 0


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
