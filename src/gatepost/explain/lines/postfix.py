# ruff: noqa: E501 (a pattern is one line)
"""Lines of Postfix: deliveries with their status, what its client says of a server, what its server refuses."""

import re

from gatepost.explain.lines.fields import delay_ms, fields_of, host, mailbox
from gatepost.explain.lines.syslog import Head
from gatepost.explain.opening import OUR_SIDE, relay_name, with_port
from gatepost.explain.record import Record
from gatepost.explain.stages import phase_of_stage

_QUEUE_ID = re.compile(r"^(?P<id>[0-9A-F]{6,20}|[0-9A-Za-z]{10,20}|NOQUEUE): ")
_STATUS = re.compile(
    r"\bstatus=(?P<status>[a-z-]{3,20})(?:, returned to sender| \((?P<text>.*)|$)", re.DOTALL
)
_TAIL = re.compile(r"\)\s*(?:dsn=\d\.\d{1,3}\.\d{1,3})?\s*$")
_REFUSED = re.compile(
    r"(?:^|: )(?:milter-)?(?:reject|hold|discard|warn|redirect): (?P<stage>[A-Z-]{4,20}(?: COMMAND)?) from (?P<client>\S{1,300}): (?P<text>.*)",
    re.DOTALL,
)
_WORDS = re.compile(
    r"\bstatus=[a-z]{3,12}[ ,]|: reject: |milter-reject: |lost connection with \S+\[|refused to talk to me| timed out while "
    r"|connect to \S{1,255}\[|; from=<[^>]{0,400}> to=<|NOQUEUE: |X-Postfix|, relay=|\bhost \S{1,255}\[\S{1,60}\] said: "
)
_CLIENT = re.compile(
    r"(?P<text>.{4,2000}; from=<[^>]{0,400}> to=<[^>]{0,400}> proto=E?SMTP helo=<.*)", re.DOTALL
)
# where smtpd(8) stood with a client that went away
_AFTER = re.compile(r"\bafter (?P<stage>[A-Z-]{4,20}(?: FROM| TO)?)(?: \(\d{1,12} bytes\))? from \S{0,255}\[")
# what cleanup(8) finds in a message: a rule of header_checks(5) or body_checks(5), its reason at the end
_CHECKED = re.compile(
    r"(?:^|: )(?P<action>reject|discard|hold|warning|redirect): (?:header|body) .{0,2000}?; from=<(?P<rest>[^>]{0,400}>[^:\n]{0,900})(?:: (?P<text>.*))?",
    re.DOTALL,
)
_DONE = {
    "sent": "delivered",
    "deferred": "deferred",
    "bounced": "failed",
    "expired": "expired",
    "undeliverable": "failed",
    "deliverable": "delivered",
}


def read(head: Head) -> Record | None:
    """Return the failure or delivery that a line tells; None for a line of another kind."""
    line = head.rest.strip()
    if not ("postfix" in head.program.lower() or _WORDS.search(line) or _QUEUE_ID.match(line)):
        return None
    queue_id = found["id"] if (found := _QUEUE_ID.match(line)) else ""
    if checked := _CHECKED.search(line):
        return _content(checked)._replace(raw=line, at=head.at, message=queue_id)
    refused = _REFUSED.search(line) or _CLIENT.match(_QUEUE_ID.sub("", line))
    record = _refusal(refused, line) if refused else _delivery(line) or _remark(line)
    return record._replace(raw=line, at=head.at, message="" if queue_id == "NOQUEUE" else queue_id)


def _delivery(line: str) -> Record | None:
    found = _STATUS.search(line)
    if not found:
        return None
    fields = fields_of(line[: found.start()] + line[found.end() :])
    name, address, port = host(fields.get("relay", ""))
    text = _TAIL.sub("", found["text"] or "") or ("message expired" if found["status"] == "expired" else line)
    dsn = re.search(r"\bdsn=(\d\.\d{1,3}\.\d{1,3})", line)
    server = relay_name(name) if address or "." in name else ""  # else a program of this machine
    return Record(
        "postfix",
        text,
        enhanced=dsn[1] if dsn else "",
        server=server,
        address=with_port(address, port) if server else "",
        recipient=mailbox(fields.get("to", "")),
        sender=mailbox(fields.get("from", "")),
        phase="" if server or name in ("", "none") else "queue",
        outcome=_DONE.get(found["status"], ""),
        delay=delay_ms(fields.get("delay", "")),
    )


def _refusal(found: re.Match[str], line: str) -> Record:
    text, _, after = found["text"].partition("; from=<")
    fields = fields_of("from=<" + after) if after else fields_of(line)
    return Record(
        "postfix",
        text,
        phase=phase_of_stage(found.groupdict().get("stage") or ("data" if "<DATA>: " in text else "rcpt")),
        recipient=mailbox(fields.get("to", "")),
        sender=mailbox(fields.get("from", "")),
        outcome="failed" if text[:1] == "5" else "deferred",
        destination=OUR_SIDE,
    )


def _content(found: re.Match[str]) -> Record:
    fields = fields_of("from=<" + found["rest"])
    return Record(
        "postfix",
        found["text"] or "message content rejected",
        phase="eod",
        recipient=mailbox(fields.get("to", "")),
        sender=mailbox(fields.get("from", "")),
        outcome="failed" if found["action"] in ("reject", "discard") else "",
        destination=OUR_SIDE,
    )


def _remark(line: str) -> Record:
    text = _QUEUE_ID.sub("", line)
    after = _AFTER.search(text)
    phase = phase_of_stage(after["stage"]) if after else ""
    return Record("postfix", text, phase=phase, recipient=mailbox(fields_of(line).get("to", "")))
