"""Build the messages that tell a sender what became of a message: returned, delayed, relayed, over.

Rule: never to the null sender, never about a report, never against NOTIFY (RFC 3461, RFC 5321 section 4.5.5).
Rule: what a remote server said is quoted, cut and encoded; it never becomes a header, a field or a part.
"""

import binascii
from base64 import encodebytes
from datetime import UTC, datetime
from email.utils import format_datetime

from gatepost.bounce import safe
from gatepost.bounce.facts import ReportFacts, ReportRecipient
from gatepost.bounce.words import human_part, subject
from gatepost.model.mail import (
    EIGHT_BIT,
    NOTIFY_DELAY,
    NOTIFY_FAILURE,
    NOTIFY_NEVER,
    NOTIFY_SUCCESS,
    REPORT,
    RET_HDRS,
    SMTPUTF8,
)

_HEADER_CAP = 64 * 1024
_WANTED = {"failure": NOTIFY_FAILURE, "delay": NOTIFY_DELAY, "relayed": NOTIFY_SUCCESS, "over": NOTIFY_DELAY}
_ACTIONS = {"failure": "failed", "delay": "delayed", "relayed": "relayed", "over": "relayed"}


def may_report(sender: str, flags: int, notify: int, kind: str) -> bool:
    """Say whether a sender may be told; `kind` is failure, delay, relayed or over (the delay is over)."""
    if not sender or flags & REPORT or notify & NOTIFY_NEVER:
        return False
    if notify == 0:  # RFC 3461 section 4.1: failures are told by default, delays may be
        return kind != "relayed"
    return bool(notify & _WANTED[kind])


def build_ndr(facts: ReportFacts) -> bytes:
    """Return a non-delivery report: the message will not be tried again (RFC 3464 action failed)."""
    return _build(facts, "failure")


def build_delay(facts: ReportFacts) -> bytes:
    """Return a delay notice: the message waits, and is tried until `retry_until` (action delayed)."""
    return _build(facts, "delay")


def build_relayed(facts: ReportFacts) -> bytes:
    """Return a success report: handed to a server that sends no such reports (RFC 3461 section 5.2.2)."""
    return _build(facts, "relayed")


def build_over(facts: ReportFacts) -> bytes:
    """Return the good news after a delay notice: the message has been delivered after all."""
    return _build(facts, "over")


def report_flags(facts: ReportFacts, data: bytes) -> int:
    """Return the flags of the report as a message of its own: a report, and what it needs of the next hop."""
    flags = REPORT
    if not data.isascii():
        flags |= EIGHT_BIT
    if not facts.sender.isascii():
        flags |= SMTPUTF8
    return flags


def _is_utf8(facts: ReportFacts) -> bool:
    return bool(facts.flags & SMTPUTF8) or not facts.sender.isascii()


def _build(facts: ReportFacts, kind: str) -> bytes:
    utf8 = _is_utf8(facts)
    parts = [
        _text_part(human_part(facts, kind), facts.language),
        _status_part(facts, kind, utf8=utf8),
        _original_part(facts, kind, utf8=utf8),
    ]
    boundary = _boundary(facts, parts)
    opening = b"--" + boundary + b"\r\n"
    body = b"".join(opening + part + b"\r\n" for part in parts)
    return _header(facts, kind, boundary.decode(), parts) + b"\r\n" + body + b"--" + boundary + b"--\r\n"


def _boundary(facts: ReportFacts, parts: list[bytes]) -> bytes:
    """Return a boundary that no part contains; the same facts give the same one."""
    number = 0
    while True:
        boundary = f"=_report_{facts.report_id[:40]}_{number}".encode("ascii", "replace").replace(b"?", b"_")
        if not any(boundary in part for part in parts):
            return boundary
        number += 1


def _header(facts: ReportFacts, kind: str, boundary: str, parts: list[bytes]) -> bytes:
    host = safe.one_line(facts.hostname, 255)
    sender = safe.one_line(facts.sender, 400)
    lines = [
        safe.field("From", f"Mail Delivery System <MAILER-DAEMON@{host}>"),
        safe.fold(f"To: <{sender}>"),
        safe.field("Subject", subject(facts, kind), utf8=not sender.isascii(), limit=300),
        safe.field("Date", _date(facts.now)),
        safe.fold(f"Message-ID: <{safe.one_line(facts.report_id, 64)}@{host}>"),
    ]
    original = safe.message_id_of(facts.header)
    if original:
        lines += [safe.fold(f"In-Reply-To: {original}"), safe.fold(f"References: {original}")]
    lines += [
        "Auto-Submitted: auto-replied\r\n",  # RFC 3834 section 5.1
        f"Content-Language: {'zh-CN' if facts.language == 'zh-CN' else 'en'}\r\n",
        "MIME-Version: 1.0\r\n",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"\r\n',
    ]
    if not all(part.isascii() for part in parts):
        lines.append("Content-Transfer-Encoding: 8bit\r\n")
    return "".join(lines).encode()


def _text_part(text: str, language: str) -> bytes:
    data = text.replace("\n", "\r\n").encode("utf-8", "replace")
    if language == "zh-CN":
        encoding, body = "base64", encodebytes(data).replace(b"\n", b"\r\n")
    else:
        encoding, body = "quoted-printable", binascii.b2a_qp(data, istext=True)
    head = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


