"""A gateway without its doors: the real store, journey, fixes and jobs in this process, for many small queues.

async with SmallGateway(folder) as gateway:
    await gateway.queue("ann@a.example", "bob@contoso.example")
    fix = await gateway.fixing.apply(...)

`cut_after` lets so many writes of the store through and loses every later one, as a kill does.
"""

import asyncio
import os
import zlib
from pathlib import Path
from typing import Any, Self

from tests.support.peers import free_port

from gatepost.admin.queue import QueueUseCases
from gatepost.app import building
from gatepost.app.control import Control
from gatepost.app.gateway import Gateway
from gatepost.config.changes import difference
from gatepost.config.settings import load
from gatepost.flow.fixing import Fixing
from gatepost.flow.jobs import Jobs
from gatepost.flow.journey import Journey
from gatepost.flow.rerouting import apply_objects, finish_apply, recheck
from gatepost.flow.returns import Returns
from gatepost.model.mail import NewMessage, Recipient
from gatepost.model.objects import Objects
from gatepost.storage.interface import MessageView, TraceFilter
from gatepost.telemetry.log import Log

SETTINGS = """\
hostname = "gw.test"
data_dir = "{folder}"
[dns]
servers = ["127.0.0.1:{dns}"]
timeout = "1s"
[delivery]
retry = ["1h"]
connect_timeout = "1s"
"""


class Cut(Exception):
    """The process would be dead by now."""


class SmallGateway:
    """Everything between the doors of a gateway."""

    def __init__(self, folder: Path, cut_after: int | None = None) -> None:
        self.folder = folder
        self.writes = 0
        self.lost = False
        self._cut_after = cut_after

    async def __aenter__(self) -> Self:
        config = self.folder / "gatepost.toml"
        if not config.exists():
            config.write_text(SETTINGS.format(folder=self.folder / "data", dns=free_port()))
        settings = load(config, {})
        (self.folder / "data").mkdir(exist_ok=True)
        self._null = os.open(os.devnull, os.O_WRONLY)
        self.world = await building.make_world(settings, Log(self._null, "error"))
        self.journey = Journey(self.world)
        self.journey.recheck = lambda lane: recheck(self.journey, lane)
        returns = Returns(self.journey)
        self.control = Control(self.journey, returns, self._changed, lambda: None)
        outer = Gateway(settings, lambda: settings)
        outer.world, outer.journey, outer.control = self.world, self.journey, self.control
        await outer._restore()
        self.fixing = self.control.fixing = Fixing(self.journey, self.control)
        self.jobs = Jobs(self.journey, self.control, QueueUseCases(self.control).places)
        await self.fixing.restore()
        await self.jobs.restore()
        await finish_apply(self.journey)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.jobs.stop()
        await self.journey.lanes.stop(1.0)
        for task in list(self.world._tasks):
            task.cancel()
        await self.world.resolver.close()
        await self.world.store.close()
        self.world.journal.close()
        os.close(self._null)

    async def _changed(self) -> int:
        return await apply_objects(self.journey, await building.load_objects(self.world))

    def dangerous(self) -> None:
        """Count writes from now on, and lose those behind the cut."""
        store = self.world.store
        self.writes = 0
        for name in ("write", "move", "save_objects"):
            setattr(store, name, self._counted(getattr(store, name)))

    def _counted(self, door: Any) -> Any:
        def through(*arguments: Any, **more: Any) -> Any:
            self.writes += 1
            if self._cut_after is not None and self.writes > self._cut_after:
                self.lost = True
                raise Cut
            return door(*arguments, **more)

        return through

    # ---------------------------------------------------------------- what is in it

    async def use(self, objects: Objects) -> None:
        """Make objects true."""
        before = self.world.objects
        wanted = Objects(before.revision, objects.connectors, objects.domains)
        await self.control.save_objects(wanted, difference(before, wanted, prune=True), "test")

    async def queue(self, sender: str, *recipients: str) -> int:
        """Accept a message, as the receiving side does after its policy."""
        body = b"Subject: x\r\n\r\nHello.\r\n"
        lanes = [self.journey.lanes.get(self.world.router.route(to).destination) for to in recipients]
        rows = tuple(
            Recipient(n, to, lane.id) for n, (to, lane) in enumerate(zip(recipients, lanes, strict=True), 1)
        )
        message = NewMessage(
            self.world.new_id(), self.world.now(), sender, len(body), 0, "", "", "test", "{}", rows, body,
            spool=False, crc=zlib.crc32(body),
        )  # fmt: skip
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.journey.keep(message, lambda problem: kept.set_result(None))
        await kept
        return message.id

    async def quiet(self) -> None:
        """Wait until nothing is under way: no connection, no task, nothing in the mailbox lane; raises `Cut`."""
        for _ in range(6000):
            if self.lost:
                raise Cut
            lanes = self.journey.lanes.by_id.values()
            summaries = await self.world.store.destinations(self.journey.expiry_of)
            ready = {s.state.id for s in summaries if s.messages}
            busy = any(lane.under_way or lane.opening for lane in lanes)
            going = any(
                lane.state == "ready" and lane.key.kind != "none" and lane.id in ready for lane in lanes
            )
            unsure = any(lane.probing for lane in lanes)
            if not (busy or going or unsure or self.world._tasks or self.journey.ending):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the gateway does not come to rest")

    async def recipients(self) -> dict[tuple[int, int], tuple[str, int]]:
        """Return state and destination of each recipient of mail that we were given, by message and number."""
        views = await self.views()
        return {(v.id, r.n): (r.state, r.destination_id) for v in views for r in v.recipients}

    async def views(self) -> list[MessageView]:
        """Return what we were given."""
        return (await self.world.store.trace(TraceFilter(source="test"), 1000)).messages
