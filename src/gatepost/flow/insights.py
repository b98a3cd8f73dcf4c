"""Feed the book of insights with what happens on the journey, keep it on disk, and tell who wants to know.

Guarantee: a failure costs a few counters in memory; what changed is written down and told once a second.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gatepost.deliver.targets import Plan, Target
from gatepost.diagnose.classify import classify
from gatepost.flow.checking import CheckRequest, Outcome
from gatepost.flow.common_cause import CommonCause, count_gateway
from gatepost.flow.journey import Journey
from gatepost.flow.records import Final, error_of
from gatepost.insight import kept
from gatepost.insight.book import MAX_ENTRIES, Book, LoadOf, Trouble
from gatepost.insight.hosts import Hosts, sight
from gatepost.insight.weigh import Load
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.document import Document
from gatepost.model.evidence import Neighbours
from gatepost.model.failure import Concern, LastError, Phase, Reason, Verdict
from gatepost.model.foreign import system_of
from gatepost.model.insight import Insight, Scope
from gatepost.model.mail import Item
from gatepost.model.route import DestinationKey
from gatepost.queue.lane import Lane
from gatepost.storage.interface import Change, DestinationSummary

PRUNE_MS = 3_600_000
PAGE = 1000
QUIET_SLACK_MS = 60_000
OPENING_PHASES = frozenset(
    {Phase.DNS, Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.STARTTLS, Phase.TLS, Phase.AUTH}
)
QUIET_ENDED_MS = 3_600_000

Subscriber = Callable[[Insight, Insight | None], None]


class Insights:
    """The observer and part that owns the book and the hosts."""

    def __init__(self, journey: Journey, summaries: Callable[[], Sequence[DestinationSummary]]) -> None:
        self._journey = journey
        self._world = journey.world
        self._summaries = summaries
        self.book = Book(self._world.new_id, self._retention())
        self.hosts = Hosts()
        self.loads: Callable[[int], Load | None] = lambda destination_id: None  # of foreign systems
        self._subscribers: list[Subscriber] = []
        self._pruned_at = 0
        self._common = CommonCause(journey, self.book)

    def _retention(self) -> int:
        return self._world.settings.retention.insights * 1000

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call back with each insight that changed and what it was before; return what ends that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def open_counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many insights are open and stand by themselves, by severity and scope."""
        return Counter(
            (str(insight.severity), insight.fingerprint.scope)
            for insight in self.book.all()
            if insight.state.open and not insight.parent
        )

    # ---------------------------------------------------------------- the journey tells

    def failed(
        self, event: str, lane: Lane, failure: Failure, verdict: Verdict, more: Mapping[str, object]
    ) -> None:
        """Count a failed attempt where it belongs."""
        if failure.reason is Reason.CANCELLED:  # we stopped it ourselves
            return
        now = self._journey.now()
        error = error_of(failure, verdict, now, self._world.settings.hostname, failure.session.id)
        of_all = event == "destination.failed" or _holds_back(failure, verdict)
        if event == "host.failed" or of_all:
            self.hosts.failed(sight(failure.session, now), error)
        if event == "host.failed":
            self._count(lane, verdict, error, now, Scope.HOSTS)
        elif of_all and more.get("root", True):
            again = event != "destination.failed" and lane.state == "retry" and not lane.probing
            if verdict.permanent and not lane.key.connector and not self.hosts.worked(lane.id):
                self._count_strangers(verdict, error, now)
            else:
                self._count(lane, verdict, error, now, Scope.DESTINATION, times=0 if again else 1)
        elif not of_all:
            self._count(lane, verdict, error, now, Scope.MESSAGES, ended=event == "message.failed")

    def _count(
        self,
        lane: Lane,
        verdict: Verdict,
        error: LastError,
        now: int,
        scope: Scope,
        *,
        times: int = 1,
        ended: bool = False,
    ) -> None:
        trouble = Trouble(
            scope=scope,
            connector=lane.key.connector,
            destination_id=lane.id,
            failure_class=verdict.failure_class,
            error=error,
            sub=verdict.sub,
            destination=self._world.destination_name(lane),
            stranger=lane.key.kind == "mx" and not lane.key.connector,
            times=times,
            waits=not ended,
            quiet_ms=QUIET_ENDED_MS if ended else max(lane.policy.retry) * 2500 + QUIET_SLACK_MS,
        )
        insight = self.book.failed(trouble, now)
        parent = self.book.get(insight.parent) if insight is not None and insight.parent else None
        if parent is not None and parent.fingerprint.scope == Scope.GATEWAY:
            count_gateway(self.book, parent.fingerprint.failure_class, verdict.sub, error, now, times)

    def _count_strangers(self, verdict: Verdict, error: LastError, now: int) -> None:
        """Count a domain that never took mail and cannot: mistyped addresses are one insight, not thousands."""
        self.book.failed(
            Trouble(
                Scope.MESSAGES, "", 0, verdict.failure_class, error, verdict.sub, waits=False,
                quiet_ms=QUIET_ENDED_MS,
            ),
            now,
        )  # fmt: skip

    def resolved(self, lane: Lane, targets: Sequence[Target]) -> None:
        """Note where a destination's names lead now."""
        self.hosts.listed(lane.id, [(target.server, target.address, target.port) for target in targets])
        self._hosts_now(lane)

    def opened(self, lane: Lane, session: SessionFacts) -> None:
        """Note a host that takes mail."""
        self.hosts.opened(sight(session, self._journey.now()))
        self._hosts_now(lane)
        if (
            not lane.attempts
        ):  # nothing had failed as far as this process knows, so nobody will call it recovered
            self.book.recovered(lane.id, self._journey.now())

    def _hosts_now(self, lane: Lane) -> None:
        self.book.hosts_now(lane.id, self.hosts.failing(lane.id), self._journey.now())

    def recovered(self, lane: Lane) -> None:
        """Note a destination that works again."""
        self.book.recovered(lane.id, self._journey.now())

    def ended(self, lane: Lane, item: Item, final: Sequence[Final]) -> None:
        """Count recipients that failed for good."""
        classes = Counter(
            str(verdict.failure_class)
            for _, failure, verdict, _ in final
            if verdict is not None and failure is not None and failure.reason is not Reason.CANCELLED
        )
        for failure_class, count in classes.items():
            self.book.ended(lane.key.connector, lane.id, failure_class, count)

    def checked(self, request: CheckRequest, outcome: Outcome) -> None:
        """Hear of a check of a saved connector."""
        if isinstance(outcome.planned, Plan):
            targets = outcome.planned.targets
            self.hosts.listed(request.key.id, [(t.server, t.address, t.port) for t in targets])
        self.probed(request.key, [(end.session, end.failure) for end in outcome.ends])

    def probed(self, key: DestinationKey, seen: Sequence[tuple[SessionFacts, Failure | None]]) -> None:
        """Count what a probe of a saved connector saw at its addresses; None for one that takes mail.

        So a host that fails while others work, or a connector of which none does, is known before the first message.
        """
        lane, now = self._journey.lanes.get(key), self._journey.now()
        failures = []
        for session, failure in seen:
            sighted = sight(session, now)._replace(destination_id=lane.id)
            if failure is None or failure.phase not in OPENING_PHASES:
                self.hosts.opened(sighted)
            elif failure.reason is not Reason.CANCELLED:
                verdict = classify(failure, connector=lane.connector, kind=lane.key.kind)
                error = error_of(failure, verdict, now, self._world.settings.hostname, session.id)
                self.hosts.failed(sighted, error)
                failures.append((verdict, error))
        self._hosts_now(lane)
        if len(failures) < len(seen):
            if not lane.attempts:
                self.book.recovered(lane.id, now)
            for verdict, error in failures:
                self._count(lane, verdict, error, now, Scope.HOSTS)
        elif failures:
            self._count(lane, *failures[-1], now, Scope.DESTINATION)

    # ---------------------------------------------------------------- every second

    def tick(self, now: int) -> None:
        """Let time pass in the book, look for a common cause, write down and tell what changed."""
        self.book.retention_ms = self._retention()
        self.book.tick(now, self.load_of(now), self._gone())
        self._common.look(now)
        if now - self._pruned_at >= PRUNE_MS:
            self._pruned_at = now
            self._prune(now)
        self._write(now)

    def load_of(self, now: int) -> LoadOf:
        """Return what says what waits at a destination, as it was counted last."""
        summaries = {summary.state.id: summary for summary in self._summaries()}
        everything = sum(summary.messages for summary in summaries.values()) or 1

        def load(destination_id: int) -> Load:
            foreign = self.loads(destination_id)
            if foreign is not None:
                return foreign
            rows = self.hosts.current(destination_id)
            found = Load(working=sum(row.works is not False for row in rows))
            summary = summaries.get(destination_id)
            if summary is None or not summary.messages:
                return found
            return found._replace(
                messages=summary.messages,
                share=summary.messages / everything,
                expires_in=max(summary.oldest_expires_at - now, 0),
                lifetime=summary.oldest_expires_at - summary.oldest_at,
            )

        return load

    def _gone(self) -> frozenset[int]:
        """Return the destinations whose connector is there no more, or is disabled."""
        there = {connector.name for connector in self._world.objects.connectors if connector.enabled}
        return frozenset(
            destination_id
            for destination_id, connector in self.book.troubled().items()
            if connector and connector not in there and not system_of(connector)
        )

    def _write(self, now: int) -> None:
        changes = self.book.changes()
        documents = [kept.insight_document(insight, now) for insight, _ in changes]
        documents += [kept.host_document(row) for row in self.hosts.changes()]
        documents += [Document(kept.HOST, kept.host_key(*key), now, None) for key in self.hosts.gone()]
        if documents:
            self._journey.store.write(Change(documents=tuple(documents)))
        for insight, before in changes:
            self._tell(insight, before)

    def _tell(self, insight: Insight, before: Insight | None) -> None:
        if before is None or before.state != insight.state:
            self._say(insight)
        for callback in list(self._subscribers):
            try:
                callback(insight, before)
            except Exception as problem:
                self._journey.say("subscriber.failed", level="error", error=repr(problem))

    def _say(self, insight: Insight) -> None:
        self._journey.say(
            f"insight.{insight.state}",
            level="warning" if insight.state.open else "info",
            insight=insight.fingerprint.text,
            scope=insight.fingerprint.scope,
            connector=insight.fingerprint.connector,
            destination=insight.destination,
            failure_class=insight.fingerprint.failure_class,
            severity=insight.severity,
            attempts=insight.attempts,
            why=insight.resolved_why,
        )

    def _prune(self, now: int) -> None:
        before = now - self.book.retention_ms
        self.book.prune(before)
        self.hosts.prune(before)
        still = tuple(kept.insight_document(i, now) for i in self.book.all() if i.state.open)
        if still:
            self._journey.store.write(Change(documents=still))
        self._world.start(self._forget(before))

    async def _forget(self, before: int) -> None:
        for kind in (kept.INSIGHT, kept.HOST):
            await self._journey.store.forget(kind, before)

    def neighbours(self, destination_id: int, failure_class: str, now: int) -> Neighbours:
        """Return how the other destinations that were tried lately fare."""
        return self._common.neighbours(destination_id, failure_class, now)

    # ---------------------------------------------------------------- start and stop

    async def restore(self) -> None:
        """Read what the last process knew."""
        since = self._world.now() - self._retention()
        for document in (await self._all(kept.INSIGHT, since))[:MAX_ENTRIES]:
            insight = kept.insight_of(document.data or {})
            if insight is not None:
                self.book.restore(insight)
        for document in await self._all(kept.HOST, since):
            row = kept.host_of(document.data or {})
            if row is not None:
                self.hosts.restore(row)

    async def _all(self, kind: str, since: int) -> list[Document]:
        found: list[Document] = []
        before: tuple[int, str] | None = None
        while True:
            page = await self._journey.store.documents(kind, since=since, before=before, limit=PAGE)
            found += page
            if len(page) < PAGE:
                return found
            before = (page[-1].at, page[-1].key)

    async def stop(self) -> None:
        """Write down what is not yet kept."""
        self._write(self._world.now())


def _holds_back(failure: Failure, verdict: Verdict) -> bool:
    """Tell whether a reply to one message concerns the whole destination (as `journey` decides)."""
    return verdict.concern is Concern.DESTINATION and failure.reply is not None
