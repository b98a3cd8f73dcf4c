"""Read single texts: an error, a reply, a line of any log; each becomes a record.

Rule: the kind is recognised by itself and can be forced; nothing raises, whatever is in the text.
"""

from collections.abc import Callable, Iterator

from gatepost.explain.detect import kind_of_text, units
from gatepost.explain.lines import exchange, exim, haraka, jsons, opensmtpd, others, postfix, qmail, sendmail
from gatepost.explain.lines.syslog import Head, split
from gatepost.explain.record import Record

MAX_UNIT = 200_000  # characters of one error that are looked at
_READERS: dict[str, Callable[[Head], Record | None]] = {
    "json": jsons.read,
    "exchange": exchange.read,
    "haraka": haraka.read,
    "sendmail": sendmail.read,
    "opensmtpd": opensmtpd.read,
    "exim": exim.read,
    "qmail": qmail.read,
    "postfix": postfix.read,
    "log": others.read,
}
_SAME = {"kumomta": "json", "gatepost": "json"}
KINDS = (
    "reply",
    "exchange",
    "postfix",
    "exim",
    "sendmail",
    "opensmtpd",
    "qmail",
    "haraka",
    "kumomta",
    "gatepost",
    "json",
    "log",
)


def read(text: str, kind: str = "", *, now: int = 0) -> list[Record]:
    """Return the errors that a text tells, in its order.

    `kind` forces how it is read (one of `KINDS`); `now` (ms since 1970) gives the year that syslog leaves out.
    """
    return [
        record for unit in units(text) if (record := read_one(unit[:MAX_UNIT], kind, now=now)) is not None
    ]


def read_one(unit: str, kind: str = "", *, now: int = 0) -> Record | None:
    """Return the error that one line or one text tells; None for blanks."""
    if not unit.strip():
        return None
    head = split(unit.strip(), now)
    for name, reader in _readers(kind):
        found = reader(head)
        if found is not None:
            return found._replace(kind=kind) if kind else found if name != "log" else _named(found)
    return Record(kind or kind_of_text(unit), unit.strip(), raw=unit.strip(), at=head.at)


def _readers(kind: str) -> Iterator[tuple[str, Callable[[Head], Record | None]]]:
    if not kind:
        yield from _READERS.items()
    elif _SAME.get(kind, kind) in _READERS:
        name = _SAME.get(kind, kind)
        yield name, _READERS[name]


def _named(record: Record) -> Record:
    """Return a record of a log that is not known by its form with the system that its words give away."""
    kind = kind_of_text(record.text)
    return record if kind in ("text", "reply") else record._replace(kind=kind)
