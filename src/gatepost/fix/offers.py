"""Which fixes fit, in which order, with the values that we would choose (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gatepost.fix.actions import ACTIONS
from gatepost.fix.edit import domains_behind
from gatepost.fix.guard import GuardFacts, warnings
from gatepost.model.evidence import Answer, Because
from gatepost.model.fix import Offer
from gatepost.model.insight import CertificateSummary
from gatepost.model.objects import Connector, Objects, TlsMode

# What helps by itself with a class, where no ranking says more; the first is the first that is offered.
BY_CLASS: Mapping[str, tuple[str, ...]] = {
    "dns_query_failed": ("flush_dns", "use_last_addresses", "set_smart_hosts", "extend_expiry", "return_now"),
    "connection_timeout": ("retry", "set_smart_hosts", "use_last_addresses", "reroute", "extend_expiry"),
    "host_unreachable": ("retry", "set_smart_hosts", "reroute", "extend_expiry"),
    "connection_refused": ("retry", "fix_now", "set_smart_hosts", "suspend", "reroute", "extend_expiry"),
    "service_unavailable": ("retry", "set_quirks", "suspend", "reroute", "extend_expiry"),
    "tls_not_offered": ("relax_tls", "set_smart_hosts", "reroute", "extend_expiry"),
    "tls_handshake_failed": ("relax_tls", "set_quirks", "reroute", "extend_expiry"),
    "connection_dropped": ("set_quirks", "retry", "reroute", "extend_expiry"),
    "session_timeout": ("set_quirks", "retry", "reroute", "extend_expiry"),
    "cert_invalid": ("set_tls_domain", "trust_issuer", "pin_certificate", "relax_tls", "extend_expiry"),
    "rate_limited": ("set_quirks", "suspend", "extend_expiry"),
    "greylisted": ("retry",),
}
ALWAYS = ("retry", "suspend", "extend_expiry", "return_now", "delete")


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a destination that fails."""

    failure_class: str
    sub: str
    connector: Connector | None
    objects: Objects
    suspended: bool
    waiting: int  # messages
    dns_then: Sequence[Answer] = ()
    certificate: CertificateSummary | None = None
    issuer_pem: str = ""
    guard: GuardFacts = field(default_factory=lambda: GuardFacts(0))


def offers(situation: Situation, ranked: Iterable[tuple[str, tuple[Because, ...]]] = ()) -> list[Offer]:
    """Return the fixes that fit: those of the ranked causes first, then those of the class, then what always helps."""
    wanted: dict[str, tuple[Because, ...]] = {}
    for name, because in ranked:
        wanted.setdefault(name, because)
    for name in (*BY_CLASS.get(situation.failure_class, ()), *ALWAYS):
        wanted.setdefault(name, ())
    if situation.suspended:
        wanted = {"resume": (), **wanted}
    found: list[Offer] = []
    for name, because in wanted.items():
        action = ACTIONS.get(name)
        if action is None or not _fits(name, situation):
            continue
        against = warnings(name, situation.guard)
        chosen = _parameters(name, situation)
        if chosen is not None:
            found.append(Offer(name, chosen, because, action.destructive, action.undo, against))
    return found


def _fits(action: str, situation: Situation) -> bool:
    connector = situation.connector
    if action in ("retry", "flush_dns"):
        return not situation.suspended
    if action == "resume":
        return situation.suspended
    if action == "suspend":
        return not situation.suspended
    if action in ("return_now", "delete"):
        return situation.waiting > 0
    if connector is None:
        return False
    if action == "fix_now":
        return connector.to == "on-premises" and bool(domains_behind(situation.objects, connector))
    if action == "relax_tls":
        return connector.tls is not TlsMode.OPPORTUNISTIC
    if action == "reroute":
        return any(c is not connector and c.enabled for c in situation.objects.connectors)
    if action in ("set_tls_domain", "pin_certificate", "trust_issuer"):
        return situation.failure_class == "cert_invalid"
    if action == "enable_connector":
        return not connector.enabled
    if action == "disable_connector":
        return connector.enabled
    return True


def _parameters(action: str, situation: Situation) -> dict[str, object] | None:
    """Return the values that we would choose; None where what it needs is not known."""
    connector, certificate = situation.connector, situation.certificate
    if action == "use_last_addresses":
        answer = next((a for a in situation.dns_then if a.addresses and not a.problem), None)
        if answer is None:
            return None
        return {"host": answer.name, "addresses": list(answer.addresses), "hours": 12}
    if action == "set_tls_domain":
        if situation.sub != "SubjectMismatch" or certificate is None or not certificate.names:
            return None
        return {"tls_domain": certificate.names[0]}
    if action == "pin_certificate":
        return None if certificate is None else {"fingerprint": certificate.fingerprint, "hours": 24 * 30}
    if action == "trust_issuer":
        if situation.sub not in ("UntrustedRoot", "SelfSigned") or not situation.issuer_pem:
            return None
        return {"certificate": situation.issuer_pem}
    if action == "set_smart_hosts" and connector is not None:
        return {"smart_hosts": [host.text() for host in connector.smart_hosts]}
    return dict(_DEFAULTS.get(action, {}))


_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "relax_tls": {"tls": "opportunistic", "hours": 24},
    "set_quirks": {"quirks": ["no-pipelining"], "concurrency": 2},
    "extend_expiry": {"expiry": "3d", "hours": 72},
    "suspend": {"hours": 4},
    "reroute": {"hours": 24},
}
