"""The quota for recipients that do not exist: counted where mail comes in and where it ends, shown, and enforced (R16).

Guarantee: mail of known clients without unknown recipients costs one look into an empty table.
"""

import ipaddress
import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.deliver.targets import Target
from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.flow.records import Final
from gatepost.insight.book import Trouble
from gatepost.insight.invalid import OFFENDERS, InvalidRecipients, Limits, Seen, Standing
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.document import Document
from gatepost.model.failure import FailureClass, LastError, Phase, Verdict
from gatepost.model.insight import Scope
from gatepost.model.mail import REPORT, Item
from gatepost.queue.lane import Lane
from gatepost.smtp.address import BadAddress, domain_of
from gatepost.storage.interface import Change

QUOTA = "quota"  # the kind of the document that outlives a restart
KEEP_MS = 60_000
KEPT_KEYS = 200  # of each dimension
MOST_PENDING = 20_000
LOOKED_UP_AT_ONCE = 500
SHARED_PREFIX = 64  # bits of an IPv6 address that belong to one client


class Quota:
    """An observer and a part of `flow.intelligence`."""

    def __init__(self, journey: Journey, insights: Insights) -> None:
        self._journey = journey
        self._world = journey.world
        self._insights = insights
        self.counters = InvalidRecipients(self._limits())
        self._pending: deque[tuple[int, Seen]] = deque(maxlen=MOST_PENDING)
        self._looking = False
        self._kept_at = 0
        self._changed = False
        self._fresh = 0  # since the last tick

    def _limits(self) -> Limits:
        quota = self._world.settings.quota
        return Limits(
            quota.window * 1000, quota.warn, quota.limit, quota.total_warn, quota.source_limit, quota.harvest
        )

    # ---------------------------------------------------------------- mail comes in

    def refused(self, source: str, address: str, sender: str, recipient: str, valid: int) -> None:
        """Count a recipient that was refused to a client, which named `valid` good ones since the last bad one."""
        seen = Seen(
            "refused", _domain(recipient), recipient, source=source, client="" if source else client_of(address),
            sender=sender, valid=valid,
        )  # fmt: skip
        self._count(seen)

    def blocked(self, source: str, address: str, sender: str) -> Standing | None:
        """Return the standing of a client or sender that has to wait."""
        if not self.counters.limiting:
            return None
        client = "" if source else client_of(address)
        return self.counters.blocked(source, client, sender, self._journey.now())

    def _count(self, seen: Seen) -> None:
        self.counters.count(seen, self._journey.now())
        self._world.metrics.invalid_recipient(seen.how, seen.connector)
        self._changed = True
        self._fresh += 1

    # ---------------------------------------------------------------- mail ends

    def ended(self, lane: Lane, item: Item, final: Sequence[Final]) -> None:
        """Count recipients that their destination did not know, or that we returned since nobody knows them."""
        for recipient, failure, verdict, _attempt in final:
            if verdict is None or verdict.failure_class != FailureClass.RECIPIENT_UNKNOWN:
                continue
            how = "returned" if failure is not None and failure.phase == Phase.ROUTE else "rejected"
            seen = Seen(
                how, _domain(recipient.address), recipient.address, lane.key.connector, sender=item.sender,
                reported=bool(item.sender),
            )  # fmt: skip
            if item.flags & REPORT:  # a report of our own: nobody's fault but the sender's that it answers
                self._count(seen)
            else:
                self._pending.append((item.message_id, seen))

    async def _look_up(self) -> None:
        """Find out who handed in messages to recipients that do not exist, some at a time."""
        try:
            for _ in range(min(len(self._pending), LOOKED_UP_AT_ONCE)):
                message_id, seen = self._pending.popleft()
                view = await self._journey.store.message(message_id)
                source = view.source if view is not None else ""
                client = view.client if view is not None and not source else ""
                self._count(seen._replace(source=source, client=_address_in(client)))
        finally:
            self._looking = False

    def failed(
        self, event: str, lane: Lane, failure: Failure, verdict: Verdict, more: Mapping[str, object]
    ) -> None:
        """Nothing: what counts is how recipients end."""

    def resolved(self, lane: Lane, targets: Sequence[Target]) -> None:
        """Nothing."""

    def opened(self, lane: Lane, session: SessionFacts) -> None:
        """Nothing."""

    def recovered(self, lane: Lane) -> None:
        """Nothing."""

    # ---------------------------------------------------------------- every second

    def tick(self, now: int) -> None:
        """Look up who is to blame, tell the insights, forget what is over, keep the rest."""
        self.counters.limits = self._limits()
        if self._pending and not self._looking:
            self._looking = True
            self._world.start(self._look_up())
        self._tell(now)
        if self._changed and now - self._kept_at >= KEEP_MS:
            self.counters.tick(now)
            self._keep(now)

    def _tell(self, now: int) -> None:
        """Let the insight of invalid recipients grow while somebody is above a threshold."""
        fresh, self._fresh = self._fresh, 0
        if not fresh or not (notable := self.notable(now)):
            return
        worst = next((s for s in notable if s.dimension in OFFENDERS), notable[0])
        class_ = str(FailureClass.RECIPIENT_UNKNOWN)
        error = LastError(
            550, "5.1.10", "Recipient not found", "rcpt", "reply", class_, "other", "Recipient not found",
            "", "", now, self._world.settings.hostname, "",
        )  # fmt: skip
        self._insights.book.failed(
            Trouble(
                Scope.MESSAGES, "", 0, class_, error, "quota", worst.name, times=fresh, waits=False,
                quiet_ms=self.counters.limits.window_ms,
            ),
            now,
        )  # fmt: skip
        self._insights.book.ended("", 0, class_, fresh)

    def notable(self, now: int) -> list[Standing]:
        """Return who is above a threshold, the worst first."""
        return self.counters.notable(now)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many are above a threshold, by dimension and level."""
        notable = self.notable(self._journey.now())
        return Counter((one.dimension, "harvest" if one.harvest else one.level) for one in notable)

    def _keep(self, now: int) -> None:
        self._kept_at, self._changed = now, False
        document = Document(QUOTA, "counters", now, self.counters.dump(KEPT_KEYS))
        self._journey.store.write(Change(documents=(document,)))

    async def restore(self) -> None:
        """Read what the last process had counted."""
        document = await self._journey.store.document(QUOTA, "counters")
        if document is not None and document.data:
            data: dict[str, Any] = dict(document.data)
            self.counters.load(data, self._journey.now())

    async def stop(self) -> None:
        """Keep what was counted."""
        if self._changed:
            self._keep(self._journey.now())


def client_of(address: str) -> str:
    """Return what a client is counted under: its address, or the network of one IPv6 customer."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, SHARED_PREFIX), strict=False))
    return str(parsed)


def _domain(address: str) -> str:
    try:
        return domain_of(address)
    except BadAddress:
        return ""


def _address_in(client: str) -> str:
    """Return the address of the client in what was kept of it (JSON)."""
    try:
        address = json.loads(client).get("address", "")
    except ValueError:
        return ""
    return client_of(str(address)) if address else ""
