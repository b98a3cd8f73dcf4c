"""What each stage of a probe says, from the facts of a session (pure).

Rule 1: a stage has the verdict that a delivery in this mode would meet; what stricter modes would say is evidence.
Rule 2: nothing here says more than was seen: a stage that was not asked for is skipped.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gatepost.model.attempt import CertificateFacts, Failure, SessionFacts
from gatepost.model.failure import Phase, iso
from gatepost.model.objects import TlsMode
from gatepost.model.probe import ProbeStage

DAY_MS = 86_400_000
SOON_DAYS = 30
ORDER = ("connect", "banner", "ehlo", "starttls", "certificate", "auth", "mail", "rcpt")
STAGE_OF = {
    Phase.ROUTE: "resolve", Phase.DNS: "resolve", Phase.CONNECT: "connect", Phase.BANNER: "banner",
    Phase.EHLO: "ehlo", Phase.STARTTLS: "starttls", Phase.TLS: "certificate", Phase.AUTH: "auth",
    Phase.MAIL: "mail", Phase.RCPT: "rcpt", Phase.DATA: "data", Phase.EOD: "data",
}  # fmt: skip
_PHASES = {
    "connect": ("connect",), "banner": ("banner",), "ehlo": ("ehlo",), "starttls": ("starttls", "tls"),
    "auth": ("auth",), "mail": ("mail",), "rcpt": ("rcpt",),
}  # fmt: skip
STRICT = (TlsMode.ENCRYPTION_ONLY, TlsMode.CERTIFICATE_VALIDATION, TlsMode.DOMAIN_VALIDATION)


class View(NamedTuple):
    """What a probe knows beside the session."""

    now: int  # ms since 1970
    mode: TlsMode
    reached: str  # the last stage that was asked for
    modes: Mapping[str, str] = {}  # what each mode demands of the certificate: "" or a certificate token
    pinned: bool = False  # the certificate is taken as it is


def where(session: SessionFacts) -> str:
    """Return the target of a session's stages: `mail.example 192.0.2.7:25`."""
    name = "" if session.server == session.address else session.server
    return f"{name} {session.endpoint}".strip()


def failed_at(failure: Failure) -> str:
    """Return the stage that a failure belongs to; a handshake that gave no certificate is one of STARTTLS."""
    if failure.phase is Phase.TLS and failure.session.tls is None:
        return "starttls"
    return STAGE_OF[failure.phase]


def stage(session: SessionFacts, name: str, view: View, failure: Failure | None = None) -> ProbeStage:
    """Return a stage that is over; with a failure it is the one at which mail stops."""
    milliseconds = round(sum(session.timings.get(phase, 0.0) for phase in _PHASES.get(name, ())), 1)
    verdict, evidence = _BY_NAME[name](session, view)
    if failure is not None:
        verdict, evidence = "fail", {**evidence, "detail": failure.detail}
    return ProbeStage(name, where(session), verdict, milliseconds, evidence)


Found = tuple[str, dict[str, object]]


def _connect(session: SessionFacts, _view: View) -> Found:
    return "pass", {"from": session.local_address}


def _banner(session: SessionFacts, _view: View) -> Found:
    return "pass", {"banner": session.banner}


def _ehlo(session: SessionFacts, _view: View) -> Found:
    return "pass", {"offers": list(session.ehlo)}


def _starttls(session: SessionFacts, view: View) -> Found:
    if session.tls is not None:
        return "pass", {"offered": True, "version": session.tls.version, "cipher": session.tls.cipher}
    offered = any(line.upper().startswith("STARTTLS") for line in session.ehlo[1:])
    evidence: dict[str, object] = {"offered": offered, "stricter": dict.fromkeys(STRICT, "not_offered")}
    if session.tls_given_up:
        evidence |= {"detail": session.tls_given_up, "stricter": dict.fromkeys(STRICT, "handshake")}
        return "warning", {**evidence, "offered": True}
    refused = _reply(session, "starttls")
    if refused:
        return "warning", {**evidence, "reply": refused, "stricter": dict.fromkeys(STRICT, "reply")}
    return "skipped", evidence


def _certificate(session: SessionFacts, view: View) -> Found:
    tls = session.tls
    if tls is None:
        return "skipped", {}
    evidence: dict[str, object] = {
        "verdict": tls.verdict,
        "detail": tls.verdict_detail,
        "modes": dict(view.modes),
        "chain": [certificate_json(one) for one in tls.chain],
    }
    if view.pinned:
        evidence["pinned"] = True
    soon = False
    if tls.chain:
        ends = min(one.not_after for one in tls.chain)
        evidence |= {"expires_at": iso(ends), "days_left": days_left(ends, view.now)}
        soon = expires_soon(tls.chain, view.now)
    return "warning" if tls.verdict or soon else "pass", evidence


def days_left(ends: int, now: int) -> int:
    """Return whole days until a time, rounded down; negative ones since it."""
    return (ends - now) // DAY_MS


def expires_soon(chain: Sequence[CertificateFacts], now: int) -> bool:
    """Tell whether a certificate of a chain is near its end: 30 days, or a third of its life where that is less."""
    return any(
        one.not_after - now < min(SOON_DAYS * DAY_MS, max(one.not_after - one.not_before, 0) // 3)
        for one in chain
    )


def certificate_json(one: CertificateFacts) -> dict[str, object]:
    """Return a certificate as JSON-able values."""
    return {
        "subject": one.subject,
        "issuer": one.issuer,
        "names": list(one.names),
        "not_before": iso(one.not_before),
        "not_after": iso(one.not_after),
        "key": one.key,
        "signature": one.signature,
        "fingerprint": one.fingerprint,
    }


def _auth(session: SessionFacts, _view: View) -> Found:
    if session.authenticated:
        return "pass", {"user": session.authenticated}
    return "skipped", {}


def _mail(session: SessionFacts, view: View) -> Found:
    return _envelope(session, view, "mail")


def _rcpt(session: SessionFacts, view: View) -> Found:
    return _envelope(session, view, "rcpt")


def _envelope(session: SessionFacts, view: View, name: str) -> Found:
    if view.reached != "rcpt":
        return "skipped", {}
    return "pass", {"reply": _reply(session, name)}


def _reply(session: SessionFacts, phase: str) -> str:
    return next((text for said, text in session.dialogue if said == phase), "")


_BY_NAME = {
    "connect": _connect,
    "banner": _banner,
    "ehlo": _ehlo,
    "starttls": _starttls,
    "certificate": _certificate,
    "auth": _auth,
    "mail": _mail,
    "rcpt": _rcpt,
}
