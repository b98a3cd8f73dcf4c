# ruff: noqa: E501 (a pattern is one line)
"""Lines of Haraka: `[level] [uuid] [plugin] words`, and its logfmt form."""

import re

from gatepost.explain.lines.fields import delay_ms, fields_of
from gatepost.explain.lines.syslog import Head, iso_ms
from gatepost.explain.record import Record

_LINE = re.compile(
    r"^(?P<at>\d{4}-\d\d-\d\dT[\d:.]{8,16}Z? )?\[(?P<level>[A-Z]{4,8})\] \[(?P<id>[^\]]{1,60})\] (?:\[[\w.-]{1,40}\] )?\[(?P<plugin>[\w./-]{1,60})\] (?P<text>.*)",
    re.DOTALL,
)
_LOGFMT = re.compile(r"\blevel=(?P<level>[A-Z]{4,8})\b.*\b(?:plugin|source)=(?P<plugin>[\w./-]{1,60})")
_HELD = re.compile(r"(?:\*\*)?Temp(?:orary)? fail(?:ing|ure)?(?:\*\*)?[^:]{0,200}: (?P<text>.*)", re.DOTALL)
_BOUNCE = re.compile(r"\bbounc\w{2,5}\b[^:]{0,200}: (?P<text>.*)", re.DOTALL | re.IGNORECASE)
_MESSAGE = re.compile(
    r"\b(?:message|error|reason|msg|response)=(?P<q>\"?)(?P<text>(?(q)[^\"]{0,2000}|.{0,2000}))"
)
# outbound/hmail.js: delivered file=... domain=... host=... ip=... port=... mode=SMTP tls=Y auth=N response="..." delay=1.2
_DELIVERED = re.compile(r"\bdelivered(?:\\? |_)file\"?=\S{1,200} ?(?P<fields>.*)", re.DOTALL)
_WAS_DELIVERED = re.compile(r"^\s*(?:[Ss]uccessfully delivered|delivered) mail\b")
_NUMBER = re.compile(r"\buuid=\"?(?P<id>[\w.-]{1,60})")


def read(head: Head) -> Record | None:
    """Return the failure that a line tells; None for a line of another kind."""
    line = head.rest.strip()
    found = _LINE.match(line)
    if found and found["at"]:
        head = head._replace(at=iso_ms(found["at"]))
    if found and (done := _DELIVERED.search(found["text"])):
        return _delivered(found["id"], done, line, head)
    if found:
        return _said(found["text"], found["id"], line, head)
    if _LOGFMT.search(line):
        return _of_fields(line, head)
    return Record("haraka", line, raw=line, at=head.at) if head.program.startswith("haraka") else None


def _said(words: str, number: str, line: str, head: Head) -> Record:
    held, bounced = _HELD.search(words), _BOUNCE.search(words)
    outcome = (
        "delivered" if _WAS_DELIVERED.match(words) else "deferred" if held else "failed" if bounced else ""
    )
    text = (held or bounced or {"text": words})["text"]
    return Record("haraka", text, raw=line, at=head.at, message=number, outcome=outcome)


def _of_fields(line: str, head: Head) -> Record:
    """Read a line in logfmt: what it tells is in its message, or in its fields."""
    plain = line.replace('\\"', '"')
    found = _NUMBER.search(line)
    number = found["id"] if found else ""
    if done := _DELIVERED.search(plain):
        return _delivered(number, done, line, head)
    said = _MESSAGE.search(line)
    return _said(said["text"], number, line, head) if said else Record("haraka", line, raw=line, at=head.at)


def _delivered(number: str, done: re.Match[str], line: str, head: Head) -> Record:
    fields = fields_of(done.string[: done.start()]) | fields_of(done["fields"])
    return Record(
        "haraka",
        fields.get("response", line),
        raw=line,
        at=head.at,
        message=number,
        outcome="delivered",
        server=fields.get("host", ""),
        address=fields.get("ip", ""),
        destination=fields.get("domain", ""),
        delay=delay_ms(fields.get("delay", "")),
    )
