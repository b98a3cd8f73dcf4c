"""Delivery status notifications of any origin (RFC 3464, RFC 6522, RFC 6533), slightly broken ones too.

Rule: a field that names a recipient, seen again, begins a new recipient; blank lines alone decide nothing.
Rule: a line that is no field belongs to the field before it, indented or not.
"""

import re
from typing import NamedTuple

from gatepost.explain.bounces.address import clean_address, reported_address, typed
from gatepost.explain.bounces.diagnostic import Opened, codes, open_diagnostic, squeeze
from gatepost.explain.bounces.mail import Part

KINDS = (
    "message/delivery-status",
    "message/global-delivery-status",
    "message/xdelivery-status",
    "message/x-delivery-status",
    "text/delivery-status",
)
_MAX_LINES = 4000
_MAX_RECIPIENTS = 500
_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{2,40})\s{0,3}:\s*(.*)")
_MESSAGE_FIELDS = frozenset(
    ("reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date", "original-envelope-id")
)
_RECIPIENT_FIELDS = frozenset(
    (
        "original-recipient",
        "final-recipient",
        "action",
        "status",
        "remote-mta",
        "diagnostic-code",
        "last-attempt-date",
        "final-log-id",
        "will-retry-until",
        "localized-diagnostic",
    )
)
_MEANT = frozenset(("original-recipient", "final-recipient", "action", "status"))
_SEEN_IN_TEXT = re.compile(r"^(?:Final|Original)-Recipient\s?:", re.IGNORECASE | re.MULTILINE)
_STATE_IN_TEXT = re.compile(r"^(?:Action|Status|Diagnostic-Code)\s?:", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d])")


class Group(NamedTuple):
    """What a report says of one recipient, fields by name in lower case."""

    fields: dict[str, str]

    def get(self, name: str) -> str:
        """Return a field's value, "" without one."""
        return self.fields.get(name, "")


class Report(NamedTuple):
    """A delivery status: what concerns the message, and one group for each recipient."""

    message: dict[str, str]
    groups: tuple[Group, ...]


def is_status(part: Part) -> bool:
    """Say whether a part declares itself a delivery status."""
    return part.kind in KINDS


def has_fields(text: str) -> bool:
    """Say whether a text carries the fields of a delivery status, whatever its type claims."""
    return bool(_SEEN_IN_TEXT.search(text) and _STATE_IN_TEXT.search(text))


def parse(text: str) -> Report:
    """Return the fields of a delivery status; lines that come before the first field are dropped."""
    message: dict[str, str] = {}
    groups: list[dict[str, str]] = []
    current: dict[str, str] = message
    last, fresh = "", False
    for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]:
        if not line.strip():
            fresh = True
            continue
        match = _known_field(line)
        if match is None:
            last = _continue(current, last, line, fresh=fresh)
            continue
        name, value = match[1].lower(), match[2].strip()
        if name in _MESSAGE_FIELDS and not fresh and current is not message and name not in message:
            current[name] = value
        elif name in _MESSAGE_FIELDS:
            current = message
        elif _begins_group(name, current, message, fresh=fresh):
            if len(groups) >= _MAX_RECIPIENTS:
                break
            current = {}
            groups.append(current)
        if name not in current or not current[name]:
            current[name] = value
        last, fresh = name, False
    return Report(message, tuple(Group(fields) for fields in groups if _MEANT & fields.keys()))


def _known_field(line: str) -> re.Match[str] | None:
    """Return a field of the standard or an X- field (indented ones too); a reply with a colon is none."""
    match = _FIELD.match(line.lstrip())
    if match is None:
        return None
    name = match[1].lower()
    known = name in _RECIPIENT_FIELDS or name in _MESSAGE_FIELDS
    return match if known or (name.startswith("x-") and line[0] == "X") else None


def _begins_group(name: str, current: dict[str, str], message: dict[str, str], *, fresh: bool) -> bool:
    if name not in _RECIPIENT_FIELDS:
        return False
    if current is message:
        return True
    if name in ("final-recipient", "original-recipient"):
        complete = "action" in current or "status" in current
        named = "final-recipient" in current or "original-recipient" in current
        return name in current or (fresh and named and complete)
    return False


