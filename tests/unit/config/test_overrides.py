"""Temporary changes over connectors: read, judged, laid over, ended by the clock (B4)."""

import pytest

from gatepost.config.changes import merge, override_changes
from gatepost.config.overrides import addresses, certificates, effective, from_dict, reroutes, to_dict
from gatepost.config.problems import BadObjects
from gatepost.model.objects import Connector, Objects, Override, TlsMode

NOW = 1_764_000_000_000
OFFICE = Connector(
    "to-office",
    domains=("contoso.example",),
    tls=TlsMode.DOMAIN_VALIDATION,
    tls_domain="mail.contoso.example",
)


def lying(what: str, value: str, until: int = NOW + 1, connector: str = "to-office") -> Objects:
    return Objects(connectors=(OFFICE,), overrides=(Override(f"x/{what}", connector, what, value, until),))


def test_relaxed_tls_lies_over_the_connector_until_its_end():
    """B4."""
    objects = lying("tls", "opportunistic")
    assert effective(OFFICE, objects, NOW).tls is TlsMode.OPPORTUNISTIC
    assert effective(OFFICE, objects, NOW).tls_domain == ""
    assert effective(OFFICE, objects, NOW + 1) == OFFICE


def test_an_override_of_another_connector_changes_nothing():
    assert effective(OFFICE, lying("tls", "opportunistic", connector="other"), NOW) == OFFICE


def test_a_longer_expiry_lies_over_the_connector():
    """R3, B5."""
    assert effective(OFFICE, lying("expiry", "48h"), NOW).expiry == 48 * 3600


def test_pinned_certificates_addresses_and_deputies_end_by_the_clock():
    pin = "ab" * 32
    assert certificates("to-office", lying("certificate", pin), NOW) == {pin}
    assert certificates("to-office", lying("certificate", pin), NOW + 1) == set()
    found = addresses(lying("addresses", "Mail.Contoso.Example=192.0.2.7, 2001:db8::7"), NOW)
    assert found == {"mail.contoso.example": ("192.0.2.7", "2001:db8::7")}
    assert reroutes(lying("reroute", "backup"), NOW) == {"to-office": "backup"}
    assert reroutes(lying("reroute", "backup"), NOW + 1) == {}


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("tls", "strict"),
        ("expiry", "soon"),
        ("expiry", "31d"),
        ("addresses", "mail.example"),
        ("addresses", "mail.example=10.0.0.300"),
        ("certificate", "AB:CD"),
    ],
)
def test_a_value_that_cannot_be_is_refused(what, value):
    with pytest.raises(BadObjects):
        from_dict({"name": "x", "connector": "to-office", "what": what, "value": value, "until": NOW})


def test_an_override_is_read_as_it_was_written():
    override = Override("to-office/tls", "to-office", "tls", "opportunistic", NOW, "ann", "certificate late")
    assert from_dict(to_dict(override)) == override


def test_overrides_stay_when_other_objects_change():
    objects = lying("tls", "opportunistic")
    assert merge(objects, Objects(connectors=(OFFICE,)), prune=True).overrides == objects.overrides
    changes = override_changes(Objects(), objects)
    assert [(c.kind, c.action) for c in changes] == [("override", "add")]
    assert override_changes(objects, objects) == []
