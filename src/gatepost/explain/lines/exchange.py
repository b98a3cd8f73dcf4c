"""Lines of Exchange's logs: message tracking, protocol (send and receive), connectivity; all are CSV."""

import re

from gatepost.explain.lines.syslog import Head, iso_ms
from gatepost.explain.opening import OUR_SIDE, with_port
from gatepost.explain.record import Record

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,7}Z?,")
_EVENTS = frozenset(
    [
        "FAIL",
        "DEFER",
        "SEND",
        "SENDEXTERNAL",
        "DELIVER",
        "DSN",
        "RECEIVE",
        "SUBMIT",
        "EXPAND",
        "RESOLVE",
        "REDIRECT",
        "TRANSFER",
        "BADMAIL",
        "DROP",
        "POISONMESSAGE",
        "SUBMITDEFER",
        "SUBMITFAIL",
        "RESUBMIT",
    ]
)
_OUTCOME = {
    "FAIL": "failed",
    "DEFER": "deferred",
    "SUBMITDEFER": "deferred",
    "SUBMITFAIL": "failed",
    "SEND": "delivered",
    "SENDEXTERNAL": "delivered",
    "DELIVER": "delivered",
    "BADMAIL": "failed",
}
_ENDPOINT = re.compile(r"^\[?([0-9a-fA-F.:]{2,45}?)\]?:(\d{1,5})$")
_TARGET = re.compile(
    r"TargetHost:([\w.-]{1,255})|target host ([\w.-]{1,255})|\bto ([0-9a-fA-F.:\[\]]{3,60}:\d{1,5})"
)


def read(head: Head) -> Record | None:
    """Return what a line of one of the logs tells; None for a line of another kind."""
    line = head.rest if not head.program else ""
    line = line.strip()
    if not _TIME.match(line):
        return None
    import csv  # noqa: PLC0415 - only where a line is one of these

    try:
        row = next(csv.reader([line]), [])
    except csv.Error:
        row = line.split(",")
    record = _tracking(row) or _protocol(row) or _connectivity(row)
    return record._replace(raw=line, at=iso_ms(row[0])) if record else None


def _tracking(row: list[str]) -> Record | None:
    if len(row) < 18 or row[8] not in _EVENTS:
        return None
    status = row[13] if len(row) > 13 else ""
    text = "\n".join(part for part in (status, row[5]) if part and not part.startswith("08D"))
    server = row[4] if row[8] in ("SEND", "SENDEXTERNAL", "DEFER", "FAIL") and row[7] == "SMTP" else ""
    return Record(
        "exchange",
        text or " ".join(row[5:9]),
        server=server,
        address=row[3] if server else "",
        recipient=row[12].partition(";")[0],
        sender=row[19] if len(row) > 19 and "@" in row[19] else "",
        outcome=_OUTCOME.get(row[8], ""),
        message=row[10],
    )


def _protocol(row: list[str]) -> Record | None:
    if len(row) < 8 or not row[3].isdigit() or row[6] not in ("+", "-", ">", "<", "*"):
        return None
    remote = _ENDPOINT.match(row[5])
    text = ": ".join(part for part in (row[7], row[8] if len(row) > 8 else "") if part)
    if row[6] == ">" and not row[7][:3].isdigit():
        return None  # a command: what is answered counts
    ours = row[6] == ">"  # what a receive connector answers: our side speaks
    address = with_port(remote[1], remote[2]) if remote and not ours else ""
    return Record(
        "exchange",
        text,
        server=remote[1] if remote and not ours else "",
        address=address,
        destination=OUR_SIDE if ours else "",
    )


def _connectivity(row: list[str]) -> Record | None:
    if len(row) < 6 or row[4] not in ("+", "-", ">", "*"):
        return None
    text = ",".join(row[5:])
    found = _TARGET.search(text)
    server = next((part for part in found.groups() if part), "") if found else row[3]
    return Record(
        "exchange",
        text,
        server=server.rpartition(":")[0] if server.count(":") == 1 else server,
        outcome="deferred" if row[4] == ">" and "ailed" in text else "",
        destination=row[3],
    )
