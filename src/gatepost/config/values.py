"""The forms that values are written in: durations, sizes, endpoints, schedules, domain names, networks.

Rule: a reader takes what TOML or JSON gave and returns the value, or raises `BadValue` with a hint.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from gatepost.config.problems import BadValue
from gatepost.model.objects import SmartHost

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SIZES = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_DURATION = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_MILLISECONDS = re.compile(r"(\d{1,9})ms", re.ASCII)
_SIZE = re.compile(r"(\d{1,15})\s?([KMGT]?B)?", re.ASCII)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s?%", re.ASCII)
_REPEATED = re.compile(r"(.+?)\s?\*\s?(\d{1,4})", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ADDRESS_CHARACTERS = re.compile(r"[^\s\x00-\x1f\x7f-\x9f<>]+")
MAX_SCHEDULE = 1000
T = TypeVar("T")


class Endpoint(NamedTuple):
    """A host (IP address or name, without brackets) and a TCP or UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Threshold(NamedTuple):
    """An amount of disk: so many bytes, or a share of the file system (0.05 is 5 %); the other one is 0."""

    size: int
    share: float


def shown(value: object) -> str:
    """Return a value as it is quoted in a message, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:76] + ' ..."'


def text(value: object) -> str:
    """Return a value that must be a string; of control characters only line ends and tabs may stand in it."""
    if not isinstance(value, str):
        raise BadValue(f"{shown(value)} is not a text", "put it in quotes")
    if any(ord(c) < 32 and c not in "\n\t\r" for c in value) or "\x7f" in value:
        raise BadValue("the text has a control character in it")
    return value


def boolean(value: object) -> bool:
    """Return a value that must be true or false."""
    if not isinstance(value, bool):
        raise BadValue(f"{shown(value)} is neither true nor false", "write true or false, without quotes")
    return value


def whole(value: object, low: int, high: int) -> int:
    """Return a whole number within its bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadValue(f"{shown(value)} is not a whole number", "write it without quotes and unit")
    if not low <= value <= high:
        raise BadValue(f"{value} is out of range", f"from {low} to {high}")
    return value


def choice(value: object, known: Iterable[str]) -> str:
    """Return a text that must be one of a few."""
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise BadValue(f"{shown(value)} is not possible here", f"one of {', '.join(names)}")
    return value


def seconds(value: object) -> int:
    """Return the whole seconds of a duration: `30s`, `4h`, `1h30m`, `30d`."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        raise BadValue(
            f"{shown(value)} is not a duration", 'write a number and a unit, "30s", "5m", "4h" or "30d"'
        )
    return sum(int(n or 0) * unit for n, unit in zip(found.groups(), (86400, 3600, 60, 1), strict=True))


def duration(value: object, low: int, high: int) -> int:
    """Return the seconds of a duration within its bounds."""
    number = seconds(value)
    if not low <= number <= high:
        raise BadValue(
            f"{shown(value)} is out of range", f"from {show_duration(low)} to {show_duration(high)}"
        )
    return number


def duration_or_off(value: object, low: int, high: int) -> int:
    """Return the seconds of a duration, 0 for `off`."""
    if value == "off":
        return 0
    try:
        return duration(value, low, high)
    except BadValue as problem:
        raise BadValue(problem.message, f'{problem.hint}; or "off"') from None


def timeout(value: object) -> float:
    """Return the seconds of a timeout, 1 ms to a day; other durations cannot be written in `ms`."""
    found = _MILLISECONDS.fullmatch(value) if isinstance(value, str) else None
    number = int(found.group(1)) / 1000 if found else float(seconds(value))
    if not 0 < number <= 86400:
        raise BadValue(f"{shown(value)} is out of range", "from 1ms to 24h")
    return number


def show_duration(number: float) -> str:
    """Return a duration as it is written: in the largest unit that leaves no rest (days from two days on)."""
    if number != int(number):
        return f"{round(number * 1000)}ms"
    whole_number = int(number)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole_number and whole_number % size == 0 and (unit != "d" or whole_number >= 172800):
            return f"{whole_number // size}{unit}"
    return f"{whole_number}s"


def schedule(value: object) -> tuple[int, ...]:
    """Return the seconds of a retry table: `["1m*4", "5m*6", "10m"]`; the last one repeats for ever."""
    if not isinstance(value, list) or not value:
        raise BadValue(f"{shown(value)} is not a list of intervals", 'write a list, ["1m*4", "5m*6", "10m"]')
    steps: list[int] = []
    for entry in value:
        found = _REPEATED.fullmatch(entry) if isinstance(entry, str) else None
        step, times = (found.group(1), int(found.group(2))) if found else (entry, 1)
        if times == 0 or len(steps) + times > MAX_SCHEDULE:
            raise BadValue(
                f"{shown(entry)} makes no useful table", f"from 1 to {MAX_SCHEDULE} intervals in all"
            )
        steps += [duration(step, 1, 7 * 86400)] * times
    return tuple(steps)


def show_schedule(steps: Iterable[int]) -> list[str]:
    """Return a retry table as it is written."""
    runs: list[list[int]] = []
    for step in steps:
        if runs and runs[-1][0] == step:
            runs[-1][1] += 1
        else:
            runs.append([step, 1])
    return [show_duration(step) + (f"*{times}" if times > 1 else "") for step, times in runs]


def size(value: object) -> int:
    """Return the octets of a size: `150MB` (1 MB is 1024 KB); a bare number counts octets."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise BadValue(f"{shown(value)} is not a size", 'write a number and a unit, "150MB"')
    return int(found.group(1)) * SIZES[found.group(2) or ""]


