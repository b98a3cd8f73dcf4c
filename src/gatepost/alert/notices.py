"""Notices in words: one sentence, the fields of the queue view, causes and fixes (R18, R19; pure).

Rule: everything that a remote host said is made harmless here; no value can make a header or a line of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Any

from gatepost.i18n import Translator, tr
from gatepost.model.failure import clean

VERSION = 1
CUT = 1000
SEVERITY = {
    "low": tr("low"),
    "medium": tr("medium"),
    "high": tr("high"),
    "critical": tr("critical"),
}
FIELDS = (
    ("messages", tr("Queued messages")),
    ("connector", tr("Connector")),
    ("queued_since", tr("Queue started")),
    ("oldest_expires_at", tr("Oldest message expires")),
    ("server", tr("Destination server")),
    ("address", tr("Last IP address")),
    ("last_error", tr("Last error")),
)
Entry = Mapping[str, Any]


def sentence(entry: Entry, say: Translator) -> str:
    """Return what an alert is about in one sentence; `entry` is the JSON of an alert."""
    about = entry.get("about") or {}
    where = " → ".join(x for x in (str(about.get("connector", "")), str(about.get("destination", ""))) if x)
    what = str(about.get("title") or entry.get("policy", ""))
    if about.get("code"):
        what = f"{what} ({about['code']})"
    parts = [f"{where}: {what}" if where else what]
    if about.get("since"):
        parts.append(say(tr("since {time}")).format(time=_time(about["since"])))
    if about.get("messages"):
        text = tr("1 message waits") if about["messages"] == 1 else tr("{n} messages wait")
        parts.append(say(text).format(n=about["messages"]))
    if about.get("oldest_expires_at"):
        text = say(tr("the first is returned at {time}"))
        parts.append(text.format(time=_time(about["oldest_expires_at"])))
    return clean(", ".join(parts), CUT)


def _time(text: object) -> str:
    return f"{str(text)[:10]} {str(text)[11:16]} UTC"


def subject(payload: Entry, say: Translator) -> str:
    """Return the subject of a notice."""
    alerts: Sequence[Entry] = payload["alerts"]
    if payload["kind"] == "test":
        return say(tr("Gatepost: a test notice"))
    words = tr("Gatepost: over: {what}") if payload["kind"] == "resolved" else tr("Gatepost: {what}")
    first = sentence(alerts[0], say)
    more = say(tr(" and {n} more")).format(n=len(alerts) - 1) if len(alerts) > 1 else ""
    return clean(say(words).format(what=first), 160) + more


def lines(payload: Entry, say: Translator) -> list[str]:
    """Return the text of a notice, line by line."""
    if payload["kind"] == "test":
        return [say(tr("This is a test: notices of this gateway arrive here.")), str(payload["gateway"])]
    found: list[str] = []
    for entry in payload["alerts"]:
        found += [sentence(entry, say), ""]
        found += _details(entry, payload, say)
    found += ["-- ", f"Gatepost {payload['gateway']} · {payload['at']}"]
    if payload.get("url"):
        found.append(str(payload["url"]))
    return found


def _details(entry: Entry, payload: Entry, say: Translator) -> list[str]:
    about = entry.get("about") or {}
    severity = str(entry["severity"])
    found = [f"{say(tr('Severity'))}: {say(SEVERITY.get(severity, severity))}"]
    found += [f"{say(title)}: {clean(str(about[key]), CUT)}" for key, title in FIELDS if about.get(key)]
    if payload["kind"] == "resolved":
        return [*found, ""]
    if about.get("explanation"):
        found += ["", clean(str(about["explanation"]), CUT)]
    causes: Sequence[Entry] = about.get("causes") or ()
    if causes:
        found += ["", say(tr("Likely causes:"))]
        for cause in causes:
            found.append(f"- {clean(str(cause['text']), CUT)}")
            found += [f"    {clean(str(because), CUT)}" for because in cause.get("because", ())]
    fixes: Sequence[Entry] = about.get("fixes") or ()
    if fixes:
        found += ["", say(tr("What would help:"))]
        for fix in fixes:
            found.append(f"- {clean(str(fix['title']), CUT)}")
            if fix.get("command"):
                found.append(f"    {clean(str(fix['command']), CUT)}")
    return [*found, ""]


def mail(payload: Entry, say: Translator, sender: str, to: str, message_id: str, at: int) -> bytes:
    """Return a notice as a message (RFC 5322), text first, HTML beside it."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=76))
    message["From"] = f"Gatepost <{sender}>"
    message["To"] = to
    message["Subject"] = clean(subject(payload, say), 200)
    message["Date"] = format_datetime(datetime.fromtimestamp(at / 1000, UTC))
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    body = lines(payload, say)
    message.set_content("\n".join(body) + "\n", cte="quoted-printable")
    message.add_alternative(_html(body), subtype="html", cte="quoted-printable")
    return message.as_bytes()


def _html(body: Sequence[str]) -> str:
    rows = "\n".join(f"<div>{escape(line) or '&nbsp;'}</div>" for line in body)
    style = "font: 14px/1.5 system-ui, sans-serif; white-space: pre-wrap"
    return f'<!doctype html><html><meta charset="utf-8"><body style="{style}">\n{rows}\n</body></html>\n'
