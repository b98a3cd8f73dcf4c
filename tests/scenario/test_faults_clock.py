"""A wall clock that is set forward, back, and far away while mail waits (fault matrix 24 to 27).

libfaketime changes the wall clock of the running gateway only; the monotonic clocks go on as they did.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.clock import WallClock
from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until
from tests.support.reports import failed_recipients
from tests.support.smtp_server import FaultServer

pytestmark = pytest.mark.tools  # faketime

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]

[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test"]
"""

BUSY = "421 4.3.2 not now"
LATER = "450 4.2.0 later"


class Visits:
    """Writes down when a server sees a command: FaultServer's own lists have no times."""

    def __init__(self, server: FaultServer, command: str) -> None:
        self.at: list[float] = []
        self._server, self._command = server, command
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.is_set():
            count = sum(
                command.startswith(self._command)
                for seen in list(self._server.connections)
                for command in list(seen.commands)
            )
            while len(self.at) < count:
                self.at.append(time.monotonic())
            time.sleep(0.02)

    def gaps(self) -> list[float]:
        """Return the seconds between one and the next."""
        return [later - earlier for earlier, later in pairwise(list(self.at))]

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()


class Scene:
    """A gateway whose clock can be set, with one message waiting."""

    def __init__(self, gateway: GatewayProcess, clock: WallClock, server: FaultServer) -> None:
        self.gateway, self.clock, self.server = gateway, clock, server

    def returned(self) -> list[str]:
        """Return the recipients whose mail went back."""
        return failed_recipients(self.gateway.mailbox())

    def said(self, event: str) -> int:
        """Return how often the log says something."""
        return sum(line["event"] == event for line in self.gateway.log())

    def restart(self) -> None:
        """Stop the gateway and start it again, with the clock as it is set now."""
        self.gateway.stop()
        self.gateway.start(wrapper=self.clock.wrapper)


@contextmanager
def scene(folder: Path, server: FaultServer, delivery: str, more: str = "") -> Iterator[Scene]:
    """Run a gateway with a clock of its own."""
    clock = WallClock(folder)
    gateway = GatewayProcess(folder, delivery=delivery, more=more)
    with server:
        gateway.start(wrapper=clock.wrapper)
        try:
            gateway.apply(OBJECTS.format(port=server.port))
            gateway.send("ann@home.test", "bob@partner.test")
            yield Scene(gateway, clock, server)
        finally:
            gateway.stop()


def test_a_clock_ten_years_ahead_for_a_moment_expires_nothing(tmp_path: Path) -> None:
    """Fault matrix 26: it is said, no mail is returned, and mail of that moment has the right time."""
    with scene(tmp_path, FaultServer(banner=BUSY), 'retry = ["1s"]') as here:
        here.gateway.error("out")
        here.clock.set("+10y")
        wait_until(lambda: here.said("clock.jumped"), 10, 0.1, "the jump to be said")
        here.gateway.send("ann@home.test", "eve@partner.test")
        years = {row["accepted_at"][:4] for row in here.gateway.ask("messages")["messages"]}
        assert len(years) == 1, years
        here.clock.set("+0")
        wait_until(lambda: here.said("clock.believed"), 10, 0.1, "the clock to be believed")
        assert not here.returned()
        here.server.change(banner=None)
        here.gateway.drained(10)
        assert not here.returned()


@pytest.mark.slow
def test_a_clock_that_is_set_stalls_and_hurries_no_retry_and_expires_nothing(tmp_path: Path) -> None:
    """Fault matrix 25, 26: three hours back, then ten years ahead, then right again; mail of those seconds ends too.

    The message waits by itself (a 450 to RCPT), so that its own retry is seen and not the destination's.
    """
    with scene(tmp_path, FaultServer(rcpt=LATER), 'retry = ["2s"]') as here:
        visits = Visits(here.server, "RCPT")
        for offset in ("-3h", "+10y", "+0"):
            reached = len(visits.at) + 2
            wait_until(lambda reached=reached: len(visits.at) >= reached, 15, 0.02)  # type: ignore[misc]
            time.sleep(0.3)
            here.clock.set(offset)
            if offset == "+10y":
                time.sleep(2.5)
                here.gateway.send("ann@home.test", "eve@partner.test")
                strange = here.gateway.ask("messages")["messages"]
                assert len({row["accepted_at"][:4] for row in strange}) == 1, strange
        visits.stop()
        alone = visits.gaps()[:4]  # before the second message came
        assert all(1.5 < gap < 4 for gap in alone), alone
        wait_until(lambda: here.said("clock.believed"), 10, 0.1, "the clock to be believed")
        assert here.said("clock.jumped") >= 2
        assert not here.returned()
        here.server.rcpt = None
        here.gateway.drained(20)
        assert not here.returned()


