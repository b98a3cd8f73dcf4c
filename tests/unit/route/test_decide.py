"""Which connector takes an address, and why the others do not."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.i18n import said, translator
from gatepost.model.objects import AcceptedDomain, Connector, Objects, SmartHost
from gatepost.model.route import DestinationKey
from gatepost.route.decide import MAILBOX, Router, Standing

HOST = (SmartHost("192.0.2.7"),)


def smart(name, *domains, **more):
    return Connector(name, domains=domains, smart_hosts=HOST, **more)


def router(*connectors, domains=()):
    return Router(Objects(connectors=connectors, domains=tuple(domains)))


def taker(found, address):
    return found.route(address).destination.connector


RELAY = AcceptedDomain("contoso.example", "internal-relay", recipients=frozenset({"ann@contoso.example"}))
OURS = AcceptedDomain("contoso.example", "authoritative", recipients=frozenset({"ann@contoso.example"}))


def test_the_most_specific_match_wins():
    """R1."""
    found = router(
        smart("every", "*"),
        smart("accepted", all_accepted_domains=True),
        smart("wide", "*.example"),
        smart("narrow", "*.eu.contoso.example"),
        smart("exact", "sales.eu.contoso.example"),
        domains=[AcceptedDomain("contoso.test", "internal-relay")],
    )
    assert taker(found, "a@sales.eu.contoso.example") == "exact"
    assert taker(found, "a@x.sales.eu.contoso.example") == "narrow"
    assert taker(found, "a@us.contoso.example") == "wide"
    assert taker(found, "a@contoso.test") == "accepted"
    assert taker(found, "a@elsewhere.test") == "every"


def test_a_wildcard_beats_all_accepted_domains():
    """R1."""
    found = router(
        smart("accepted", all_accepted_domains=True),
        smart("wild", "*.contoso.example"),
        domains=[AcceptedDomain("sales.contoso.example", "internal-relay")],
    )
    assert taker(found, "a@sales.contoso.example") == "wild"


def test_a_wildcard_does_not_take_the_domain_itself():
    found = router(smart("wild", "*.contoso.example"))
    assert found.route("a@contoso.example").destination == DestinationKey("mx", "", "contoso.example")


def test_a_wildcard_takes_whole_labels_only():
    found = router(smart("wild", "*.contoso.example"))
    assert taker(found, "a@evilcontoso.example") == ""


def test_without_a_connector_mail_goes_to_the_mx_of_the_domain():
    """R1."""
    route = router().route("a@Partner.Example")
    assert route.destination == DestinationKey("mx", "", "partner.example")
    assert route.why == "no connector takes partner.example: its own MX do"


def test_a_connector_with_smart_hosts_is_one_destination_and_one_with_mx_is_one_for_each_domain():
    found = router(
        smart("hosts", "a.example", "b.example"), Connector("mx", domains=("*.mx.example",), use_mx=True)
    )
    assert found.route("x@a.example").destination == found.route("x@b.example").destination
    assert found.route("x@a.mx.example").destination == DestinationKey("mx", "mx", "a.mx.example")
    assert found.route("x@b.mx.example").destination == DestinationKey("mx", "mx", "b.mx.example")


def test_a_known_recipient_goes_to_our_mailbox_store_and_an_unknown_one_through_the_connector():
    found = router(smart("office", "contoso.example"), domains=[RELAY])
    assert found.route("Ann@CONTOSO.example").destination == MAILBOX
    assert taker(found, "bob@contoso.example") == "office"
    assert found.standing("ann@contoso.example") is Standing.KNOWN
    assert found.standing("bob@contoso.example") is Standing.RELAYED
    assert found.standing("bob@fabrikam.example") is Standing.FOREIGN


def test_an_unknown_recipient_of_an_authoritative_domain_has_no_way_even_where_a_connector_matches():
    """R14."""
    found = router(smart("office", "contoso.example"), domains=[OURS])
    route = found.explain("bob@contoso.example")
    assert route.destination == DestinationKey("none", "", "contoso.example")
    assert found.standing("bob@contoso.example") is Standing.UNKNOWN
    assert route.candidates[0].why == (
        "it takes contoso.example, but contoso.example is authoritative and does not know the recipient"
    )


def test_an_internal_relay_without_an_enabled_connector_does_not_fall_back_to_its_mx():
    """R14: the MX of a domain of ours may be ourselves, and that would be a loop."""
    found = router(smart("office", "contoso.example", enabled=False), domains=[RELAY])
    route = found.explain("bob@contoso.example")
    assert route.destination.kind == "none"
    assert route.why == "contoso.example is an internal relay, and no enabled connector takes contoso.example"
    assert [(c.connector, c.won, c.why) for c in route.candidates] == [
        ("office", False, "it takes contoso.example, but is disabled")
    ]


def test_a_disabled_connector_leaves_the_mail_to_the_next_best():
    found = router(smart("exact", "a.contoso.example", enabled=False), smart("wild", "*.contoso.example"))
    assert taker(found, "x@a.contoso.example") == "wild"


def test_a_plus_in_an_address_is_not_a_detail_of_another_address():
    found = router(domains=[OURS])
    assert found.standing("ann+news@contoso.example") is Standing.UNKNOWN


def test_subdomains_belong_to_a_domain_that_says_so():
    own = AcceptedDomain("eu.contoso.example", "authoritative")
    wide = AcceptedDomain(
        "contoso.example",
        "internal-relay",
        match_subdomains=True,
        recipients=frozenset({"ann@us.contoso.example"}),
    )
    found = router(smart("office", all_accepted_domains=True), domains=[wide, own])
    assert found.standing("ann@us.contoso.example") is Standing.KNOWN
    assert taker(found, "bob@deep.us.contoso.example") == "office"
    assert found.standing("bob@eu.contoso.example") is Standing.UNKNOWN
    assert found.standing("bob@x.eu.contoso.example") is Standing.RELAYED
    assert found.standing("bob@notcontoso.example") is Standing.FOREIGN


def test_an_authoritative_domain_always_has_a_postmaster():
    """RFC 5321 section 4.5.1."""
    assert router(domains=[OURS]).route("Postmaster@contoso.example").destination == MAILBOX


def test_an_internationalised_domain_is_the_same_in_both_forms():
    found = router(smart("office", "xn--bcher-kva.example"))
    assert taker(found, "ann@bücher.example") == taker(found, "ann@xn--bcher-kva.example") == "office"


@pytest.mark.parametrize(
    "address", ["", "postmaster", "a@", "a@[192.0.2.7]", "a@b..c", "a@b.example.", "a@\x00.example"]
)
def test_what_names_no_mail_domain_goes_nowhere(address):
    route = router(smart("every", "*")).explain(address)
    assert route.destination.kind == "none"
    assert route.domain == ""
    assert not any(candidate.won for candidate in route.candidates)


def test_of_two_equal_connectors_the_first_by_name_wins_whatever_their_order():
    one, two = smart("a", "contoso.example"), smart("b", "contoso.example")
    for found in (router(one, two), router(two, one)):
        route = found.explain("x@contoso.example")
        assert route.destination.connector == "a"
        assert route.candidates[1].why == "connector a takes contoso.example as well, and is first by name"


def test_every_candidate_says_why_it_lost():
    """R1."""
    found = router(
        smart("wide", "*.example"),
        smart("exact", "contoso.example"),
        smart("other", "fabrikam.example"),
        smart("off", "contoso.example", enabled=False),
        smart("accepted", all_accepted_domains=True),
    )
    route = found.explain("x@contoso.example")
    assert {c.connector: (c.matched, c.why) for c in route.candidates} == {
        "exact": ("contoso.example", "connector exact takes contoso.example"),
        "wide": ("*.example", "contoso.example of connector exact is more specific than *.example"),
        "other": ("", "none of its domains matches contoso.example"),
        "off": ("contoso.example", "it takes contoso.example, but is disabled"),
        "accepted": ("", "contoso.example is not an accepted domain"),
    }
    assert route.candidates[0].connector == "exact"
    zh = translator("zh-CN")
    assert said(route.why, zh) == "连接器 exact 接收 contoso.example"
    assert all(said(candidate.why, zh) != candidate.why for candidate in route.candidates)


def test_only_the_addresses_of_a_domain_of_ours_can_go_different_ways():
    found = router(smart("office", "contoso.example"), domains=[RELAY])
    assert found.depends_on_address("contoso.example")
    assert not found.depends_on_address("fabrikam.example")


label = st.sampled_from(["a", "b", "c"])
domain = st.lists(label, min_size=1, max_size=4).map(".".join)
pattern = domain | domain.map("*.{}".format) | st.just("*")
connector = st.builds(
    Connector,
    name=st.text(string.ascii_lowercase, min_size=1, max_size=2),
    domains=st.lists(pattern, max_size=3, unique=True).map(tuple),
    all_accepted_domains=st.booleans(),
    use_mx=st.booleans(),
    enabled=st.booleans(),
)
accepted = st.builds(
    AcceptedDomain,
    name=domain,
    type=st.sampled_from(["authoritative", "internal-relay"]),
    match_subdomains=st.booleans(),
    recipients=st.frozensets(domain.map("ann@{}".format), max_size=3),
)
world = st.builds(
    Objects,
    connectors=st.lists(connector, max_size=6, unique_by=lambda c: c.name).map(tuple),
    domains=st.lists(accepted, max_size=3, unique_by=lambda d: d.name).map(tuple),
)


def rank(pattern):
    """The order of the contract, written down once more: smaller is better."""
    if pattern == "*":
        return (3, 0)
    if pattern == "all accepted domains":
        return (2, 0)
    return (1, -len(pattern.split("."))) if pattern.startswith("*.") else (0, 0)


@settings(max_examples=300)
@given(world, st.sampled_from(["ann", "bob", "postmaster"]), domain)
def test_the_fast_decision_and_the_explained_one_agree(objects, local, at):
    """R1: and the winner is the best of the enabled candidates that match."""
    found = Router(objects)
    address = f"{local}@{at}"
    fast, explained = found.route(address), found.explain(address)
    assert (fast.domain, fast.destination, fast.why) == (
        explained.domain,
        explained.destination,
        explained.why,
    )
    assert {c.connector for c in explained.candidates} == {c.name for c in objects.connectors}
    enabled = {c.name for c in objects.connectors if c.enabled}
    winners = [c for c in explained.candidates if c.won]
    matching = [c for c in explained.candidates if c.matched and c.connector in enabled]
    if fast.destination.connector:
        best = min(matching, key=lambda c: (*rank(c.matched), c.connector))
        assert [c.connector for c in winners] == [best.connector] == [fast.destination.connector]
    else:
        assert winners == []
        assert not matching or found.standing(address) in {Standing.KNOWN, Standing.UNKNOWN}
