"""A whole gateway inside the test, with counterparts that are real and a clock that the test sets forward.

async with Stage(tmp_path, monkeypatch) as stage:
    await stage.connector(f"127.0.0.1:{server.port}")
    await stage.send()
    await stage.hours(3)
    found = await stage.insight()
"""

import asyncio
import json
import smtplib
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from tests.support import certificates
from tests.support.browser import Browser
from tests.support.dns_server import DnsServer
from tests.support.gateway import GATEPOST
from tests.support.peers import free_port
from tests.support.smtp_server import FaultServer

from gatepost.admin.insights import InsightFilter
from gatepost.admin.service import Service
from gatepost.app import building
from gatepost.app.gateway import Gateway
from gatepost.config.settings import load
from gatepost.flow.rerouting import release_deferred
from gatepost.model.alert import Alert, Notice
from gatepost.model.document import Document
from gatepost.model.route import DestinationKey
from gatepost.queue.lane import Lane
from gatepost.queue.schedule import ClockGuard
from gatepost.storage.interface import Change

T = TypeVar("T")
FILLED = 8  # connections that fill the queue of a listener which accepts nothing
HOUR = 3600.0
SETTINGS = """\
hostname = "gw.test"
data_dir = "{folder}/data"

[smtp]
listen = ["127.0.0.1:{smtp}"]

[admin]
listen = "127.0.0.1:{admin}"

[dns]
servers = ["{dns}"]
timeout = "500ms"
max_ttl = "1h"

[delivery]
connect_timeout = "{connect}"
banner_timeout = "2s"
ehlo_timeout = "2s"
data_timeout = "2s"
eod_timeout = "2s"
block_timeout = "2s"
retry = ["10m"]
delay_notice = "off"
probe_failing = false
probe_schedule = "off"

[log]
file = "{folder}/gateway.log"
"""