@pytest.mark.slow
def test_a_destination_is_tried_in_time_by_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """Fault matrix 25, for mail that waits with its destination (a 421 banner), also across a restart."""
    with scene(tmp_path, FaultServer(banner=BUSY), 'retry = ["3s"]') as here:
        here.gateway.error("out")
        here.clock.set("-3h")
        before = len(here.server.connections)
        time.sleep(10)
        assert 2 <= len(here.server.connections) - before <= 5
        here.restart()
        before = len(here.server.connections)
        wait_until(lambda: len(here.server.connections) > before, 12, 0.05, "an attempt after the restart")
        here.server.change(banner=None)
        here.gateway.drained(20)


@pytest.mark.slow
def test_a_message_deferred_by_a_clock_that_was_ahead_is_tried_after_a_restart(tmp_path: Path) -> None:
    """Fault matrix 25: started three hours ahead, deferred there, restarted with the clock set right."""
    with scene(tmp_path, FaultServer(rcpt=LATER), 'retry = ["2s"]') as here:
        here.clock.set("+3h")
        here.restart()
        wait_until(lambda: len(here.server.connections) >= 2, 15, 0.05)
        here.clock.set("+0")
        here.server.rcpt = None
        here.restart()
        here.gateway.drained(15)
        assert not here.returned()


@pytest.mark.slow
def test_a_clock_that_jumps_a_day_and_stays_ends_mail_after_one_last_try(tmp_path: Path) -> None:
    """Fault matrix 24: the jump is said, nothing expires until it has settled, then one attempt, then the report."""
    settle = '[clock]\nsettle = "6s"'
    with scene(tmp_path, FaultServer(banner=BUSY), 'retry = ["10m"]', settle) as here:
        here.gateway.error("out")
        before = len(here.server.connections)
        here.clock.set("+24h")
        wait_until(lambda: here.said("clock.jumped"), 10, 0.1, "the jump to be said")
        time.sleep(3)
        assert not here.returned()
        assert len(here.server.connections) == before
        wait_until(here.returned, 20, 0.2, "the report")
        assert len(here.server.connections) == before + 1, "no last attempt was made"
        (report,) = [text for text in here.gateway.mailbox() if "Action: failed" in text]
        assert "4.3.2 not now" in report
        assert here.returned() == ["bob@partner.test"]


@pytest.mark.slow
def test_a_machine_that_was_off_for_days_tries_once_more_before_it_returns_mail(tmp_path: Path) -> None:
    """Fault matrix 24: restarted three days later; the next hop is there again, or it is not."""
    with scene(tmp_path, FaultServer(banner=BUSY), 'retry = ["10m"]') as here:
        here.gateway.error("out")
        here.gateway.stop()
        here.server.change(banner=None)
        here.clock.set("+3d")
        here.gateway.start(wrapper=here.clock.wrapper)
        here.gateway.drained(20)
        assert here.server.wait_for(1, 5)
        assert not here.returned()
        here.server.change(banner=BUSY, mail=BUSY)
        here.gateway.send("ann@home.test", "eve@partner.test")
        here.gateway.error("out")
        before = len(here.server.connections)
        here.gateway.stop()
        here.clock.set("+6d")
        here.gateway.start(wrapper=here.clock.wrapper)
        wait_until(here.returned, 30, 0.2, "the report")
        assert here.returned() == ["eve@partner.test"]
        assert len(here.server.connections) > before


@pytest.mark.slow
def test_the_schedule_of_retries_and_the_expiry_are_those_of_the_settings(tmp_path: Path) -> None:
    """Fault matrix 27, R3, R4: a day compressed into a minute; each interval within ten percent and a second."""
    delivery = 'retry = ["2s*3", "5s*2", "9s"]\nexpiry = "1m"'
    with scene(tmp_path, FaultServer(rcpt=LATER), delivery) as here:
        visits = Visits(here.server, "RCPT")
        begun = time.monotonic()
        wait_until(here.returned, 100, 0.2, "the report")
        seconds = time.monotonic() - begun
        visits.stop()
        wanted = [2, 2, 2, 5, 5, 9, 9, 9, 9]
        for gap, interval in zip(visits.gaps(), wanted, strict=False):
            assert interval * 0.9 - 0.1 <= gap <= interval * 1.1 + 1.5, visits.gaps()
        assert len(visits.at) >= 8
        assert 55 <= seconds <= 60 + 9 * 1.1 + 5
