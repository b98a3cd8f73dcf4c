"""Read single texts: an error, a reply, a line of any log; each becomes a record.

Rule: the kind is recognised by itself and can be forced; nothing raises, whatever is in the text.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module

from gatepost.explain.detect import kind_of_text, units
from gatepost.explain.lines.syslog import Head, split
from gatepost.explain.record import Record

Reader = Callable[[Head], Record | None]
MAX_UNIT = 200_000  # characters of one error that are looked at
# which lines a reader may know: it is loaded and asked only where a line has one of its words, or is of its program
_HINTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "jsons": (("{",), ()),
    "exchange": (("Z,",), ()),
    "haraka": (
        ("[INFO]", "[NOTICE]", "[WARN", "[ERROR]", "[DEBUG]", "[CRIT", "[PROTOCOL]", "level="),
        ("haraka",),
    ),
    "opensmtpd": (("<<<", "stat=", "smtp-out", "smtp-in", "mta ", "smtp ", "delivery: "), ("smtpd",)),
    "sendmail": (("stat=", "reject="), ("sm-", "sendmail", "mta")),
    "exim": (
        (
            " == ",
            " ** ",
            " => ",
            " -> ",
            " R=",
            " T=",
            "H=",
            "rejected",
            "authenticator",
            "SMTP ",
            "TLS ",
            "Completed",
        ),
        ("exim",),
    ),
    "qmail": (
        (
            "delivery ",
            "rblsmtpd",
            "CHKUSER",
            "spamdyke",
            "orry",
            "_does_not_like",
            " not like ",
            "onnected",
            "_",
            ">:",
            "Hi. ",
        ),
        ("qmail", "rblsmtpd", "spamdyke", "tcpserver"),
    ),
    "postfix": (
        (
            "status=",
            "reject: ",
            "lost connection",
            "timed out while",
            "connect to ",
            "NOQUEUE",
            "host ",
            "relay=",
            "from=<",
            ": ",
        ),
        ("postfix",),
    ),
    "others": (("[", ","), ("",)),
}
_MODULES = {"json": "jsons", "kumomta": "jsons", "gatepost": "jsons", "log": "others"}
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
    found = read_head(head, kind)
    return found or Record(kind or kind_of_text(unit), unit.strip(), raw=unit.strip(), at=head.at)


def read_head(head: Head, kind: str = "") -> Record | None:
    """Return what a line of a log tells; None where no reader knows its form."""
    for name, reader in _readers(kind, head):
        found = reader(head)
        if found is not None:
            return found._replace(kind=kind) if kind else found if name != "others" else _named(found)
    return None


def _readers(kind: str, head: Head) -> Iterator[tuple[str, Reader]]:
    names: Iterable[str] = _HINTS if not kind else (_MODULES.get(kind, kind),)
    for name in names:
        if name not in _HINTS:
            continue
        words, programs = _HINTS[name]
        if (
            kind
            or any(word in head.rest for word in words)
            or (head.program and head.program.startswith(programs))
        ):
            yield name, _reader(name)


@cache
def _reader(name: str) -> Reader:
    found: Reader = import_module(f"gatepost.explain.lines.{name}").read
    return found


def _named(record: Record) -> Record:
    """Return a record of a log that is not known by its form with the system that its words give away."""
    kind = kind_of_text(record.text)
    return record if kind in ("text", "reply") else record._replace(kind=kind)
