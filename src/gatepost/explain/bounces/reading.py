"""Read one mail as a bounce: whether it is one, who did not get the original, and what the server said."""

from typing import NamedTuple

from gatepost.explain.bounces import charset, dsn, mail, notbounces, notices, plain, records, sendmail
from gatepost.explain.bounces.address import addresses, clean_address
from gatepost.explain.record import Record

_MAX_TEXTS = 40  # parts of text that are read as the notification
_MAX_TEXT = 100_000  # characters of it that are compared with phrases


class BounceReading(NamedTuple):
    """What one mail is: `kind` is dsn, bounce or not-a-bounce; `why` names the signs that decided."""

    is_bounce: bool
    kind: str
    why: tuple[str, ...]
    records: tuple[Record, ...] = ()
    where: str = ""  # the file or the place in it, where it came from one


class _Groups(NamedTuple):
    """The recipients of a delivery status, and whether its part said that it is one."""

    message: dict[str, str]
    reported: tuple[dsn.Group, ...]
    declared: bool


def read_message(data: bytes) -> BounceReading:
    """Return what a mail is, with one record for each recipient that failed or waits; never raises."""
    message = mail.read(data)
    return _enclosed(message) or _read(message)


def _enclosed(message: mail.Message) -> BounceReading | None:
    """Return the report that a machine passed on as an attachment without a word of its own; None else."""
    spoken = (part for part in message.parts if part.kind != "text/x-preamble" and part.raw.strip())
    inner = next(spoken, None)
    if not inner or inner.kind != "message/rfc822" or not notbounces.is_machine(message):
        return None
    encoding = inner.fields.get("content-transfer-encoding")
    reading = _read(mail.read(charset.untransfer(inner.raw, encoding)))
    return reading if reading.is_bounce or reading.why[:1] == ("success",) else None


def _read(message: mail.Message) -> BounceReading:
    note = plain.notice("\n\n".join(_texts(message)))
    other = notbounces.other_report(message)
    if other and not (other == "read receipt" and "was automatically rejected" in note.squeezed):
        return _no(other)
    groups = _groups(message)
    failed = [group for group in groups.reported if dsn.action_of(group) != "delivered"]
    if groups.reported and not failed:
        return _no("success")
    return _weighed(message, note, groups, failed)


class _Words(NamedTuple):
    """What the notification says: its family, whether it begins with that, and what is said of whom."""

    note: plain.Notice
    family: str
    at_once: bool
    said: tuple[records.Said, ...]


def _weighed(
    message: mail.Message, note: plain.Notice, groups: _Groups, failed: list[dsn.Group]
) -> BounceReading:
    spoken = _spoken(message, note)
    facts = notbounces.Facts(
        message=message,
        sender=notbounces.sender_of(message),
        subject=message.fields.text("subject")[:400],
        text=spoken.note.squeezed[:_MAX_TEXT],
        family=spoken.family,
        at_once=spoken.at_once,
        has_status=bool(failed) and groups.declared,
        has_fields=bool(failed) and not groups.declared,
    )
    weight, why = notbounces.weigh(facts)
    common = _common(message, spoken.note, groups)
    if weight < notbounces.ENOUGH:
        return _no(*why or ("no sign",))
    if failed:
        found = tuple(dict.fromkeys(records.from_group(group, spoken.said, common) for group in failed))
        return BounceReading(is_bounce=True, kind="dsn", why=why, records=found)
    if notbounces.is_success(facts):
        return _no("success", *why)
    said = _completed(message, spoken.said, common)
    found = tuple(records.from_words(each, common) for each in said)
    return (
        BounceReading(is_bounce=True, kind="bounce", why=why, records=found)
        if found
        else _no("no recipient", *why)
    )


def _no(*why: str) -> BounceReading:
    return BounceReading(is_bounce=False, kind="not-a-bounce", why=why)


def _leaves(message: mail.Message) -> list[mail.Part]:
    """Return the parts before the original (all others belong to it, or are footers)."""
    out: list[mail.Part] = []
    for part in message.parts:
        if part.is_returned:
            break
        out.append(part)
    return out or [part for part in message.parts if not part.is_returned]


def _texts(message: mail.Message, kinds: tuple[str, ...] = ("text/plain", "text/html")) -> list[str]:
    """Return the texts for people, plain ones where there are any with words."""
    parts = _leaves(message)
    for kind in (*kinds, "text/x-preamble"):
        texts = [part.text for part in _first(parts, kind)]
        if any(len(text.strip()) > 20 for text in texts):
            return texts
    return [part.text for part in _first(parts, "text/")]


def _first(parts: list[mail.Part], kind: str) -> list[mail.Part]:
    """Return the first parts of a type, up to a quarter of a megabyte of them."""
    out: list[mail.Part] = []
    size = 0
    for part in parts:
        if part.kind.startswith(kind) and len(out) < _MAX_TEXTS and size < charset.MAX_TEXT:
            out.append(part)
            size += len(part.raw)
    return out


