"""Open a connection for a lane: where to, in which order, and what is noted of the hosts that failed."""

import random
from dataclasses import dataclass
from pathlib import Path

from gatepost.deliver.connection import open_connection
from gatepost.deliver.local import MailboxCarrier
from gatepost.deliver.options import DeliveryOptions
from gatepost.deliver.session import Connection
from gatepost.deliver.targets import OwnEndpoints, PlanFailure, Target, plan
from gatepost.flow.observer import Several
from gatepost.flow.trouble import Judged, Trouble
from gatepost.flow.world import World
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.objects import Connector, SmartHost
from gatepost.model.route import DestinationKey
from gatepost.queue.lane import Lane
from gatepost.queue.lanes import Lanes

HOST_PENALTY_SECONDS = 60.0
MAX_HOSTS = 50_000


@dataclass(slots=True)
class HostState:
    """What this process knows of one address of a destination."""

    failed_at: float = -1e9
    failures: int = 0


class Opening:
    """Finds the host that takes us."""

    def __init__(self, world: World, lanes: Lanes, observer: Several, trouble: Trouble) -> None:
        self._world = world
        self._lanes = lanes
        self._observer = observer
        self._trouble = trouble
        self._hosts: dict[tuple[int, str, int], HostState] = {}

    async def open(self, lane: Lane) -> Connection | MailboxCarrier | None:
        """Open a connection to a destination: every host in order, every address, until one takes us."""
        if lane.key.kind == "mailbox" and self._world.maildir is not None:
            return self._mailbox(lane, self._world.maildir)
        if lane.key.kind == "none":
            self._trouble.destination_failed(lane, [self._trouble.judge(lane, self._trouble.no_route(lane))])
            return None
        targets = await self._plan(lane)
        if targets is None:
            return None
        failures: list[Judged] = []
        for target in self._order(lane, targets):
            session = SessionFacts(
                self._world.new_id(),
                lane.id,
                self._world.now(),
                target.server,
                target.address,
                target.port,
                dns=target.dns,
            )
            opened = await open_connection(target, self._options(lane), session)
            if isinstance(opened, Connection):
                self._host(lane, target).failures = 0
                self._observer.opened(lane, opened.session)
                self._trouble.note_hosts(lane, failures)
                return opened
            failures.append(self._trouble.judge(lane, opened))
            host = self._host(lane, target)
            host.failed_at, host.failures = self._world.monotonic(), host.failures + 1
            if self._lanes.stopping or not lane.allowed:
                break
        self._trouble.destination_failed(lane, failures)
        return None

    async def _plan(self, lane: Lane) -> list[Target] | None:
        own = OwnEndpoints(self._world.own_endpoints)
        key, connector = self._next_hop(lane)
        planned = await plan(key, connector, self._world.resolver, own, random.shuffle)
        if not isinstance(planned, PlanFailure):
            self._trouble.note_hosts(lane, [self._unplanned(lane, problem) for problem in planned.problems])
            self._observer.resolved(lane, list(planned))
            return list(planned)
        self._trouble.destination_failed(lane, [self._unplanned(lane, planned)])
        return None

    def _next_hop(self, lane: Lane) -> tuple[DestinationKey, Connector | None]:
        """Return what is to be looked up; an LMTP mailbox store is a smart host of our own."""
        lmtp = self._world.settings.mailboxes.lmtp
        if lane.key.kind != "mailbox" or lmtp is None:
            return lane.key, lane.connector
        hosts = (SmartHost(lmtp.host, lmtp.port),)
        return DestinationKey("smart", "", ""), Connector("", smart_hosts=hosts)

    def _unplanned(self, lane: Lane, planned: PlanFailure) -> Judged:
        """Return the record of a host that has no address to try."""
        session = SessionFacts(
            self._world.new_id(), lane.id, self._world.now(), planned.server, dns=planned.dns
        )
        failure = Failure(planned.phase, planned.reason, planned.detail, session)
        return self._trouble.judge(lane, failure)

    def _order(self, lane: Lane, targets: list[Target]) -> list[Target]:
        """Return targets with those that failed a moment ago last: they are tried when nothing else works."""
        if len(targets) == 1:
            return targets
        now = self._world.monotonic()
        return sorted(
            targets,
            key=lambda t: (
                now - self._host(lane, t).failed_at < HOST_PENALTY_SECONDS and lane.state == "ready"
            ),
        )

    def _host(self, lane: Lane, target: Target) -> HostState:
        if len(self._hosts) > MAX_HOSTS:
            self._hosts.clear()
        return self._hosts.setdefault((lane.id, target.address, target.port), HostState())

    def _mailbox(self, lane: Lane, root: Path) -> MailboxCarrier:
        session = SessionFacts(
            self._world.new_id(), lane.id, self._world.now(), server=self._world.settings.hostname
        )
        return MailboxCarrier(root, self._world.open_body, session)

    def _options(self, lane: Lane) -> DeliveryOptions:
        return self._world.delivery_options(lane.connector, lmtp=lane.key.kind == "mailbox")
