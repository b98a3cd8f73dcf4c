"""What an administrator does, and what the gateway does by itself when resources are short."""

import smtplib
import time
import urllib.request
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

CONNECTOR = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""


def test_a_queue_too_deep_refuses_with_452_until_it_is_shorter(tmp_path: Path) -> None:
    """Back-pressure: `452 4.3.1` with hysteresis, shown by readyz; what was accepted is kept."""
    with GatewayProcess(tmp_path, smtp="max_queue_messages = 5") as gateway:
        gateway.apply(CONNECTOR.format(port=free_port()))
        for number in range(5):
            gateway.send("ann@client.test", f"r{number}@partner.test")

        def refused() -> bool:
            with smtplib.SMTP("127.0.0.1", gateway.smtp_port) as client:
                client.ehlo()
                code, text = client.mail("ann@client.test")
                return code == 452 and text.startswith(b"4.3.1")

        wait_until(refused, 10, 0.2, "452 4.3.1")
        assert gateway.queued() == 5
        assert any(line["event"] == "pressure.on" for line in gateway.log())
        done = gateway.run("message", "cancel", "--all", "--no-ndr")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: not refused(), 10, 0.2, "mail to be accepted again")
        assert gateway.json("queue", "audit")["balanced"]


def test_a_changed_connector_is_used_within_a_second(tmp_path: Path) -> None:
    """R15, R17: the queued message leaves by the new smart host at once, not at the next retry."""
    with FaultServer() as server, GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(CONNECTOR.format(port=free_port()))
        gateway.send("ann@client.test", "bob@partner.test")
        assert gateway.error("out")["code"] == "4.4.316"
        gateway.apply(CONNECTOR.format(port=server.port))
        wait_until(lambda: len(server.messages) == 1, 5, 0.02, "the message, long before the next retry")
        gateway.drained()


def test_a_disabled_connector_gives_its_mail_to_the_next_match(tmp_path: Path) -> None:
    """R15: what waits is routed anew the moment an object changes."""
    with FaultServer() as server, GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        catch_all = CONNECTOR.replace('"out"', '"other"').replace("partner.test", "*.test")
        objects = CONNECTOR.format(port=free_port()) + catch_all.format(port=server.port)
        gateway.apply(objects)
        gateway.send("ann@client.test", "bob@partner.test")
        assert gateway.error("out")["code"] == "4.4.316"
        assert gateway.run("connector", "disable", "out").returncode == 0
        wait_until(lambda: len(server.messages) == 1, 5, 0.05, "the message by the other connector")
        assert gateway.json("queue", "audit")["balanced"]


def test_a_suspended_destination_waits_and_a_resumed_one_goes(tmp_path: Path) -> None:
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(CONNECTOR.format(port=server.port))
        server.change(banner="421 4.3.2 closed for now")
        gateway.send("ann@client.test", "bob@partner.test")
        assert gateway.error("out")["code"] == "4.4.317"
        assert gateway.run("queue", "suspend", "--connector", "out", "--reason", "their move").returncode == 0
        row = gateway.row("out")
        assert row is not None
        assert (row["state"], row["suspended_reason"]) == ("suspended", "their move")
        server.change(banner="220 mail.partner.test ESMTP")
        gateway.send("ann@client.test", "ann@partner.test")
        time.sleep(1)
        assert not server.messages
        assert gateway.run("queue", "resume", "--connector", "out").returncode == 0
        wait_until(lambda: len(server.messages) == 2, 10, 0.05, "both messages")


def test_a_suspension_survives_a_restart(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path)
    with gateway:
        gateway.apply(CONNECTOR.format(port=free_port()))
        gateway.send("ann@client.test", "bob@partner.test")
        assert gateway.error("out")["code"] == "4.4.316"
        assert gateway.run("queue", "suspend", "--connector", "out", "--reason", "audit").returncode == 0
    with gateway:
        row = gateway.row("out")
        assert row is not None
        assert row["state"] == "suspended"
        assert row["last_error"]["code"] == "4.4.316"


def test_a_bad_settings_file_leaves_the_running_ones_in_force(tmp_path: Path) -> None:
    """SIGHUP reads the settings again; nothing stops where they are bad."""
    with GatewayProcess(tmp_path) as gateway:
        assert gateway.process is not None
        good = gateway.config.read_text()
        gateway.config.write_text(good + "\n[nonsense]\nx = 1\n")
        gateway.process.send_signal(1)
        wait_until(lambda: any(e["event"] == "settings.refused" for e in gateway.log()), 10, 0.1)
        gateway.config.write_text(good)
        gateway.process.send_signal(1)
        wait_until(lambda: any(e["event"] == "settings.reloaded" for e in gateway.log()), 10, 0.1)
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port) as client:
            assert client.noop()[0] == 250


@pytest.mark.parametrize(
    "address", ["bob@elsewhere.test", "a%b@elsewhere.test", "@x.test:bob@elsewhere.test"]
)
def test_a_stranger_may_not_relay(tmp_path: Path, address: str) -> None:
    """`550 5.7.64`: what is not ours and not allowed is refused."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(CONNECTOR.format(port=free_port()), source="")
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port) as client:
            client.ehlo()
            client.mail("ann@client.test")
            code, text = client.docmd("RCPT", f"TO:<{address}>")
        assert code == 550
        assert text.startswith(b"5.7.64")


def test_metrics_tell_what_waits_and_how_long_commits_take(tmp_path: Path) -> None:
    """B2, R19: numbers by connector and state, with bounded labels and never an address."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(CONNECTOR.format(port=free_port()))
        gateway.send("ann@client.test", "bob@partner.test")
        assert gateway.error("out")["code"] == "4.4.316"

        def metrics() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics") as answer:
                return str(answer.read().decode())

        text = wait_until(lambda: 'gatepost_queued{connector="out"' in metrics() and metrics(), 10, 0.2)
        assert 'gatepost_deferred_total{code="4.4.316",connector="out",phase="connect"}' in text
        assert "gatepost_commit_seconds_count 0.0" not in text
        assert "bob@" not in text
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/readyz") as answer:
            assert answer.status == 200


def test_mail_for_unknown_recipients_is_returned_when_its_domain_becomes_authoritative(
    tmp_path: Path,
) -> None:
    """R14 by hand: connector disabled, domain authoritative; unknown recipients return at once."""
    domain = '\n[[accepted_domain]]\nname = "partner.test"\ntype = "{}"\nrecipients = ["ann@partner.test"]\n'
    home = '\n[[accepted_domain]]\nname = "client.test"\nrecipients = ["carl@client.test"]\n'
    objects = CONNECTOR.format(port=free_port()) + domain + home
    with GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(objects.format("internal-relay"))
        gateway.send("carl@client.test", "nobody@partner.test")
        assert gateway.error("out")["code"] == "4.4.316"
        assert gateway.run("connector", "disable", "out").returncode == 0
        assert gateway.run("domain", "set", "partner.test", "--type", "authoritative").returncode == 0
        report = wait_until(gateway.mailbox, 5, 0.1, "the report")[0]
        assert "5.1.10" in report
        assert "nobody@partner.test" in report
        gateway.drained()
        audit = gateway.json("queue", "audit")
        assert audit["balanced"]
        assert audit["returned"] == 1
