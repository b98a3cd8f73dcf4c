"""Causes ranked by evidence: rules as data, each with its "because" (B3; pure).

A rule looks at facts, and where they hold it makes one cause of the catalogue likelier (or less likely) by a factor and
says why. Weights start from the order of the catalogue; what cannot be decided is said to be so, with the next check.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gatepost.diagnose.catalogue import entry
from gatepost.i18n import tr
from gatepost.model.evidence import Answer, Because, Facts, RankedCause, Ranking
from gatepost.model.failure import FailureClass

HOUR = 3_600_000
DAY = 24 * HOUR
LONG = 7 * DAY
CLEARLY = 1.7  # how far ahead the first cause must be
CONNECT = frozenset({"connection_timeout", "connection_refused", "host_unreachable"})
SESSION = frozenset({"connection_dropped", "session_timeout"})
TLS = frozenset({"tls_not_offered", "tls_handshake_failed", "cert_invalid"})
DNS = frozenset({"dns_query_failed"})
REACHING = CONNECT | SESSION | TLS | DNS | {"service_unavailable"}
FAILING = ("servfail", "timeout", "refused", "bad_answer", "unreachable")
ANY = frozenset(str(c) for c in FailureClass)
CUT_AT = 16 << 10  # octets of content after which a break speaks of sizes

# who can mend a cause; what is not here is for whoever runs the destination
OWNERS: Mapping[str, str] = {
    "own_network": "us", "own_resolver": "us", "wrong_name": "us", "wrong_address": "us", "wrong_port": "us",
    "too_strict": "us", "connector_off": "us", "no_match": "us", "own_limit": "us", "short_expiry": "us",
    "stale_answer": "us", "shut_down": "us", "firewall_drops": "network", "firewall_rejects": "network",
    "no_route": "network",
    "inspection": "network", "network_trouble": "network", "packet_size": "network", "dns_outage": "dns-host",
    "stale_records": "dns-host", "domain_expired": "dns-host", "typing_mistake": "sender", "no_ipv6": "network",
}  # fmt: skip

NEXT_CHECKS: Mapping[str, str] = {
    "connection_timeout": tr("Look whether the server runs, and try to reach its port from another network."),
    "connection_refused": tr(
        "Look whether the mail service runs, and whether a firewall there refuses our address."
    ),
    "host_unreachable": tr("Test the route to the server from the machine of this gateway."),
    "dns_query_failed": tr(
        "Ask the name servers of the domain themselves, and compare with what our resolver says."
    ),
    "connection_dropped": tr("Send a small and a large message, and compare where they break off."),
    "session_timeout": tr("Send a small and a large message, and compare where they break off."),
    "cert_invalid": tr("Compare the certificate with the name that the connector expects."),
    "tls_not_offered": tr(
        "Connect to the server from another network, and see whether it offers STARTTLS there."
    ),
    "tls_handshake_failed": tr(
        "Try the handshake with other versions and ciphers: gatepost check shows each address."
    ),
}


ASK_THEIR_LOG = tr("Look at the server's own log at the time of the attempt.")


class Rule(NamedTuple):
    """One piece of evidence: for which classes, which cause it touches, by what factor, and in which words."""

    name: str
    classes: frozenset[str]
    cause: str
    factor: float
    holds: Callable[[Facts], Mapping[str, object] | None]  # what fills the words; None: it does not hold
    text: str


def _span(milliseconds: int) -> str:
    seconds = max(0, milliseconds) // 1000
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _edited(f: Facts, *fields: str) -> Mapping[str, object] | None:
    """Return the latest edit of these fields between the last success (or ever) and the first failure."""
    for edit in f.edits:
        touched = [name for name in edit.fields if name in fields]
        if touched and edit.at >= f.last_success and edit.at <= max(f.first_failure, f.last_success) + HOUR:
            return {"who": edit.who, "span": _span(f.now - edit.at), "fields": ", ".join(touched)}
    return None


def _worked(f: Facts) -> Mapping[str, object] | None:
    return {"span": _span(f.now - f.last_success)} if f.last_success else None


def _lately(f: Facts) -> Mapping[str, object] | None:
    return _worked(f) if f.now - f.last_success <= DAY else None


def _unchanged(f: Facts) -> Mapping[str, object] | None:
    changed = [e for e in f.edits if e.kind == "connector" and e.at >= f.last_success]
    return {"span": _span(f.now - f.last_success)} if f.last_success and not changed else None


def _never(f: Facts) -> Mapping[str, object] | None:
    return {} if not f.last_success and f.attempts >= 1 else None


def _others_alike(f: Facts) -> Mapping[str, object] | None:
    n = f.neighbours
    if n.failing_alike >= 2 and n.failing_alike >= n.working:
        return {"n": n.failing_alike, "examples": ", ".join(n.examples[:3])}
    return None


def _others_work(f: Facts) -> Mapping[str, object] | None:
    return {"n": f.neighbours.working} if f.neighbours.working and not f.neighbours.failing_alike else None


def _some_hosts(f: Facts) -> Mapping[str, object] | None:
    known = [row for row in f.hosts if row.works is not None]
    working = [row for row in known if row.works]
    bad = [row for row in known if not row.works]
    if working and bad:
        return {"working": len(working), "known": len(known), "bad": bad[0].address}
    return None


def _address_changed(f: Facts) -> Mapping[str, object] | None:
    before = {a for answer in f.dns_then for a in answer.addresses}
    now = {a for answer in f.dns_now for a in answer.addresses}
    if before and now and not before & now:
        return {"before": ", ".join(sorted(before)[:3]), "now": ", ".join(sorted(now)[:3])}
    return None


def _sub(*subs: str) -> Callable[[Facts], Mapping[str, object] | None]:
    return lambda f: {"sub": f.sub or f.reason} if f.sub in subs or f.reason in subs else None


def _long_dead(f: Facts) -> Mapping[str, object] | None:
    if f.to != "on-premises" or not f.first_failure or f.now - f.first_failure < DAY:
        return None
    return {"span": _span(f.now - f.first_failure)}


def _expired(f: Facts) -> Mapping[str, object] | None:
    c = f.certificate
    return {"span": _span(f.now - c.not_after)} if c is not None and 0 < c.not_after < f.now else None


def _renewed(f: Facts) -> Mapping[str, object] | None:
    c, before = f.certificate, f.certificate_before
    if c is None or before is None or c.fingerprint == before.fingerprint:
        return None
    return {"before": ", ".join(before.names[:3]), "now": ", ".join(c.names[:3]) or c.subject}


def _names(f: Facts) -> Mapping[str, object] | None:
    c = f.certificate
    if c is None or f.reason != "SubjectMismatch":
        return None
    return {"names": ", ".join(c.names[:3]) or c.subject, "expected": ", ".join(f.expected_names) or "-"}


def _issuer(f: Facts) -> Mapping[str, object] | None:
    c = f.certificate
    return {"issuer": c.issuer} if c is not None and f.reason in ("UntrustedRoot", "SelfSigned") else None


def _cut(f: Facts) -> Mapping[str, object] | None:
    far = [n for n in f.drops.bytes_sent if n >= CUT_AT]
    if far and len(far) == len(f.drops.bytes_sent):
        return {"octets": min(far)}
    return None


def _sizes(f: Facts) -> Mapping[str, object] | None:
    """All that broke off is larger than all that was delivered meanwhile."""
    d = f.drops
    if d.smallest_dropped and 0 < d.largest_delivered < d.smallest_dropped and _cut(f) is not None:
        return {"small": d.largest_delivered, "large": d.smallest_dropped}
    return None


def _leads(answers: tuple[Answer, ...]) -> set[str]:
    """Return the addresses of hosts, or where there are none the names of the mail servers."""
    return {a for answer in answers for a in answer.addresses} or {m for answer in answers for m in answer.mx}


def _stale(f: Facts) -> Mapping[str, object] | None:
    """The servers of the domain lead elsewhere than our resolver."""
    said, now = _leads(f.dns_authoritative), {a for answer in f.dns_now for a in answer.addresses}
    if said and now and not said & now:
        return {"said": ", ".join(sorted(said)[:3]), "now": ", ".join(sorted(now)[:3])}
    return None


def _only_ours_fails(f: Facts) -> Mapping[str, object] | None:
    said = _leads(f.dns_authoritative)
    return {"said": ", ".join(sorted(said)[:3])} if said and f.failure_class in DNS else None


def _authority(*problems: str) -> Callable[[Facts], Mapping[str, object] | None]:
    """The servers of the domain themselves answer with one of these problems."""

    def holds(f: Facts) -> Mapping[str, object] | None:
        found = next((a for a in f.dns_authoritative if a.problem in problems), None)
        return {"name": found.name, "problem": found.problem} if found is not None else None

    return holds


def _small_pass(f: Facts) -> Mapping[str, object] | None:
    return {} if _cut(f) is not None and f.last_success > f.first_failure > 0 else None


def _early(f: Facts) -> Mapping[str, object] | None:
    return (
        {"phase": f.phase}
        if f.phase in ("banner", "ehlo", "mail") and f.reason in ("closed", "reset", "timeout")
        else None
    )


def _said(*words: str) -> Callable[[Facts], Mapping[str, object] | None]:
    def holds(f: Facts) -> Mapping[str, object] | None:
        reply = f.reply.lower()
        return {"reply": f.reply[:120]} if any(w in reply for w in words) else None

    return holds


def _tls_before(f: Facts) -> Mapping[str, object] | None:
    return (
        {"tls": next(r.tls for r in f.hosts if r.tls)}
        if any(r.tls and r.last_success for r in f.hosts)
        else None
    )


def _only_v6(f: Facts) -> Mapping[str, object] | None:
    tried = [r.address for r in f.hosts] or [a for answer in f.dns_now for a in answer.addresses]
    return {"address": tried[0]} if tried and all(":" in a for a in tried) else None


RULES: tuple[Rule, ...] = (
    Rule("others_fail_alike", CONNECT | SESSION, "own_network", 60.0, _others_alike,
         tr("{n} other destinations fail in the same way at the same time ({examples}).")),
    Rule("others_fail_alike_in_dns", DNS, "own_resolver", 12.0, _others_alike,
         tr("{n} other destinations fail in the same way at the same time ({examples}).")),
    Rule("others_work", CONNECT | SESSION, "own_network", 0.15, _others_work,
         tr("{n} other destinations take mail now.")),
    Rule("others_resolve", DNS, "own_resolver", 0.15, _others_work, tr("{n} other destinations take mail now.")),
    Rule("some_hosts_work", REACHING, "one_host", 24.0, _some_hosts,
         tr("{working} of {known} addresses of this destination work; {bad} does not.")),
    Rule("smart_host_changed", CONNECT, "wrong_address", 9.0, lambda f: _edited(f, "smart_hosts", "use_mx"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("port_changed", CONNECT, "wrong_port", 9.0, lambda f: _edited(f, "port", "smart_hosts"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("host_renamed", DNS, "wrong_name", 9.0, lambda f: _edited(f, "smart_hosts"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("demand_changed", TLS, "too_strict", 8.0, lambda f: _edited(f, "tls", "tls_domain", "tls_ca"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("name_demand_changed", frozenset({"cert_invalid"}), "name_mismatch", 3.0, lambda f: _edited(f, "tls_domain"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("worked_and_unchanged", CONNECT, "wrong_address", 0.2, _unchanged,
         tr("Mail flowed {span} ago, and the connector was not changed since.")),
    Rule("worked_on_this_port", CONNECT, "wrong_port", 0.2, _unchanged,
         tr("Mail flowed {span} ago, and the connector was not changed since.")),
    Rule("worked_under_this_name", DNS, "wrong_name", 0.15, _unchanged,
         tr("Mail flowed {span} ago, and the connector was not changed since.")),
    Rule("worked_lately_down", frozenset({"connection_timeout"}), "server_down", 1.6, _lately,
         tr("The server took mail {span} ago.")),
    Rule("worked_lately_stopped", frozenset({"connection_refused"}), "service_stopped", 2.5, _lately,
         tr("The server took mail {span} ago.")),
    Rule("worked_lately_alive", frozenset({"connection_refused"}), "shut_down", 0.4, _lately,
         tr("The server took mail {span} ago.")),
    Rule("never_worked_address", CONNECT, "wrong_address", 2.0, _never, tr("No mail ever went through here.")),
    Rule("never_worked_port", frozenset({"connection_refused"}), "wrong_port", 2.5, _never,
         tr("No mail ever went through here.")),
    Rule("never_resolved", DNS, "wrong_name", 2.5, _never, tr("No mail ever went through here.")),
    Rule("never_encrypted", frozenset({"tls_not_offered"}), "too_strict", 1.5, _never,
         tr("No mail ever went through here.")),
    Rule("address_moved", CONNECT, "address_changed", 9.0, _address_changed,
         tr("It worked at {before}; the name leads to {now} now.")),
    Rule("address_moved_setting", CONNECT, "wrong_address", 1.5, _address_changed,
         tr("It worked at {before}; the name leads to {now} now.")),
    Rule("resolver_is_stale", CONNECT, "stale_answer", 60.0, _stale,
         tr("The name servers of the domain lead to {said}, our resolver still to {now}.")),
    Rule("resolver_alone_fails", DNS, "own_resolver", 30.0, _only_ours_fails,
         tr("The name servers of the domain answer ({said}); only our resolver does not.")),
    Rule("authority_fails", DNS, "dns_outage", 4.0, _authority(*FAILING),
         tr("The name servers of the domain fail themselves ({problem}).")),
    Rule("authority_denies", DNS, "domain_expired", 3.0, _authority("nxdomain"),
         tr("The name servers themselves say that {name} does not exist.")),
    Rule("dead_for_long", frozenset({"connection_refused", "connection_timeout"}), "shut_down", 9.0, _long_dead,
         tr("It has failed for {span} without a break.")),
    Rule("name_gone_after_it_worked", DNS, "domain_expired", 8.0,
         lambda f: _worked(f) if _sub("nxdomain")(f) is not None else None,
         tr("The name existed when mail flowed {span} ago, and is gone now.")),
    Rule("name_never_existed", DNS, "wrong_name", 5.0,
         lambda f: {} if _sub("nxdomain")(f) is not None and not f.last_success else None,
         tr("The DNS says that the name does not exist.")),
    Rule("servers_fail", DNS, "dns_outage", 3.0, _sub("servfail", "timeout", "refused", "bad_answer"),
         tr("The DNS answers with a failure ({sub}), not that the name is missing.")),
    Rule("no_records_left", DNS, "stale_records", 3.0, _sub("no_records", "mx_invalid"),
         tr("The name exists, but leads to no server ({sub}).")),
    Rule("date_is_over", frozenset({"cert_invalid"}), "expired", 20.0, _expired,
         tr("The certificate ended {span} ago.")),
    Rule("names_differ", frozenset({"cert_invalid"}), "name_mismatch", 12.0, _names,
         tr("The certificate is for {names}; {expected} is expected.")),
    Rule("issuer_unknown", frozenset({"cert_invalid"}), "untrusted", 12.0, _issuer,
         tr("{issuer} issued the certificate, and is not trusted here.")),
    Rule("renewed_with_other_name", frozenset({"cert_invalid"}), "name_mismatch", 2.0, _renewed,
         tr("The certificate was changed: it was for {before}, and is for {now}.")),
    Rule("renewed_by_other_issuer", frozenset({"cert_invalid"}), "untrusted", 1.5, _renewed,
         tr("The certificate was changed: it was for {before}, and is for {now}.")),
    Rule("offered_before", frozenset({"tls_not_offered"}), "inspection", 5.0, _tls_before,
         tr("The same server offered encryption before ({tls}).")),
    Rule("offered_before_broken", frozenset({"tls_not_offered"}), "no_certificate", 2.0, _tls_before,
         tr("The same server offered encryption before ({tls}).")),
    Rule("breaks_in_the_content", SESSION, "inspection", 4.0, _cut,
         tr("Connections break in the content, never before {octets} octets.")),
    Rule("breaks_in_the_content_packets", SESSION, "packet_size", 4.0, _cut,
         tr("Connections break in the content, never before {octets} octets.")),
    Rule("only_large_ones_break", SESSION, "inspection", 3.0, _sizes,
         tr("Messages up to {small} octets pass; those from {large} octets on break off.")),
    Rule("only_large_ones_break_packets", SESSION, "packet_size", 3.0, _sizes,
         tr("Messages up to {small} octets pass; those from {large} octets on break off.")),
    Rule("small_ones_pass", SESSION, "inspection", 2.5, _small_pass, tr("Smaller messages were delivered meanwhile.")),
    Rule("small_ones_pass_packets", SESSION, "packet_size", 2.5, _small_pass,
         tr("Smaller messages were delivered meanwhile.")),
    Rule("breaks_before_the_content", SESSION, "server_trouble", 3.0, _early,
         tr("The connection ends in the phase {phase}, before any content.")),
    Rule("says_it_is_busy", frozenset({"service_unavailable", "rate_limited"}), "overloaded", 4.0,
         _said("busy", "overload", "too many", "try again", "resources", "load"), tr("The server says: {reply}")),
    Rule("says_not_for_us", frozenset({"service_unavailable"}), "not_for_us", 5.0,
         _said("denied", "not allowed", "not authorized", "blocked", "refused", "no service", "no smtp", "rejected"),
         tr("The server says: {reply}")),
    Rule("only_ipv6", frozenset({"host_unreachable"}), "no_ipv6", 6.0, _only_v6,
         tr("Only an IPv6 address is known: {address}.")),
)  # fmt: skip


def rank(facts: Facts, rules: tuple[Rule, ...] = RULES) -> Ranking:
    """Return the causes of a failure, the likeliest first; the weights of all sum up to 1."""
    known = entry(FailureClass(facts.failure_class)).causes
    weights = {cause.id: 1.0 / (2 + place) for place, cause in enumerate(known)}
    if "own_network" in weights:
        weights["own_network"] *= 0.3
    for rare in ("one_host", "stale_answer"):
        if rare in weights:
            weights[rare] *= 0.3
    because: dict[str, list[Because]] = {cause: [] for cause in weights}
    for rule in rules:
        if rule.cause not in weights or facts.failure_class not in rule.classes:
            continue
        values = rule.holds(facts)
        if values is not None:
            weights[rule.cause] *= rule.factor
            because[rule.cause].append(Because(rule.name, rule.text, values))
    total = sum(weights.values()) or 1.0
    order = sorted(weights, key=lambda cause: -weights[cause])
    ranked = tuple(
        RankedCause(cause, weights[cause] / total, owner_of(cause, facts), tuple(because[cause]))
        for cause in order
    )
    first = ranked[0] if ranked else None
    decided = bool(
        first and first.because and (len(ranked) == 1 or first.weight >= CLEARLY * ranked[1].weight)
    )
    check = NEXT_CHECKS.get(facts.failure_class, ASK_THEIR_LOG)
    next_check = None if decided or not ranked else Because("next_check", check, {})
    return Ranking(ranked, decided, first.owner if first else "", next_check)


def owner_of(cause: str, facts: Facts) -> str:
    """Return who can mend a cause; what is not ours is the partner's where the connector goes to one (R13)."""
    owner = OWNERS.get(cause, "destination")
    if owner == "destination":
        return facts.to if facts.to in ("on-premises", "partner") else "recipient"
    return owner


