"""Gather the facts that causes are ranked by: what is remembered of a destination, its neighbours, its connector."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gatepost.deliver.targets import Target
from gatepost.diagnose.causes import rank
from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.flow.records import Final
from gatepost.flow.refusals import RefusalsOf
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.evidence import Answer, Drops, Facts, ObjectEdit, Ranking
from gatepost.model.failure import LastError, Verdict
from gatepost.model.insight import HostRow, Insight, Scope
from gatepost.model.mail import Item
from gatepost.model.objects import Connector
from gatepost.queue.lane import Lane
from gatepost.route.decide import Router
from gatepost.telemetry.flows import COARSE_MS, KEPT_MS

EDITS = 200
DROPS = 20


class FactsOf:
    """An observer that remembers where connections break, and gathers the rest when asked."""

    def __init__(self, journey: Journey, insights: Insights) -> None:
        self._journey = journey
        self._insights = insights
        self._drops: dict[int, deque[tuple[str, int, int]]] = {}  # phase, octets sent, size of the message
        self._refusals = RefusalsOf(journey)
        self.authoritative: Callable[[int], tuple[Answer, ...]] = lambda destination_id: ()

    async def ranking(self, fingerprint: str) -> Ranking | None:
        """Return the causes of an insight, ranked."""
        insight = self._insights.book.get(fingerprint)
        return None if insight is None else rank(await self.facts(insight))

    async def facts(self, insight: Insight) -> Facts:
        """Return everything that is known around an insight."""
        where, error, now = insight.fingerprint, insight.last_error, self._journey.now()
        connector = self._journey.world.connector(where.connector)
        lane = self._journey.lanes.by_id.get(where.destination_id)
        rows = self._insights.hosts.rows(where.destination_id)
        current = self._insights.hosts.current(where.destination_id)
        sick = [row for row in rows if row.works is False]
        latest = max(sick, key=lambda row: row.last_failure, default=None)
        last_success = max([row.last_success for row in rows] + [lane.last_success_at if lane else 0])
        if where.scope == Scope.HOSTS:  # that others work says nothing of the ones that fail
            last_success = max((row.last_success for row in sick), default=0)
        names: tuple[str, ...] = ()
        if connector is not None:
            hosts = tuple(host.host for host in connector.smart_hosts)
            names = (connector.tls_domain,) if connector.tls_domain else hosts
        return Facts(
            now=now,
            failure_class=where.failure_class,
            sub=insight.sub,
            phase=error.phase if error else "",
            reason=error.reason if error else "",
            smtp=error.smtp if error else 0,
            code=error.code if error else "",
            reply=error.message if error else "",
            to=connector.to if connector is not None else "",
            connector=where.connector,
            use_mx=connector.use_mx if connector is not None else True,
            tls=str(connector.tls) if connector is not None else "",
            expected_names=names,
            first_failure=insight.opened_at,
            last_failure=insight.last_seen,
            last_success=last_success,
            attempts=insight.attempts,
            edits=await self._edits(where.connector, lane),
            dns_then=_answers([row for row in rows if row.last_success]),
            dns_now=_answers(current or sick),
            hosts=tuple(current or rows),
            neighbours=self._insights.neighbours(where.destination_id, where.failure_class, now),
            dns_authoritative=self.authoritative(where.destination_id),
            drops=self._dropped(where.destination_id),
            refusals=await self._refusals.of(where.destination_id, where.failure_class),
            last_delivery=lane.last_success_at if lane is not None else 0,
            taken=self._taken(where.destination_id, now),
            login=bool(connector is not None and connector.username),
            port=_port(error),
            certificate=latest.certificate if latest is not None else None,
            certificate_before=latest.certificate_before if latest is not None else None,
        )

    def _dropped(self, destination_id: int) -> Drops:
        broke = self._drops.get(destination_id, ())
        sizes = [size for _, _, size in broke if size]
        return Drops(
            tuple(Counter(phase for phase, _, _ in broke).items()),
            min(sizes, default=0),
            self._journey.delivered_sizes.get(destination_id, 0),
            tuple(sent for _, sent, _ in broke),
        )

    def _taken(self, destination_id: int, now: int) -> int:
        """Return how many recipients were delivered at a destination within the time that mail flow is counted for."""
        return sum(
            number
            for _, ways in self._journey.world.flows.since(now - KEPT_MS[COARSE_MS])
            for way, number in ways.items()
            if way.destination == destination_id and way.outcome == "delivered"
        )

    async def _edits(self, connector: str, lane: Lane | None) -> tuple[ObjectEdit, ...]:
        """Return who changed the connector, newest first; for mail without any, who changed one that took it."""
        homeless = lane.key.next_hop if lane is not None and lane.key.kind == "none" else ""
        found = []
        for entry in await self._journey.store.history(EDITS):
            before, after = entry.before, entry.after
            mine = entry.name == connector and after
            if (
                entry.kind != "connector"
                or not before
                or not (mine or (homeless and self._took(before, homeless)))
            ):
                continue
            fields = (
                tuple(k for k in {**before, **after} if before.get(k) != after.get(k)) if after else ("name",)
            )
            found.append(ObjectEdit(entry.kind, entry.name, entry.at, entry.who, fields, {}, {}))
        return tuple(found)

    def _took(self, before: Mapping[str, object], domain: str) -> bool:
        """Tell whether a connector as it was took mail for a domain."""
        names = before.get("domains")
        connector = Connector(
            "before",
            domains=tuple(str(name) for name in names) if isinstance(names, list) else (),
            all_accepted_domains=before.get("all_accepted_domains") is True,
            use_mx=True,
            enabled=before.get("enabled") is not False,
        )
        router = Router(replace(self._journey.world.objects, connectors=(connector,)))
        return router.route(f"x@{domain}").destination.connector == connector.name

    # ---------------------------------------------------------------- the journey tells

    def failed(
        self, event: str, lane: Lane, failure: Failure, verdict: Verdict, more: Mapping[str, object]
    ) -> None:
        """Remember how far a connection came that broke."""
        if verdict.failure_class in ("connection_dropped", "session_timeout"):
            size = more.get("size", 0)
            broke = (str(failure.phase), failure.bytes_sent, size if isinstance(size, int) else 0)
            self._drops.setdefault(lane.id, deque(maxlen=DROPS)).append(broke)
            self._journey.delivered_sizes.setdefault(lane.id, 0)
        self._refusals.note(lane, verdict, more)

    def resolved(self, lane: Lane, targets: Sequence[Target]) -> None:
        """Nothing: the rows of hosts know what a name leads to."""

    def opened(self, lane: Lane, session: SessionFacts) -> None:
        """Nothing."""

    def recovered(self, lane: Lane) -> None:
        """Forget where connections broke: that is over."""
        if lane.id not in self._drops or not self._insights.book.open_at(lane.id):
            self._drops.pop(lane.id, None)
            self._journey.delivered_sizes.pop(lane.id, None)

    def ended(self, lane: Lane, item: Item, final: Sequence[Final]) -> None:
        """Nothing."""


def _port(error: LastError | None) -> int:
    port = error.address.rpartition(":")[2] if error is not None else ""
    return int(port) if port.isdecimal() else 0


def _answers(rows: Sequence[HostRow]) -> tuple[Answer, ...]:
    """Return what names led to, as the rows of hosts remember it."""
    by_name: dict[str, list[HostRow]] = {}
    for row in rows:
        by_name.setdefault(row.server, []).append(row)
    return tuple(
        Answer(
            name, max(max(r.last_success, r.last_failure) for r in found), (), tuple(r.address for r in found)
        )
        for name, found in by_name.items()
    )
