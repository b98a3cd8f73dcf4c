"""A destination that comes back, and one that does not: B6."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pytest
from tests.support.gateway import FAST, GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]

[[connector]]
name = "fine"
domains = ["fine.test"]
smart_hosts = ["127.0.0.1:{fine}"]
"""

COUNT = 300


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


def test_a_destination_that_returns_gets_each_message_once(tmp_path: Path, ports: tuple[int, int]) -> None:
    """B6: one probe finds out, and the whole queue drains, over no more connections than allowed."""
    out, fine = ports
    with GatewayProcess(tmp_path, delivery=FAST + "concurrency = 5") as gateway:
        gateway.apply(OBJECTS.format(port=out, fine=fine))
        for number in range(COUNT):
            gateway.send("ann@client.test", f"r{number}@partner.test")
        assert gateway.error("out")["code"] == "4.4.316"
        row = gateway.row("out")
        assert row is not None
        assert row["messages"] == COUNT
        with FaultServer(port=out) as server:
            gateway.drained()
            arrived = sorted(r for message in server.messages for r in message.recipients)
            assert arrived == sorted(f"r{number}@partner.test" for number in range(COUNT))
            assert len(server.connections) <= 25
        audit = gateway.json("queue", "audit")
        assert audit["balanced"] is True
        assert audit["delivered"] == COUNT


def test_a_dead_destination_does_not_slow_a_healthy_one(tmp_path: Path, ports: tuple[int, int]) -> None:
    """B6: mail for a healthy destination passes in under two seconds while another one fills up (the median of 20)."""
    out, fine = ports
    with FaultServer(port=fine) as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(OBJECTS.format(port=out, fine=fine))
        for number in range(COUNT):
            gateway.send("ann@client.test", f"r{number}@partner.test")
        gateway.error("out")
        seconds = []
        for number in range(20):
            begun = time.monotonic()
            gateway.send("ann@client.test", f"r{number}@fine.test")
            assert server.wait_for(number + 1, 5)
            seconds.append(time.monotonic() - begun)
        assert median(seconds) < 2


def test_a_dead_destination_is_tried_once_at_a_time(tmp_path: Path) -> None:
    """However much mail waits, a destination in trouble sees one connection for each attempt."""
    with FaultServer(banner="421 4.3.2 not now") as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(OBJECTS.format(port=server.port, fine=free_port()))
        for number in range(100):
            gateway.send("ann@client.test", f"r{number}@partner.test")
        gateway.error("out")
        before, begun = len(server.connections), time.monotonic()
        time.sleep(5)
        attempts = len(server.connections) - before
        assert attempts <= (time.monotonic() - begun) * 1.5 + 2


def test_retry_now_does_not_wait_for_the_next_attempt(tmp_path: Path) -> None:
    """B5: `queue retry` tries at once."""
    slow = GatewayProcess(tmp_path, delivery='retry = ["1h"]')
    with FaultServer(banner="421 4.3.2 not now") as server, slow as gateway:
        gateway.apply(OBJECTS.format(port=server.port, fine=free_port()))
        gateway.send("ann@client.test", "bob@partner.test")
        gateway.error("out")
        server.change(banner=None)
        done = gateway.run("queue", "retry", "--connector", "out")
        assert done.returncode == 0, done.stderr
        assert server.wait_for(1, 10)
        gateway.drained(10)


def test_the_second_smart_host_gets_the_mail_of_the_first(tmp_path: Path) -> None:
    """B2, fault matrix 53: the next host on a connection failure, and what failed stays visible."""
    dead = free_port()
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(
            '[[connector]]\nname = "two"\ndomains = ["partner.test"]\n'
            f'smart_hosts = ["127.0.0.1:{dead}", "127.0.0.1:{server.port}"]\n'
        )
        gateway.send("ann@client.test", "bob@partner.test")
        assert server.wait_for(1, 10)
        gateway.drained(10)
        found = wait_until(lambda: gateway.trace("--recipient", "bob@partner.test"), 10)
        shown = gateway.message(found[0]["id"])
        assert f"127.0.0.1:{dead}" in str(shown)


def test_many_connections_that_hear_421_at_once_are_one_failure(tmp_path: Path) -> None:
    """The first 421 holds the destination back; the others of the same moment neither add to it nor undo it."""
    objects = '[[connector]]\nname = "out"\ndomains = ["partner.test"]\nsmart_hosts = ["127.0.0.1:{}"]\n'
    with (
        FaultServer(mail="421 4.3.2 not now", drip=0.01) as server,
        GatewayProcess(tmp_path, delivery='retry = ["1h"]\nconcurrency = 4') as gateway,
    ):
        gateway.apply(objects.format(server.port))
        with ThreadPoolExecutor(12) as pool:
            for number in range(12):
                pool.submit(gateway.send, "ann@client.test", f"r{number}@partner.test")
        gateway.error("out")
        time.sleep(4)
        row = gateway.row("out")
        assert row is not None
        assert (row["state"], row["attempts"], row["messages"]) == ("retry", 1, 12)
        assert len(server.connections) <= 4
