"""Objects as text: what is read is what was written, what differs is shown, what is secret is not."""

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.config import objects
from gatepost.config.changes import difference, export, merge, unknown_secrets
from gatepost.config.objects import MASK, BadObjects, from_dict, kind_of, parse, to_dict
from gatepost.model.objects import AcceptedDomain, Connector, Objects, SmartHost, Source, TlsMode

CONTRACT = """
[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"
match_subdomains = false
recipients = ["Ann@contoso.example"]

[[connector]]
name = "to-office"
to = "on-premises"
domains = ["contoso.example", "*.contoso.example"]
smart_hosts = ["mail.contoso.example", "192.0.2.7:2525", "[2001:db8::7]:25"]
port = 25
tls = "domain-validation"
tls_domain = "*.contoso.example"
expiry = "24h"
enabled = true

[[source]]
name = "cloud"
networks = ["127.0.0.0/8", "::1/128"]
certificate_names = []
may_relay = true
"""

label = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
domain = st.builds("{}.{}.example".format, label, label)
name = st.text(string.ascii_letters + " -_.中文\"'\\", min_size=1, max_size=20).map(str.strip).filter(bool)
comment = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)
host = st.one_of(
    st.builds(SmartHost, domain, st.none() | st.integers(1, 65535)),
    st.builds(SmartHost, st.ip_addresses().map(str), st.none() | st.integers(1, 65535)),
)


@st.composite
def connectors(draw):
    hosts = draw(st.lists(host, max_size=3, unique=True))
    tls = draw(st.sampled_from(TlsMode))
    return Connector(
        name=draw(name),
        to=draw(st.sampled_from(["on-premises", "partner"])),
        domains=tuple(
            draw(
                st.lists(
                    domain | domain.map("*.{}".format) | st.just("*"), min_size=1, max_size=3, unique=True
                )
            )
        ),
        all_accepted_domains=draw(st.booleans()),
        smart_hosts=tuple(hosts),
        use_mx=not hosts,
        port=draw(st.integers(1, 65535)),
        tls=tls,
        tls_domain=draw(domain) if tls is TlsMode.DOMAIN_VALIDATION else "",
        expiry=draw(st.none() | st.integers(60, 2592000)),
        retry=draw(st.none() | st.lists(st.integers(1, 604800), min_size=1, max_size=5).map(tuple)),
        concurrency=draw(st.none() | st.integers(1, 1000)),
        source_addresses=draw(st.sampled_from([(), ("192.0.2.10",), ("192.0.2.10", "2001:db8::10")])),
        enabled=draw(st.booleans()),
        comment=draw(comment),
    )


@st.composite
def accepted_domains(draw):
    own = draw(domain)
    people = draw(st.lists(label, max_size=4))
    kind = draw(st.sampled_from(["authoritative", "internal-relay"]))
    return AcceptedDomain(
        own, kind, draw(st.booleans()), frozenset(f"{p}@{own}" for p in people), draw(comment)
    )


sources = st.builds(
    Source,
    name=name,
    certificate_names=st.lists(domain, min_size=1, max_size=2, unique=True).map(tuple),
    may_relay=st.booleans(),
    require_tls=st.booleans(),
    enabled=st.booleans(),
    comment=comment,
)


def by_name(strategy):
    return st.lists(strategy, max_size=3, unique_by=lambda e: e.name).map(
        lambda found: tuple(sorted(found, key=lambda e: e.name))
    )


all_objects = st.builds(
    Objects, connectors=by_name(connectors()), domains=by_name(accepted_domains()), sources=by_name(sources)
)


def test_the_example_that_users_were_given_is_read():
    """R1, R15."""
    found = parse(CONTRACT)
    assert found.domains[0].recipients == {"ann@contoso.example"}
    assert found.connectors[0].smart_hosts == (
        SmartHost("mail.contoso.example"),
        SmartHost("192.0.2.7", 2525),
        SmartHost("2001:db8::7", 25),
    )
    assert found.connectors[0].expiry == 86400
    assert found.sources[0].may_relay is True


@given(all_objects)
def test_an_export_reads_back_as_the_same_objects(wanted):
    assert parse(export(wanted)) == wanted


@given(st.one_of(connectors(), accepted_domains(), sources))
def test_the_dictionary_of_an_object_reads_back_as_the_same_object(wanted):
    assert from_dict(kind_of(wanted), to_dict(wanted)) == wanted


@given(all_objects, all_objects, st.booleans())
def test_after_a_merge_nothing_differs(old, new, prune):
    merged = merge(old, new, prune=prune)
    assert difference(merged, new, prune=prune) == []
    assert bool(difference(old, new, prune=prune)) == (merged != old)


