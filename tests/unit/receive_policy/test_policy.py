"""Who may hand over mail, and for whom."""

import pytest

from gatepost.model.objects import AcceptedDomain, Connector, Objects, Source
from gatepost.receive.policy import (
    Accepted,
    Refusal,
    SourceIndex,
    decide_recipient,
    decide_sender,
    decide_source,
)
from gatepost.route.decide import MAILBOX, Router

OBJECTS = Objects(
    connectors=(Connector("office", domains=("relay.example",), use_mx=True),),
    domains=(
        AcceptedDomain(
            "contoso.example",
            "authoritative",
            recipients=frozenset({"ann@contoso.example", "a%b@contoso.example"}),
        ),
        AcceptedDomain("relay.example", "internal-relay", recipients=frozenset({"ann@relay.example"})),
    ),
)
ROUTER = Router(OBJECTS)
STRANGER = Source("internet", networks=("0.0.0.0/0",))
TRUSTED = Source("cloud", networks=("10.0.0.0/8",), may_relay=True)


def source(address, *sources, tls=False, names=(), login=""):
    found = decide_source(SourceIndex(sources), address, tls=tls, certificate_names=names, login=login)
    return found.name if found else None


def test_the_most_specific_network_wins():
    wide, narrow = Source("wide", ("10.0.0.0/8",)), Source("narrow", ("192.0.2.0/24", "10.1.2.0/24"))
    assert source("10.1.2.3", wide, narrow) == "narrow"
    assert source("10.9.9.9", wide, narrow) == "wide"
    assert source("172.16.0.1", wide, narrow) is None


def test_an_ipv4_client_of_a_listener_for_both_is_an_ipv4_client():
    assert source("::ffff:10.1.2.3", Source("wide", ("10.0.0.0/8",))) == "wide"
    assert source("fe80::1%eth0", Source("local", ("fe80::/10",))) == "local"
    assert source("no address", Source("wide", ("0.0.0.0/0", "::/0"))) is None


def test_a_disabled_source_leaves_the_client_to_the_next_network():
    wide = Source("wide", ("10.0.0.0/8",))
    assert source("10.1.2.3", wide, Source("narrow", ("10.1.2.0/24",), enabled=False)) == "wide"


def test_a_login_goes_before_a_certificate_and_a_certificate_before_a_network():
    by_login = Source("login", logins=(("ann", "$argon2"),))
    by_name = Source("certificate", certificate_names=("mail.contoso.example",))
    by_net = Source("network", ("10.0.0.0/8",))
    everything = (by_login, by_name, by_net)
    names = ("Mail.Contoso.example",)
    assert source("10.0.0.1", *everything, tls=True, names=names, login="ann") == "login"
    assert source("10.0.0.1", *everything, tls=True, names=names) == "certificate"
    assert source("10.0.0.1", *everything, tls=True) == "network"
    assert source("10.0.0.1", *everything, tls=False, names=names, login="ann") == "network"
    assert source("192.0.2.1", *everything, tls=True, names=names, login="eve") == "certificate"


@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("mail.contoso.example", True),
        ("a.mail.contoso.example", False),
        ("contoso.example", False),
        ("evilcontoso.example", False),
    ],
)
def test_a_wildcard_covers_one_whole_label_of_a_certificate_name(name, matches):
    """RFC 9525 section 6.3."""
    found = source(
        "192.0.2.1", Source("cloud", certificate_names=("*.contoso.example",)), tls=True, names=(name,)
    )
    assert (found == "cloud") is matches


def test_a_sender_without_tls_is_refused_where_the_source_requires_it():
    strict = Source("cloud", ("10.0.0.0/8",), require_tls=True)
    assert decide_sender(strict, "a@x.example", tls=False) == Refusal(
        530, "5.7.0", "Must issue a STARTTLS command first"
    )
    assert decide_sender(strict, "a@x.example", tls=True) is None


def test_the_null_sender_is_never_refused_for_its_address():
    """RFC 5321 section 4.5.5."""
    assert decide_sender(None, "") is None


@pytest.mark.parametrize("sender", ["postmaster", "root", "a@", "@x.example", "a@x.example."])
def test_a_sender_that_no_report_could_reach_is_refused(sender):
    refusal = decide_sender(None, sender)
    assert refusal is not None
    assert (refusal.code, refusal.enhanced) == (553, "5.1.7")


def test_a_known_recipient_is_taken_from_anybody():
    for sender in (None, STRANGER, TRUSTED):
        verdict = decide_recipient(ROUTER, sender, "Ann@contoso.example")
        assert isinstance(verdict, Accepted)
        assert verdict.route.destination == MAILBOX


