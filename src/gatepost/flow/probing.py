"""Probe by ourselves: what fails between its attempts, what works on a schedule, before the first message (B6, B7, B9).

Guarantee: a probe leaves no mail behind and holds no mail back; what it sees reaches insights as a check does.
Rule: a probe that finds a destination back lets its queue be tried at once.
"""

from dataclasses import dataclass

from gatepost.flow.checking import Checking, CheckRequest, Outcome
from gatepost.flow.journey import Journey
from gatepost.flow.probe_records import PROBE
from gatepost.insight.hosts import Hosts
from gatepost.model.objects import Connector
from gatepost.model.probe import ProbeResult
from gatepost.model.route import DestinationKey
from gatepost.queue import probing, schedule
from gatepost.queue.lane import Lane

AT_ONCE = 4
MOST_DOMAINS = 20  # of one connector that goes by MX
ROUTES_MS = 10_000  # so often it is looked which routes there are
FORGET_MS = 3_600_000


@dataclass(slots=True)
class Route:
    """A way out that is probed on a schedule."""

    connector: Connector
    domain: str  # whose MX are asked; "" with smart hosts
    due: int
    failures: int = 0  # probes in a row that found nothing that works
    verdict: str = ""

    @property
    def request(self) -> CheckRequest:
        """Return the check: as far as a delivery goes before it needs a message."""
        return CheckRequest(self.connector, "schedule", saved=True, next_hop=self.domain, auth=False)


