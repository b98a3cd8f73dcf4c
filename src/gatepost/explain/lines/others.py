# ruff: noqa: E501 (a pattern is one line)
"""Lines of further systems: Courier, Kerio, MDaemon, hMailServer, Zimbra, Dovecot, Stalwart and whoever writes syslog."""

import re

from gatepost.explain.lines.fields import fields_of, mailbox
from gatepost.explain.lines.syslog import Head
from gatepost.explain.opening import OUR_SIDE
from gatepost.explain.record import Record

_KERIO = re.compile(r"^\[(?P<at>\d{2}/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d)\] (?P<text>.*)", re.DOTALL)
_COURIER = re.compile(r"\b(?:error|status),(?:relay|id|from|ident)=.*?(?:: |status: )(?P<text>.*)", re.DOTALL)
_COURIER_MSG = re.compile(
    r'\berror,relay=[^,]{1,60},(?:[a-z]{2,6}=[^,]{0,300},)*msg="(?P<text>[^"]{1,1000})"'
)
_OUR_SIDE = ("smtpd", "esmtpd", "smtp-server", "receive")


def read(head: Head) -> Record | None:
    """Return what a line tells whose words alone count; None for what is no log line."""
    line = head.rest.strip()
    kerio = _KERIO.match(line)
    if kerio:
        ours = "Client with IP" in line or "connection rejected" in line
        return Record("log", kerio["text"], raw=line, destination=OUR_SIDE if ours else "")
    courier = _COURIER_MSG.search(line) or _COURIER.search(line)
    if courier:
        fields = fields_of(line.replace(",", ", "))
        client = head.program.endswith(_OUR_SIDE) or "relay=::ffff" in line
        text = courier["text"]
        recipient = mailbox(fields.get("to", ""))
        return Record(
            "courier", text, raw=line, at=head.at, recipient=recipient, destination=OUR_SIDE if client else ""
        )
    if head.program:
        return Record("log", line, raw=line, at=head.at)
    return None
