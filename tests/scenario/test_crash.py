"""kill -9 under load, again and again: what was acknowledged arrives, whatever happens (R2, fault matrix 1-3)."""

import random
import time
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.load import Load
from tests.support.peers import wait_until
from tests.support.smtp_server import FaultServer

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""


def crash(folder: Path, kills: int) -> None:
    """Kill a gateway under load so often, and count."""
    chance = random.Random(7)
    with FaultServer() as server:
        gateway = GatewayProcess(folder)
        gateway.start()
        load = Load(gateway.smtp_port)
        try:
            gateway.apply(OBJECTS.format(port=server.port))
            for _ in range(kills):
                reached = len(load.acknowledged) + 50
                wait_until(lambda reached=reached: len(load.acknowledged) > reached, 20)  # type: ignore[misc]
                time.sleep(chance.uniform(0, 0.9))
                gateway.kill()
                if chance.random() < 0.3:
                    # Once more while it recovers (fault matrix 3).
                    gateway.start(wait=False)
                    time.sleep(chance.uniform(0.05, 0.5))
                    gateway.kill()
                gateway.start()
            load.stop()
            acknowledged = set(load.acknowledged)
            assert len(acknowledged) > 50 * kills
            gateway.drained(60)

            def lost() -> set[str]:
                return acknowledged - {r for message in server.messages for r in message.recipients}

            wait_until(lambda: not lost(), 20, 0.2, "every acknowledged message")
            arrived = [r for message in server.messages for r in message.recipients]
            extra = len(arrived) - len(set(arrived))
            # Only what was in flight when the process died may come twice: 20 connections at most.
            assert extra <= 20 * kills * 2, f"{extra} duplicates after {kills} kills"
            audit = gateway.json("queue", "audit")
            assert audit["balanced"] is True, audit
        finally:
            load.stop()
            gateway.stop()


@pytest.mark.timeout(600)
def test_three_kills_lose_nothing(tmp_path: Path) -> None:
    crash(tmp_path, 3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    crash(tmp_path, 20)


def test_a_full_queue_survives_a_kill_and_is_delivered_once(tmp_path: Path) -> None:
    """Fault matrix 2: what was at rest when the process died leaves exactly once."""
    with FaultServer(banner="421 4.3.2 not now") as server:
        gateway = GatewayProcess(tmp_path)
        with gateway:
            gateway.apply(OBJECTS.format(port=server.port))
            for number in range(50):
                gateway.send("ann@client.test", f"r{number}@partner.test")
            gateway.error("out")
            gateway.kill()
            gateway.start()
            assert gateway.queued() == 50
            server.change(banner=None)
            gateway.drained(30)
            arrived = sorted(r for message in server.messages for r in message.recipients)
            assert arrived == sorted(f"r{number}@partner.test" for number in range(50))
