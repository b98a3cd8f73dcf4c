"""Long queues and large messages at the sizes that are promised: nightly."""

import threading
import time
from pathlib import Path
from statistics import median

import pytest
from tests.support import certificates
from tests.support.gateway import FAST, GatewayProcess
from tests.support.load import fill
from tests.support.memory import cpu_seconds, peak, resident
from tests.support.peers import free_port, wait_until
from tests.support.raw_smtp import RawClient
from tests.support.smtp_server import FaultServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""
MEGABYTE = 1 << 20


def pid_of(gateway: GatewayProcess) -> int:
    assert gateway.process is not None
    return gateway.process.pid


def test_ten_thousand_messages_leave_once_each_and_the_first_within_five_seconds(tmp_path: Path) -> None:
    """B6: from the moment that the destination is there again."""
    port, count = free_port(), 10_000
    with GatewayProcess(tmp_path, delivery='connect_timeout = "2s"\nretry = ["3s"]\n') as gateway:
        gateway.apply(OBJECTS.format(port=port))
        fill(gateway.smtp_port, count)
        assert gateway.error("out")["code"] == "4.4.316"
        assert gateway.queued() == count
        with FaultServer(port=port, keep=False) as server:
            begun = time.monotonic()
            assert server.wait_for(1, 10)
            first = time.monotonic() - begun
            gateway.drained(300)
            print(f"first after {first:.2f} s, all {count} after {time.monotonic() - begun:.1f} s")
            assert first < 5
            got = [r for message in server.messages for r in message.recipients]
            assert sorted(got) == sorted(f"r{number}@partner.test" for number in range(count))
        assert gateway.ask("queue/audit")["balanced"]


def test_a_hundred_thousand_waiting_messages_cost_little(tmp_path: Path) -> None:
    """R2, R19: start-up in 5 seconds, the queue in 200 ms, memory below 250 MB, and healthy mail passes."""
    count = 100_000
    with FaultServer(keep=False) as fine:
        gateway = GatewayProcess(tmp_path, delivery=FAST)
        objects = OBJECTS.format(port=free_port())
        objects += OBJECTS.format(port=fine.port).replace('"out"', '"fine"').replace("partner", "fine")
        with gateway:
            gateway.apply(objects)
            fill(gateway.smtp_port, count)
            assert gateway.queued() == count
        begun = time.monotonic()
        gateway.start()
        started, used = time.monotonic() - begun, cpu_seconds(pid_of(gateway))
        try:
            looks = []
            for _ in range(7):
                begun = time.monotonic()
                assert gateway.queued() == count
                looks.append(time.monotonic() - begun)
            gateway.error("out")
            gateway.send("ann@client.test", "bob@fine.test")
            assert fine.wait_for(1, 5)
            memory = resident(pid_of(gateway))
            print(
                f"start {started:.2f} s ({used:.2f} s of CPU), queue {median(looks) * 1000:.0f} ms, {memory >> 20} MB"
            )
            assert used < 5  # what it takes on a machine that does nothing else
            assert median(looks) < 0.2
            assert memory < 250 * MEGABYTE
            assert gateway.ask("queue/audit")["balanced"]
        finally:
            gateway.stop()


def hand_in(port: int, number: int, tls: bool, answers: list[bytes]) -> None:
    """Send one message of 100 MB."""
    block = (b"x" * 78 + b"\r\n") * (MEGABYTE // 80)
    with RawClient(port, seconds=900) as client:
        client.greet()
        if tls:
            client.start_tls()
            client.ask(b"EHLO client.test\r\n")
        opening = b"MAIL FROM:<a@client.test>\r\nRCPT TO:<r%d@partner.test>\r\nDATA\r\n" % number
        assert client.codes(opening, 3)[-1] == 354
        client.send(b"Subject: large\r\n\r\n")
        for _ in range(100):
            client.sock.sendall(block)
        answers.append(client.ask(b".\r\n"))


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_fifty_messages_of_100_mb_at_once_stay_below_300_mb_of_memory(tmp_path: Path, tls: bool) -> None:
    """They come in at the same time, and leave at the same time; the peak is the kernel's own figure."""
    chain, key = certificates.good(certificates.Authority(), "gw.test").write(tmp_path)
    smtp = f'tls_certificate = "{chain}"\ntls_key = "{key}"\n'
    limits = "[smtp.limits]\nconnections_per_address = 100\n"
    offered = (chain, key) if tls else None
    with (
        FaultServer(keep=False, certificate=offered) as server,
        GatewayProcess(
            tmp_path / "gateway", smtp=smtp, delivery="concurrency = 50\n", more=limits
        ) as gateway,
    ):
        gateway.apply(OBJECTS.format(port=server.port))
        answers: list[bytes] = []
        threads = [
            threading.Thread(target=hand_in, args=(gateway.smtp_port, number, tls, answers))
            for number in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(1000)
        assert [answer[:3] for answer in answers] == [b"250"] * 50
        gateway.drained(600)
        assert len(server.messages) == 50
        highest = peak(pid_of(gateway))
        print(f"{'TLS' if tls else 'clear'}: peak {highest >> 20} MB")
        assert highest < 300 * MEGABYTE
        wait_until(
            lambda: not any((gateway.data_dir / "spool").iterdir()), 10, what="the spool files to be removed"
        )
