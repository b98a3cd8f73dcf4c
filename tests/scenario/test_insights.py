"""Insights of a real gateway: they open, name what is broken, end, come back, and survive a restart (R19, B2, B3)."""

from pathlib import Path
from typing import Any

from tests.support.dns_server import SERVFAIL, DnsServer
from tests.support.gateway import FAST, GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

OFFICE = '[[connector]]\nname = "to-office"\ndomains = ["office.test"]\nsmart_hosts = ["127.0.0.1:{port}"]\n'


def insights(gateway: GatewayProcess, *filters: str) -> list[dict[str, Any]]:
    found = gateway.json("insight", "list", *filters)
    assert isinstance(found, list)
    return found


def one(gateway: GatewayProcess, *filters: str) -> dict[str, Any]:
    """Wait for the only insight."""
    (found,) = wait_until(lambda: insights(gateway, *filters), 20, 0.3, f"an insight {filters}")
    return found


def test_an_insight_opens_ends_comes_back_and_survives_a_restart(tmp_path: Path) -> None:
    """R19: useful from one message on."""
    port = free_port()
    gateway = GatewayProcess(tmp_path)
    with gateway:
        gateway.apply(OFFICE.format(port=port))
        gateway.send("ann@client.test", "bob@office.test")
        found = one(gateway)
        assert (found["code"], found["state"], found["severity"]) == ("4.4.316", "new", "high")
        assert (found["connector"], found["messages"]) == ("to-office", 1)
        assert found["last_address"] == f"127.0.0.1:{port}"
        assert found["last_error"]["code"] == "4.4.316"
        assert found["queued_since"] is not None
        assert found["oldest_expires_at"] is not None
        assert found["how_to_fix"]
        assert gateway.run("insight", "ack", found["id"]).returncode == 0
    with gateway:  # the same insight, with what people said of it
        again = one(gateway)
        assert (again["id"], again["number"]) == (found["id"], found["number"])
        assert again["acknowledged_by"] == "administrator"
        with FaultServer(port=port):
            gateway.drained()
            over = one(gateway, "--state", "resolved")
            assert (over["id"], over["resolved_why"]) == (found["id"], "recovered")
            assert insights(gateway) == []
        gateway.send("ann@client.test", "bob@office.test")
        back = one(gateway)
        assert (back["id"], back["state"], back["episodes"]) == (found["id"], "regressed", 2)
        (past,) = gateway.json("insight", "history", back["id"])["past"]
        assert past["why"] == "recovered"