def _groups(message: mail.Message) -> _Groups:
    """Return the delivery status of a mail: of the part for it, else wherever its fields are."""
    parts = [part for part in message.parts if dsn.is_status(part)][:20]
    reports = [dsn.parse(part.text) for part in parts]
    declared = any(report.groups for report in reports)
    if not declared:
        texts = (
            part.text for part in _leaves(message)[:20] if not part.kind.startswith(("image/", "text/html"))
        )
        reports = [dsn.parse(text) for text in texts if dsn.has_fields(text)]
    shared = reports[0].message if reports else {}
    reported = tuple(group for report in reports for group in report.groups)
    if not reported:
        for text in _texts(message)[:3]:
            kind, reported = notices.read(text)
            if kind:
                return _Groups({}, reported, declared=True)
    return _Groups(shared, reported, declared)


def _spoken(message: mail.Message, note: plain.Notice) -> _Words:
    """Return what the notification says; its HTML is asked where the plain text names nobody."""
    first = _read_notice(message, note)
    if first.said:
        return first
    page = plain.notice("\n\n".join(_texts(message, ("text/html",))))
    second = _read_notice(message, page) if page.lines != note.lines else first
    return second if second.said else first


def _read_notice(message: mail.Message, note: plain.Notice) -> _Words:
    home = plain.home_of(notbounces.sender_of(message))
    attempts = sendmail.read(note) if sendmail.is_sendmail(note.squeezed) else ()
    if attempts:
        said = tuple(records.Said(_at_home(a.recipient, home), a.words, a.server, a.phase) for a in attempts)
        return _Words(note, "sendmail", at_once=False, said=said)
    reading = plain.read(note, _own(message), home)
    found = tuple(records.Said(each.recipient, each.words) for each in reading.found)
    return _Words(note, reading.family, reading.at_once, found)


def _at_home(name: str, home: str) -> str:
    return name if "@" in name or not home else f"{name}@{home}"


def _own(message: mail.Message) -> frozenset[str]:
    """Return the addresses of the report's own envelope: its author, and the original's sender."""
    values = [message.fields.get(name) for name in ("from", "to", "sender", "reply-to", "cc", "errors-to")]
    return frozenset(address.lower() for value in values for address in addresses(value))


def _common(message: mail.Message, note: plain.Notice, groups: _Groups) -> records.Common:
    original = _original(message, note)
    author = clean_address(original.get("return-path")) or clean_address(original.get("from"))
    replied = message.fields.get("in-reply-to") or message.fields.get("references")
    return records.Common(
        text=note.squeezed[:_MAX_TEXT],
        subject=message.fields.text("subject").lower()[:400],
        message=groups.message,
        sender=author or clean_address(message.fields.get("to")),
        message_id=(original.get("message-id") or replied).strip().split(" ")[0][:300],
        recipients=addresses(original.get("to")[:2000]),
        at=records.milliseconds(message.fields.get("date")),
    )


def _original(message: mail.Message, note: plain.Notice) -> mail.Fields:
    """Return the header of the original, from its part or from what follows the notification."""
    for part in message.parts:
        if part.is_returned:
            raw = charset.untransfer(
                part.raw[: 2 * mail.MAX_HEADER], part.fields.get("content-transfer-encoding")
            )
            raw = raw.replace(b"\r\n", b"\n").lstrip(b"\n")
            fields = mail.header(raw, 0, len(raw))[0]
            if fields.pairs:
                return fields
    lines = note.tail.split("\n")
    start = next((n for n, line in enumerate(lines) if _starts_header(line)), len(lines))
    raw = "\n".join(lines[start:]).encode("utf-8", "replace")
    return mail.header(raw, 0, len(raw))[0]


def _starts_header(line: str) -> bool:
    name = line.partition(":")[0].lower()
    return ":" in line and name in (
        "return-path",
        "received",
        "from",
        "to",
        "date",
        "subject",
        "message-id",
        "x-mailer",
    )


def _completed(
    message: mail.Message, said: tuple[records.Said, ...], common: records.Common
) -> tuple[records.Said, ...]:
    """Let X-Failed-Recipients (Exim) say who failed; without anyone named, the original's only recipient did."""
    listed = [a for value in message.fields.all("x-failed-recipients")[:20] for a in addresses(value[:4000])]
    if listed:
        by_name = {each.recipient.lower(): each for each in said}
        rest = said[0] if said else records.Said("", common.text[:2000])
        return tuple(
            by_name.get(name.lower(), rest)._replace(recipient=name) for name in dict.fromkeys(listed)
        )
    returned = any(part.is_returned for part in message.parts)
    if said or not (returned or common.recipients):
        return said or tuple(records.Said(name, common.subject) for name in addresses(common.subject)[:1])
    only = common.recipients[0] if len(common.recipients) == 1 else ""
    return (records.Said(only, common.text[:2000]),)
