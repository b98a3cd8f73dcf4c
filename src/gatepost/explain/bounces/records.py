"""From what a bounce says to the records that the classifier judges: codes, server, words and outcome of each."""

from email.utils import mktime_tz, parsedate_tz
from typing import NamedTuple

from gatepost.explain.bounces import dsn, phrases
from gatepost.explain.bounces.address import clean_address, domain_of, typed
from gatepost.explain.bounces.diagnostic import Opened, open_diagnostic, squeeze, words
from gatepost.explain.record import Record
from gatepost.model.failure import clean

_FEW = 8  # a diagnostic with fewer letters than this says less than the notification


class Said(NamedTuple):
    """What a notification says of one recipient."""

    recipient: str
    words: str
    server: str = ""
    phase: str = ""


class Common(NamedTuple):
    """What the records of one mail share."""

    text: str  # the notification, lower case, on one line
    subject: str  # lower case
    message: dict[str, str]  # fields of the report that concern the message
    sender: str  # of the original
    message_id: str
    recipients: tuple[str, ...]  # in the To of the original
    at: int


def from_words(said: Said, common: Common) -> Record:
    """Return the record of a recipient that a notification names."""
    opened = open_diagnostic(said.words)
    outcome = _outcome_in_words(said.words.lower(), common)
    return _record(
        "bounce",
        said.recipient,
        said.recipient,
        said.words,
        opened,
        _status("", opened, outcome),
        outcome,
        common,
    )._replace(server=clean(opened.server or said.server, 255), phase=opened.phase or said.phase)


def from_group(group: dsn.Group, said: tuple[Said, ...], common: Common) -> Record:
    """Return the record of a recipient of a delivery status; the notification adds what the fields leave out."""
    best, final = dsn.recipient_of(group)
    beside = _beside(best, final, said)
    best = (
        best
        or (beside.recipient if beside else "")
        or (common.recipients[0] if len(common.recipients) == 1 else "")
    )
    raw, opened = dsn.diagnostic_of(group)
    if beside is not None:
        raw, opened = _merged(raw, opened, beside)
    outcome = _outcome_of_group(group, opened, common)
    status = _status(dsn.status_of(group), opened, outcome)
    record = _record("dsn", best, final or best, raw, opened, status, outcome, common)
    name, address = _remote(group, opened, common)
    at = (
        milliseconds(group.get("last-attempt-date"))
        or common.at
        or milliseconds(common.message.get("arrival-date", ""))
    )
    sender = clean_address(common.message.get("x-postfix-sender", "")) or common.sender
    return record._replace(
        server=clean(name, 255), address=clean(address, 64), at=at, sender=clean(sender, 320)
    )


def _record(
    kind: str, recipient: str, final: str, raw: str, opened: Opened, status: str, outcome: str, common: Common
) -> Record:
    return Record(
        kind=kind,
        text=clean(words(opened.text) or opened.text, 2000),
        raw=clean(squeeze(raw), 4000),
        smtp=opened.smtp,
        enhanced=status,
        phase=opened.phase,
        server=clean(opened.server, 255),
        address=clean(opened.address, 64),
        recipient=clean(recipient, 320),
        sender=clean(common.sender, 320),
        at=common.at,
        outcome=outcome,
        message=clean(common.message_id, 300),
        destination=clean(domain_of(final), 255),
    )


def _beside(best: str, final: str, said: tuple[Said, ...]) -> Said | None:
    """Return what the notification says of the same recipient; the only one it names is the same."""
    names = {best.lower(), final.lower()}
    for each in said:
        if each.recipient.lower() in names:
            return each
    return said[0] if len(said) == 1 else None


def _merged(raw: str, opened: Opened, beside: Said) -> tuple[str, Opened]:
    """Return a diagnostic completed by the notification's words where the fields say little or nothing."""
    other = open_diagnostic(beside.words)
    server = opened.server or other.server or beside.server
    address = opened.address or other.address
    phase = opened.phase or other.phase or beside.phase
    if _letters(words(opened.text)) < _FEW and _letters(other.text) >= _FEW:
        merged = Opened(other.text, opened.smtp or other.smtp, _better(opened.enhanced, other.enhanced))
        raw = beside.words if not raw else f"{raw} | {beside.words}"
    elif "[message=" in other.text.lower() or "expired" in opened.text.lower():
        merged = Opened(f"{opened.text} | {other.text}", opened.smtp or other.smtp, opened.enhanced)
        raw = f"{raw} | {beside.words}"
    else:
        merged = opened._replace(
            smtp=opened.smtp or other.smtp, enhanced=_better(opened.enhanced, other.enhanced)
        )
    return raw, merged._replace(server=server, address=address, phase=phase)


def _letters(text: str) -> int:
    return sum(char.isalpha() for char in text)


def _better(first: str, second: str) -> str:
    """Return the more specific of two enhanced codes: a detail of 0 says "other or undefined" (RFC 3463)."""
    if first and not first.endswith(".0"):
        return first
    return second if second and not second.endswith(".0") else first or second


def _status(given: str, opened: Opened, outcome: str) -> str:
    """Return the enhanced code: the report's own where it is specific, else the server's, else from its reply code."""
    status = _better(given, opened.enhanced)
    if status:
        return status
    if opened.smtp >= 400:
        return f"{opened.smtp // 100}.0.0"
    return {"deferred": "4.0.0", "expired": "5.4.7"}.get(outcome, "5.0.0")


def _outcome_of_group(group: dsn.Group, opened: Opened, common: Common) -> str:
    if dsn.action_of(group) == "delayed":
        return "deferred"
    expired = dsn.status_of(group).endswith(".4.7") or group.get("action").lower().startswith("expired")
    said = f"{opened.text} {group.get('diagnostic-code')}".lower()
    return "expired" if expired or any(phrase in said for phrase in phrases.EXPIRED) else "failed"


def _outcome_in_words(text: str, common: Common) -> str:
    everything = f"{common.subject} {common.text[:20_000]}"
    over = any(phrase in everything for phrase in phrases.FINAL)
    if not over and any(phrase in everything for phrase in phrases.DELAY):
        return "deferred"
    return "expired" if any(phrase in text for phrase in phrases.EXPIRED) else "failed"


def _remote(group: dsn.Group, opened: Opened, common: Common) -> tuple[str, str]:
    """Return the remote server: never the one that reports."""
    name, address = dsn.remote_of(group)
    _, reporter = typed(common.message.get("reporting-mta", ""))
    if name and name == reporter.split(" ")[0].strip().rstrip(".").lower():
        name = ""
    if opened.server or not name:
        return opened.server, opened.address or address
    return name, opened.address or address


def milliseconds(date: str) -> int:
    """Return an RFC 5322 date as milliseconds since 1970; 0 where it is none."""
    try:
        parsed = parsedate_tz(date[:100])
        return max(0, mktime_tz(parsed) * 1000) if parsed else 0
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
