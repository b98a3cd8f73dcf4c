# ruff: noqa: E501 (a pattern is one line)
"""Lines of OpenSMTPD: `mta` deliveries of both generations, sessions, refusals, and traces of a session."""

import re

from gatepost.explain.lines.fields import delay_ms, fields_of, host, mailbox
from gatepost.explain.lines.syslog import Head
from gatepost.explain.opening import OUR_SIDE, server_name
from gatepost.explain.record import Record
from gatepost.explain.stages import phase_of_stage

_STAT = re.compile(r"\bstat=(?P<quote>\"?)(?P<text>.*)", re.DOTALL)
_RESULT = re.compile(r"\bresult=\"?(?P<result>[A-Za-z]{2,10})")
_OLD = re.compile(r"\bdelivery: (?P<result>TempFail|PermFail|Ok|Loop|Expire)\b")
_TRACE = re.compile(r"(?:^|\n)[^\n]{0,60}?(?:mta|smtp)[^\n]{0,40}?: <<< (?P<reply>[^\n]{0,1000})")
_ERROR = re.compile(
    r"(?:smtp-out: Error on session [0-9a-f]{4,20}: |mta error reason=|mta event=error reason=|mta disconnected reason=|event=closed reason=)\"?(?P<text>[^\"]*)"
)
_FAILED = re.compile(
    r"smtp (?:event=)?failed-command .*?command=\"(?P<command>[^\"]{0,400})\" result=\"(?P<text>[^\"]{0,1000})"
    r"|smtp-in: Failed command on session [0-9a-f]{4,20}: \"(?P<command2>[^\"]{0,400})\" => (?P<text2>.{0,1000})",
    re.DOTALL,
)
_DONE = {
    "ok": "delivered",
    "tempfail": "deferred",
    "permfail": "failed",
    "loop": "failed",
    "expire": "expired",
}


def read(head: Head) -> Record | None:
    """Return the failure or delivery that a line or a trace tells; None for a line of another kind."""
    line = head.rest.strip()
    record = _trace(line) or _delivery(line) or _refusal(line) or _error(line)
    if record is None and head.program == "smtpd" and "mta" in line:
        record = Record("opensmtpd", line)
    return record._replace(raw=line, at=head.at) if record else None


def _trace(line: str) -> Record | None:
    replies = [found["reply"] for found in _TRACE.finditer(line)]
    if not replies:
        return None
    name = re.match(r"[245]\d\d[- ]([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})[ (]", replies[0])
    return Record(
        "opensmtpd", "\n".join(replies), server=name[1] if name else "", phase="banner" if name else ""
    )


def _delivery(line: str) -> Record | None:
    stat, result = _STAT.search(line), _RESULT.search(line) or _OLD.search(line)
    if stat is None or result is None:
        return None
    fields = fields_of(line[: stat.start()])
    name, address, _ = host(fields.get("relay", "").replace("smtp://", "").replace("smtps://", ""))
    text = stat["text"].partition('"')[0] if stat["quote"] else stat["text"]
    return Record(
        "opensmtpd",
        text,
        server=server_name(name) or address,
        address=address,
        recipient=mailbox(fields.get("rcpt", "").replace("<->", "") or fields.get("to", "")),
        sender=mailbox(fields.get("from", "")),
        outcome=_DONE.get(result["result"].lower(), ""),
        message=fields.get("evpid", "")[:8],
        delay=delay_ms(fields.get("delay", "")),
    )


def _refusal(line: str) -> Record | None:
    found = _FAILED.search(line)
    if found is None:
        return None
    text = found["text"] or found["text2"] or ""
    return Record(
        "opensmtpd",
        text,
        phase=phase_of_stage(found["command"] or found["command2"]),
        outcome="deferred" if text[:1] == "4" else "failed",
        destination=OUR_SIDE,
    )


def _error(line: str) -> Record | None:
    found = _ERROR.search(line)
    if found is None:
        return None
    text = found["text"].strip()
    phase = "banner" if text == "Connection closed unexpectedly" else ""
    return Record("opensmtpd", text, phase=phase)
