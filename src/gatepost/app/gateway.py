"""One running gateway: everything built, started and stopped in order."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatepost.admin.looks import LOOK
from gatepost.admin.queue import QueueUseCases
from gatepost.admin.serve import serve_admin
from gatepost.admin.service import Service
from gatepost.app import building, process
from gatepost.app.control import Control
from gatepost.config.schema import value_of, walk, with_value
from gatepost.config.settings import BadSettings, Settings
from gatepost.flow.alert_facts import AlertFacts
from gatepost.flow.alerting import Alerting
from gatepost.flow.authority import Authority
from gatepost.flow.expiry import Expiry
from gatepost.flow.facts import FactsOf
from gatepost.flow.fixing import Fixing
from gatepost.flow.flows import FlowKeeper
from gatepost.flow.foreign import Foreign
from gatepost.flow.foresight import Foresight
from gatepost.flow.guarding import Guarding
from gatepost.flow.insights import Insights
from gatepost.flow.intelligence import Intelligence
from gatepost.flow.jobs import Jobs
from gatepost.flow.journey import Journey
from gatepost.flow.names import Names
from gatepost.flow.probing import Probing
from gatepost.flow.quota import Quota
from gatepost.flow.rerouting import apply_objects, finish_apply, recheck
from gatepost.flow.returns import Returns
from gatepost.flow.world import World
from gatepost.model.document import Document
from gatepost.model.ids import to_text
from gatepost.model.route import DestinationKey
from gatepost.storage.interface import Change, DestinationSummary, StoreError
from gatepost.telemetry.log import bridge
from gatepost.telemetry.metrics import QueueSample

EXPIRY_PERIOD = 1.0
PRESSURE_PERIOD = 1.0
PRUNE_PERIOD = 3600.0
INDEX_PERIOD = 5.0
INDEX_AFTER_MS = 60_000  # most messages are in the store by then; those that are not are found all the same


def running_settings(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """Return new settings as a running process can have them, and the names of those that it cannot change."""
    fixed = [name for name, item in walk(Settings) if item.metadata["restart"]]
    waiting = [name for name in fixed if value_of(old, name) != value_of(new, name)]
    for name in waiting:
        new = with_value(new, name, value_of(old, name))
    return new, waiting


class Gateway:
    """Owns every part; `start` and `stop` are the only order there is."""

    def __init__(self, settings: Settings, reread: Callable[[], Settings]) -> None:
        self.settings = settings
        self._reread = reread
        self.world: World
        self.journey: Journey
        self.control: Control
        self.ready = False
        self._listener: Any = None
        self._admin: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._log: Any = None
        self._expiry: Expiry
        self.intelligence: Intelligence
        self.authority: Authority

    async def start(self) -> None:
        """Open the store, restore the queue, then listen."""
        settings = self.settings
        started = time.monotonic()
        process.act_as(settings.user, Path(settings.data_dir))
        self._log = building.make_log(settings)
        bridge(self._log.say)
        # The lock on the data folder comes first: a second gateway must not touch the socket of the first one.
        self.world = await building.make_world(settings, self._log)
        admin_sockets = [building.bind_control(settings)]
        with process.as_root(settings.user):
            admin_sockets.append(building.bind(*settings.admin.listen))
        self.journey = Journey(self.world)
        self.journey.recheck = lambda lane: recheck(self.journey, lane)
        returns = Returns(self.journey)
        self._expiry = Expiry(self.journey, returns)
        self.control = Control(self.journey, returns, self.objects_changed, self.read_settings)
        self.intelligence = Intelligence(self.journey)
        self._watch()
        await self._restore()
        fixing = Fixing(self.journey, self.control)
        self.intelligence.parts.append(fixing)
        self.journey.observer.observers.append(fixing)
        self.control.fixing = fixing
        fixing.works_now = self.control.works_now
        guarding = Guarding(self.journey, self.control.insights, self.control.checking, fixing.lanes_of)
        fixing.guard_of = guarding.facts
        self.control.jobs = Jobs(self.journey, self.control, QueueUseCases(self.control).places)
        self.intelligence.parts.append(self.control.jobs)
        self._make_alerts()
        await self.intelligence.restore()
        self._listener = building.make_listener(self.world, self.journey, self.control.quota)
        with process.as_root(settings.user):
            await self._listener.start()
        process.drop_privileges(settings.user)
        service = Service(self.control)
        self._admin = await serve_admin(service, admin_sockets)
        self.world.pressure.measure()
        self.world.metrics.watch_queue(self._samples)
        self.world.metrics.watch_insights(self.control.insights.open_counts)
        self.world.metrics.watch_quota(self.control.quota.counts)
        self.world.metrics.watch_forecasts(self.control.foresight.counts)
        self._tasks = [
            asyncio.ensure_future(self._expiry.run(EXPIRY_PERIOD)),
            asyncio.ensure_future(self._watch_pressure()),
            asyncio.ensure_future(self._prune()),
            asyncio.ensure_future(self._index()),
            asyncio.ensure_future(self.intelligence.run()),
        ]
        self.world.start(finish_apply(self.journey))
        self.ready = self.control.started = True
        self.world.say(
            "gateway.started",
            hostname=settings.hostname,
            smtp=[f"{host}:{port}" for host, port in self._listener.addresses],
            milliseconds=round((time.monotonic() - started) * 1000),
            in_doubt=[to_text(i) for i in self.world.journal.in_doubt()],
        )

    def _watch(self) -> None:
        """Let the parts of mail flow intelligence hear of the journey."""
        insights = self.control.insights = Insights(self.journey, lambda: self._expiry.summaries)
        self.control.facts = FactsOf(self.journey, insights)
        quota = self.control.quota = Quota(self.journey, insights)
        names = self.control.names = Names(self.journey)
        self.control.foresight = Foresight(
            self.journey, insights, names, quota, lambda: self._expiry.summaries
        )
        self.control.foreign = Foreign(self.journey, insights)
        self.authority = Authority(self.journey, insights)
        self.control.facts.authoritative = self.authority.answers
        self.journey.observer.observers += [insights, self.control.facts, quota, names]
        self.intelligence.parts += [insights, quota, names, self.control.foresight, self.control.foreign]
        self.intelligence.parts.append(self.authority)
        self.control.checking.watchers += [insights.checked, names.checked]
        self.intelligence.parts.append(FlowKeeper(self.journey))
        self.intelligence.parts.append(Probing(self.journey, self.control.checking, insights.hosts))

    def _make_alerts(self) -> None:
        """Let administrators be told of what the insights and the queue say."""
        control = self.control
        control.alert_facts = AlertFacts(self.journey, control.insights, control.fix_situation)
        control.alert_facts.ranking_of = control.ranking
        control.alerting = Alerting(
            self.journey, control.insights, lambda: self._expiry.summaries, control.alert_facts
        )
        control.alert_facts.forecast_of = control.foresight.about
        control.alerting.forecasts = control.foresight.subjects
        self.intelligence.parts.append(control.alerting)

    async def _restore(self) -> None:
        """Bring back every destination that holds mail, with its state and its root error."""
        world = self.world
        world.use(await building.load_objects(world))
        summaries: list[DestinationSummary] = await world.store.destinations(self.journey.expiry_of)
        for summary in summaries:
            state = summary.state
            if not summary.messages and state.state != "suspended":
                continue
            lane = self.journey.lanes.get(DestinationKey(state.kind, state.connector, state.next_hop))
            lane.state = (
                "retry" if state.state == "retry" else "suspended" if state.state == "suspended" else "ready"
            )
            lane.attempts = state.attempts
            lane.next_attempt_at = state.next_attempt_at
            lane.last_error = state.last_error
            lane.queued_since = state.queued_since or summary.oldest_at
            lane.suspended_by, lane.suspended_reason = state.suspended_by, state.suspended_reason
            lane.suspended_until = state.suspended_until
            if lane.state == "suspended" and lane.suspended_until:
                self.journey.lanes.suspend(
                    lane, lane.suspended_by, lane.suspended_reason, lane.suspended_until
                )
            else:
                self.journey.lanes.restored(lane)
        for message_id in world.journal.in_doubt():
            world.say("message.in_doubt", level="warning", message_id=to_text(message_id))
            world.metrics.in_doubt()

    async def objects_changed(self) -> int:
        """Take the objects of the store into use; returns how many queued recipients moved."""
        return await apply_objects(self.journey, await building.load_objects(self.world))

    def reload(self) -> None:
        """Read the settings again (SIGHUP); a bad file leaves the running ones in force."""
        try:
            self.read_settings()
        except BadSettings as problem:
            self.world.say("settings.refused", level="error", error=str(problem))

    def read_settings(self) -> None:
        """Read the settings again, or raise `BadSettings`."""
        wanted = self._reread()
        settings, waiting = running_settings(self.settings, wanted)
        options = building.receive_options(settings, self.world.store.spool)
        if settings.log.file is not None:
            self._log.reopen()
        self._log.level = settings.log.level
        self.settings = self.world.settings = settings
        self._listener.change(options)
        self.world.pressure.limits = building.pressure_limits(settings)
        self.world.deadlines = building.deadlines(settings)
        self.world.use(self.world.objects)
        for lane in self.journey.lanes.by_id.values():
            lane.policy = self.journey.policy(lane.connector)
        self.world.say("settings.reloaded", restart_needed=waiting)

    def _samples(self) -> list[QueueSample]:
        """Return how much waits behind each connector, as it was counted a moment ago."""
        found: dict[tuple[str, str], list[int]] = {}
        live = self.control.live()
        for summary in self._expiry.summaries:
            state = live.get(summary.state.id, summary.state)
            counts = found.setdefault((state.connector, state.state), [0, 0])
            counts[0] += summary.messages
            counts[1] += summary.bytes
        return [QueueSample(connector, state, *counts) for (connector, state), counts in found.items()]

    async def _watch_pressure(self) -> None:
        while True:
            await asyncio.sleep(PRESSURE_PERIOD)
            self.journey.writing.again()
            self.world.queued_count["count"] = sum(summary.messages for summary in self._expiry.summaries)
            health = self.world.store.health()
            pressure = self.world.pressure
            changes = pressure.broken(f"the store cannot write: {health.problem}" if not health.ok else "")
            if not health.ok and not health.lasting:
                self._try_the_store()
            for resource, why in changes + pressure.measure():
                self.world.metrics.pressure(resource, on=bool(why))
                self.world.say(
                    "pressure.on" if why else "pressure.off", level="warning", resource=resource, reason=why
                )

    def _try_the_store(self) -> None:
        """Write something small: while mail is refused nothing else would find out that the disk works again."""
        now = self.world.now()
        self.world.store.write(Change(documents=(Document("health", "store", now, {"at": now}),)))

    async def _index(self) -> None:
        """Make what was accepted quick to find in the trace, a block at a time and at most a third of the time."""
        while True:
            await asyncio.sleep(INDEX_PERIOD)
            began = time.monotonic()
            while await self._index_some():
                await asyncio.sleep(2 * (time.monotonic() - began))
                began = time.monotonic()

    async def _index_some(self) -> bool:
        try:
            return await self.world.store.index(self.world.now() - INDEX_AFTER_MS)
        except StoreError:  # the disk is full, say: the trace finds everything all the same
            return False

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_PERIOD)
            now, retention = self.world.now(), self.settings.retention
            count = await self.world.store.prune(now - retention.history * 1000)
            await self.world.store.prune_history(now - retention.audit * 1000)
            await self.world.store.forget(LOOK, now - retention.audit * 1000)
            if count:
                self.world.say("history.pruned", messages=count)

    async def stop(self) -> None:
        """Take nothing new, let what is under way end, write everything down, close."""
        self.ready = False
        if hasattr(self, "control"):
            self.control.started = False
        for task in self._tasks:
            task.cancel()
        if self._listener is not None:
            await self._listener.stop(self.settings.smtp.timeouts.shutdown)
        if hasattr(self, "journey"):
            await self.journey.lanes.stop(self.settings.smtp.timeouts.shutdown)
            self.journey.writing.stop()
            await self.world.finish()
        if hasattr(self, "intelligence"):
            await self.intelligence.stop()
        if self._admin is not None:
            await self._admin.stop()
        if hasattr(self, "world"):
            self.world.say("gateway.stopped")
            await self.world.resolver.close()
            await self.world.store.close()
            self.world.journal.close()
        if self._log is not None:
            self._log.close()
        socket_path = Path(self.settings.data_dir) / "control.sock"
        if self._admin is not None:
            socket_path.unlink(missing_ok=True)