def test_what_the_command_line_shows_answers_first(tmp_path: Path) -> None:
    """R19, R13, B10: and offers what helps."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(OFFICE.format(port=free_port()))
        gateway.send("ann@client.test", "bob@office.test")
        found = one(gateway)
        shown = gateway.run("insight", "show", found["id"]).stdout.splitlines()
        assert shown[0].startswith("Connection refused: for ")
        assert "1 message waits." in shown[0]
        assert any(line.startswith(f"    gatepost fix apply {found['id']} ") for line in shown)
        chinese = gateway.run("insight", "show", found["id"], "--lang", "zh-CN").stdout
        assert chinese.startswith("连接被拒绝：")


def test_a_destination_broken_on_one_of_four_addresses_is_named_as_such(tmp_path: Path) -> None:
    """B2: nothing waits, and yet it is known which one."""
    port = free_port()
    addresses = [f"127.0.0.{number}" for number in (1, 2, 3, 4)]
    zones = {"mail.office.test": {"A": addresses, "ttl": 1}}
    servers = [FaultServer(host=address, port=port) for address in addresses[:3]]
    for server in servers:
        server.start()
    try:
        with (
            DnsServer(zones) as dns,
            GatewayProcess(
                tmp_path, dns=dns.address, delivery=FAST + "messages_per_connection = 1"
            ) as gateway,
        ):
            gateway.apply(
                '[[connector]]\nname = "to-office"\ndomains = ["office.test"]\n'
                f'smart_hosts = ["mail.office.test:{port}"]\n'
            )

            def seen() -> list[dict[str, Any]]:
                gateway.send("ann@client.test", "bob@office.test")
                found = insights(gateway)
                return found if found and found[0]["hosts"]["known"] == 4 else []

            (found,) = wait_until(seen, 30, 0.1, "an insight about one address")
            assert (found["scope"], found["severity"], found["messages"]) == ("hosts", "low", 0)
            assert found["hosts"]["sentence"].startswith(f"1 of 4 addresses broken: 127.0.0.4:{port} ")
            rows = gateway.json("insight", "show", found["id"])["hosts_known"]
            assert {row["address"]: row["works"] for row in rows} == {
                f"{address}:{port}": address != "127.0.0.4" for address in addresses
            }
            zones_now = dns.zones["mail.office.test"]
            dns.zones["mail.office.test"] = {**zones_now, "A": addresses[:3]}

            def over() -> bool:
                gateway.send("ann@client.test", "bob@office.test")
                return insights(gateway) == []

            wait_until(over, 20, 0.3, "an address that is not tried any more counts no more")
    finally:
        for server in servers:
            server.stop()


def test_our_own_resolver_is_one_insight_instead_of_twelve(tmp_path: Path) -> None:
    """B3: many destinations that fail alike at once are ours; it dissolves by itself."""
    domains = [f"partner{number}.test" for number in range(12)]
    with (
        FaultServer() as server,
        DnsServer(dict.fromkeys(domains, SERVFAIL)) as dns,
        GatewayProcess(tmp_path, dns=dns.address) as gateway,
    ):
        gateway.apply(
            '[[connector]]\nname = "out"\nto = "partner"\ndomains = ["*.test", "*"]\n'
            f"use_mx = true\nport = {server.port}\n"
        )
        for domain in domains:
            gateway.send("ann@client.test", f"bob@{domain}")
        wait_until(lambda: len(insights(gateway, "--explained")) == 13, 20, 0.3, "twelve and one")
        (whole,) = insights(gateway)
        assert (whole["scope"], whole["severity"], whole["owner"]) == ("gateway", "critical", "us")
        assert whole["messages"] == 12
        assert "our own DNS resolver" in whole["sentence"]
        shown = gateway.json("insight", "show", whole["id"])
        assert len(shown["members"]) == 12
        assert gateway.json("insight", "why", whole["id"])["counted"]["failing"] == 12
        for domain in domains:
            dns.zones[domain] = {"MX": [f"10 mx.{domain}"], "ttl": 1}
            dns.zones[f"mx.{domain}"] = {"A": ["127.0.0.1"], "ttl": 1}
        gateway.drained()
        wait_until(lambda: insights(gateway, "--explained") == [], 20, 0.3, "all is over")
        over = insights(gateway, "--state", "resolved", "--scope", "gateway")
        assert [row["resolved_why"] for row in over] == ["dissolved"]


def test_reports_of_a_real_gateway(tmp_path: Path) -> None:
    """R4, R19: what was returned, how the connector fares, what waits."""
    with (
        FaultServer(rcpt={"bad@office.test": "550 5.1.1 no such user"}) as server,
        GatewayProcess(tmp_path) as gateway,
    ):
        gateway.apply(
            OFFICE.format(port=server.port)
            + '[[connector]]\nname = "dead"\ndomains = ["dead.test"]\n'
            + f'smart_hosts = ["127.0.0.1:{free_port()}"]\n'
            + '[[accepted_domain]]\nname = "office.test"\ntype = "internal-relay"\n'
        )
        gateway.send("ann@client.test", "bob@office.test")
        gateway.send("", "bad@office.test")
        gateway.send("ann@client.test", "eve@dead.test")
        gateway.error("dead")
        (row,) = gateway.json("report", "queued")["rows"]
        assert (row["connector"], row["messages"]) == ("dead", 1)
        assert row["insight"].startswith("v1:")

        def returned() -> list[dict[str, Any]]:
            return list(gateway.json("report", "ndr")["rows"])

        (ended,) = wait_until(returned, 10, 0.3, "a returned message")
        assert (ended["code"], ended["class"], ended["recipients"]) == ("5.1.1", "recipient_unknown", 1)
        assert ended["returned"] == 0  # the null sender is told nothing
        shown = gateway.message(ended["samples"][0])
        assert shown["recipients"][0]["address"] == "bad@office.test"
        rows = {row["connector"]: row for row in gateway.json("report", "connectors")["rows"]}
        assert (rows["to-office"]["delivered"], rows["to-office"]["failed"]) == (1, 1)
        assert rows["to-office"]["last_success"]
        assert rows["dead"]["failed_connections"] >= 1
        (domain,) = gateway.json("report", "domains")["rows"]
        assert (domain["status"], domain["connector"]) == ("healthy", "to-office")
        table = gateway.run("report", "connectors", "--csv").stdout.splitlines()
        assert table[0].startswith("connector,")
        assert len(table) == 3


def test_a_check_knows_of_trouble_before_the_first_message(tmp_path: Path) -> None:
    """B7, B9: and says when it is over."""
    port = free_port()
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(OFFICE.format(port=port))
        assert gateway.run("check", "to-office").returncode == 1
        found = one(gateway)
        assert (found["code"], found["connector"], found["messages"]) == ("4.4.316", "to-office", 0)
        assert gateway.json("insight", "show", found["id"])["probe"]["ok"] is False
        with FaultServer(port=port):
            assert gateway.run("check", "to-office").returncode == 0
            wait_until(lambda: insights(gateway) == [], 10, 0.3, "nothing is broken")
