"""A connector that stands in for another one for a while (B5)."""

from gatepost.model.objects import AcceptedDomain, Connector, Objects, SmartHost
from gatepost.route.decide import Router

OFFICE = Connector("to-office", domains=("contoso.example",), smart_hosts=(SmartHost("a.example"),))
BACKUP = Connector("backup", domains=("backup.example",), smart_hosts=(SmartHost("b.example"),))
OBJECTS = Objects(
    connectors=(OFFICE, BACKUP), domains=(AcceptedDomain("contoso.example", type="internal-relay"),)
)


def test_mail_of_a_connector_goes_by_its_deputy_and_says_so():
    """B5."""
    route = Router(OBJECTS, {"to-office": "backup"}).route("bob@contoso.example")
    assert route.destination.connector == "backup"
    assert "stands in" in route.why


def test_a_deputy_that_does_not_exist_or_is_disabled_changes_nothing():
    assert (
        Router(OBJECTS, {"to-office": "gone"}).route("bob@contoso.example").destination.connector
        == "to-office"
    )
    assert Router(OBJECTS).route("bob@contoso.example").destination.connector == "to-office"


def test_with_a_deputy_that_uses_mx_each_domain_has_its_own_destination():
    objects = Objects(connectors=(OFFICE, Connector("backup", domains=("x.example",), use_mx=True)))
    key = Router(objects, {"to-office": "backup"}).route("bob@contoso.example").destination
    assert (key.kind, key.connector, key.next_hop) == ("mx", "backup", "contoso.example")