def _continue(current: dict[str, str], last: str, line: str, *, fresh: bool) -> str:
    """Add a line to the field before it; returns the field that the next line may continue."""
    indented = line[0] in " \t"
    if not indented and (fresh or _FIELD.match(line)):
        return ""  # prose, or a field of something else
    if last and len(current.get(last, "")) < 8000:
        current[last] = f"{current.get(last, '')} {line.strip()}".strip()
    return last


def recipient_of(group: Group) -> tuple[str, str]:
    """Return whom the sender wrote to, and whom the server tried in the end (the same where only one is there)."""
    original = reported_address(group.get("original-recipient"))
    final = reported_address(group.get("final-recipient"))
    actual = reported_address(group.get("x-actual-recipient"))
    shown = clean_address(group.get("x-display-name"))
    quoted = clean_address(group.get("diagnostic-code")) if not (original or final) else ""
    best = original or final or actual or shown or quoted or _bare(group)
    return best, final or best


def _bare(group: Group) -> str:
    """Return a recipient without a domain, as it is."""
    _, name = typed(group.get("final-recipient") or group.get("original-recipient"))
    name = name.strip().strip('<>"').strip()
    is_name = 0 < len(name) <= 128 and name[0] != "/" and "|" not in name and " " not in name
    return name if is_name else ""


def action_of(group: Group) -> str:
    """Return failed, delayed or delivered; unclear ones are read from the status, else failed."""
    action = group.get("action").lower().strip()
    if action.startswith(("fail", "error", "expired", "undeliv", "bounce", "reject", "permanent")):
        return "failed"
    if action.startswith(("delay", "defer", "transient", "warn", "retry")):
        return "delayed"
    if action.startswith(("deliver", "relay", "expand", "success", "sent")):
        return "delivered"
    status = status_of(group)
    return {"2": "delivered", "4": "delayed"}.get(status[:1], "failed")


def status_of(group: Group) -> str:
    """Return the Status field's three numbers; "" where there are none (RFC 3464 section 2.3.4)."""
    match = _STATUS.search(group.get("status")[:200])
    return match[1] if match else ""


def diagnostic_of(group: Group) -> tuple[str, Opened]:
    """Return the diagnostic as it was read, and opened (RFC 3464 section 2.3.6)."""
    raw = squeeze(group.get("diagnostic-code"))
    kind, text = typed(raw)
    if kind and kind[:1].isdigit():
        text = raw
    text = text.strip() or _comment(group)
    return raw or text, open_diagnostic(text)


def _comment(group: Group) -> str:
    """Return the words that some reports put elsewhere: beside the status, or in fields of their own."""
    beside = group.get("status").strip()
    if "(" in beside:
        return beside.partition("(")[2].rstrip(") ")
    if codes(beside)[0]:  # Status: 553 Exceeded maximum inbound message size
        return beside
    return squeeze(group.get("x-supplementary-info") or group.get("x-notes-diagnostic"))


_MTA = re.compile(r"([A-Za-z0-9][\w.-]{0,253})?\s*(?:[\[(]\s*([0-9A-Fa-f:.]{2,45})[^\])]{0,120}[\])])?")
_SUN = re.compile(r"\(TCP\|[\d.]{0,40}\|\d{0,5}\|([\d.]{7,40})\|")


def remote_of(group: Group) -> tuple[str, str]:
    """Return the name and the address of the Remote-MTA (RFC 3464 section 2.3.5)."""
    _, text = typed(group.get("remote-mta")[:400])
    text = text.strip().strip("<>").strip()
    match, channel = _MTA.match(text), _SUN.search(text)
    name = ((match[1] if match else "") or "").rstrip(".").lower()
    address = channel[1] if channel else (match[2] if match else "") or ""
    address = address if any(c in address for c in ".:") else ""
    if name and not any(c.isalpha() for c in name):
        return "", name
    return ("" if name in ("smtp", "unknown", "localhost", "null") else name), address
