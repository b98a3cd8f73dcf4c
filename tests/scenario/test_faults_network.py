"""A network that drops, refuses, loses and dawdles, made in namespaces of the test's own (fault matrix 29, 30, 46)."""

import threading
import time
from pathlib import Path

import pytest
from tests.support.gateway import FAST, GatewayProcess
from tests.support.network import Wire
from tests.support.smtp_server import FaultServer

pytestmark = pytest.mark.root

CONNECTOR = """
[[connector]]
name = "{name}"
domains = ["{name}.test"]
smart_hosts = ["{host}"]
"""

# Name, smart host, class, code, what the message names; the rules that make it so stand in the test.
UNREACHABLE = [
    ("filtered", f"{Wire.far}:2601", "connection_timeout", "4.4.315", "2 seconds"),
    ("answers-lost", f"{Wire.far}:2602", "connection_timeout", "4.4.315", "2 seconds"),
    ("rejected", f"{Wire.far}:2603", "connection_refused", "4.4.316", "ECONNREFUSED"),
    ("reset", f"{Wire.far}:2604", "connection_refused", "4.4.316", "ECONNREFUSED"),
    ("forbidden-there", f"{Wire.far}:2605", "host_unreachable", "4.4.315", "EHOSTUNREACH"),
    ("no-route", "198.51.100.1:25", "host_unreachable", "4.4.315", "ENETUNREACH"),
    ("prohibited", "203.0.113.1:25", "host_unreachable", "4.4.315", "EACCES"),
    ("unreachable", "203.0.113.2:25", "host_unreachable", "4.4.315", "EHOSTUNREACH"),
    ("black-hole", "203.0.113.3:25", "host_unreachable", "4.4.315", "EINVAL"),
]


def test_each_way_of_not_being_reached_has_its_code_and_its_words(tmp_path: Path) -> None:
    """Fault matrix 29, 30, R7, R8: filters, rejections, routes that are not there; each queued, none returned."""
    with Wire() as wire, GatewayProcess(tmp_path, delivery=FAST) as gateway:
        wire.firewall(
            "tcp dport 2601 tcp flags syn drop",
            "tcp dport 2603 reject with icmpx type port-unreachable",
            "tcp dport 2604 reject with tcp reset",
            "tcp dport 2605 reject with icmpx type admin-prohibited",
        )
        wire.lose_answers_of(2602)
        for kind, address in (("prohibit", 1), ("unreachable", 2), ("blackhole", 3)):
            wire.route(f"{kind} 203.0.113.{address}")
        gateway.apply("".join(CONNECTOR.format(name=row[0], host=row[1]) for row in UNREACHABLE))
        for row in UNREACHABLE:
            gateway.send("ann@client.test", f"bob@{row[0]}.test")
        for name, host, failure_class, code, words in UNREACHABLE:
            error = gateway.error(name)
            assert (error["class"], error["code"], error["phase"]) == (failure_class, code, "connect"), error
            assert words in error["text"], error
            assert error["address"] == host
        assert gateway.queued() == len(UNREACHABLE)


@pytest.mark.slow
def test_a_filtered_address_is_given_up_after_the_time_of_the_settings(tmp_path: Path) -> None:
    """Fault matrix 29: 30 seconds a try by default, and nobody else waits for it."""
    with Wire() as wire, GatewayProcess(tmp_path, delivery="") as gateway:
        with wire.far_side():
            server = FaultServer(host=wire.far)
        with server:
            wire.firewall("tcp dport 2601 drop")
            objects = CONNECTOR.format(name="dead", host=f"{wire.far}:2601")
            gateway.apply(objects + CONNECTOR.format(name="alive", host=f"{wire.far}:{server.port}"))
            gateway.send("ann@client.test", "bob@dead.test")
            begun = time.monotonic()
            for number in range(20):
                gateway.send("ann@client.test", f"r{number}@alive.test")
            assert server.wait_for(20, 5)
            error = gateway.error("dead", 45)
            assert 25 < time.monotonic() - begun < 35
            assert error["code"] == "4.4.315"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_lossy_and_narrow_line_delivers_each_message_once(tmp_path: Path) -> None:
    """Fault matrix 46: every fourth packet is lost, 64 kbit/s; then the wire is pulled and plugged in again."""
    delivery = 'connect_timeout = "10s"\nretry = ["2s"]\nconcurrency = 5'
    with Wire() as wire, GatewayProcess(tmp_path, delivery=delivery) as gateway:
        with wire.far_side():
            server = FaultServer(host=wire.far)
        with server:
            gateway.apply(CONNECTOR.format(name="far", host=f"{wire.far}:{server.port}"))
            wire.bandwidth("64kbit")
            wire.loss(25)
            body = "A line of a letter of some length.\r\n" * 100
            wanted = {f"r{number}@far.test" for number in range(10)}
            for address in sorted(wanted):
                gateway.send("ann@client.test", address, body=body)
            gateway.drained(180)
            wire.loss(0)
            wire.set_link(up=False)
            gateway.send("ann@client.test", "pulled@far.test")
            error = gateway.error("far", 40)
            assert error["code"] in ("4.4.315", "4.4.318"), error
            wire.set_link(up=True)
            gateway.drained(60)
            arrived = [r for message in server.messages for r in message.recipients]
            assert set(arrived) == {*wanted, "pulled@far.test"}
            in_doubt = sum("in_doubt" in line and line["in_doubt"] is True for line in gateway.log())
            assert len(arrived) - len(set(arrived)) <= in_doubt
            assert gateway.ask("queue/audit")["balanced"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wire_pulled_in_the_middle_of_messages_loses_none(tmp_path: Path) -> None:
    """Fault matrix 46, 34: connections hang without a word, end by their deadlines, and the mail goes later."""
    delivery = FAST + 'mail_timeout = "3s"\nrcpt_timeout = "3s"\ndata_timeout = "3s"\nblock_timeout = "3s"\n'
    delivery += 'eod_timeout = "4s"\nconcurrency = 4\n'
    with Wire() as wire, GatewayProcess(tmp_path, delivery=delivery) as gateway:
        with wire.far_side():
            server = FaultServer(host=wire.far)
        with server:
            gateway.apply(CONNECTOR.format(name="far", host=f"{wire.far}:{server.port}"))
            ended = threading.Event()
            sent: list[str] = []

            def work() -> None:
                while not ended.is_set():
                    address = f"r{len(sent)}@far.test"
                    gateway.send("ann@client.test", address, body="x" * 70)
                    sent.append(address)

            thread = threading.Thread(target=work)
            thread.start()
            for _ in range(3):
                time.sleep(1)
                wire.set_link(up=False)
                time.sleep(5)
                wire.set_link(up=True)
            ended.set()
            thread.join()
            gateway.drained(90)
            arrived = [r for message in server.messages for r in message.recipients]
            assert set(arrived) == set(sent)
            # Twice: what had its final dot when the wire was pulled, four connections each time.
            assert len(arrived) - len(sent) <= 3 * 4
            assert gateway.ask("queue/audit")["balanced"]
