"""One insight while it is counted: fields that change with every failure, made into a snapshot when somebody looks."""

from dataclasses import replace

from gatepost.insight.weigh import FRESH_MS, HOUR, Load, Standing, severity, stand, worse
from gatepost.model.failure import LastError
from gatepost.model.insight import Episode, Fingerprint, Insight, InsightState

BUCKET_MS = 300_000
TREND_BUCKETS = 72  # six hours of five minutes
PAST = 20


class Entry:
    """The insight of one fingerprint."""

    __slots__ = (
        "_made",
        "_trend",
        "attempts",
        "ended",
        "error",
        "kept",
        "last_seen",
        "misses",
        "quiet_ms",
        "sub",
        "waits",
    )

    def __init__(self, insight: Insight) -> None:
        self.kept = insight  # everything that does not change with every failure
        self.attempts = insight.attempts
        self.ended = insight.ended
        self.last_seen = insight.last_seen
        self.error = insight.last_error
        self.sub = insight.sub
        self.misses = 0  # failures of another class at the same destination since the last of this one
        self.quiet_ms = HOUR
        self.waits = True
        self._trend = dict(insight.trend)
        self._made: Insight | None = insight

    @property
    def fingerprint(self) -> Fingerprint:
        """Return what its failures have in common."""
        return self.kept.fingerprint

    @property
    def open(self) -> bool:
        """Whether something is still broken."""
        return self.kept.state.open

    def snapshot(self) -> Insight:
        """Return the insight as it is now."""
        if self._made is None:
            self._made = replace(
                self.kept,
                attempts=self.attempts,
                ended=self.ended,
                last_seen=self.last_seen,
                last_error=self.error,
                sub=self.sub,
                trend=tuple(sorted(self._trend.items())),
            )
        return self._made

    def touch(self) -> None:
        """Note that it changed."""
        self._made = None

    def change(self, **fields: object) -> None:
        """Change what does not change with every failure."""
        self.kept = replace(self.snapshot(), **fields)  # type: ignore[arg-type]
        self.touch()

    def failed(self, error: LastError, sub: str, now: int, count: int) -> None:
        """Count failed attempts; `count` 0 for another sight of one that was counted."""
        self.attempts += count
        self.last_seen = max(now, self.last_seen)
        self.error = error
        self.sub = sub
        self.misses = 0
        if count:
            bucket = now // BUCKET_MS * BUCKET_MS
            self._trend[bucket] = self._trend.get(bucket, 0) + count
            if len(self._trend) > TREND_BUCKETS:
                del self._trend[min(self._trend)]
        self.touch()

    def lately(self, now: int) -> int:
        """Return the failed attempts of the last hour."""
        return sum(count for start, count in self._trend.items() if start + BUCKET_MS > now - HOUR)

    def begin_again(self, now: int) -> None:
        """Open it once more: what was resolved is back."""
        self.attempts = self.ended = self.misses = 0
        self.change(
            state=InsightState.REGRESSED,
            opened_at=now,
            episodes=self.kept.episodes + 1,
            resolved_at=0,
            resolved_why="",
            resolved_by="",
            acknowledged_by="",
            acknowledged_at=0,
            peak=0,
            mark=0,
            escalated_at=0,
            parent="",
            members=(),
            grouping=(),
        )

    def resolve(self, now: int, why: str, who: str = "") -> None:
        """Note that it is over, and remember the episode."""
        k = self.kept
        episode = Episode(k.opened_at, now, self.attempts, self.ended, k.peak, why)
        self.change(
            state=InsightState.RESOLVED,
            resolved_at=now,
            resolved_why=why,
            resolved_by=who,
            past=(episode, *k.past)[:PAST],
            parent="",
        )

    def weigh(self, load: Load, now: int) -> bool:
        """Let state and severity follow what it holds back; return whether that changed anything."""
        k, fingerprint = self.kept, self.fingerprint
        load = load._replace(
            lately=self.lately(now), ended=self.ended, age=now - k.opened_at, attempts=self.attempts
        )
        old = Standing(k.state, k.mark, k.escalated_at)
        new = stand(old, fingerprint.scope, load, now, fingerprint.failure_class)
        level = severity(fingerprint.scope, fingerprint.failure_class, self.sub, load, route=not k.stranger)
        if load.age < FRESH_MS:
            level = worse(level, k.severity)
        peak = max(k.peak, load.messages)
        if (new, level, peak) == (old, k.severity, k.peak):
            return False
        self.change(**new._asdict(), severity=level, peak=peak)
        return True
