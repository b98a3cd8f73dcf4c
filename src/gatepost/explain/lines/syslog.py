# ruff: noqa: E501 (a pattern is one line)
"""The head of a log line: when, on which host, by which program; syslog of both kinds, journald's short form, containers.

Rule: a time without a zone is one of this machine, as syslog writes it.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

_MONTHS = {
    name: n
    for n, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_HEAD = re.compile(
    r"(?:<\d{1,3}>)?(?:\d )?"
    r"(?:(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?:(?P<year>\d{4}) )?(?P<time>\d\d:\d\d:\d\d)(?:\.\d{1,9})?"
    r"|(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?))"
    r"(?: {1,2}(?P<host>[^\s:\[\]]{1,255}))?(?: {1,2}(?P<program>[\w./-]{1,80})(?:\[(?P<pid>[\d.]{1,12})\])?:)(?: |$)"
)
_PROGRAM = re.compile(r"(?P<program>[A-Za-z][\w./-]{1,80})(?:\[(?P<pid>\d{1,10})\]): ")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,3})\d{0,6})?(?: ?(Z|[+-]\d\d:?\d\d))?")


_TAI = re.compile(r"@4([0-9a-f]{15})([0-9a-f]{8}) ?")
_TAI_1970 = 10  # seconds that TAI was ahead of UTC in 1970, as multilog counts


class Head(NamedTuple):
    """What stands before the words of a program; `at` in ms since 1970, 0 where unknown."""

    program: str = ""
    rest: str = ""
    host: str = ""
    at: int = 0


def split(line: str, now: int = 0) -> Head:
    """Return the head of a line and the rest; a line without a head is all rest.

    `now` (ms since 1970) gives the year that RFC 3164 leaves out; without it such times are unknown.
    """
    if line.startswith("@4") and (stamp := _TAI.match(line)):
        return split(line[stamp.end() :])._replace(at=tai64n_ms(line))
    found = _HEAD.match(line) or _PROGRAM.match(line)
    if not found:
        return Head(rest=line)
    groups = found.groupdict()
    return Head(groups["program"] or "", line[found.end() :], groups.get("host") or "", _time(groups, now))


def _time(groups: dict[str, str | None], now: int) -> int:
    if groups.get("iso"):
        return iso_ms(groups["iso"] or "", local=True)
    if not groups.get("month") or not (now or groups.get("year")):
        return 0
    month, day, clock = groups["month"] or "", groups["day"] or "", groups["time"] or ""
    return local_ms(month, day, clock, now, int(groups["year"] or 0))


@lru_cache(maxsize=4096)  # the lines of a log share their seconds
def local_ms(month: str, day: str, clock: str, now: int, year: int = 0) -> int:
    """Return the ms since 1970 of `Nov`, `23`, `08:00:00` on this machine; 0 for none.

    A year that is left out (0) is the latest with which the time is not later than a day after `now` (ms).
    """
    number = _MONTHS.get(month, 0)
    if year:
        return _ms(year, number, day, clock)
    year = datetime.fromtimestamp(now / 1000, UTC).year
    at = _ms(year, number, day, clock)
    return at if 0 < at <= now + 86_400_000 else _ms(year - 1, number, day, clock)


def _ms(year: int, month: int, day: str, clock: str) -> int:
    try:
        hour, minute, second = (int(part) for part in clock.split(":"))
        return int(datetime(year, month, int(day), hour, minute, min(second, 59)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def iso_ms(text: str, *, local: bool = False) -> int:
    """Return the ms since 1970 of a time in the form of ISO 8601; 0 for none.

    Without a zone it is taken as UTC, or as a time of this machine where `local` says so.
    """
    found = _ISO.match(text)
    if not found:
        return 0
    zone = (found[4] or ("" if local else "Z")).replace("Z", "+00:00")
    try:
        base = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
        return int(base.timestamp() * 1000) + int((found[3] or "0").ljust(3, "0"))
    except (ValueError, OverflowError):
        return 0


def tai64n_ms(text: str) -> int:
    """Return the ms since 1970 of a stamp of multilog, `@4000000065...` (TAI64N); 0 for none."""
    found = _TAI.match(text)
    return (int(found[1], 16) - _TAI_1970) * 1000 + int(found[2], 16) // 1_000_000 if found else 0
