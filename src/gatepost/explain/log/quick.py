# ruff: noqa: E501 (a pattern is one line)
"""The lines of a log that most lines are: mail that comes, is delivered at once and ends; counted without a record.

Rule: a line is taken here only where the reader of its system would make the same of it; any other goes the long way.
"""

import re
from collections.abc import Callable

from gatepost.explain.lines.syslog import Head
from gatepost.explain.log.joins import Joins
from gatepost.explain.log.stamps import Clock
from gatepost.explain.log.tally import Tally

Quick = Callable[[str], bool]

_WHO = r"[^\s<>\"|/:,]{1,200}@([^\s<>\"|/:,]{1,255})"
_EXIM = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d{1,6})? ([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4})"
    rf" (?:(<=) [^\n]*|(Completed)(?: QT=\S+)?|[=-]> ({_WHO}) R=[^\n]*)\Z"
)
_SENDMAIL = re.compile(
    r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) [^\s:\[\]]{1,255} (?:sm-|sendmail|mta)[\w./-]{0,60}\[\d{1,10}\]:"
    rf" ([0-9A-Za-z]{{8,20}}): (?:(from=)(?!.*\b(?:stat|reject)=)[^\n]*|to=<?({_WHO})>?, [^\n]*?[ ,]stat=Sent\b[^\n]*)\Z"
)
# the protocol logs of Exchange: time, connector, session, number, ends, event, data
_EXCHANGE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{1,7}Z,[^,\n]{0,300},([^,\n]{1,60}),\d{1,9},[^,\n]{0,60},[^,\n]{0,60},"
    r"(?:[*+],[^\n]*|-,,\D[^\n]*|(>),\"?[A-Z][^\n]*|(<),\"?(?:220|221|250|334|354|235)[ -][^\n]*)\Z"
)


def quick_of(kind: str, tally: Tally, now: int, joins: Joins) -> Quick | None:
    """Return what counts the usual lines of a system, and says whether a line was one; None where there is none."""
    if kind == "exim":
        return _exim(tally, Clock(now))
    if kind == "exchange":
        return _exchange(tally, Clock(now), joins)
    return _sendmail(tally, Clock(now)) if kind == "sendmail" else None


def _exim(tally: Tally, clock: Clock) -> Quick:
    match = _EXIM.match

    def take(line: str) -> bool:
        found = match(line)
        if found is None:
            return False
        stamp, message, came, completed, who, domain = found.groups()
        at = clock(stamp.encode())
        tally.seen(at)
        if completed:
            tally.ended(message.encode(), b"")
        elif not came:
            tally.ended(message.encode(), who.encode())
            tally.arrived(domain.lower().encode(), at)
        return True

    return take


def _sendmail(tally: Tally, clock: Clock) -> Quick:
    match = _SENDMAIL.match

    def take(line: str) -> bool:
        found = match(line)
        if found is None:
            return False
        stamp, message, came, who, domain = found.groups()
        at = clock(stamp.encode())
        tally.seen(at)
        if not came:
            tally.ended(message.encode(), who.encode())
            tally.arrived(domain.lower().encode(), at)
        return True

    return take


def _exchange(tally: Tally, clock: Clock, joins: Joins) -> Quick:
    match = _EXCHANGE.match

    def take(line: str) -> bool:
        found = match(line)
        if found is None:
            return False
        stamp, session, command, reply = found.groups()
        if reply and joins.is_sending(session):
            return False  # it may be the end of a message
        if command:
            joins.note(Head(rest=line))
        tally.seen(clock(f"{stamp}Z".encode()))
        return True

    return take