def show_size(number: int) -> str:
    """Return a size as it is written."""
    for unit in ("TB", "GB", "MB", "KB"):
        if number and number % SIZES[unit] == 0:
            return f"{number // SIZES[unit]}{unit}"
    return f"{number}B"


def share(value: object) -> float:
    """Return a percentage as a number from 0 to 1."""
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if found is None or float(found.group(1)) > 100:
        raise BadValue(f"{shown(value)} is not a percentage", 'from "0%" to "100%"')
    return float(found.group(1)) / 100


def threshold(value: object) -> Threshold:
    """Return an amount of disk: `5%` or `2GB`."""
    if isinstance(value, str) and "%" in value:
        return Threshold(0, share(value))
    try:
        return Threshold(size(value), 0.0)
    except BadValue as problem:
        raise BadValue(
            f"{shown(value)} is neither a percentage nor a size", 'write "5%" or "2GB"'
        ) from problem


def ip_address(value: str) -> str | None:
    """Return an IP address in its usual form, None where it is none."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return None


def own_address(value: object) -> str:
    """Return an address of this machine to connect from, in its usual form."""
    address = ip_address(value) if isinstance(value, str) else None
    if address is None or ipaddress.ip_address(address).is_unspecified:
        raise BadValue(
            f"{shown(value)} is no address to connect from", 'write "192.0.2.10" or "2001:db8::10"'
        )
    return address


def split_port(value: str, low: int = 1) -> tuple[str, int | None]:
    """Return host and port of `name`, `name:25`, `192.0.2.7:25`, `[2001:db8::7]:25`, `2001:db8::7`."""
    host, port = value, ""
    if value.startswith("["):
        host, bracket, rest = value[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or ip_address(host) is None or ":" not in host:
            raise BadValue(f"{shown(value)} is not an IPv6 address in brackets", 'write "[2001:db8::7]:25"')
        port, colon = rest[1:], bool(rest)
    elif value.count(":") > 1:
        if ip_address(value) is None:
            raise BadValue(
                f"{shown(value)} is not a host with a port", 'an IPv6 address stands in brackets, "[::1]:25"'
            )
        return value, None
    else:
        host, separator, port = value.partition(":")
        colon = bool(separator)
    if not colon:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) < 6 and low <= int(port) <= 65535):
        raise BadValue(f"{shown(value)} has no usable port", "a port is a number from 1 to 65535")
    return host, int(port)


def endpoint(value: object, default_port: int | None = None, low: int = 1) -> Endpoint:
    """Return where to listen or connect: `127.0.0.1:2525`, `[::1]:25`, `localhost:24`."""
    if not isinstance(value, str) or not value:
        raise BadValue(f"{shown(value)} is not an endpoint", 'write address and port, "127.0.0.1:2525"')
    host, port = split_port(value, low)
    port = default_port if port is None else port
    if port is None:
        raise BadValue(
            f"{shown(value)} has no port", 'write address and port, "127.0.0.1:2525" or "[::1]:25"'
        )
    return Endpoint(host_name(host), port)


def address_endpoint(value: object, default_port: int | None = None) -> Endpoint:
    """Return an endpoint whose host must be an IP address; a listener's port may be 0, any free one."""
    found = endpoint(value, default_port, low=0)
    if ip_address(found.host) is None:
        raise BadValue(
            f"{shown(value)} does not start with an IP address", 'write "127.0.0.1:2525" or "[::1]:25"'
        )
    return found


