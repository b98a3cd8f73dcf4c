"""Evidence about destinations that cannot be reached: DNS, connection, TLS, session (rules as data, pure)."""

from gatepost.diagnose.because import (
    DAY,
    Question,
    Rule,
    Values,
    changed,
    lately,
    named,
    never,
    others_alike,
    others_work,
    said,
    span,
    unchanged,
    worked,
)
from gatepost.i18n import tr
from gatepost.model.evidence import Answer, Facts

CONNECT = frozenset({"connection_timeout", "connection_refused", "host_unreachable"})
SESSION = frozenset({"connection_dropped", "session_timeout"})
TLS = frozenset({"tls_not_offered", "tls_handshake_failed", "cert_invalid"})
DNS = frozenset({"dns_query_failed"})
ANY_OF_THEM = CONNECT | SESSION | TLS | DNS | {"service_unavailable"}
FAILING = ("servfail", "timeout", "refused", "bad_answer", "unreachable")
CUT_AT = 16 << 10  # octets of content after which a break speaks of sizes


def _some_hosts(f: Facts) -> Values | None:
    known = [row for row in f.hosts if row.works is not None]
    working = [row for row in known if row.works]
    bad = [row for row in known if not row.works]
    if working and bad:
        return {"working": len(working), "known": len(known), "bad": bad[0].address}
    return None


def _address_changed(f: Facts) -> Values | None:
    before = {a for answer in f.dns_then for a in answer.addresses}
    now = {a for answer in f.dns_now for a in answer.addresses}
    if before and now and not before & now:
        return {"before": ", ".join(sorted(before)[:3]), "now": ", ".join(sorted(now)[:3])}
    return None


def _long_dead(f: Facts) -> Values | None:
    if f.to != "on-premises" or not f.first_failure or f.now - f.first_failure < DAY:
        return None
    return {"span": span(f.now - f.first_failure)}


def _expired(f: Facts) -> Values | None:
    c = f.certificate
    return {"span": span(f.now - c.not_after)} if c is not None and 0 < c.not_after < f.now else None


def _renewed(f: Facts) -> Values | None:
    c, before = f.certificate, f.certificate_before
    if c is None or before is None or c.fingerprint == before.fingerprint:
        return None
    return {"before": ", ".join(before.names[:3]), "now": ", ".join(c.names[:3]) or c.subject}


def _names(f: Facts) -> Values | None:
    c = f.certificate
    if c is None or f.reason != "SubjectMismatch":
        return None
    return {"names": ", ".join(c.names[:3]) or c.subject, "expected": ", ".join(f.expected_names) or "-"}


def _issuer(f: Facts) -> Values | None:
    c = f.certificate
    return {"issuer": c.issuer} if c is not None and f.reason in ("UntrustedRoot", "SelfSigned") else None


def _cut(f: Facts) -> Values | None:
    far = [n for n in f.drops.bytes_sent if n >= CUT_AT]
    if far and len(far) == len(f.drops.bytes_sent):
        return {"octets": min(far)}
    return None


def _sizes(f: Facts) -> Values | None:
    """All that broke off is larger than all that was delivered meanwhile."""
    d = f.drops
    if d.smallest_dropped and 0 < d.largest_delivered < d.smallest_dropped and _cut(f) is not None:
        return {"small": d.largest_delivered, "large": d.smallest_dropped}
    return None


def _leads(answers: tuple[Answer, ...]) -> set[str]:
    """Return the addresses of hosts, or where there are none the names of the mail servers."""
    return {a for answer in answers for a in answer.addresses} or {m for answer in answers for m in answer.mx}


def _stale(f: Facts) -> Values | None:
    """The servers of the domain lead elsewhere than our resolver."""
    said, now = _leads(f.dns_authoritative), {a for answer in f.dns_now for a in answer.addresses}
    if said and now and not said & now:
        return {"said": ", ".join(sorted(said)[:3]), "now": ", ".join(sorted(now)[:3])}
    return None


def _only_ours_fails(f: Facts) -> Values | None:
    said = _leads(f.dns_authoritative)
    return {"said": ", ".join(sorted(said)[:3])} if said and f.failure_class in DNS else None


def _authority(*problems: str) -> Question:
    """The servers of the domain themselves answer with one of these problems."""

    def holds(f: Facts) -> Values | None:
        found = next((a for a in f.dns_authoritative if a.problem in problems), None)
        return {"name": found.name, "problem": found.problem} if found is not None else None

    return holds


def _small_pass(f: Facts) -> Values | None:
    return {} if _cut(f) is not None and f.last_success > f.first_failure > 0 else None


def _early(f: Facts) -> Values | None:
    return (
        {"phase": f.phase}
        if f.phase in ("banner", "ehlo", "mail") and f.reason in ("closed", "reset", "timeout")
        else None
    )


