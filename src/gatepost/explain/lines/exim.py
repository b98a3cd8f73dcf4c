# ruff: noqa: E501 (a pattern is one line)
"""Lines of Exim's main and reject logs, and the same texts as they stand in its queue and its bounces."""

import re

from gatepost.explain.lines.fields import delay_ms
from gatepost.explain.lines.syslog import Head, iso_ms
from gatepost.explain.opening import OUR_SIDE, with_port
from gatepost.explain.record import Record
from gatepost.explain.stages import phase_of_stage

_HEAD = re.compile(
    r"^(?:\[?(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)\]?(?: (?P<zone>[+-]\d{4}))? )?(?:\[\d{1,10}\] )?"
    r"(?:(?P<id>[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) )?"
)
_FLAG = re.compile(
    r"^(?P<flag>\*\*|==|=>|->|>>|\*>|<=) (?P<recipient><[^>\s]{0,320}>|[^\s:]{1,320}(?::(?=\s))?)"
)
_ROUTED = re.compile(r"^(?:[\w-]{1,10} )?- ?(?P<recipient>\S{1,320}) (?=R=|<)")
# what stands between the address and the words: R=router T=transport H=host [ip]:port defer (-44) ...
_FIELDS = re.compile(
    r"^(?:\s{0,3}(?:[A-Z]{1,4}=(?:\"[^\"]{0,400}\"|<[^>]{0,320}>|[^\s:]{1,400}(?::(?=\S)[^\s:]{1,300}){0,12})|\[[^\]\s]{1,60}\](?::\d{1,5})?"
    r"|<[^>\s]{0,320}>|\([^)]{1,320}\)|defer \([^)]{1,40}\)|:))*\s*:?\s*"
)
_HOST = re.compile(
    r"\bH=(?P<server>[^\s\[]{1,255}) (?:\([^)]{0,255}\) )?\[(?P<address>[^\]\s]{2,60})\](?::(?P<port>\d{1,5}))?"
)
_REFUSED = re.compile(
    r"\b(?:temporarily )?rejected (?P<stage>RCPT|MAIL|DATA|after DATA|EHLO or HELO|EHLO|HELO|AUTH|connection|VRFY|EXPN|STARTTLS|during \w{1,20}|by local_scan\(\))(?!\w)(?P<who>[^:\n]{0,340}?): (?P<text>.*)",
    re.DOTALL,
)
_REJECTED = re.compile(
    r"\b(?:temporarily )?rejected (?P<stage>connection|RCPT|MAIL|DATA|EHLO|HELO|AUTH)\b(?P<text>.*)",
    re.DOTALL,
)
_CLIENT = re.compile(
    r"\bauthenticator failed for |\bsender verify fail for |\bSMTP (?:call|connection) from |\bSMTP protocol (?:synchronization )?error"
    r"|\bno MAIL in SMTP connection|\bTLS error on connection from |\bduring SMTP connection from |\b(?:unexpected disconnection|SMTP command timeout|SMTP data timeout)[^\n]{0,40} (?:from|on connection)"
)
_SPENT = re.compile(r" QT=([\d.dhms]{1,30})(?:\s|$)")
_WHOM = re.compile(r"^ <([^>\s]{3,320})>")
_OUTCOME = {
    "**": "failed",
    "==": "deferred",
    "=>": "delivered",
    "->": "delivered",
    ">>": "delivered",
    "*>": "delivered",
}
_MARKS = tuple(f"{mark} " for mark in _OUTCOME)
_OTHER_KINDS = ("postfix/", "sm-mta", "sendmail[")


def read(head: Head) -> Record | None:
    """Return the failure or delivery that a line tells; None for a line of another kind."""
    if head.program and not head.program.startswith("exim"):
        return None
    line = head.rest
    found = _HEAD.match(line)
    if found is None or (
        not head.program and not (found["at"] or found["id"] or _ROUTED.match(line) or _FLAG.match(line))
    ):
        return None
    rest = line[found.end() :]
    at = iso_ms((found["at"] or "") + (found["zone"] or ""), local=True) or head.at
    record = (
        (_delivery(rest) if rest.startswith(_MARKS) else None)  # whatever words a remote server used
        or _client(rest)
        or _refusal(rest)
        or _delivery(rest)
        or _remark(rest, known=bool(found["id"] or head.program))
    )
    spent = _SPENT.search(rest)
    return (
        record._replace(
            raw=line.strip(), at=at, message=found["id"] or "", delay=delay_ms(spent[1]) if spent else 0
        )
        if record
        else None
    )


def _delivery(rest: str) -> Record | None:
    found = _FLAG.match(rest) or _ROUTED.match(rest)
    if found is None or found.groupdict().get("flag") == "<=":
        return None
    after = rest[found.end() :]
    fields = _FIELDS.match(after)
    text = after[fields.end() :] if fields else after
    server, address = _host(after)
    whom = _WHOM.match(after) if "@" not in found["recipient"] else None
    return Record(
        "exim",
        text or after,
        server=server,
        address=address,
        recipient=whom[1] if whom else found["recipient"].strip("<>:"),
        outcome=_OUTCOME.get(found.groupdict().get("flag") or "", ""),
    )


def _refusal(rest: str) -> Record | None:
    found = _REFUSED.search(rest) or _REJECTED.search(rest)
    if found is None:
        return None
    who = re.search(r"<([^>\s]{0,320})>", found.groupdict().get("who") or "")
    text = found["text"].strip()
    stage = found["stage"]
    return Record(
        "exim",
        text.strip('"'),
        phase="eod" if stage == "after DATA" else phase_of_stage(stage),
        recipient=who[1] if who and "RCPT" in stage else "",
        outcome="deferred" if "temporarily rejected" in rest else "failed",
        destination=OUR_SIDE,
    )


def _client(rest: str) -> Record | None:
    """Read what Exim says of a client that speaks to it."""
    found = _CLIENT.search(rest)
    if found is None:
        return None
    return Record("exim", rest, phase="auth" if "authenticator" in found[0] else "", destination=OUR_SIDE)


def _remark(rest: str, *, known: bool) -> Record | None:
    server, address = _host(rest)
    if not known and not server:
        return None
    fields = _FIELDS.match(rest)
    return Record("exim", (rest[fields.end() :] if fields else "") or rest, server=server, address=address)


def _host(text: str) -> tuple[str, str]:
    found = _HOST.search(text)
    return (found["server"], with_port(found["address"], found["port"] or "")) if found else ("", "")