def _status_part(facts: ReportFacts, kind: str, *, utf8: bool) -> bytes:
    groups = [_message_fields(facts, utf8=utf8)]
    groups += [_recipient_fields(facts, recipient, kind, utf8=utf8) for recipient in facts.recipients]
    text = "\r\n".join(groups)
    if utf8:  # RFC 6533 section 3
        head = "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    else:
        head = "Content-Type: message/delivery-status\r\n\r\n"
    return (head + text).encode()


def _message_fields(facts: ReportFacts, *, utf8: bool) -> str:
    text = ""
    if facts.envid:
        text += safe.field("Original-Envelope-Id", safe.unxtext(facts.envid), utf8=utf8)
    text += safe.field("Reporting-MTA", f"dns; {facts.hostname}", utf8=utf8)
    return text + safe.field("Arrival-Date", _date(facts.accepted_at))


def _recipient_fields(facts: ReportFacts, recipient: ReportRecipient, kind: str, *, utf8: bool) -> str:
    """Return the fields of one recipient, in the order of RFC 3464 section 2.3."""
    text = ""
    if recipient.orcpt:
        text += safe.field("Original-Recipient", _original_recipient(recipient.orcpt, utf8=utf8), utf8=utf8)
    # an address is one word to a parser: it is escaped, never encoded as words
    text += safe.fold(f"Final-Recipient: {safe.address_type(recipient.address, utf8=utf8)}")
    arrived = kind == "over" and not recipient.relayed_to
    text += f"Action: {'delivered' if arrived else _ACTIONS[kind]}\r\n"
    text += f"Status: {_status(recipient, kind)}\r\n"
    server = _remote(recipient)
    if server:
        text += safe.field("Remote-MTA", f"dns; {server}", utf8=utf8)
    diagnostic = _diagnostic(recipient)
    if diagnostic and kind in ("failure", "delay"):
        text += safe.field("Diagnostic-Code", f"smtp; {diagnostic}", utf8=utf8, limit=safe.REPLY_LIMIT + 6)
    last = recipient.error.at if recipient.error else recipient.timeline[-1].at if recipient.timeline else 0
    if last:
        text += safe.field("Last-Attempt-Date", _date(last))
    if kind == "delay" and facts.retry_until:
        text += safe.field("Will-Retry-Until", _date(facts.retry_until))
    return text


def _original_recipient(orcpt: str, *, utf8: bool) -> str:
    kind, _, address = orcpt.partition(";")
    decoded = safe.unxtext(address.strip())
    return f"{kind.strip() or 'rfc822'}; {decoded if utf8 or decoded.isascii() else address.strip()}"


def _status(recipient: ReportRecipient, kind: str) -> str:
    """Return the status; its first digit always agrees with the action (RFC 3464 section 2.3.4)."""
    if kind in ("relayed", "over"):
        return "2.0.0"
    first = "5" if kind == "failure" else "4"
    known = recipient.status or (recipient.error.code if recipient.error else "")
    digits = known.split(".")
    plausible = len(digits) == 3 and all(d.isascii() and d.isdigit() and len(d) <= 3 for d in digits)
    return f"{first}.{digits[1]}.{digits[2]}" if plausible else f"{first}.0.0"


def _remote(recipient: ReportRecipient) -> str:
    """Return name and address of the server of the last real attempt."""
    if recipient.relayed_to:
        return recipient.relayed_to
    if recipient.error is None:
        return ""
    server, address = recipient.error.server, recipient.error.address
    return f"{server} ({address})" if server and address else server or address


def _diagnostic(recipient: ReportRecipient) -> str:
    """Return the last real reply word for word, or our own words where no server spoke."""
    if recipient.reply is not None:
        return recipient.reply.text
    if recipient.line:
        message = recipient.error.message if recipient.error else ""
        return f"{recipient.line} [Message={message}]" if message else recipient.line
    return recipient.error.text() if recipient.error else ""


def _original_part(facts: ReportFacts, kind: str, *, utf8: bool) -> bytes:
    """Return the original, or its headers, as RET, size and kind of report say (RFC 3461 section 6.2)."""
    wire = facts.original
    # RFC 3461 section 4.3: RET speaks of failures only; every other report carries the headers
    whole = kind == "failure" and wire is not None and not facts.flags & RET_HDRS
    if whole and wire is not None and len(wire) <= facts.original_cap and safe.is_clean(wire):
        content = safe.unstuff(wire)
        encoding = "" if content.isascii() else "Content-Transfer-Encoding: 8bit\r\n"
        return f"Content-Type: message/{'global' if utf8 else 'rfc822'}\r\n{encoding}\r\n".encode() + content
    content = safe.clean_lines(safe.unstuff(facts.header[:_HEADER_CAP]).partition(b"\r\n\r\n")[0]).rstrip(
        b"\r\n"
    )
    if utf8:
        head = b"Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        return head + _short_lines(content) + b"\r\n"
    head = b"Content-Type: text/rfc822-headers\r\n"
    if content.isascii() and all(len(line) <= 998 for line in content.split(b"\r\n")):
        return head + b"\r\n" + content + b"\r\n"
    # RFC 6522 section 4: broken headers may be encoded
    encoded = binascii.b2a_qp(content.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")
    return head + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + encoded + b"\r\n"


def _short_lines(content: bytes) -> bytes:
    return b"\r\n".join(line[:998] for line in content.split(b"\r\n"))


def _date(milliseconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(milliseconds // 1000, UTC))