def test_an_unknown_recipient_of_an_authoritative_domain_is_refused_at_once():
    """R14, R16: even from a source that may relay."""
    for sender in (None, STRANGER, TRUSTED):
        refusal = decide_recipient(ROUTER, sender, "nobody@contoso.example")
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.enhanced) == (550, "5.1.10")


def test_an_unknown_recipient_of_an_internal_relay_is_taken_for_the_connector():
    verdict = decide_recipient(ROUTER, STRANGER, "bob@relay.example")
    assert isinstance(verdict, Accepted)
    assert verdict.route.destination.connector == "office"


def test_a_source_that_may_relay_reaches_other_domains():
    verdict = decide_recipient(ROUTER, TRUSTED, "x@partner.example")
    assert isinstance(verdict, Accepted)
    assert verdict.route.destination.next_hop == "partner.example"


# RFC 2505, RFC 5321 appendix F.2, and what open relay testers try; `relay.example` is ours, the other not
RELAY_ATTEMPTS = [
    "victim@victim.example",
    "VICTIM@Victim.Example",
    "victim%victim.example@relay.example",
    "victim%victim.example%relay.example@relay.example",
    "victim.example!victim@relay.example",
    "relay.example!victim.example!victim",
    "@relay.example:victim@victim.example",
    "@relay.example,@other.example:victim@victim.example",
    '"victim@victim.example"@relay.example',
    '"victim%victim.example"@relay.example',
    '"victim.example!victim"@relay.example',
    "victim@victim.example@relay.example",
    "victim@relay.example@victim.example",
    "victim@[192.0.2.7]",
    "victim@[IPv6:2001:db8::7]",
    "victim%victim.example@[127.0.0.1]",
    '"victim@victim.example"',
    "victim%victim.example",
    "victim@victim.example.",
    "victim@relay.example.victim.example",
    "victim@victimrelay.example",
    "victim@relay.example.",
    "victim@relay.example\x00.victim.example",
    "victim(relay.example)@victim.example",
    "victim@(relay.example)victim.example",
    "=?utf-8?q?victim=40victim.example?=@victim.example",
    "victim@reIay.example.victim.example",
    "victim@rеlay.example",  # a Cyrillic letter
    "victim@relay。example",  # an ideographic full stop
    "victim@ｒelay.example",  # a full-width letter
    "victim@",
    "@victim.example",
]


@pytest.mark.parametrize("sender", [None, STRANGER], ids=["stranger", "source"])
@pytest.mark.parametrize("address", RELAY_ATTEMPTS)
def test_no_spelling_of_a_foreign_recipient_is_relayed(address, sender):
    verdict = decide_recipient(ROUTER, sender, address)
    assert isinstance(verdict, Refusal)
    assert verdict.code in {550, 553}


def test_relaying_is_refused_with_the_promised_code():
    for address in ("victim@victim.example", "victim%victim.example@relay.example"):
        refusal = decide_recipient(ROUTER, STRANGER, address)
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.enhanced) == (550, "5.7.64")


def test_a_recipient_that_we_know_may_be_written_with_a_percent_sign():
    assert isinstance(decide_recipient(ROUTER, STRANGER, "a%b@contoso.example"), Accepted)


def test_a_source_that_may_relay_is_told_what_is_no_mail_domain():
    for address in ("x@[192.0.2.7]", "x@victim.example.", "x@"):
        refusal = decide_recipient(ROUTER, TRUSTED, address)
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.enhanced) == (553, "5.1.3")


def test_where_sources_are_defined_a_stranger_hands_over_nothing():
    assert SourceIndex(()).strangers is True
    assert SourceIndex((TRUSTED,)).strangers is False
    refusal = decide_recipient(ROUTER, None, "ann@contoso.example", strangers=False)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.enhanced) == (550, "5.7.1")
    foreign = decide_recipient(ROUTER, None, "x@victim.example", strangers=False)
    assert isinstance(foreign, Refusal)
    assert foreign.enhanced == "5.7.64"


def test_a_bare_postmaster_is_the_postmaster_of_the_gateway():
    """RFC 5321 section 4.5.1."""
    verdict = decide_recipient(ROUTER, None, "PostMaster", postmaster="postmaster@contoso.example")
    assert isinstance(verdict, Accepted)
    assert verdict.route.destination == MAILBOX
    for nowhere in ("", "postmaster@victim.example"):
        assert isinstance(decide_recipient(ROUTER, None, "postmaster", postmaster=nowhere), Refusal)
