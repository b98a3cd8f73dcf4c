"""What a fix makes of the objects, and what the guard says against it (R14, B4)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.fix.actions import ACTIONS, QUEUE_ACTIONS
from gatepost.fix.edit import BadFix, Context, Target, domains_behind, edit
from gatepost.fix.guard import GuardFacts, warnings
from gatepost.fix.offers import Situation, offers
from gatepost.model.evidence import Answer
from gatepost.model.insight import CertificateSummary
from gatepost.model.objects import AcceptedDomain, Connector, Objects, SmartHost, TlsMode

NOW = 1_764_000_000_000
HOUR = 3_600_000
OFFICE = Connector(
    "to-office", domains=("contoso.example", "*.contoso.example"), smart_hosts=(SmartHost("m.example"),)
)
PARTNER = Connector(
    "to-partner",
    to="partner",
    domains=("partner.example",),
    use_mx=True,
    tls=TlsMode.DOMAIN_VALIDATION,
    tls_domain="mail.partner.example",
)
OBJECTS = Objects(
    revision=3,
    connectors=(OFFICE, PARTNER),
    domains=(
        AcceptedDomain(
            "contoso.example", type="internal-relay", recipients=frozenset({"ann@contoso.example"})
        ),
        AcceptedDomain("other.example", type="internal-relay"),
        AcceptedDomain("ours.example"),
    ),
)
CONTEXT = Context(NOW, "ann", "because")
CERTIFICATE = CertificateSummary(
    "CN=b", "CN=ca", ("b.partner.example",), 0, NOW, "ab" * 32, "SubjectMismatch"
)


def fixed(action: str, connector: str = "to-office", **parameters: object) -> Objects:
    return edit(action, OBJECTS, Target(connector), parameters, CONTEXT)


def test_fix_now_disables_the_connector_and_makes_only_its_domains_authoritative():
    """R14."""
    after = fixed("fix_now")
    assert after.connectors[0] == replace(OFFICE, enabled=False)
    assert [d.type for d in after.domains] == ["authoritative", "internal-relay", "authoritative"]
    assert after.connectors[1] == PARTNER


def test_fix_now_can_delete_the_connector_instead():
    """R14."""
    assert [c.name for c in fixed("fix_now", delete="true").connectors] == ["to-partner"]


def test_fix_now_makes_recipients_known_together_with_the_switch():
    """R14: mail to valid recipients goes to the mailbox store."""
    after = fixed("fix_now", recipients="bob@contoso.example,eve@other.example")
    assert after.domains[0].recipients == {"ann@contoso.example", "bob@contoso.example"}
    assert after.domains[1] == OBJECTS.domains[1]


def test_fix_now_is_refused_for_a_partner():
    """R13."""
    with pytest.raises(BadFix, match="contact the partner"):
        fixed("fix_now", "to-partner")


def test_a_connector_carries_subdomains_that_it_names_by_a_wildcard():
    below = AcceptedDomain("sub.contoso.example", type="internal-relay")
    objects = replace(OBJECTS, domains=(*OBJECTS.domains, below))
    assert below in domains_behind(objects, OFFICE)
    assert below not in domains_behind(objects, replace(OFFICE, domains=("contoso.example",)))


@pytest.mark.parametrize(
    ("action", "parameters", "what", "value"),
    [
        ("relax_tls", {"hours": 4}, "tls", "opportunistic"),
        ("pin_certificate", {"fingerprint": "AB:" * 31 + "AB", "hours": 4}, "certificate", "ab" * 32),
        ("extend_expiry", {"expiry": "3d", "hours": 4}, "expiry", "3d"),
        ("reroute", {"by": "to-office", "hours": 4}, "reroute", "to-office"),
        (
            "use_last_addresses",
            {"host": "Mail.Partner.Example.", "addresses": "192.0.2.7,192.0.2.8", "hours": 4},
            "addresses",
            "mail.partner.example=192.0.2.7,192.0.2.8",
        ),
    ],
)
def test_what_ends_by_itself_lies_over_the_connector(action, parameters, what, value):
    """B4."""
    after = fixed(action, "to-partner", **parameters)
    (override,) = after.overrides
    assert (override.what, override.value, override.until) == (what, value, NOW + 4 * HOUR)
    assert (override.who, override.reason) == ("ann", "because")
    assert after.connectors == OBJECTS.connectors
    again = edit(action, after, Target("to-partner"), parameters, CONTEXT)
    assert again.overrides == after.overrides


@pytest.mark.parametrize(
    ("action", "connector", "parameters", "word"),
    [
        ("relax_tls", "to-office", {}, "already"),
        ("relax_tls", "to-partner", {"hours": 0}, "hours"),
        ("relax_tls", "to-partner", {"hours": "soon"}, "hours"),
        ("relax_tls", "to-partner", {"tls": "none"}, "TLS mode"),
        ("set_smart_hosts", "to-office", {"smart_hosts": ""}, "Name the smart hosts"),
        ("set_smart_hosts", "to-office", {"smart_hosts": "a b"}, "not a domain name"),
        ("use_last_addresses", "to-office", {"host": "m.example"}, "No address"),
        ("use_last_addresses", "to-office", {"host": "m.example", "addresses": "10.0.0.300"}, "address"),
        ("trust_issuer", "to-office", {}, "PEM"),
        ("pin_certificate", "to-office", {"fingerprint": "00"}, "fingerprint"),
        ("set_quirks", "to-office", {"quirks": "no-luck"}, "quirk"),
        ("set_quirks", "to-office", {"concurrency": "many"}, "connections"),
        ("reroute", "to-office", {"by": "nowhere"}, "other connector"),
        ("reroute", "to-office", {"by": "to-office"}, "other connector"),
        ("disable_connector", "gone", {}, "No connector"),
        ("import_recipients", "", {"domain": "no.example", "recipients": "a@no.example"}, "accepted domain"),
        (
            "import_recipients",
            "",
            {"domain": "ours.example", "recipients": "a@no.example"},
            "not in the domain",
        ),
    ],
)
def test_a_fix_that_cannot_be_made_says_why(action, connector, parameters, word):
    with pytest.raises(BadFix, match=word):
        fixed(action, connector, **parameters)


def test_recipients_seen_to_be_good_are_imported():
    after = fixed(
        "import_recipients",
        "",
        domain="contoso.example",
        recipients="bob@contoso.example, Eve@contoso.example",
    )
    assert after.domains[0].recipients == {
        "ann@contoso.example",
        "bob@contoso.example",
        "eve@contoso.example",
    }


def test_the_expected_name_becomes_the_one_that_the_certificate_has():
    """R11."""
    after = fixed("set_tls_domain", "to-partner", tls_domain="b.partner.example")
    assert after.connectors[1].tls_domain == "b.partner.example"


@given(st.sampled_from(sorted(ACTIONS)))
def test_every_fix_that_changes_objects_changes_nothing_when_made_twice(name):
    """B4: applied twice it does nothing more."""
    parameters = {
        "smart_hosts": "a.example", "host": "m.example", "addresses": "192.0.2.7", "tls_domain": "b.partner.example",
        "certificate": "-----BEGIN CERTIFICATE-----x", "fingerprint": "ab" * 32, "by": "to-office",
        "domain": "ours.example", "recipients": "a@ours.example",
    }  # fmt: skip
    connector = "to-office" if name == "fix_now" else "to-partner"
    once = edit(name, OBJECTS, Target(connector), parameters, CONTEXT)
    if name in QUEUE_ACTIONS:
        assert once == OBJECTS
    elif name != "delete_connector":
        assert edit(name, once, Target(connector), parameters, CONTEXT) == once


def test_the_guard_names_what_speaks_for_an_outage():
    """B4."""
    facts = GuardFacts(
        NOW, last_success=NOW - HOUR, first_failure=NOW - HOUR // 2, hosts=2, working=1, gateway_wide=True,
        probe_works=True,
    )  # fmt: skip
    rules = [because.rule for because in warnings("fix_now", facts)]
    assert rules == ["gateway_wide", "probe_works", "hosts_work", "worked_lately", "fails_shortly"]
    assert "1h" in str(warnings("fix_now", facts)[3].values)


def test_the_guard_has_nothing_against_a_server_that_has_long_been_silent_or_a_harmless_fix():
    """B4."""
    assert (
        warnings("fix_now", GuardFacts(NOW, last_success=NOW - 30 * 24 * HOUR, first_failure=NOW - 20 * HOUR))
        == ()
    )
    assert warnings("retry", GuardFacts(NOW, last_success=NOW - HOUR, gateway_wide=True)) == ()


def situation(**more: object) -> Situation:
    known: dict[str, object] = {
        "failure_class": "connection_refused", "sub": "refused", "connector": OFFICE, "objects": OBJECTS,
        "suspended": False, "waiting": 3,
    }  # fmt: skip
    return Situation(**{**known, **more})  # type: ignore[arg-type]


def names(found: Situation, ranked: tuple[tuple[str, tuple[()]], ...] = ()) -> list[str]:
    return [offer.action for offer in offers(found, ranked)]


def test_fix_now_is_offered_for_on_premises_and_never_for_a_partner():
    """R13, R14."""
    assert "fix_now" in names(situation())
    assert "fix_now" not in names(situation(connector=PARTNER))
    assert "fix_now" not in names(situation(objects=replace(OBJECTS, domains=())))


def test_the_ranked_causes_decide_what_is_offered_first():
    """B3."""
    assert names(situation(), (("fix_now", ()),))[0] == "fix_now"
    assert names(situation(), (("set_smart_hosts", ()),))[0] == "set_smart_hosts"


def test_a_certificate_with_another_name_is_offered_with_that_name():
    """R11."""
    found = offers(
        situation(
            failure_class="cert_invalid", sub="SubjectMismatch", connector=PARTNER, certificate=CERTIFICATE
        )
    )
    assert (found[0].action, found[0].parameters) == ("set_tls_domain", {"tls_domain": "b.partner.example"})
    assert "pin_certificate" in [offer.action for offer in found]
    assert "trust_issuer" not in [offer.action for offer in found]


def test_the_addresses_that_worked_are_offered_where_the_dns_fails():
    """R6."""
    then = (Answer("m.example", NOW, (), ("192.0.2.7",)),)
    found = offers(situation(failure_class="dns_query_failed", dns_then=then))
    chosen = next(offer for offer in found if offer.action == "use_last_addresses")
    assert chosen.parameters["addresses"] == ["192.0.2.7"]
    assert "use_last_addresses" not in names(situation(failure_class="dns_query_failed"))


def test_without_a_connector_only_the_mail_itself_can_be_steered():
    assert set(names(situation(connector=None))) <= {"retry", "flush_dns", "suspend", "return_now", "delete"}


def test_what_is_suspended_is_offered_to_be_resumed_and_not_to_be_tried():
    assert names(situation(suspended=True))[0] == "resume"
    assert "retry" not in names(situation(suspended=True))
