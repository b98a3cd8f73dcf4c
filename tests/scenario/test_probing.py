"""The gateway probes by itself: between attempts, on a schedule, before the first message (B6, B7, B9)."""

import time
from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

from gatepost.model.failure import from_iso

CONNECTOR = """
[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = [{hosts}]
"""
TIMES = 'connect_timeout = "2s"\nbanner_timeout = "2s"\nehlo_timeout = "2s"\n'


def connector(*ports: int) -> str:
    return CONNECTOR.format(hosts=", ".join(f'"127.0.0.1:{port}"' for port in ports))


def test_a_probe_that_finds_the_server_back_drains_the_queue_earlier_than_the_retry(tmp_path: Path) -> None:
    """B6: one probe in the middle of the wait, then all mail."""
    port = free_port()
    with GatewayProcess(tmp_path, delivery=TIMES + 'retry = ["14s"]\nprobe_schedule = "off"') as gateway:
        gateway.apply(connector(port))
        for number in range(5):
            gateway.send("a@example.org", "ann@contoso.example", subject=f"message {number}")
        gateway.error("to-office")
        retry_at = from_iso(gateway.ask("queue")[0]["next_attempt_at"])
        with FaultServer(port=port) as server:
            wait_until(lambda: len(server.messages) == 5, 30, what="all messages")
            assert time.time() * 1000 < retry_at
            (probe,) = wait_until(lambda: gateway.ask("probes?connector=to-office"), what="the probe")
            assert (probe["why"], probe["ok"]) == ("insight", True)
            assert server.connections[0].commands == ["EHLO gw.test", "QUIT"]


def test_trouble_of_a_connector_is_known_before_its_first_message(tmp_path: Path) -> None:
    """B7, B9: seen by a probe on the schedule; over when a probe finds it back."""
    port = free_port()
    with GatewayProcess(tmp_path, delivery=TIMES + 'retry = ["2s"]\nprobe_schedule = "2s"') as gateway:
        gateway.apply(connector(port))
        (insight,) = wait_until(lambda: gateway.ask("insights"), 20, 0.2, "an insight")
        assert (insight["connector"], insight["code"], insight["messages"]) == ("to-office", "4.4.316", 0)
        shown = gateway.json("insight", "show", insight["id"])
        assert shown["probe"]["why"] == "schedule"
        assert shown["probe"]["last_error"]["code"] == "4.4.316"
        assert "a probe saw it" in shown["sentence"]
        assert gateway.queue() == []
        with FaultServer(port=port) as server:
            wait_until(lambda: gateway.ask("insights") == [], 20, 0.2, "the end of the insight")
            assert server.messages == []


@pytest.mark.slow
def test_a_backup_host_that_is_broken_is_known_before_it_is_needed(tmp_path: Path) -> None:
    """B2, B7: mail goes by the first host; a probe asks the second one too."""
    chain = certificates.expired(certificates.Authority()).write(tmp_path)
    demand = 'tls = "certificate-validation"\n'
    authority = certificates.Authority()
    (tmp_path / "ca.pem").write_text(authority.pem)
    good = authority.issue("127.0.0.1").write(tmp_path, "good")
    with FaultServer(certificate=good) as first, FaultServer(certificate=chain) as second:
        folder = tmp_path / "gw"
        with GatewayProcess(folder, delivery=TIMES + 'retry = ["2s"]\nprobe_schedule = "2s"') as gateway:
            gateway.apply(connector(first.port, second.port) + demand + f'tls_ca = "{tmp_path / "ca.pem"}"\n')
            (insight,) = wait_until(lambda: gateway.ask("insights"), 20, 0.2, "an insight")
            assert (insight["scope"], insight["code"]) == ("hosts", "4.7.320")
            gateway.send("a@example.org", "ann@contoso.example")
            assert first.wait_for(1, 10)


@pytest.mark.slow
def test_a_connector_whose_mail_flows_is_not_probed(tmp_path: Path) -> None:
    """B9: everything that a probe would ask is known."""
    delivery = TIMES + 'retry = ["2s"]\nprobe_schedule = "4s"'
    with FaultServer() as server, GatewayProcess(tmp_path, delivery=delivery) as gateway:
        gateway.apply(connector(server.port))
        for _ in range(6):
            gateway.send("a@example.org", "ann@contoso.example")
            time.sleep(1)
        assert gateway.ask("probes?connector=to-office") == []