class Stage:
    """The gateway and its clock; every wait is on a condition."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        dns: str = "",
        connect: str = "1s",
        settings: Mapping[str, str] | None = None,  # as variables of the environment
    ) -> None:
        self.smtp_port = free_port()
        self.ahead = 0.0  # seconds that the clock is ahead of the real one
        self.admin_port = free_port()
        self.config = config = folder / "gatepost.toml"
        config.write_text(
            SETTINGS.format(
                folder=folder, smtp=self.smtp_port, admin=self.admin_port, dns=dns or f"127.0.0.1:{free_port()}",
                connect=connect,
            )
        )  # fmt: skip
        (folder / "data").mkdir()
        monkeypatch.setattr(building, "now_ms", lambda: round((time.time() + self.ahead) * 1000))
        monkeypatch.setattr(building, "uptime", lambda: time.monotonic() + self.ahead)
        monkeypatch.setattr(building, "believing", _believing)
        variables = dict(settings or {})
        self.gateway = Gateway(load(config, variables), lambda: load(config, variables))
        self.service: Service
        self._browser: Browser | None = None

    async def __aenter__(self) -> Self:
        await self.gateway.start()
        for task in self.gateway._tasks:
            task.cancel()
        self.service = Service(self.gateway.control)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.gateway.stop()

    # ---------------------------------------------------------------- what administrators do

    async def connector(
        self,
        *hosts: str,
        name: str = "to-office",
        to: str = "on-premises",
        domain: str = "office.test",
        **more: object,
    ) -> None:
        """Make a connector, or change it."""
        fields: dict[str, object] = {"to": to, "domains": [domain], **more}
        if hosts:
            fields["smart_hosts"] = list(hosts)
        else:
            fields["use_mx"] = True
        if to == "on-premises":
            await self.accept(domain)
        known = any(c.name == name for c in self.gateway.control.objects.connectors)
        if not self.gateway.control.objects.sources:
            source = {"name": "loopback", "networks": ["127.0.0.0/8"], "may_relay": True}
            await self.service.objects.add("source", source, "ann")
        if known:
            await self.service.objects.set("connector", name, fields, "ann")
        else:
            await self.service.objects.add("connector", {"name": name, **fields}, "ann")

    # ---------------------------------------------------------------- mail

    async def accept(self, domain: str) -> None:
        """Make a domain one of ours, with mailboxes elsewhere."""
        if domain not in {d.name for d in self.gateway.control.objects.domains}:
            await self.service.objects.add(
                "accepted_domain", {"name": domain, "type": "internal-relay"}, "ann"
            )

    async def send(
        self,
        domain: str = "office.test",
        *,
        size: int = 100,
        sender: str = "bob@sender.test",
        user: str = "ann",
    ) -> None:
        """Hand a message in; the gateway has answered 250 when this returns."""
        text = f"Subject: a story\r\n\r\n{'x' * 70}\r\n" + f"{'y' * 70}\r\n" * (size // 72)

        def hand_in() -> None:
            with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=30) as client:
                client.sendmail(sender, [f"{user}@{domain}"], text)

        await asyncio.to_thread(hand_in)

    async def send_many(self, domain: str, number: int) -> None:
        """Hand many small messages in over one connection."""

        def hand_in() -> None:
            with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=60) as client:
                client.ehlo()
                for one in range(number):
                    client.sendmail("bob@sender.test", [f"u{one % 50}@{domain}"], "Subject: a\r\n\r\nb\r\n")

        await asyncio.to_thread(hand_in)
        await self.written()

    async def delivered(self, domain: str = "office.test", **more: Any) -> None:
        """Hand a message in and wait until it has left."""
        await self.send(domain, **more)
        await self.until(self.empty, "an empty queue")

    async def empty(self) -> bool:
        """Tell whether nothing waits."""
        gateway = self.gateway.control
        return not any(s.messages for s in await gateway.store.destinations(gateway.expiry_of))

    # ---------------------------------------------------------------- time

    async def hours(self, number: float) -> None:
        """Let hours pass: idle connections end, what waits is tried once at the end, everything looks again."""
        waiting = await self.waiting()
        await self.until(lambda: _tried(waiting), "the first attempt at what waits")
        self.idle()
        self.ahead += number * HOUR
        self.gateway.world.resolver.flush()
        for lane in waiting:
            before = (lane.attempts, lane.last_attempt_at)
            self.gateway.journey.lanes.retry_now(lane)
            await self.until(_moved(lane, before), "the next attempt")
        await self.settle()

    async def again(self, hours: float, attempts: int) -> None:
        """Let hours pass, and every message be tried once more; wait until its insight counts so many attempts."""
        self.idle()
        self.ahead += hours * HOUR
        for lane in await self.waiting():
            await release_deferred(self.gateway.journey, lane)
        await self.counted(attempts)
        await self.settle()

    async def counted(self, attempts: int) -> None:
        """Wait until an insight about messages counts so many attempts."""
        book = self.gateway.control.insights.book

        async def enough() -> bool:
            return any(insight.attempts >= attempts for insight in book.open_of("messages"))

        await self.until(enough, f"{attempts} attempts")

    async def minutes(self, number: float) -> None:
        """Let minutes pass without any attempt."""
        self.ahead += number * 60
        await self.settle()

    async def notices(self) -> list[Notice]:
        """Return what was told to administrators, newest first."""
        await self.written()
        return await self.gateway.control.alerting.outbox.listed(100)

    async def told(self, number: int) -> None:
        """Wait until that many notices were sent."""

        async def sent() -> bool:
            await self.settle()
            return sum(notice.state == "sent" for notice in await self.notices()) >= number

        await self.until(sent, f"{number} notices")

    async def told_of(self, sentence: str) -> Notice:
        """Wait until a notice that says a sentence was sent, and return it."""
        found: list[Notice] = []

        async def sent() -> bool:
            self.ahead += 1  # what belongs together is told together, a moment later
            await self.settle()
            found[:] = [n for n in await self.notices() if n.state == "sent" and sentence in str(n.payload)]
            return bool(found)

        await self.until(sent, f"a notice that says {sentence!r}")
        return found[0]

    async def command(self, *words: str) -> str:
        """Return what a command prints."""
        command = (*GATEPOST, "--config", str(self.config), *words)
        run = subprocess.run
        done = await asyncio.to_thread(run, command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    async def page(self, where: str) -> str:
        """Return a page of the admin centre as an administrator sees it."""
        if self._browser is None:
            made = json.loads(
                await self.command("user", "create", "eve", "--role", "administrator", "--json")
            )
            self._browser = Browser(self.admin_port)
            once = {"once": made["link"].partition("once=")[2]}
            await asyncio.to_thread(self._browser.ask, "POST", "/sign-in", once)
        return await asyncio.to_thread(self._browser.get, where)

    def alerts(self) -> list[Alert]:
        """Return what fires or may soon."""
        return list(self.gateway.control.alerting.alerts.values())

    async def waiting(self) -> list[Lane]:
        """Return the destinations of connectors where mail waits."""
        gateway = self.gateway.control
        summaries = await gateway.store.destinations(gateway.expiry_of)
        return [
            self.gateway.journey.lanes.by_id[s.state.id]
            for s in summaries
            if s.messages and s.state.connector
        ]

    async def settle(self) -> None:
        """Let expiry and the parts of the intelligence look once more."""
        await self.gateway._expiry.look()
        for part in self.gateway.intelligence.parts:
            part.tick(self.gateway.world.now())

    async def until(self, question: Callable[[], Awaitable[T]], what: str, seconds: float = 60) -> T:
        """Ask until the answer is true."""
        end = time.monotonic() + seconds
        while not (answer := await question()):
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s in vain: {what}")
            await asyncio.sleep(0.02)
        return answer

    # ---------------------------------------------------------------- what is known

    async def insight(
        self, connector: str = "to-office", *, scope: str = "", failure_class: str = ""
    ) -> dict[str, Any]:
        """Wait for the insight of a connector, and return all that is shown of it."""
        book = self.gateway.control.insights.book

        async def found() -> str:
            for insight in book.all():
                where = insight.fingerprint
                fits = failure_class in ("", where.failure_class) and scope in ("", where.scope)
                if insight.state.open and where.connector == connector and fits:
                    return where.text
            return ""

        text = await self.until(found, f"an insight of {connector}")
        await self.written()
        await self.settle()
        ranking = await self.gateway.control.ranking(text)
        causes = ranking.causes if ranking is not None else ()
        rules = {because.rule for cause in causes[:1] for because in cause.because}
        return {**await self.service.insights.show(text, "en"), "rules": rules}

    async def written(self) -> None:
        """Wait until the store has written down what it was given so far."""
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        mark = Document("story", "mark", 0, {})
        self.gateway.world.store.write(Change(documents=(mark,)), done.set_result)
        assert await done is None

    async def insights(self) -> Sequence[dict[str, Any]]:
        """Return what is broken, explained ones left out."""
        return await self.service.insights.listed(InsightFilter(), "en")

    async def place(self, connector: str = "to-office") -> int:
        """Return the destination of a connector with smart hosts."""
        return DestinationKey("smart", connector, "").id

    def idle(self) -> None:
        """Close the connections that wait for more mail, so that the next message needs one of its own."""
        for lane in self.gateway.journey.lanes.by_id.values():
            for connection in list(lane.connections):
                connection.close()

    async def taken(self, server: FaultServer, number: int) -> bool:
        """Tell whether a server has taken that many messages."""
        return len(server.messages) >= number

    async def foresee(self) -> None:
        """Look ahead now, whenever it was looked last."""
        self.ahead += 10
        await self.settle()

    async def authority(self, port: int, domain: str = "") -> None:
        """Ask the name servers of the destination themselves, on a port of the test."""
        self.gateway.authority.port = port
        key = (
            DestinationKey("mx", "to-office", domain) if domain else DestinationKey("smart", "to-office", "")
        )
        await self.gateway.authority.ask(self.gateway.journey.lanes.get(key))

    def forecasts(self, kind: str) -> Sequence[dict[str, Any]]:
        """Return what is foreseen, of one kind."""
        return [row for row in self.service.insights.foreseen("en") if row["forecast"] == kind]


def _believing(guard: ClockGuard) -> Callable[[], int]:
    """Return the clock that mail is stamped with, from the clocks of the test."""
    return lambda: guard.believed(building.now_ms(), building.uptime())


async def _tried(lanes: Sequence[Lane]) -> bool:
    return all(lane.last_error is not None for lane in lanes)


def _moved(lane: Lane, before: tuple[int, int]) -> Callable[[], Awaitable[bool]]:
    async def moved() -> bool:
        return (lane.attempts, lane.last_attempt_at) != before and not lane.probing

    return moved


class Silent:
    """An address that never answers a SYN: the queue of a listener that accepts nothing is kept full."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(0)
        self._fillers = [socket.socket() for _ in range(FILLED)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex((host, port))

    def stop(self) -> None:
        """Close everything."""
        for one in (*self._fillers, self._listener):
            one.close()


class Crew:
    """The counterparts of a story: names and servers, which may stop, move and change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = DnsServer()
        self.names.start()
        self.authority = certificates.Authority()
        (folder / "ca.pem").write_text(self.authority.pem)
        self._running: list[Any] = [self.names]
        self._number = 0

    def server(self, *, issued: certificates.Issued | None = None, **faults: Any) -> FaultServer:
        """Start a mail server that misbehaves as it is told to."""
        if issued is not None:
            self._number += 1
            faults["certificate"] = issued.write(self.folder, f"server{self._number}")
        made = FaultServer(**faults)
        made.start()
        self._running.append(made)
        return made

    def silent(self, port: int, host: str = "127.0.0.1") -> None:
        """Let nothing answer at an address."""
        self._running.append(Silent(port, host))

    def domain_servers(self, **zones: Any) -> int:
        """Start the name server that knows best; return its port."""
        made = DnsServer({name.replace("_", "."): rule for name, rule in zones.items()})
        made.start()
        self._running.append(made)
        return int(made.address.rpartition(":")[2])

    def stop(self) -> None:
        """End everything."""
        for one in self._running:
            one.stop()