def host_name(value: str) -> str:
    """Return an IP address or a host name in its usual form."""
    address = ip_address(value)
    if address is not None:
        return address
    if value and all(c in "0123456789." for c in value):
        raise BadValue(f"{shown(value)} is not an IP address", 'four numbers from 0 to 255, "192.0.2.7"')
    return domain_name(value)


def smart_host(value: object) -> SmartHost:
    """Return a next hop: `mail.example`, `192.0.2.7:2525`, `[2001:db8::7]:25`."""
    if not isinstance(value, str) or not value:
        raise BadValue(f"{shown(value)} is not a smart host", 'write a name or an address, "mail.example:25"')
    host, port = split_port(value)
    return SmartHost(host_name(host), port)


def domain_name(value: object) -> str:
    """Return a domain name in lower-case A-labels (RFC 5890), without a dot at its end."""
    if not isinstance(value, str) or not value:
        raise BadValue(f"{shown(value)} is not a domain name")
    name = value.lower()
    if not name.isascii():
        name = _a_labels(value)
    if len(name) > 253 or any(_LABEL.fullmatch(label) is None for label in name.split(".")):
        raise BadValue(
            f"{shown(value)} is not a domain name",
            "labels of letters, digits and hyphens with dots between them",
        )
    return name


def _a_labels(value: str) -> str:
    import idna  # noqa: PLC0415 - its tables are large, and most names are ASCII

    try:
        return idna.encode(value.lower(), strict=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise BadValue(f"{shown(value)} is not a valid internationalised domain name") from None


def pattern(value: object) -> str:
    """Return a recipient domain pattern: a domain, `*.domain` for all below it, `*` for every domain."""
    if value == "*":
        return "*"
    if isinstance(value, str) and value.startswith("*."):
        return "*." + domain_name(value[2:])
    if isinstance(value, str) and "*" in value:
        raise BadValue(
            f"{shown(value)} has a wildcard inside",
            'a wildcard is the whole first label, "*.contoso.example"',
        )
    return domain_name(value)


def certificate_name(value: object) -> str:
    """Return the name that a certificate must carry; a wildcard never covers a top-level domain."""
    name = pattern(value)
    if name == "*" or (name.startswith("*.") and "." not in name[2:]):
        raise BadValue(f"{shown(value)} would cover too much", 'name a domain, "*.contoso.example"')
    return name


def mail_address(value: object) -> str:
    """Return an address in the form that is compared: lower case, the domain in A-labels."""
    local, at, domain = value.rpartition("@") if isinstance(value, str) else ("", "", "")
    if not at or not local or _ADDRESS_CHARACTERS.fullmatch(local) is None or len(local) > 64:
        raise BadValue(f"{shown(value)} is not an address", 'write "ann@contoso.example"')
    try:
        return f"{local.lower()}@{domain_name(domain)}"
    except BadValue:
        raise BadValue(f"{shown(value)} is not an address", "the part after @ is not a domain name") from None


def network(value: object) -> str:
    """Return a network in CIDR form; a single address stands for itself."""
    try:
        if not isinstance(value, str):
            raise ValueError
        found = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise BadValue(
            f"{shown(value)} is not a network", 'write "192.0.2.0/24" or "2001:db8::/32"'
        ) from None
    if "/" in value and ipaddress.ip_address(value.partition("/")[0]) != found.network_address:
        raise BadValue(
            f"{shown(value)} has bits set to the right of its mask", f'write "{found}", if that is meant'
        )
    return str(found)


def listed(value: object, read: Callable[[object], T]) -> tuple[T, ...]:
    """Return a list whose entries are read one by one; the first one that is wrong is named."""
    if not isinstance(value, list):
        raise BadValue(f"{shown(value)} is not a list", "put it in brackets, even where it is only one")
    return tuple(read(entry) for entry in value)