def _tls_before(f: Facts) -> Values | None:
    return (
        {"tls": next(r.tls for r in f.hosts if r.tls)}
        if any(r.tls and r.last_success for r in f.hosts)
        else None
    )


def _only_v6(f: Facts) -> Values | None:
    tried = [r.address for r in f.hosts] or [a for answer in f.dns_now for a in answer.addresses]
    return {"address": tried[0]} if tried and all(":" in a for a in tried) else None


REACHING: tuple[Rule, ...] = (
    Rule("others_fail_alike", CONNECT | SESSION, "own_network", 60.0, others_alike,
         tr("{n} other destinations fail in the same way at the same time ({examples}).")),
    Rule("others_fail_alike_in_dns", DNS, "own_resolver", 12.0, others_alike,
         tr("{n} other destinations fail in the same way at the same time ({examples}).")),
    Rule("others_work", CONNECT | SESSION, "own_network", 0.15, others_work,
         tr("{n} other destinations take mail now.")),
    Rule("others_resolve", DNS, "own_resolver", 0.15, others_work, tr("{n} other destinations take mail now.")),
    Rule("some_hosts_work", ANY_OF_THEM, "one_host", 24.0, _some_hosts,
         tr("{working} of {known} addresses of this destination work; {bad} does not.")),
    Rule("smart_host_changed", CONNECT, "wrong_address", 9.0, changed("smart_hosts", "use_mx"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("port_changed", CONNECT, "wrong_port", 9.0, changed("port", "smart_hosts"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("host_renamed", DNS, "wrong_name", 9.0, changed("smart_hosts"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("demand_changed", TLS, "too_strict", 8.0, changed("tls", "tls_domain", "tls_ca"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("name_demand_changed", frozenset({"cert_invalid"}), "name_mismatch", 3.0, changed("tls_domain"),
         tr("{who} changed {fields} of the connector {span} ago, after mail had last flowed.")),
    Rule("worked_and_unchanged", CONNECT, "wrong_address", 0.2, unchanged,
         tr("Mail flowed {span} ago, and the connector was not changed since.")),
    Rule("worked_on_this_port", CONNECT, "wrong_port", 0.2, unchanged,
         tr("Mail flowed {span} ago, and the connector was not changed since.")),
    Rule("worked_under_this_name", DNS, "wrong_name", 0.15, unchanged,
         tr("Mail flowed {span} ago, and the connector was not changed since.")),
    Rule("worked_lately_down", frozenset({"connection_timeout"}), "server_down", 1.6, lately,
         tr("The server took mail {span} ago.")),
    Rule("worked_lately_stopped", frozenset({"connection_refused"}), "service_stopped", 2.5, lately,
         tr("The server took mail {span} ago.")),
    Rule("worked_lately_alive", frozenset({"connection_refused"}), "shut_down", 0.4, lately,
         tr("The server took mail {span} ago.")),
    Rule("never_worked_address", CONNECT, "wrong_address", 2.0, never, tr("No mail ever went through here.")),
    Rule("never_worked_port", frozenset({"connection_refused"}), "wrong_port", 2.5, never,
         tr("No mail ever went through here.")),
    Rule("never_resolved", DNS, "wrong_name", 2.5, never, tr("No mail ever went through here.")),
    Rule("never_encrypted", frozenset({"tls_not_offered"}), "too_strict", 1.5, never,
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
         lambda f: worked(f) if named("nxdomain")(f) is not None else None,
         tr("The name existed when mail flowed {span} ago, and is gone now.")),
    Rule("name_never_existed", DNS, "wrong_name", 5.0,
         lambda f: {} if named("nxdomain")(f) is not None and not f.last_success else None,
         tr("The DNS says that the name does not exist.")),
    Rule("servers_fail", DNS, "dns_outage", 3.0, named("servfail", "timeout", "refused", "bad_answer"),
         tr("The DNS answers with a failure ({sub}), not that the name is missing.")),
    Rule("no_records_left", DNS, "stale_records", 3.0, named("no_records", "mx_invalid"),
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
    Rule("says_it_is_busy", frozenset({"service_unavailable"}), "overloaded", 4.0,
         said("busy", "overload", "too many", "try again", "resources", "load"), tr("The server says: {reply}")),
    Rule("says_not_for_us", frozenset({"service_unavailable"}), "not_for_us", 5.0,
         said("denied", "not allowed", "not authorized", "blocked", "refused", "no service", "no smtp", "rejected"),
         tr("The server says: {reply}")),
    Rule("only_ipv6", frozenset({"host_unreachable"}), "no_ipv6", 6.0, _only_v6,
         tr("Only an IPv6 address is known: {address}.")),
)  # fmt: skip