@given(all_objects)
def test_an_export_does_not_depend_on_the_order_of_the_objects(wanted):
    backwards = Objects(0, wanted.connectors[::-1], wanted.domains[::-1], wanted.sources[::-1])
    assert export(backwards) == export(wanted)


def test_a_difference_names_each_field_before_and_after():
    """R15, B4."""
    old = parse(CONTRACT)
    new = parse(
        CONTRACT.replace('"internal-relay"', '"authoritative"').replace("enabled = true", "enabled = false")
    )
    changes = difference(old, new)
    assert [(c.kind, c.name, c.action, c.fields) for c in changes] == [
        ("accepted_domain", "contoso.example", "change", {"type": ("internal-relay", "authoritative")}),
        ("connector", "to-office", "change", {"enabled": (True, False)}),
    ]


def test_what_a_file_does_not_name_goes_only_when_pruning():
    old = parse(CONTRACT)
    assert difference(old, Objects()) == []
    assert {c.action for c in difference(old, Objects(), prune=True)} == {"remove"}
    assert merge(old, Objects()) == old
    assert merge(old, Objects(), prune=True) == Objects()


SECRET = Objects(
    connectors=(Connector("a", domains=("x.example",), use_mx=True, username="gw", password="hunter2"),),
    sources=(Source("s", logins=(("ann", "$argon2id$v=19$ann"), ("bob", "$argon2id$v=19$bob"))),),
)


def test_no_secret_is_exported_or_shown_in_a_difference():
    changed = Objects(
        connectors=(
            Connector("a", domains=("x.example",), use_mx=True, username="gw", password="correct horse"),
        ),
        sources=(Source("s", logins=(("ann", "$argon2id$v=19$new"),)),),
    )
    shown = export(SECRET) + str(difference(Objects(), SECRET)) + str(difference(SECRET, changed))
    for secret in ("hunter2", "correct horse", "argon2"):
        assert secret not in shown
    changes = difference(SECRET, changed)
    assert changes[0].fields == {"password": (MASK, "(changed)")}
    assert list(changes[1].fields) == ["logins"]


def test_a_masked_secret_means_the_one_that_is_known():
    again = parse(export(SECRET))
    assert difference(SECRET, again) == []
    assert merge(SECRET, again) == SECRET
    assert unknown_secrets(SECRET, again) == []


def test_a_masked_secret_that_nobody_knows_must_be_given():
    problems = unknown_secrets(Objects(), parse(export(SECRET)))
    assert [p.where for p in problems] == ['connector "a".password', 'source "s".logins', 'source "s".logins']


def test_a_plain_password_is_hashed_before_it_becomes_part_of_an_object():
    found = from_dict(
        "source", {"name": "s", "logins": {"ann": "secret"}}, hash_password=lambda p: f"$argon2id${len(p)}"
    )
    assert found.logins == (("ann", "$argon2id$6"),)


def test_the_api_reads_no_files_of_this_machine():
    with pytest.raises(BadObjects, match="no file can be read here"):
        from_dict("connector", {"name": "a", "domains": ["*"], "use_mx": True, "tls_ca": "/etc/passwd"})
    with pytest.raises(BadObjects, match="no file can be read here"):
        from_dict("accepted_domain", {"name": "contoso.example", "recipients_file": "/etc/passwd"})


def test_the_recipients_of_a_file_join_those_of_the_list():
    text = '[[accepted_domain]]\nname = "c.example"\nrecipients = ["a@c.example"]\nrecipients_file = "p.txt"'
    found = parse(text, read_file={"p.txt": "\ufeffB@C.example # Bob\n\n# nobody\n"}.__getitem__)
    assert found.domains[0].recipients == {"a@c.example", "b@c.example"}


def test_the_expiry_of_a_connector_is_a_minute_to_thirty_days():
    """R3."""
    for text, accepted in (("59s", False), ("1m", True), ("30d", True), ("2592001s", False)):
        data = {"name": "a", "domains": ["*"], "use_mx": True, "expiry": text}
        if accepted:
            assert from_dict("connector", data).expiry is not None
        else:
            with pytest.raises(BadObjects, match="out of range"):
                from_dict("connector", data)


@given(
    st.dictionaries(
        st.sampled_from([*objects._CONNECTOR, *objects._SOURCE, *objects._DOMAIN]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=10),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
            ),
            max_leaves=5,
        ),
    ),
    st.sampled_from(["connector", "accepted_domain", "source"]),
)
def test_no_json_breaks_the_reader(data, kind):
    with suppress(BadObjects):
        assert to_dict(from_dict(kind, data))["name"] == from_dict(kind, data).name
