"""The nodes: what each listens to, asks and uses, and why it takes no mail."""

from tests.support.fake_gateway import make
from tests.unit.admin.test_api import LOCAL, ask


def node(service):
    (found,) = ask(service, "GET", "/api/v1/nodes", extra=LOCAL).json
    return found


def test_a_node_says_what_it_listens_to_asks_and_uses():
    _gateway, service = make()
    found = node(service)
    assert (found["node"], found["hostname"], found["uptime_seconds"]) == (7, "gw1.example", 3600)
    assert [entry["endpoint"] for entry in found["listeners"]] == ["127.0.0.1:2525", "127.0.0.1:8025"]
    assert found["resolvers"] == [{"server": "192.0.2.53:53", "silent": True}]
    assert found["queue"] == {"messages": 3, "recipients": 3, "bytes": 4608, "destinations": 2}
    assert (found["ready"], found["why"], found["pressure"]) == (True, "", {})


def test_a_node_that_takes_no_mail_says_why():
    gateway, service = make()
    gateway.why = "disk is low"
    gateway.short = {"disk": "disk is low"}
    gateway.store.ok = False
    found = node(service)
    assert (found["ready"], found["why"], found["pressure"]) == (
        False,
        "disk is low",
        {"disk": "disk is low"},
    )
    assert (found["store"]["ok"], found["store"]["problem"]) == (False, "disk I/O error")
