"""A disk that fails, lies, dawdles or breaks its word under the whole gateway (fault matrix 4, 17, 18, 22, 23, 61)."""

import errno
import os
import shutil
import smtplib
import sqlite3
import time
from contextlib import closing, suppress
from email import message_from_string
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.load import Load
from tests.support.peers import wait_until
from tests.support.shim import Shim
from tests.support.smtp_server import FaultServer

pytestmark = pytest.mark.tools  # a compiler, for the library in front of the system's calls

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]

[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test", "bob@home.test"]
"""

SMALL_FILES = 'inline_limit = "8KB"'  # so that a message of 20 KB goes to a spool file
LARGE = "x" * 70 + "\r\n"
LARGE *= 300


def answer_to_a_message(gateway: GatewayProcess, recipient: str, body: str = "Hello") -> int:
    """Return the code that a message ends with."""
    try:
        gateway.send("ann@home.test", recipient, body=body)
    except smtplib.SMTPResponseException as refused:
        return refused.smtp_code
    except smtplib.SMTPRecipientsRefused as refused:
        return next(iter(refused.recipients.values()))[0]
    return 250


def addressees(server: FaultServer) -> list[str]:
    """Return the recipients of what a server took."""
    return [r for message in server.messages for r in message.recipients]


def reported(gateway: GatewayProcess) -> list[str]:
    """Return the recipients that the reports in our mailboxes speak of."""
    found = []
    for text in gateway.mailbox():
        for part in message_from_string(text).walk():
            if part.get_content_type() == "message/delivery-status":
                fields = "".join(str(block) for block in part.get_payload())
                found += [
                    line.partition(";")[2].strip()
                    for line in fields.splitlines()
                    if line.lower().startswith("final-recipient:")
                ]
    return found


# ---------------------------------------------------------------- 4: killed at the n-th call


class Journeys:
    """A gateway that is started, given a little of everything, killed in the n-th call, and started again."""

    def __init__(self, folder: Path, server: FaultServer) -> None:
        self.gateway = GatewayProcess(folder, smtp=SMALL_FILES)
        self.shim = Shim(folder, self.gateway.data_dir)
        self.server = server
        self.kept: set[str] = set()
        self.returned: set[str] = set()
        self.inside: set[str] = set()
        self.kills = 0
        server.rcpt = {}
        with self.gateway as gateway:
            gateway.apply(OBJECTS.format(port=server.port))

    def run(self, call: int) -> bool:
        """Start, kill in that call; False where everything ended before it came."""
        self.shim.set(calls=0, kill_at=call)
        self.gateway.start(wait=False, wrapper=self.shim.wrapper)
        process = self.gateway.process
        assert process is not None
        ended = False
        with suppress(OSError, smtplib.SMTPException):
            wait_until(lambda: self.alive() or process.poll() is not None, 30)
            self.hand_in(call)
            wait_until(lambda: self.done() or process.poll() is not None, 60)
            ended = self.done()
        if not ended:
            process.wait(20)  # the connection goes a moment before the process
        killed = process.poll() is not None
        self.shim.heal()
        if not killed:
            self.gateway.stop()
        self.kills += killed
        return killed

    def alive(self) -> bool:
        with suppress(OSError), smtplib.SMTP("127.0.0.1", self.gateway.smtp_port, timeout=5):
            return True
        return False

    def hand_in(self, call: int) -> None:
        """Send one small, one large, one that comes back as a report, one for our own mailbox."""
        with smtplib.SMTP("127.0.0.1", self.gateway.smtp_port, timeout=60) as client:
            for recipient, body, kept in (
                (f"small{call}@partner.test", "Hello", self.kept),
                (f"large{call}@partner.test", LARGE, self.kept),
                (f"refused{call}@partner.test", "Hello", self.returned),
                ("bob@home.test", f"inside {call}.", self.inside),
            ):
                if recipient.startswith("refused"):
                    assert isinstance(self.server.rcpt, dict)
                    self.server.rcpt[recipient] = "550 5.1.1 nobody of that name"
                client.sendmail("ann@home.test", [recipient], f"Subject: {call}\r\n\r\n{body}\r\n")
                kept.add(f"inside {call}." if kept is self.inside else recipient)

    def done(self) -> bool:
        return self.kept <= set(addressees(self.server)) and self.returned <= set(reported(self.gateway))

    def check(self) -> None:
        """See that nothing acknowledged is lost, nothing was returned twice, and the books balance."""
        with self.gateway as gateway:
            gateway.drained(30)
            wait_until(self.done, 20, 0.2, "everything acknowledged")
            reports = reported(gateway)
            assert len(reports) == len(set(reports)), "a report was made twice"
            inside = [text for text in gateway.mailbox() if "\ninside " in text.replace("\r", "")]
            for words in self.inside:
                assert sum(words in text for text in inside) == 1, words
            arrived = addressees(self.server)
            # Only what was between its final dot and the commit when the process died may come twice.
            assert len(arrived) - len(set(arrived)) <= 4 * self.kills
            audit = gateway.ask("queue/audit")
            assert audit["balanced"], audit
            left = {entry.name for entry in (gateway.data_dir / "spool").iterdir()}
            assert not left, f"files that nobody needs stay behind: {left}"


@pytest.mark.timeout(600)
def test_killed_in_a_call_to_the_disk_nothing_is_lost_or_returned_twice(tmp_path: Path) -> None:
    """Fault matrix 4, R2: a call while mail comes in, large and small, for others and for us."""
    with FaultServer() as server:
        journeys = Journeys(tmp_path, server)
        for call in (60,):
            assert journeys.run(call), f"there is no call {call}"
        journeys.check()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_in_each_call_to_the_disk_nothing_is_lost_or_returned_twice(tmp_path: Path) -> None:
    """Fault matrix 4: every n, until a run ends before its call comes."""
    with FaultServer() as server:
        journeys = Journeys(tmp_path, server)
        call = 1
        while journeys.run(call):
            call += 1
        print(f"killed in each of the first {call - 1} calls")
        assert call > 40
        journeys.check()


# ---------------------------------------------------------------- 17, 18: syncs and writes that fail


@pytest.mark.parametrize("times", [1, pytest.param(-1, marks=pytest.mark.slow)], ids=["once", "for-ever"])
def test_a_failed_sync_is_never_acknowledged_nor_tried_again_on_the_same_file(
    tmp_path: Path, times: int
) -> None:
    """Fault matrix 17: 451, no acknowledgement, an alert; what was kept before is there after a restart."""
    with FaultServer(banner="421 4.3.2 not now") as server:
        gateway = GatewayProcess(tmp_path)
        shim = Shim(tmp_path, gateway.data_dir)
        try:
            gateway.start(wrapper=shim.wrapper)
            gateway.apply(OBJECTS.format(port=server.port))
            gateway.send("ann@home.test", "before@partner.test")
            gateway.error("out")
            shim.fail_syncs(errno.EIO, times)
            assert answer_to_a_message(gateway, "lost@partner.test") == 451
            assert shim.get("syncs_failed") == 1
            for number in range(5):
                assert answer_to_a_message(gateway, f"later{number}@partner.test") == 451
            assert shim.get("syncs_again") == 0, "the file was synced again after a failed sync"
            assert shim.get("syncs_failed") == 1
            wait_until(lambda: any(e["event"] == "pressure.on" for e in gateway.log()), 10, 0.1, "the alert")
            assert gateway.run("doctor").returncode == 1
            gateway.stop()
            assert shim.get("syncs_again") == 0, "the file was synced again at the end"
            shim.heal()
            server.change(banner=None)
            gateway.start()
            gateway.drained(30)
            assert addressees(server) in (
                ["before@partner.test"],
                ["before@partner.test", "lost@partner.test"],
            )
            assert gateway.ask("queue/audit")["balanced"]
        finally:
            gateway.stop()


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, 452), pytest.param(errno.EIO, 451, marks=pytest.mark.slow)],
    ids=["no-room", "a-bad-sector"],
)
def test_a_write_that_fails_refuses_that_message_and_heals(tmp_path: Path, number: int, code: int) -> None:
    """Fault matrix 18: 452 where there is no room, for small messages and for spool files; then as before."""
    with FaultServer() as server:
        gateway = GatewayProcess(tmp_path, smtp=SMALL_FILES)
        shim = Shim(tmp_path, gateway.data_dir)
        try:
            gateway.start(wrapper=shim.wrapper)
            gateway.apply(OBJECTS.format(port=server.port))
            shim.fail_writes(number)
            assert answer_to_a_message(gateway, "small@partner.test") == code
            assert answer_to_a_message(gateway, "large@partner.test", LARGE) in (451, 452)
            shim.heal()
            assert answer_to_a_message(gateway, "small@partner.test") == 250
            assert answer_to_a_message(gateway, "large@partner.test", LARGE) == 250
            gateway.drained()
            assert sorted(addressees(server)) == ["large@partner.test", "small@partner.test"]
            assert gateway.ask("queue/audit")["balanced"]
            wait_until(
                lambda: not any((gateway.data_dir / "spool").iterdir()),
                10,
                what="the spool files to be removed",
            )
        finally:
            gateway.stop()


def test_what_was_delivered_while_the_disk_was_full_is_noted_once_there_is_room(tmp_path: Path) -> None:
    """Fault matrix 18, 19: delivery goes on; its end is written down later, so a restart sends nothing again."""
    with FaultServer(banner="421 4.3.2 not now") as server:
        gateway = GatewayProcess(tmp_path)
        shim = Shim(tmp_path, gateway.data_dir)
        try:
            gateway.start(wrapper=shim.wrapper)
            gateway.apply(OBJECTS.format(port=server.port))
            for number in range(10):
                gateway.send("ann@home.test", f"r{number}@partner.test")
            gateway.error("out")
            shim.fail_writes(errno.ENOSPC)
            server.change(banner=None)
            assert server.wait_for(10, 20), "delivery stopped with the disk full"
            assert gateway.queued() == 10  # as far as the disk knows
            shim.heal()
            gateway.drained(20)
            gateway.kill()
            gateway.start()
            time.sleep(1)
            assert sorted(addressees(server)) == sorted(f"r{number}@partner.test" for number in range(10))
            assert gateway.ask("queue/audit")["balanced"]
        finally:
            gateway.stop()


# ---------------------------------------------------------------- 22: a slow disk


@pytest.mark.slow
def test_a_slow_disk_makes_many_messages_share_a_sync(tmp_path: Path) -> None:
    """Fault matrix 22: 500 ms a sync; no acknowledgement takes 5 seconds, none times out, none is lost."""
    with FaultServer() as server:
        gateway = GatewayProcess(tmp_path)
        shim = Shim(tmp_path, gateway.data_dir)
        try:
            gateway.start(wrapper=shim.wrapper)
            gateway.apply(OBJECTS.format(port=server.port))
            shim.slow_syncs(0.5)
            before = shim.get("syncs")
            load = Load(gateway.smtp_port, sessions=20)
            time.sleep(6)
            load.stop()
            syncs = shim.get("syncs") - before
            shim.heal()
            assert load.dropped == 0
            assert not load.refusals
            assert sorted(load.seconds)[int(len(load.seconds) * 0.99)] < 5
            assert len(load.acknowledged) > 3 * syncs, (len(load.acknowledged), syncs)
            gateway.drained()
            assert sorted(addressees(server)) == sorted(load.acknowledged)
        finally:
            gateway.stop()


# ---------------------------------------------------------------- 23: damage


def spoil_spool_files(gateway: GatewayProcess) -> None:
    """Cut one spool file short, flip a bit in another, remove a third; by the order of their names."""
    cut, flipped, gone, *_ = sorted((gateway.data_dir / "spool").iterdir())
    os.truncate(cut, 1000)
    content = bytearray(flipped.read_bytes())
    content[5000] ^= 1
    flipped.write_bytes(content)
    gone.unlink()


@pytest.mark.slow
def test_a_damaged_spool_file_hurts_its_own_message_only(tmp_path: Path) -> None:
    """Fault matrix 23: it waits with the reason, nothing damaged is ever sent, all others are delivered."""
    with FaultServer(banner="421 4.3.2 not now") as server:
        gateway = GatewayProcess(tmp_path, smtp=SMALL_FILES)
        with gateway:
            gateway.apply(OBJECTS.format(port=server.port))
            for number in range(6):
                gateway.send("ann@home.test", f"r{number}@partner.test", body=LARGE)
            gateway.error("out")
            spoil_spool_files(gateway)
            server.change(banner=None)
            assert server.wait_for(3, 20)
            time.sleep(3)
            assert sorted(addressees(server)) == [f"r{number}@partner.test" for number in (3, 4, 5)]
            assert gateway.queued() == 3
            waiting = gateway.ask("messages")["messages"]
            for row in waiting:
                error = gateway.ask(f"messages/{row['id']}")["recipients"][0]["last_error"]
                assert "the body of" in error["text"], error
            # The others of that destination do not wait for the damaged ones.
            gateway.send("ann@home.test", "after@partner.test")
            assert server.wait_for(4, 10)


@pytest.mark.slow
def test_a_damaged_page_of_the_database_hurts_its_own_message_only(tmp_path: Path) -> None:
    """Fault matrix 23: zeros in the middle of one body, made while the gateway is off."""
    with FaultServer(banner="421 4.3.2 not now") as server:
        gateway = GatewayProcess(tmp_path)
        with gateway:
            gateway.apply(OBJECTS.format(port=server.port))
            for number in range(5):
                mark = f"mark-of-{number}-" * 3000
                text = "\r\n".join(mark[at : at + 70] for at in range(0, len(mark), 70))
                gateway.send("ann@home.test", f"r{number}@partner.test", body=text)
            gateway.error("out")
        path = gateway.data_dir / "gatepost.db"
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        data = bytearray(path.read_bytes())
        at = (data.index(b"mark-of-2-mark-of-2-") // 8192 + 2) * 8192
        assert b"mark-of-2-" in data[at : at + 8192]
        data[at : at + 8192] = bytes(8192)
        path.write_bytes(data)
        server.change(banner=None)
        with gateway:
            assert server.wait_for(4, 30)
            time.sleep(2)
            assert sorted(addressees(server)) == [f"r{number}@partner.test" for number in (0, 1, 3, 4)]
            assert gateway.queued() == 1


# ---------------------------------------------------------------- 61: locks and backups


@pytest.mark.slow
def test_a_database_that_somebody_else_holds_refuses_in_time_and_loses_nothing(tmp_path: Path) -> None:
    """Fault matrix 61: 451 within 5 seconds while another program holds the lock; then as before."""
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(OBJECTS.format(port=server.port))
        gateway.send("ann@home.test", "before@partner.test")
        gateway.drained()
        with closing(sqlite3.connect(gateway.data_dir / "gatepost.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            code = answer_to_a_message(gateway, "held@partner.test")
            assert code in (451, 452)
            assert time.monotonic() - begun < 8
            other.execute("ROLLBACK")
        wait_until(lambda: answer_to_a_message(gateway, "after@partner.test") == 250, 20, 0.2)
        gateway.drained()
        arrived = addressees(server)
        assert "held@partner.test" not in arrived
        assert arrived.count("after@partner.test") >= 1
        assert gateway.ask("queue/audit")["balanced"]


@pytest.mark.slow
def test_a_copy_made_while_the_gateway_runs_is_a_gateway_of_its_own(tmp_path: Path) -> None:
    """Fault matrix 61: the database is copied under load by SQLite's own backup; the copy starts and delivers."""
    with FaultServer(banner="421 4.3.2 not now") as server:
        with GatewayProcess(tmp_path / "first") as gateway:
            gateway.apply(OBJECTS.format(port=server.port))
            with Load(gateway.smtp_port, sessions=3) as load:
                wait_until(lambda: len(load.acknowledged) > 50, 20)
                known = set(load.acknowledged)
                copy = tmp_path / "second" / "data"
                copy.mkdir(parents=True)
                with (
                    closing(sqlite3.connect(gateway.data_dir / "gatepost.db")) as source,
                    closing(sqlite3.connect(copy / "gatepost.db")) as target,
                ):
                    source.backup(target)
                for name in ("secret.key", "key"):
                    if (gateway.data_dir / name).exists():
                        shutil.copy(gateway.data_dir / name, copy / name)
            assert load.dropped == 0
            assert not load.refusals
        server.change(banner=None)
        with GatewayProcess(tmp_path / "second") as restored:
            restored.drained(60)
            assert known <= set(addressees(server))
            assert restored.json("queue", "audit")["balanced"]
