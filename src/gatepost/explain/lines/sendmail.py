"""Lines of Sendmail: deliveries with `stat=`, and what its server refuses with `reject=`."""

import re

from gatepost.explain.lines.fields import delay_ms, fields_of, host, mailbox
from gatepost.explain.lines.syslog import Head
from gatepost.explain.opening import OUR_SIDE, relay_name
from gatepost.explain.record import Record

_ID = re.compile(r"^(?P<id>[0-9A-Za-z]{8,20}): ")
_STAT = re.compile(r"(?:^|[\s,])stat=(?P<text>.*)", re.DOTALL)
_REJECT = re.compile(r"(?:^|[\s,])reject=(?P<text>.*)", re.DOTALL)
_PHASES = {
    "check_rcpt": "rcpt",
    "check_mail": "mail",
    "check_relay": "connect",
    "check_data": "data",
    "check_eoh": "eod",
    "check_compat": "rcpt",
}


def read(head: Head) -> Record | None:
    """Return the failure or delivery that a line tells; None for a line of another kind."""
    line = head.rest.strip()
    ours = head.program.startswith(("sm-", "sendmail", "mta"))
    stat, reject = _STAT.search(line), _REJECT.search(line)
    if not (ours or stat or (reject and "ruleset=" in line)):
        return None
    queue_id = found["id"] if (found := _ID.match(line)) else ""
    if reject:
        record = _refusal(line, reject["text"])
    elif stat:
        record = _delivery(line[: stat.start()], stat["text"])
    else:
        record = Record("sendmail", _ID.sub("", line))
    return record._replace(raw=line, at=head.at, message=queue_id)


def _delivery(before: str, text: str) -> Record:
    fields = fields_of(before)
    name, address, _ = host(fields.get("relay", ""))
    server = relay_name(name) or relay_name(address)
    return Record(
        "sendmail",
        text,
        enhanced=fields.get("dsn", ""),
        server=server,
        address=address,
        recipient=mailbox(fields.get("to", "").partition(",")[0]),
        sender=mailbox(fields.get("ctladdr", "").partition(" ")[0]),
        outcome=_outcome(text),
        delay=delay_ms(fields.get("delay", "")),
    )


def _outcome(text: str) -> str:
    if text.startswith("Sent"):
        return "delivered"
    return "deferred" if text.startswith(("Deferred", "queued")) else "failed"


def _refusal(line: str, text: str) -> Record:
    fields = fields_of(line)
    recipient = mailbox(fields.get("arg1", "")) if fields.get("ruleset") == "check_rcpt" else ""
    phase = _PHASES.get(fields.get("ruleset", ""), "")
    return Record("sendmail", text, phase=phase, recipient=recipient, outcome="failed", destination=OUR_SIDE)
