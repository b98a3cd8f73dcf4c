"""How a report to a sender looks: built as real ones are, of a message that does not exist; nothing is sent."""

import re
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default

from gatepost.admin.answers.nodes import NdrPreview
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.gateway import Gateway
from gatepost.bounce.facts import Moment, ReportFacts, ReportRecipient
from gatepost.bounce.report import build_delay, build_ndr, build_over, build_relayed
from gatepost.diagnose.classify import TITLES, expired_verdict
from gatepost.diagnose.codes import flow_code, phase_of, reason_of
from gatepost.diagnose.rules import rules
from gatepost.flow.words import explanation, parse_reply
from gatepost.i18n import LANGUAGES
from gatepost.model.attempt import Reply
from gatepost.model.failure import FailureClass, LastError
from gatepost.model.objects import Connector
from gatepost.smtp.address import BadAddress, domain_of, parse_path

KINDS = {"failure": build_ndr, "delay": build_delay, "relayed": build_relayed, "over": build_over}
HOUR_MS = 3_600_000
SENDER = "ann@fabrikam.example"
RECIPIENT = "bob@contoso.example"
SERVER, ADDRESS = "mail.contoso.example", "192.0.2.7:25"
NUMBER = "01JSAMPLE0000"
_REPLY = re.compile(r"[45]\d\d[ -][45]\.\d{1,3}\.\d{1,3} ")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which report; "" for the language means the one that the settings give to the sender."""

    failure_class: str = FailureClass.CONNECTION_REFUSED
    kind: str = "failure"
    language: str = ""
    sender: str = SENDER
    to: str = "on-premises"  # whose servers they are: it decides whom the report names

    def check(self) -> None:
        """Raise `Invalid` where a word is none that is known."""
        classes = [str(c) for c in CLASSES]
        for word, choices in (
            (self.failure_class, classes), (self.kind, [*KINDS]), (self.language, ["", *LANGUAGES]),
            (self.to, ["on-premises", "partner"]),
        ):  # fmt: skip
            if word not in choices:
                known = ", ".join(choice for choice in choices if choice)
                raise Invalid(tr('"{word}" is none of {choices}.'), word=word, choices=known)
        try:
            parse_path(f"<{self.sender}>".encode(), utf8=True)
            known_domain = bool(domain_of(self.sender))
        except BadAddress:
            known_domain = False
        if not known_domain:
            raise Invalid(tr('"{address}" is no address: write ann@contoso.example.'), address=self.sender)


CLASSES = tuple(c for c in FailureClass if c is not FailureClass.DELIVERED)


class NdrUseCases:
    """What can be asked of reports to senders."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def preview(self, wanted: Wanted) -> NdrPreview:
        """Return a report exactly as it would leave, and its parts."""
        wanted.check()
        settings = self._gateway.settings
        language = wanted.language or settings.ndr.language_for(wanted.sender)
        facts = specimen(wanted, language, settings.hostname, self._gateway.now())
        data = KINDS[wanted.kind](facts)
        message = message_from_bytes(data, EmailMessage, policy=default)
        human, machine, original = message.iter_parts()
        return {
            "failure_class": wanted.failure_class, "kind": wanted.kind, "language": language, "to": wanted.to,
            "sender": wanted.sender, "subject": str(message["Subject"]),
            "headers": data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").replace("\r\n", "\n"),
            "human": _text(human), "machine": _text(machine), "original": _text(original),
            "raw": data.decode("utf-8", "replace").replace("\r\n", "\n"), "bytes": len(data),
        }  # fmt: skip


def _text(part: Message) -> str:
    """Return a part as people read it."""
    inner = part.get_payload()
    if isinstance(inner, list):  # the groups of fields of the machine's part
        return "\n\n".join(str(one).strip() for one in inner) + "\n"
    decoded = part.get_payload(decode=True)
    assert isinstance(decoded, bytes)
    return decoded.decode("utf-8", "replace").replace("\r\n", "\n")


def specimen(wanted: Wanted, language: str, hostname: str, now: int) -> ReportFacts:
    """Return the facts of a report about a message that was accepted a day ago (a delay: four hours)."""
    accepted = now - (4 if wanted.kind == "delay" else 24) * HOUR_MS
    header = (
        f"From: <{wanted.sender}>\r\nTo: <{RECIPIENT}>\r\nSubject: Quarterly figures\r\n"
        f"Message-ID: <sample@{domain_of(wanted.sender)}>\r\n"
    )
    return ReportFacts(
        report_id=NUMBER, message_id=NUMBER, accepted_at=accepted, now=now, hostname=hostname, sender=wanted.sender,
        recipients=(_recipient(wanted, language, hostname, accepted, now),), language=language,
        header=header.encode(), retry_until=accepted + 24 * HOUR_MS if wanted.kind == "delay" else 0,
    )  # fmt: skip


def _recipient(wanted: Wanted, language: str, hostname: str, accepted: int, now: int) -> ReportRecipient:
    failure_class = FailureClass(wanted.failure_class)
    connector = Connector("to-sample", to=wanted.to)
    recipient = ReportRecipient(
        RECIPIENT, explanation(failure_class, language, connector, server=SERVER), relayed_to=SERVER
    )
    if wanted.kind in ("relayed", "over"):
        return recipient
    reply = _reply_of(failure_class)
    error = _error(failure_class, reply, hostname, now)
    shown = f"{SERVER} {ADDRESS}: {reply.text if reply else f'{error.smtp} {error.code} {error.title}'}"
    final = reply is not None and reply.code // 100 == 5 and wanted.kind == "failure"
    verdict = expired_verdict(error)
    status = error.code if final else verdict.code
    line = (
        f"{error.smtp} {error.code} {error.title}"
        if final
        else f"{verdict.smtp} {verdict.code} {verdict.title}"
    )
    times = (now,) if final else range(accepted, now + 1, HOUR_MS)
    return replace(
        recipient, error=error, reply=reply, relayed_to="",
        status=status if wanted.kind == "failure" else "", line=line if wanted.kind == "failure" else "",
        timeline=tuple(Moment(at, shown) for at in times),
    )  # fmt: skip


def _reply_of(failure_class: FailureClass) -> Reply | None:
    """Return what a real server said in such a case; None where no server spoke."""
    if flow_code(failure_class) in TITLES:
        return None
    for rule in rules():
        if rule.failure_class is failure_class and _REPLY.match(rule.sample):
            return parse_reply(rule.sample)
    return None


def _error(failure_class: FailureClass, reply: Reply | None, hostname: str, now: int) -> LastError:
    code = flow_code(failure_class)
    smtp, status, title = 450, code, TITLES.get(code, "")
    if not title:
        smtp, status = (reply.code, reply.status) if reply else (451, "4.4.0")
        title = reply.text.removeprefix(f"{smtp} {status}").strip() if reply else str(failure_class)
    return LastError(
        smtp=smtp, code=status, title=title, phase=phase_of(failure_class), reason=reason_of(failure_class),
        failure_class=str(failure_class), flow_code=code, message="", server=SERVER, address=ADDRESS, at=now,
        gateway=hostname, session=NUMBER,
    )  # fmt: skip
