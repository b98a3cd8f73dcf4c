"""Causes ranked by evidence: each rule changes the ranking, and says why (B3, R6 to R13)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.diagnose.catalogue import OWNERS as KNOWN_OWNERS
from gatepost.diagnose.catalogue import entry
from gatepost.diagnose.causes import RULES, actions_for, rank
from gatepost.diagnose.reaching import REACHING
from gatepost.diagnose.remedies import ACTIONS, NEXT_CHECKS, OWNERS
from gatepost.fix.actions import ACTIONS as FIXES
from gatepost.model.evidence import Answer, Drops, Facts, Neighbours, ObjectEdit
from gatepost.model.failure import FailureClass
from gatepost.model.insight import CertificateSummary, HostRow

NOW = 1_764_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
CERT = CertificateSummary("CN=new", "CN=ca", ("new.example",), NOW - 90 * DAY, NOW + DAY, "aa")
OLD = CertificateSummary("CN=old", "CN=ca", ("old.example",), NOW - 400 * DAY, NOW - 90 * DAY, "bb")


def edit(*fields: str, at: int = NOW - HOUR) -> ObjectEdit:
    return ObjectEdit("connector", "to-office", at, "ann", fields, {}, {})


def row(address: str, *, works: bool, tls: str = "") -> HostRow:
    return HostRow(1, "m.example", address, 25, NOW if works else NOW - DAY, 0 if works else NOW, tls=tls)


def base(failure_class: str, **more: object) -> Facts:
    known: dict[str, object] = {
        "now": NOW, "failure_class": failure_class, "to": "on-premises", "connector": "to-office", "attempts": 3,
        "first_failure": NOW - HOUR, "last_success": NOW - 2 * HOUR,
    }  # fmt: skip
    return Facts(**{**known, **more})  # type: ignore[arg-type]


ALIKE = Neighbours(active=6, failing=6, failing_alike=6, examples=("a.example", "b.example"))
WORK = Neighbours(active=5, working=5)
# name of the rule -> facts under which it holds
EVIDENCE: dict[str, Facts] = {
    "others_fail_alike": base("connection_timeout", neighbours=ALIKE),
    "others_fail_alike_in_dns": base("dns_query_failed", neighbours=ALIKE),
    "others_work": base("connection_timeout", neighbours=WORK),
    "others_resolve": base("dns_query_failed", neighbours=WORK),
    "some_hosts_work": base(
        "connection_refused", hosts=(row("192.0.2.1", works=True), row("192.0.2.2", works=False))
    ),
    "smart_host_changed": base("connection_timeout", edits=(edit("smart_hosts"),)),
    "port_changed": base("connection_refused", edits=(edit("port"),)),
    "host_renamed": base("dns_query_failed", edits=(edit("smart_hosts"),)),
    "demand_changed": base("tls_not_offered", edits=(edit("tls"),)),
    "name_demand_changed": base("cert_invalid", edits=(edit("tls_domain"),)),
    "worked_and_unchanged": base("connection_timeout"),
    "worked_on_this_port": base("connection_refused"),
    "worked_under_this_name": base("dns_query_failed"),
    "worked_lately_down": base("connection_timeout"),
    "worked_lately_stopped": base("connection_refused"),
    "worked_lately_alive": base("connection_refused"),
    "never_worked_address": base("connection_timeout", last_success=0),
    "never_worked_port": base("connection_refused", last_success=0),
    "never_resolved": base("dns_query_failed", last_success=0),
    "never_encrypted": base("tls_not_offered", last_success=0),
    "address_moved": base(
        "connection_timeout",
        dns_then=(Answer("m.example", NOW, (), ("192.0.2.1",)),),
        dns_now=(Answer("m.example", NOW, (), ("192.0.2.9",)),),
    ),
    "resolver_is_stale": base(
        "connection_refused",
        dns_now=(Answer("mx.example", NOW, (), ("192.0.2.1",)),),
        dns_authoritative=(Answer("mx.example", NOW, (), ("192.0.2.9",)),),
    ),
    "resolver_alone_fails": base(
        "dns_query_failed", dns_authoritative=(Answer("mx.example", NOW, (), ("192.0.2.9",)),)
    ),
    "authority_fails": base(
        "dns_query_failed", dns_authoritative=(Answer("mx.example", NOW, (), (), "servfail"),)
    ),
    "authority_denies": base(
        "dns_query_failed", dns_authoritative=(Answer("mx.example", NOW, (), (), "nxdomain"),)
    ),
    "only_large_ones_break": base(
        "connection_dropped", drops=Drops((), 90_000, 2_000, bytes_sent=(60_000,)), last_success=NOW
    ),
    "only_large_ones_break_packets": base(
        "session_timeout", drops=Drops((), 90_000, 2_000, bytes_sent=(60_000,)), last_success=NOW
    ),
    "dead_for_long": base("connection_refused", first_failure=NOW - 9 * DAY, last_success=NOW - 9 * DAY),
    "name_gone_after_it_worked": base("dns_query_failed", sub="nxdomain"),
    "name_never_existed": base("dns_query_failed", sub="nxdomain", last_success=0),
    "servers_fail": base("dns_query_failed", sub="servfail"),
    "no_records_left": base("dns_query_failed", sub="no_records"),
    "date_is_over": base("cert_invalid", certificate=OLD),
    "names_differ": base("cert_invalid", reason="SubjectMismatch", certificate=CERT, expected_names=("old.example",)),
    "issuer_unknown": base("cert_invalid", reason="UntrustedRoot", certificate=CERT),
    "renewed_with_other_name": base(
        "cert_invalid", reason="SubjectMismatch", certificate=CERT, certificate_before=OLD
    ),
    "renewed_by_other_issuer": base(
        "cert_invalid", reason="UntrustedRoot", certificate=CERT, certificate_before=OLD
    ),
    "offered_before": base("tls_not_offered", hosts=(row("192.0.2.1", works=False, tls="TLSv1.3"),)),
    "offered_before_broken": base("tls_not_offered", hosts=(row("192.0.2.1", works=False, tls="TLSv1.3"),)),
    "breaks_in_the_content": base("connection_dropped", drops=Drops(bytes_sent=(60_000, 70_000))),
    "breaks_in_the_content_packets": base("session_timeout", drops=Drops(bytes_sent=(60_000, 70_000))),
    "small_ones_pass": base("connection_dropped", drops=Drops(bytes_sent=(60_000,)), last_success=NOW),
    "small_ones_pass_packets": base("session_timeout", drops=Drops(bytes_sent=(60_000,)), last_success=NOW),
    "breaks_before_the_content": base("connection_dropped", phase="ehlo", reason="closed"),
    "says_it_is_busy": base("service_unavailable", reply="421 too many connections"),
    "says_not_for_us": base("service_unavailable", reply="554 access denied"),
    "only_ipv6": base("host_unreachable", hosts=(row("2001:db8::7", works=False),)),
}  # fmt: skip
EVIDENCE["address_moved_setting"] = EVIDENCE["address_moved"]


def weight(facts: Facts, cause: str, rules=RULES) -> float:
    return next(c.weight for c in rank(facts, rules).causes if c.id == cause)


@pytest.mark.parametrize("rule", REACHING, ids=lambda r: r.name)
def test_each_rule_changes_the_ranking_and_says_why(rule):
    """B3."""
    facts = EVIDENCE[rule.name]
    without = tuple(r for r in RULES if r is not rule)
    before, after = weight(facts, rule.cause, without), weight(facts, rule.cause)
    assert (after > before) if rule.factor > 1 else (after < before)
    (cause,) = [c for c in rank(facts).causes if c.id == rule.cause]
    (said,) = [b for b in cause.because if b.rule == rule.name]
    assert said.text.format(**said.values)


STORIES = [
    ("our own network is down", EVIDENCE["others_fail_alike"], "own_network", "us", "extend_expiry"),
    ("our resolver is down", EVIDENCE["others_fail_alike_in_dns"], "own_resolver", "us", "flush_dns"),
    ("a smart host was changed", EVIDENCE["smart_host_changed"], "wrong_address", "us", "set_smart_hosts"),
    ("the server moved", EVIDENCE["address_moved"], "address_changed", "on-premises", "use_last_addresses"),
    (
        "the domain lapsed",
        EVIDENCE["name_gone_after_it_worked"],
        "domain_expired",
        "dns-host",
        "use_last_addresses",
    ),
    ("our resolver holds the old answer", EVIDENCE["resolver_is_stale"], "stale_answer", "us", "flush_dns"),
    ("our resolver alone fails", EVIDENCE["resolver_alone_fails"], "own_resolver", "us", "flush_dns"),
    ("a name was mistyped", EVIDENCE["name_never_existed"], "wrong_name", "us", "set_smart_hosts"),
    ("the DNS host is down", EVIDENCE["servers_fail"], "dns_outage", "dns-host", "use_last_addresses"),
    ("one of two hosts is broken", EVIDENCE["some_hosts_work"], "one_host", "on-premises", "set_smart_hosts"),
    ("the server was shut down", EVIDENCE["dead_for_long"], "shut_down", "us", "fix_now"),
    ("the service is stopped", EVIDENCE["worked_lately_stopped"], "service_stopped", "on-premises", "retry"),
    ("a certificate expired", EVIDENCE["date_is_over"], "expired", "on-premises", "pin_certificate"),
    (
        "renewed with another name",
        EVIDENCE["renewed_with_other_name"],
        "name_mismatch",
        "on-premises",
        "set_tls_domain",
    ),
    ("an issuer that nobody trusts", EVIDENCE["issuer_unknown"], "untrusted", "on-premises", "trust_issuer"),
    ("a firewall cuts big messages", EVIDENCE["small_ones_pass"], "inspection", "network", "set_quirks"),
    ("encryption vanished", EVIDENCE["offered_before"], "inspection", "network", "set_quirks"),
    ("we demand more than before", EVIDENCE["demand_changed"], "too_strict", "us", "relax_tls"),
    ("the server is busy", EVIDENCE["says_it_is_busy"], "overloaded", "on-premises", "set_quirks"),
    ("the server does not serve us", EVIDENCE["says_not_for_us"], "not_for_us", "on-premises", "reroute"),
]


@pytest.mark.parametrize(("story", "facts", "cause", "owner", "fix"), STORIES, ids=[s[0] for s in STORIES])
def test_each_story_has_its_first_cause_its_owner_and_its_first_fix(story, facts, cause, owner, fix):
    """B3, R13."""
    ranking = rank(facts)
    assert (ranking.causes[0].id, ranking.owner) == (cause, owner)
    assert actions_for(ranking)[0][0] == fix
    partner = rank(replace(facts, to="partner"))
    if owner == "on-premises":
        assert partner.owner == "partner" or partner.causes[0].id != cause


def test_without_evidence_nothing_is_decided_and_the_next_check_is_named():
    """B3: what cannot be decided is said to be undecided."""
    ranking = rank(Facts(now=NOW, failure_class="connection_dropped"))
    assert not ranking.decided
    assert ranking.next_check is not None


@given(
    st.sampled_from([str(c) for c in FailureClass]),
    st.sampled_from(["", "on-premises", "partner"]),
    st.integers(0, NOW),
    st.integers(0, NOW),
    st.sampled_from(["", "nxdomain", "servfail", "SubjectMismatch", "closed"]),
)
def test_any_facts_give_weights_that_sum_up_to_one(failure_class, to, first, last, sub):
    facts = Facts(NOW, failure_class, to=to, first_failure=first, last_success=last, sub=sub, reason=sub)
    ranking = rank(facts)
    assert abs(sum(c.weight for c in ranking.causes) - 1) < 1e-9
    assert [c.weight for c in ranking.causes] == sorted((c.weight for c in ranking.causes), reverse=True)


def test_rules_owners_and_fixes_name_only_what_exists():
    causes = {cause.id for c in FailureClass for cause in entry(c).causes}
    assert {rule.cause for rule in RULES} <= causes
    assert set(OWNERS) <= causes
    assert set(OWNERS.values()) <= set(KNOWN_OWNERS)
    assert set(NEXT_CHECKS) <= set(FailureClass)
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert set(ACTIONS) <= causes
    assert {fix for fixes in ACTIONS.values() for fix in fixes} <= set(FIXES)
    for rule in RULES:
        assert any(rule.cause in {x.id for x in entry(FailureClass(c)).causes} for c in rule.classes), (
            rule.name
        )