# which fixes a cause asks for, in order; `fix.offers` leaves out what does not fit
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "own_network": ("extend_expiry", "retry"),
    "own_resolver": ("flush_dns", "use_last_addresses", "extend_expiry"),
    "one_host": ("set_smart_hosts", "retry"),
    "stale_answer": ("flush_dns", "set_smart_hosts", "extend_expiry"),
    "wrong_address": ("set_smart_hosts", "use_last_addresses", "retry"),
    "address_changed": ("use_last_addresses", "set_smart_hosts", "flush_dns"),
    "wrong_port": ("set_smart_hosts", "retry"),
    "wrong_name": ("set_smart_hosts", "use_last_addresses", "flush_dns"),
    "dns_outage": ("use_last_addresses", "flush_dns", "extend_expiry"),
    "domain_expired": ("use_last_addresses", "extend_expiry", "flush_dns"),
    "stale_records": ("flush_dns", "use_last_addresses"),
    "server_down": ("retry", "reroute", "extend_expiry"),
    "service_stopped": ("retry", "reroute", "extend_expiry"),
    "shut_down": ("fix_now", "return_now"),
    "firewall_rejects": ("retry", "extend_expiry"),
    "firewall_drops": ("retry", "extend_expiry"),
    "no_route": ("retry", "reroute", "extend_expiry"),
    "overloaded": ("set_quirks", "suspend", "retry"),
    "not_for_us": ("reroute", "set_smart_hosts", "retry"),
    "inspection": ("set_quirks", "relax_tls", "retry"),
    "packet_size": ("set_quirks", "retry"),
    "server_trouble": ("retry", "set_quirks"),
    "network_trouble": ("retry", "extend_expiry"),
    "too_strict": ("relax_tls",),
    "no_certificate": ("relax_tls", "extend_expiry"),
    "old_version": ("relax_tls", "set_quirks"),
    "expired": ("pin_certificate", "relax_tls"),
    "name_mismatch": ("set_tls_domain", "pin_certificate", "relax_tls"),
    "untrusted": ("trust_issuer", "pin_certificate", "relax_tls"),
    "burst": ("set_quirks", "suspend"),
    "first_contact": ("retry",),
    "disk_full": ("retry", "extend_expiry"),
}


def actions_for(ranking: Ranking) -> list[tuple[str, tuple[Because, ...]]]:
    """Return the fixes that the ranked causes ask for, with the evidence of the first cause that asks."""
    found: dict[str, tuple[Because, ...]] = {}
    for cause in ranking.causes:
        for action in ACTIONS.get(cause.id, ()):
            found.setdefault(action, cause.because)
    return list(found.items())
