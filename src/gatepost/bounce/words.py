"""The part of a report that people read: what happened, since when, who can mend it, what to do."""

from gatepost.bounce import safe
from gatepost.bounce.facts import Moment, ReportFacts, ReportRecipient
from gatepost.i18n import Translator, translator
from gatepost.model.failure import iso
from gatepost.model.mail import REPORT

_TIMELINE = 12  # lines of attempts that are shown
_RECIPIENTS = 20  # recipients that are described one by one; the machine-readable part names all


def subject(facts: ReportFacts, kind: str) -> str:
    """Return the subject: what this is, and the original's subject."""
    tr = translator(facts.language)
    original = safe.subject_of(facts.header) or tr("(no subject)")
    says = {
        "failure": tr("Undeliverable: {subject}"),
        "delay": tr("Delayed: {subject}"),
        "relayed": tr("Relayed: {subject}"),
        "over": tr("Delivered after a delay: {subject}"),
    }
    return says[kind].format(subject=original)


def human_part(facts: ReportFacts, kind: str) -> str:
    """Return the plain text of a report, lines ended by LF."""
    tr = translator(facts.language)
    lines = [_opening(tr, kind, of_report=bool(facts.flags & REPORT)), ""]
    original = safe.subject_of(facts.header)
    if original:
        lines.append(tr("Subject: {subject}").format(subject=original))
    lines.append(tr("Sent: {time}").format(time=when(facts.accepted_at)))
    if kind == "delay" and facts.retry_until:
        lines.append(tr("We keep trying until: {time}").format(time=when(facts.retry_until)))
    lines.append("")
    groups = _alike(facts.recipients)
    for group in groups[:_RECIPIENTS]:
        lines += _group(tr, group, kind)
    if len(groups) > _RECIPIENTS:
        more = tr("... and {count} more recipients; the technical part names all of them.")
        lines += [more.format(count=sum(len(group) for group in groups[_RECIPIENTS:])), ""]
    lines.append(_signature(tr, facts))
    return "\n".join(lines) + "\n"


def _opening(tr: Translator, kind: str, *, of_report: bool) -> str:
    if kind == "failure" and of_report:
        return tr(
            "A report to a sender could not be delivered. It is kept here for you, the postmaster; nobody else is told."
        )
    if kind == "failure":
        return tr("Your message could not be delivered.")
    if kind == "delay":
        return tr("Your message has not been delivered yet. You do not need to send it again.")
    if kind == "over":
        return tr("Your message, which was delayed, has now been delivered.")
    return tr("Your message was handed to the next mail server, which does not confirm delivery itself.")


def _signature(tr: Translator, facts: ReportFacts) -> str:
    text = tr("This report was made by the mail gateway {host}. Number of the message: {id}")
    return text.format(host=safe.one_line(facts.hostname, 255), id=safe.one_line(facts.message_id, 64))


def _alike(recipients: tuple[ReportRecipient, ...]) -> list[list[ReportRecipient]]:
    """Group recipients that share error and explanation, so that one story is told once."""
    groups: dict[object, list[ReportRecipient]] = {}
    for recipient in recipients:
        same = (recipient.explanation, recipient.line, recipient.error, recipient.reply, recipient.timeline)
        groups.setdefault(same, []).append(recipient)
    return list(groups.values())


def _group(tr: Translator, group: list[ReportRecipient], kind: str) -> list[str]:
    first = group[0]
    shown = [safe.one_line(recipient.address, 320) for recipient in group[:_RECIPIENTS]]
    lines = [f"  {address}" for address in shown]
    if len(group) > len(shown):
        lines.append("  " + tr("... and {count} more").format(count=len(group) - len(shown)))
    lines.append("")
    if kind in ("relayed", "over"):
        if first.relayed_to:
            taken = tr("Taken by: {server}").format(server=safe.one_line(first.relayed_to, 300))
            lines += [f"  {taken}", ""]
        return lines
    return lines + _why(tr, first) + _timeline(tr, first) + _details(tr, first)


def _why(tr: Translator, recipient: ReportRecipient) -> list[str]:
    explanation = recipient.explanation
    lines = [
        tr("What happened: {title}").format(title=_text(explanation.title)),
        f"  {_text(explanation.sentence)}",
    ]
    if recipient.timeline:
        since = tr("First failed attempt: {time}").format(time=when(recipient.timeline[0].at))
        lines.append(f"  {since}")
    owner = {
        "sender": tr("You, the sender."),
        "us": tr("The administrators of this mail gateway, not you."),
    }.get(explanation.owner, tr("The administrators of the recipient's mail system, not you."))
    lines += ["", tr("Who can fix it: {owner}").format(owner=owner), ""]
    if explanation.causes:
        lines += [tr("Likely causes:"), *(f"  - {_text(cause)}" for cause in explanation.causes[:5]), ""]
    if explanation.fixes:
        lines += [tr("What to do:"), *(f"  - {_text(fix)}" for fix in explanation.fixes[:5]), ""]
    return lines


def _timeline(tr: Translator, recipient: ReportRecipient) -> list[str]:
    shown = shorten(recipient.timeline)
    if not shown:
        return []
    lines = [tr("Attempts ({count}):").format(count=len(recipient.timeline))]
    for entry in shown:
        if isinstance(entry, int):
            lines.append("  " + tr("... {count} more attempts").format(count=entry))
        else:
            lines.append(f"  {when(entry.at)}  {safe.one_line(entry.text, 200)}")
    return [*lines, ""]


def shorten(timeline: tuple[Moment, ...], limit: int = _TIMELINE) -> list[Moment | int]:
    """Return the first attempt, the last one and every change; a number stands for what is left out."""
    total = len(timeline)
    if total <= 3:
        return list(timeline)
    changes = [i for i in range(1, total - 1) if timeline[i].text != timeline[i - 1].text]
    # gaps take lines too: each change may be followed by one
    room = max(1, (limit - 3) // 2)
    keep = [0, *changes[-room:], total - 1]
    shown: list[Moment | int] = []
    for position, index in enumerate(keep):
        if position and index - keep[position - 1] > 1:
            shown.append(index - keep[position - 1] - 1)
        shown.append(timeline[index])
    return shown


def _details(tr: Translator, recipient: ReportRecipient) -> list[str]:
    lines = [tr("For administrators:")]
    error = recipient.error
    if recipient.line:
        lines.append(f"  {safe.one_line(recipient.line, 400)}")
    if error is not None:
        if error.server or error.address:
            server = " ".join(filter(None, [error.server, error.address]))
            lines.append("  " + tr("Destination server: {server}").format(server=safe.one_line(server, 300)))
        lines.append("  " + tr("Last error: {error}").format(error=safe.one_line(error.text())))
    if recipient.reply is not None:
        reply = safe.one_line(recipient.reply.text)
        lines.append("  " + tr("Last reply of the server: {reply}").format(reply=reply))
    return [*lines, ""] if len(lines) > 1 else []


def when(milliseconds: int) -> str:
    """Return a time for people: `2026-11-23 08:00:00 UTC`."""
    return f"{iso(milliseconds)[:19].replace('T', ' ')} UTC"


def _text(text: str) -> str:
    return safe.one_line(text, 600)
