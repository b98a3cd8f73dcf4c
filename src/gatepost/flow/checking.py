"""Check a destination: look it up, probe every address, say what a delivery would say, keep what was seen (B9).

Rule: never DATA; a check leaves no mail behind. Results are kept, so that an insight shows what a probe saw last.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gatepost.deliver.options import DeliveryOptions
from gatepost.deliver.probe import Ask, Prober, Seen
from gatepost.deliver.targets import OwnEndpoints, Plan, PlanFailure, plan
from gatepost.diagnose.classify import classify
from gatepost.flow.journey import Journey
from gatepost.flow.probe_records import PROBE, probe_json, probe_of
from gatepost.model.attempt import Failure, SessionFacts, last_error
from gatepost.model.document import Document
from gatepost.model.failure import LastError, Verdict
from gatepost.model.ids import to_text
from gatepost.model.objects import Connector
from gatepost.model.probe import ProbeResult, ProbeStage
from gatepost.model.route import DestinationKey
from gatepost.net.dns import Resolver
from gatepost.storage.interface import Change

KEPT = 20
AT_ONCE = 8  # checks of this process

Allowed = Callable[[str, int], bool]


class NotAllowed(Exception):
    """An address that whoever asks may not have probed."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be checked: a connector (saved or a draft), and whom a message would be for.

    `allowed` judges each address and port before anything is connected to; None: all of them are.
    """

    connector: Connector
    why: str = "check"
    recipient: str = ""
    sender: str = ""
    saved: bool = False
    next_hop: str = ""  # the domain whose MX are asked, with `use_mx`
    auth: bool = True
    allowed: Allowed | None = None

    @property
    def key(self) -> DestinationKey:
        """Return the destination that the check is about."""
        connector = self.connector
        if not connector.use_mx:
            return DestinationKey("smart", connector.name, "")
        domain = self.next_hop or self.recipient.rpartition("@")[2]
        domain = domain or next((d for d in connector.domains if not d.startswith("*")), "")
        return DestinationKey("mx", connector.name, domain)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that are looked up."""
        hosts = tuple(host.host for host in self.connector.smart_hosts)
        return hosts if self.key.kind == "smart" else (self.key.next_hop,)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a check needs of the process: a running gateway, or none."""

    resolver: Resolver
    is_ours: Callable[[str, int], bool]
    options: DeliveryOptions
    hostname: str
    postmaster: str
    now: Callable[[], int]
    new_id: Callable[[], int]


@dataclass(frozen=True, slots=True)
class End:
    """How one address, or the lookup of one host, ended; `failure` None where it takes mail."""

    session: SessionFacts
    failure: Failure | None
    verdict: Verdict | None
    error: LastError | None


@dataclass(slots=True)
class Outcome:
    """A result with the ends that it was made of, in the order in which a delivery would try."""

    result: ProbeResult
    ends: Sequence[End]
    planned: Plan | PlanFailure


async def run(request: CheckRequest, around: Surroundings) -> AsyncGenerator[ProbeStage | Outcome, None]:
    """Yield each stage as it ends, and the outcome last; raises `NotAllowed` before anything is connected to."""
    now, key = around.now(), request.key
    for name in request.names:
        around.resolver.flush(name)
    own = OwnEndpoints(around.is_ours)
    planned = await plan(key, request.connector, around.resolver, own, random.shuffle)
    if request.allowed is not None and not isinstance(planned, PlanFailure):
        for target in planned:
            if not request.allowed(target.address, target.port):
                raise NotAllowed(target.address)
    ask = Ask(request.auth, request.sender or around.postmaster, request.recipient)
    prober = Prober(around.options, ask, around.new_id, key.id if request.saved else 0)
    seen: list[Seen] = []
    stages = prober.run(planned)
    try:
        async for one in stages:
            judged = _judged(one, request, around)
            seen.append(judged)
            yield judged.stage
    finally:
        await stages.aclose()
    ends = [_end(one, request, around) for one in sorted(seen, key=lambda s: s.number) if one.end is not None]
    yield Outcome(_result(request, around.new_id(), now, seen, ends), ends, planned)


def _judged(seen: Seen, request: CheckRequest, around: Surroundings) -> Seen:
    """Return a stage with the documented error where mail stops at it."""
    if seen.failure is None:
        return seen
    error = _end(seen, request, around).error
    assert error is not None
    evidence = {**seen.stage.evidence, "error": error.to_json()}
    return seen._replace(stage=seen.stage._replace(evidence=evidence))


def _end(seen: Seen, request: CheckRequest, around: Surroundings) -> End:
    assert seen.end is not None
    if seen.failure is None:
        return End(seen.end, None, None, None)
    verdict = classify(seen.failure, connector=request.connector, kind=request.key.kind)
    number = to_text(seen.end.id)
    error = last_error(seen.failure, verdict, around.now(), around.hostname, number)
    return End(seen.end, seen.failure, verdict, error)


def _result(
    request: CheckRequest, number: int, now: int, seen: Sequence[Seen], ends: Sequence[End]
) -> ProbeResult:
    stages = tuple(one.stage for one in sorted(seen, key=lambda s: s.number))
    errors = [end.error for end in ends if end.error is not None]
    working = sum(end.failure is None for end in ends)
    warned = any(stage.verdict == "warning" for stage in stages)
    worst = "fail" if not working else "warning" if errors or warned else "pass"
    hosts = len({one.number for one in seen if one.number >= 0})
    destination_id = request.key.id if request.saved else 0
    return ProbeResult(
        number, now, request.why, request.connector.name, destination_id, bool(working), worst, stages,
        errors[-1] if errors else None, hosts, working,
    )  # fmt: skip


class Checking:
    """Runs checks inside the gateway and keeps what they saw of saved connectors."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._world = journey.world
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.watchers: list[Callable[[CheckRequest, Outcome], None]] = []

    def key(self, request: CheckRequest) -> DestinationKey:
        """Return the destination that a check is about."""
        return request.key

    def surroundings(self, request: CheckRequest) -> Surroundings:
        """Return what a check of this request needs."""
        world = self._world
        saved = world.connector(request.connector.name) if request.saved else None
        options = world.delivery_options(saved, lmtp=False)
        if saved is None:
            options = draft_options(options, request.connector)
        return Surroundings(
            world.resolver, world.own_endpoints, options, world.settings.hostname, world.settings.postmaster,
            self._journey.now, world.new_id,
        )  # fmt: skip

    async def stream(self, request: CheckRequest) -> AsyncGenerator[ProbeStage | Outcome, None]:
        """Yield each stage as it ends, and the outcome last."""
        if request.saved:  # with what lies over it
            now = self._world.connector(request.connector.name) or request.connector
            request = replace(request, connector=now)
        async with self._turn:
            stages = run(request, self.surroundings(request))
            try:
                async for one in stages:
                    if isinstance(one, Outcome):
                        await self._done(request, one)
                    yield one
            finally:
                await stages.aclose()

    async def outcome(self, request: CheckRequest) -> Outcome:
        """Return what every stage at every address says, with the sessions behind it."""
        async for one in self.stream(request):
            if isinstance(one, Outcome):
                return one
        raise AssertionError("a check ends in an outcome")

    async def check(self, request: CheckRequest) -> ProbeResult:
        """Return what every stage at every address says."""
        return (await self.outcome(request)).result

    async def _done(self, request: CheckRequest, outcome: Outcome) -> None:
        if not request.saved:
            return
        await self._keep(outcome.result)
        for watcher in self.watchers:
            watcher(request, outcome)

    # ---------------------------------------------------------------- what is kept

    async def _keep(self, result: ProbeResult) -> None:
        prefix = f"{result.destination_id}/"
        old = await self._journey.store.documents(PROBE, prefix=prefix, limit=1000)
        gone = [Document(PROBE, d.key, 0, None) for d in old[KEPT - 1 :]]
        kept = Document(PROBE, f"{prefix}{to_text(result.id)}", result.at, probe_json(result))
        self._journey.store.write(Change(documents=(kept, *gone)))

    async def kept(self, destination_id: int, limit: int = KEPT) -> list[Mapping[str, object]]:
        """Return what checks of a destination saw, newest first."""
        found = await self._journey.store.documents(PROBE, prefix=f"{destination_id}/", limit=limit)
        return [document.data or {} for document in found]

    async def latest(self, destination_id: int) -> ProbeResult | None:
        """Return what the latest probe of a destination saw."""
        found = await self.kept(destination_id, 1)
        return probe_of(found[0]) if found else None


def draft_options(base: DeliveryOptions, connector: Connector) -> DeliveryOptions:
    """Return the options that a connector would have if it were saved."""
    return replace(
        base, tls=connector.tls, tls_domain=connector.tls_domain, tls_ca=connector.tls_ca,
        username=connector.username, password=connector.password, quirks=frozenset(connector.quirks),
        source_addresses=connector.source_addresses,
    )  # fmt: skip
