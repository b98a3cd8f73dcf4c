"""The words of a report: what the catalogue says of a class, and the attempts as lines (pure)."""

import re

from gatepost.bounce.facts import Explanation, Moment
from gatepost.diagnose.catalogue import sender_advice
from gatepost.model.attempt import Reply
from gatepost.model.failure import FailureClass, clean
from gatepost.model.objects import Connector
from gatepost.storage.interface import AttemptView

_REPLY = re.compile(r"([245]\d\d)[ -]?((?:[245]\.\d{1,3}\.\d{1,3})?)(.*)", re.DOTALL)


def explanation(
    failure_class: str, language: str, connector: Connector | None, *, sub: str = "", server: str = ""
) -> Explanation:
    """Return what the catalogue says of a class to somebody who wrote a message."""
    advice = sender_advice(FailureClass(failure_class), language, sub=sub, server=server)
    ours = connector is not None and connector.to == "on-premises" and advice.owner == "other"
    return Explanation(
        advice.title, advice.sentence, advice.causes, advice.fixes, "us" if ours else advice.owner
    )


def parse_reply(text: str) -> Reply | None:
    """Return a reply that was kept as text; None where it is none."""
    match = _REPLY.match(text)
    if match is None:
        return None
    code, enhanced, rest = match.groups()
    return Reply(int(code), (f"{enhanced}{rest}".strip(),), enhanced)


def timeline(attempts: list[AttemptView]) -> tuple[Moment, ...]:
    """Return attempts as one line each: when, where, what."""
    moments = []
    for attempt in attempts:
        place = " ".join(part for part in (attempt.server, attempt.endpoint) if part)
        what = attempt.reply or f"{attempt.smtp} {attempt.code} {attempt.title}"
        moments.append(Moment(attempt.at, clean(f"{place}: {what}" if place else what, 300)))
    return tuple(moments)