class Probing:
    """A part of `flow.intelligence`."""

    def __init__(self, journey: Journey, checking: Checking, hosts: Hosts) -> None:
        self._journey = journey
        self._world = journey.world
        self._checking = checking
        self._hosts = hosts
        self.routes: dict[int, Route] = {}
        self._looked: tuple[int, int] = (-1, 0)  # revision of the objects, time
        self._under_way: set[int] = set()
        self._probed_at: dict[int, int] = {}
        self._misled: dict[int, int] = {}
        self._forgot_at = 0
        checking.watchers.append(self.checked)

    # ---------------------------------------------------------------- every second

    async def restore(self) -> None:
        """Nothing: when each route was probed last does not outlive the process."""

    def tick(self, now: int) -> None:
        """Start the probes that are due."""
        if self._journey.lanes.stopping:
            return
        if self._world.settings.delivery.probe_failing:
            self._failing(now)
        period = self._world.settings.delivery.probe_schedule * 1000
        if period:
            self._look(now, period)
            self._healthy(now, period)
        if now - self._forgot_at >= FORGET_MS:
            self._forgot_at = now
            self._world.start(self._forget(now))

    async def stop(self) -> None:
        """Nothing is left to be written."""

    async def _forget(self, now: int) -> None:
        await self._journey.store.forget(PROBE, now - self._world.settings.retention.insights * 1000)

    # ---------------------------------------------------------------- what fails

    def _failing(self, now: int) -> None:
        for lane in list(self._journey.lanes.by_id.values()):
            if lane.state != "retry":
                self._misled.pop(lane.id, None)
            elif self._full:
                return
            elif self._wants(lane, now) and lane.connector is not None:
                hop = lane.key.next_hop
                request = CheckRequest(lane.connector, "insight", saved=True, next_hop=hop, auth=False)
                self._start(lane.id, request, now)

    def _wants(self, lane: Lane, now: int) -> bool:
        """Tell whether it is time to probe; servers of strangers are left to the retries."""
        ours = lane.connector is not None and lane.key.kind in ("smart", "mx")
        return ours and lane.id not in self._under_way and probing.between(self._waiting(lane), now)

    def _waiting(self, lane: Lane) -> probing.Waiting:
        phase = lane.last_error.phase if lane.last_error is not None else ""
        return probing.Waiting(
            phase, lane.last_attempt_at, lane.next_attempt_at, self._probed_at.get(lane.id, 0),
            self._misled.get(lane.id, 0), lane.probing,
        )  # fmt: skip

    def checked(self, request: CheckRequest, outcome: Outcome) -> None:
        """Hear of any check: a destination that fails and takes mail again is tried at once."""
        lane = self._journey.lanes.by_id.get(request.key.id)
        if lane is None or not outcome.result.ok or lane.state != "retry" or lane.probing:
            return
        phase = lane.last_error.phase if lane.last_error is not None else ""
        if phase not in probing.SEEN_BY_PROBES and not (phase == "auth" and request.auth):
            return
        misled = self._misled[lane.id] = self._misled.get(lane.id, 0) + 1
        if request.why != "check" and misled > probing.MOST_MISLED:
            return
        self._journey.say(
            "probe.back", connector=lane.key.connector, destination=self._world.destination_name(lane)
        )
        self._journey.lanes.retry_now(lane)

    # ---------------------------------------------------------------- what works

    def _look(self, now: int, period: int) -> None:
        """Take up new and changed routes, forget those that are gone."""
        revision = self._world.objects.revision
        if self._looked[0] == revision and now - self._looked[1] < ROUTES_MS:
            return
        self._looked = (revision, now)
        found: dict[int, Route] = {}
        for name, connector in self._world.connectors.items():
            if not connector.enabled:
                continue
            for domain in self._domains(connector):
                key = DestinationKey("mx" if connector.use_mx else "smart", name, domain)
                old = self.routes.get(key.id)
                if old is None or old.connector != connector:
                    old = Route(connector, domain, probing.first(now, period, self._journey.chance()))
                found[key.id] = old
        self.routes = found

    def _domains(self, connector: Connector) -> list[str]:
        if not connector.use_mx:
            return [""] if connector.smart_hosts else []
        named = [domain for domain in connector.domains if not domain.startswith("*")]
        if connector.all_accepted_domains:
            named += [domain.name for domain in self._world.objects.domains]
        return list(dict.fromkeys(named))[:MOST_DOMAINS]

    def _healthy(self, now: int, period: int) -> None:
        for number, route in self.routes.items():
            if self._full:
                return
            if route.due > now or number in self._under_way:
                continue
            lane = self._journey.lanes.by_id.get(number)
            if lane is not None and lane.state != "ready":
                route.due = probing.first(now, period, self._journey.chance())
            elif not route.failures and probing.known(self._heard_at(number), period, now):
                route.due = probing.following(now, period, self._journey.chance())
            else:
                self._start(number, route.request, now)

    def _heard_at(self, destination_id: int) -> int:
        """Return when the address of a destination that was heard of least lately was heard of; 0 for never."""
        rows = self._hosts.current(destination_id)
        return min((max(row.last_success, row.last_failure) for row in rows), default=0)

    # ---------------------------------------------------------------- one probe

    @property
    def _full(self) -> bool:
        return len(self._under_way) >= AT_ONCE

    def _start(self, number: int, request: CheckRequest, now: int) -> None:
        self._under_way.add(number)
        self._probed_at[number] = now
        self._world.start(self._probe(number, request))

    async def _probe(self, number: int, request: CheckRequest) -> None:
        try:
            result = await self._checking.check(request)
            self._say(request, result)
            self._plan(number, result)
        finally:
            self._under_way.discard(number)

    def _plan(self, number: int, result: ProbeResult) -> None:
        """Plan the next probe of a route: at the pace of retries while it fails, so that its end is seen soon."""
        route = self.routes.get(number)
        if route is None:
            return
        now, chance = self._journey.now(), self._journey.chance()
        period = self._world.settings.delivery.probe_schedule * 1000
        route.verdict = result.verdict
        if result.ok:
            route.failures = 0
            route.due = probing.following(now, period, chance)
            return
        route.failures += 1
        retry = self._journey.policy(route.connector).retry
        route.due = now + min(schedule.interval(retry, route.failures, chance), period)

    def _say(self, request: CheckRequest, result: ProbeResult) -> None:
        error = result.last_error
        self._journey.say(
            "probe.done", level="debug" if result.verdict == "pass" else "info", connector=result.connector,
            destination=request.key.next_hop or request.connector.name, why=result.why, verdict=result.verdict,
            working=result.working, hosts=result.hosts, code=error.code if error is not None else "",
        )  # fmt: skip
