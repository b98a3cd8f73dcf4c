"""Watch for a common cause: many destinations that begin to fail alike are one insight of the gateway."""

from collections.abc import Sequence

from gatepost.flow.journey import Journey
from gatepost.insight.book import Book, Trouble
from gatepost.insight.correlate import (
    LEAST,
    SHOWN_MEMBERS,
    WINDOW_MS,
    Failing,
    Group,
    common_cause,
    dissolved,
    family_of,
    joins,
    organisation,
)
from gatepost.model.evidence import Neighbours
from gatepost.model.failure import LastError
from gatepost.model.insight import Insight, Scope

EVERY_MS = 5_000  # so often it is looked whether a common cause is over
EXAMPLES = 5


def count_gateway(book: Book, failure_class: str, sub: str, error: LastError, now: int, times: int) -> None:
    """Count failures at the insight of the gateway that explains them."""
    book.failed(Trouble(Scope.GATEWAY, "", 0, failure_class, error, sub, times=times), now)


class CommonCause:
    """Looks at what is open, and at when the other destinations last worked."""

    def __init__(self, journey: Journey, book: Book) -> None:
        self._journey = journey
        self._book = book
        self._correlated = (0, 0)

    def look(self, now: int) -> None:
        """Open an insight of the gateway where one is due, follow those that are open."""
        known = self._book.open_of(Scope.GATEWAY)
        fresh = (self._book.turns, now // EVERY_MS if known else 0)
        if fresh == self._correlated:
            return
        self._correlated = fresh
        failing = [_failing(insight) for insight in self._book.open_of(Scope.DESTINATION)]
        if len(failing) < LEAST and not known:
            return
        successes = self._successes()
        for gateway in known:
            self._follow(gateway, failing, successes, now)
        taken = {family_of(g.fingerprint.failure_class) for g in self._book.open_of(Scope.GATEWAY)}
        for group in common_cause(failing, successes):
            if group.family not in taken:
                self._open(group, now)

    def _successes(self) -> list[int]:
        """Return when each destination that leads out and does not fail last worked."""
        failing = {insight.fingerprint.destination_id for insight in self._book.open_of(Scope.DESTINATION)}
        return [
            lane.last_success_at
            for lane in self._journey.lanes.by_id.values()
            if lane.id not in failing and lane.last_success_at and lane.key.kind in ("smart", "mx")
        ]

    def _open(self, group: Group, now: int) -> None:
        members = [self._book.get(text) for text in group.members]
        latest = max((m for m in members if m is not None), key=lambda m: m.last_seen)
        if latest.last_error is None:
            return
        attempts = sum(m.attempts for m in members if m is not None)
        count_gateway(self._book, group.failure_class, latest.sub, latest.last_error, now, attempts)
        self._hang(group.fingerprint.text, group.members, group.grouping)

    def _hang(self, text: str, members: Sequence[str], grouping: tuple[tuple[str, int], ...]) -> None:
        self._book.group(text, tuple(members)[:SHOWN_MEMBERS], grouping)
        for member in members:
            self._book.explain(member, text)

    def _follow(
        self, gateway: Insight, failing: Sequence[Failing], successes: Sequence[int], now: int
    ) -> None:
        """Let what fails alike join a known cause; let go when most of it works again."""
        since = dict(gateway.grouping).get("since", gateway.opened_at)
        known = family_of(gateway.fingerprint.failure_class)
        members = [one for one in failing if joins(one, known, since)]
        working = sum(1 for at in successes if at > since)
        text = gateway.fingerprint.text
        if dissolved(len(members), working):
            self._book.resolve(text, now, "dissolved")
            return
        grouping = (("failing", len(members)), ("working", working), ("since", since))
        self._hang(text, [one.fingerprint for one in members], grouping)

    def neighbours(self, destination_id: int, failure_class: str, now: int) -> Neighbours:
        """Return how the other destinations that were tried lately fare."""
        others = [
            i for i in self._book.open_of(Scope.DESTINATION) if i.fingerprint.destination_id != destination_id
        ]
        failing = [i for i in others if now - i.last_seen <= WINDOW_MS]
        alike = [i for i in failing if i.fingerprint.failure_class == failure_class]
        troubled = {i.fingerprint.destination_id for i in others} | {destination_id}
        working = sum(
            1
            for lane in self._journey.lanes.by_id.values()
            if lane.id not in troubled
            and lane.key.kind in ("smart", "mx")
            and now - lane.last_success_at <= WINDOW_MS
        )
        places = {i.fingerprint.destination_id for i in failing}
        return Neighbours(
            active=len(places) + working,
            working=working,
            failing=len(places),
            failing_alike=len({i.fingerprint.destination_id for i in alike}),
            examples=tuple(i.destination for i in alike[:EXAMPLES]),
        )


def _failing(insight: Insight) -> Failing:
    error = insight.last_error
    server, address = (error.server, error.address) if error is not None else ("", "")
    return Failing(
        insight.fingerprint.text,
        insight.fingerprint.failure_class,
        insight.sub,
        organisation(server, address or insight.destination),
        insight.opened_at,
    )
