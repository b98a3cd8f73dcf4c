"""A disk that is really full, has no inodes left, or turns read-only (fault matrix 19, 20, 21)."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.disks import Disk
from tests.support.gateway import FAST, GatewayProcess
from tests.support.peers import wait_until
from tests.support.smtp_server import FaultServer

pytestmark = pytest.mark.root

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""

BUSY = "421 4.3.2 not now"
NO_MARGIN = 'min_free_disk = "0%"\nmax_message_size = "64KB"'


class Scene:
    """A gateway on a small disk of its own, with mail waiting for a next hop that is busy."""

    def __init__(self, gateway: GatewayProcess, disk: Disk, server: FaultServer) -> None:
        self.gateway, self.disk, self.server = gateway, disk, server

    def answer(self, recipient: str = "next@partner.test") -> tuple[int, str]:
        """Return the command that a message ended at, with its code."""
        with smtplib.SMTP("127.0.0.1", self.gateway.smtp_port, timeout=30) as client:
            client.ehlo()
            code = client.mail("ann@client.test")[0]
            if code != 250:
                return code, "mail"
            client.rcpt(recipient)
            return client.data(b"Subject: x\r\n\r\nHello\r\n")[0], "data"

    def recipients(self) -> list[str]:
        """Return whom the next hop got mail for."""
        found = sorted(r for message in self.server.messages for r in message.recipients)
        return [r for r in found if r != "next@partner.test"]

    def events(self, name: str, resource: str) -> int:
        """Return how often the log says that of a resource."""
        return sum(e["event"] == name and e["resource"] == resource for e in self.gateway.log())


@contextmanager
def scene(tmp_path: Path, disk: Disk, smtp: str = "") -> Iterator[Scene]:
    """Run a gateway on a disk with five messages waiting."""
    gateway = GatewayProcess(tmp_path, smtp=smtp, delivery=FAST)
    with FaultServer(banner=BUSY) as server, disk, gateway:
        gateway.apply(OBJECTS.format(port=server.port))
        for number in range(5):
            gateway.send("ann@client.test", f"r{number}@partner.test")
        gateway.error("out")
        yield Scene(gateway, disk, server)


FIVE = [f"r{number}@partner.test" for number in range(5)]


def test_a_full_disk_refuses_mail_and_delivers_what_is_there(tmp_path: Path) -> None:
    """Fault matrix 19: 452 4.3.1 at MAIL, an alert; delivery and administration go on; it heals by itself."""
    with scene(tmp_path, Disk(tmp_path, tmp_path / "data", "ext4", "64M")) as here:
        filler = here.disk.fill()
        wait_until(lambda: here.answer() == (452, "mail"), 10, 0.2, "452 at MAIL")
        assert here.events("pressure.on", "disk") == 1
        assert here.gateway.queued() == 5
        here.server.change(banner=None)
        assert here.server.wait_for(5, 20), "delivery stopped with the disk full"
        filler.unlink()
        wait_until(lambda: here.answer("later@partner.test") == (250, "data"), 20, 0.2, "mail to be taken")
        assert here.events("pressure.off", "disk") == 1
        here.gateway.drained(20)
        assert here.recipients() == ["later@partner.test", *FIVE]
        assert here.gateway.ask("queue/audit")["balanced"]


@pytest.mark.slow
def test_a_disk_that_fills_up_faster_than_it_is_watched_refuses_at_the_dot(tmp_path: Path) -> None:
    """Fault matrix 18, 19: without a margin the write itself fails: 452, nothing acknowledged, nothing broken."""
    with scene(tmp_path, Disk(tmp_path, tmp_path / "data", "ext4", "64M"), NO_MARGIN) as here:
        filler = here.disk.fill()
        answers = {here.answer() for _ in range(30)}
        assert (452, "data") in answers or (452, "mail") in answers, answers
        filler.unlink()
        here.server.change(banner=None)
        wait_until(lambda: here.answer("later@partner.test") == (250, "data"), 20, 0.2, "mail to be taken")
        here.gateway.drained(20)
        assert here.recipients() == ["later@partner.test", *FIVE]
        assert here.gateway.ask("queue/audit")["balanced"]


@pytest.mark.slow
def test_a_disk_without_inodes_refuses_mail_until_there_are_some(tmp_path: Path) -> None:
    """Fault matrix 20: 452, then as before."""
    with scene(tmp_path, Disk(tmp_path, tmp_path / "data", "tmpfs", "64M", inodes=200)) as here:
        rubbish = here.disk.at / "rubbish"
        rubbish.mkdir()
        count = 0
        try:
            while True:
                (rubbish / str(count)).touch()
                count += 1
        except OSError:
            pass
        wait_until(lambda: here.answer() == (452, "mail"), 10, 0.2, "452 at MAIL")
        assert here.events("pressure.on", "inodes") == 1
        here.server.change(banner=None)
        assert here.server.wait_for(5, 20), "delivery stopped without inodes"
        for entry in rubbish.iterdir():
            entry.unlink()
        wait_until(lambda: here.answer("later@partner.test") == (250, "data"), 20, 0.2, "mail to be taken")
        here.gateway.drained(20)
        assert here.recipients() == ["later@partner.test", *FIVE]


@pytest.mark.slow
def test_a_file_system_that_turns_read_only_refuses_mail_and_keeps_what_it_has(tmp_path: Path) -> None:
    """Fault matrix 21: 451 and an alert; once it can be written again, nothing is missing or doubled."""
    with scene(tmp_path, Disk(tmp_path, tmp_path / "data", "ext4", "64M")) as here:
        here.disk.turn_read_only()
        assert here.answer()[0] == 451
        wait_until(lambda: here.events("pressure.on", "store"), 10, 0.1, "the alert")
        assert here.answer() == (451, "mail")
        assert here.gateway.queued() == 5
        here.gateway.kill()
        here.disk.restart()
        here.gateway.start()
        here.server.change(banner=None)
        wait_until(lambda: here.answer("later@partner.test") == (250, "data"), 20, 0.2, "mail to be taken")
        here.gateway.drained(20)
        assert here.recipients() == ["later@partner.test", *FIVE]
        assert here.gateway.ask("queue/audit")["balanced"]
