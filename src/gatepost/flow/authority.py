"""What the name servers of a troubled destination say themselves, asked beside the journey (B3)."""

from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.model.evidence import Answer
from gatepost.model.insight import Scope
from gatepost.net.dns_authority import DNS_PORT, ask_authority
from gatepost.queue.lane import Lane

AGAIN_MS = 300_000
FORGET_MS = 3_600_000
MOST_NAMES = 4  # of one destination
CLASSES = frozenset({"dns_query_failed", "connection_timeout", "connection_refused", "host_unreachable"})


class Authority:
    """A part of `flow.intelligence`: asks while something is broken that the DNS may explain."""

    def __init__(self, journey: Journey, insights: Insights) -> None:
        self._journey = journey
        self._insights = insights
        self.port = DNS_PORT
        self._asked: dict[int, int] = {}  # destination -> when
        self._answers: dict[int, tuple[Answer, ...]] = {}

    async def restore(self) -> None:
        """Nothing: answers of yesterday say nothing of today."""

    def tick(self, now: int) -> None:
        """Ask about destinations of ours that fail in a way the DNS may explain."""
        for insight in self._insights.book.open_of(Scope.DESTINATION):
            where = insight.fingerprint
            lane = self._journey.lanes.by_id.get(where.destination_id)
            if lane is None or not where.connector or where.failure_class not in CLASSES:
                continue
            if now - self._asked.get(lane.id, 0) >= AGAIN_MS:
                self._asked[lane.id] = now
                self._journey.world.start(self.ask(lane))
        for destination_id in [d for d, at in self._asked.items() if now - at > FORGET_MS]:
            self._answers.pop(destination_id, None)
            del self._asked[destination_id]

    async def ask(self, lane: Lane) -> None:
        """Ask about the names of a destination."""
        if lane.key.kind == "mx":
            mx = await self._one(lane.key.next_hop, "MX")
            hosts = [(await self._one(host, "A")) for host in mx.mx[:MOST_NAMES]] if mx is not None else []
            found = [mx, *hosts]
        else:
            names = [host.host for host in lane.connector.smart_hosts] if lane.connector is not None else []
            found = [await self._one(name, "A") for name in names[:MOST_NAMES]]
        self._answers[lane.id] = tuple(answer for answer in found if answer is not None)

    async def _one(self, name: str, kind: str) -> Answer | None:
        said = await ask_authority(self._journey.world.resolver, name, kind, port=self.port)
        if said is None:
            return None
        mx, addresses = (said.values, ()) if kind == "MX" else ((), said.values)
        return Answer(name, self._journey.now(), mx, addresses, said.problem, said.server)

    def answers(self, destination_id: int) -> tuple[Answer, ...]:
        """Return what was said last."""
        return self._answers.get(destination_id, ())

    async def stop(self) -> None:
        """Nothing is left to be written."""
