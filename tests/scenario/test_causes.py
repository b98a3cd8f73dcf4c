"""Stories of the real gateway: the first cause, whose side, and the first fix (B3, R13)."""

from pathlib import Path
from typing import Any

from tests.support import certificates
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

CONNECTOR = """
[[connector]]
name = "to-office"
to = "{to}"
domains = ["contoso.example"]
smart_hosts = [{hosts}]
{more}
"""


def applied(gateway: GatewayProcess, *hosts: str, to: str = "on-premises", more: str = "") -> None:
    gateway.apply(CONNECTOR.format(to=to, hosts=", ".join(f'"{h}"' for h in hosts), more=more))


def story(gateway: GatewayProcess) -> dict[str, Any]:
    """Wait for the insight about the connector and return it with its ranking."""
    rows = wait_until(
        lambda: gateway.json("insight", "list", "--connector", "to-office"), 20, 0.3, "the insight"
    )
    found = gateway.json("insight", "show", rows[0]["number"])
    assert found["ranking"] is not None
    return found


def test_a_smart_host_that_was_changed_is_the_first_suspect_and_says_who_changed_it(tmp_path: Path) -> None:
    """B3: when the connector was last changed, against the last success."""
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        applied(gateway, f"127.0.0.1:{server.port}")
        gateway.send("ann@sender.example", "bob@contoso.example")
        gateway.drained()
        gateway.run("connector", "set", "to-office", "--smart-host", f"127.0.0.1:{free_port()}")
        gateway.send("ann@sender.example", "bob@contoso.example")
        found = story(gateway)
        first = found["ranking"]["causes"][0]
        assert first["id"] in ("wrong_address", "wrong_port")
        assert first["owner"] == "us"
        assert any("administrator changed smart_hosts" in text for text in first["because"])
        assert found["fixes"][0]["action"] == "set_smart_hosts"


def test_a_service_that_worked_a_moment_ago_is_stopped_and_not_shut_down_for_good(tmp_path: Path) -> None:
    """R8: an outage is the likelier story, and the guard says so."""
    with GatewayProcess(tmp_path) as gateway:
        with FaultServer() as server:
            applied(gateway, f"127.0.0.1:{server.port}")
            gateway.send("ann@sender.example", "bob@contoso.example")
            gateway.drained()
        gateway.send("ann@sender.example", "bob@contoso.example")
        found = story(gateway)
        assert found["ranking"]["causes"][0]["id"] == "service_stopped"
        assert found["ranking"]["owner"] == "on-premises"
        order = [cause["id"] for cause in found["ranking"]["causes"]]
        assert order.index("shut_down") > order.index("service_stopped")


def test_the_same_trouble_at_a_partner_is_the_partners(tmp_path: Path) -> None:
    """R13."""
    with GatewayProcess(tmp_path) as gateway:
        with FaultServer() as server:
            applied(gateway, f"127.0.0.1:{server.port}", to="partner")
            gateway.send("ann@sender.example", "bob@contoso.example")
            gateway.drained()
        gateway.send("ann@sender.example", "bob@contoso.example")
        found = story(gateway)
        assert found["ranking"]["owner"] == "partner"
        assert "fix_now" not in [offer["action"] for offer in found["fixes"]]


def test_one_of_two_hosts_is_named_as_the_broken_one(tmp_path: Path) -> None:
    """B2: "1 of 2 smart hosts fails" is visible."""
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        closed = free_port()
        applied(gateway, f"127.0.0.1:{closed}", f"127.0.0.1:{server.port}")
        gateway.send("ann@sender.example", "bob@contoso.example")
        found = story(gateway)
        assert found["ranking"]["causes"][0]["id"] == "one_host"
        assert found["hosts"]["working"] == 1


def test_a_certificate_for_another_name_is_named_and_the_fix_carries_that_name(tmp_path: Path) -> None:
    """R11."""
    authority = certificates.Authority()
    chain = certificates.wrong_name(authority).write(tmp_path)
    (tmp_path / "ca.pem").write_text(authority.pem)
    more = f'tls = "domain-validation"\ntls_domain = "mail.test"\ntls_ca = "{tmp_path / "ca.pem"}"'
    with FaultServer(certificate=chain) as server, GatewayProcess(tmp_path / "gw") as gateway:
        applied(gateway, f"127.0.0.1:{server.port}", more=more)
        gateway.send("ann@sender.example", "bob@contoso.example")
        found = story(gateway)
        assert found["ranking"]["causes"][0]["id"] == "name_mismatch"
        assert any("other.test" in text for text in found["ranking"]["causes"][0]["because"])
        offer = found["fixes"][0]
        assert (offer["action"], offer["parameters"]) == ("set_tls_domain", {"tls_domain": "other.test"})
        gateway.json("fix", "apply", found["number"], "set_tls_domain")
        gateway.drained()
