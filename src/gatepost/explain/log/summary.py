"""The picture of a log: what is stuck, since when, how much, why, what next; insights grouped as in the gateway."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gatepost.diagnose.catalogue import Advice, explain
from gatepost.explain.log.reading import Reading
from gatepost.explain.log.tally import HOUR, OTHERS, Group, Tally
from gatepost.insight.weigh import Load, severity
from gatepost.model.failure import FailureClass, clean, iso
from gatepost.model.insight import Scope

MANY = 3  # destinations behind one server, from which on the server is what is named
TOP = 20
TEXT = 500
DAY_HOURS = 24
TRENDS = ("new", "rising", "steady", "falling", "over")


class Wanted(NamedTuple):
    """What of a summary is asked for."""

    to: str = ""  # a destination, a domain or an address; "" for all
    failure_class: str = ""
    top: int = TOP


@dataclass(frozen=True, slots=True)
class LogInsight:
    """Failures of a log that belong together. Times are ms since 1970, 0 for unknown."""

    incoming: bool  # our side refused it
    destination: str
    destinations: int
    failure_class: str
    sub: str
    code: str
    phase: str
    since: int
    last_seen: int
    oldest_at: int  # of what is stuck: when its oldest message came
    attempts: int
    stuck: int  # recipients that wait at the end of the log
    delivered: int  # recipients that it had delayed only
    returned: int
    trend: tuple[tuple[int, int], ...]  # (start of an hour, failures)
    trending: str  # new | rising | steady | falling | over
    works_at: int  # the last delivery to the destination
    severity: str
    confidence: float
    server: str
    address: str
    recipient: str  # of the latest
    text: str

    @property
    def over(self) -> bool:
        """Whether it is no trouble any more: nothing waits, and it has not failed lately or works since."""
        works = self.works_at > self.last_seen and not self.returned
        return not self.stuck and (self.trending == "over" or works)

    def advice(self, lang: str) -> Advice:
        """Return what the catalogue says of it."""
        return explain(FailureClass(self.failure_class), lang, sub=self.sub, server=self.server)

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """Return the documented object."""
        advice = self.advice(lang)
        return {
            "direction": "in" if self.incoming else "out",
            "destination": clean(self.destination, TEXT) or None,
            "destinations": self.destinations,
            "class": self.failure_class,
            "sub": self.sub or None,
            "code": self.code,
            "title": advice.title,
            "phase": self.phase,
            "severity": self.severity,
            "since": _when(self.since),
            "last_seen": _when(self.last_seen),
            "stuck": self.stuck,
            "oldest_at": _when(self.oldest_at),
            "attempts": self.attempts,
            "delivered_later": self.delivered,
            "returned": self.returned,
            "trend": self.trending,
            "over": self.over,
            "hours": [{"at": iso(at), "attempts": count} for at, count in self.trend],
            "works_at": _when(self.works_at),
            "side": advice.side,
            "next_step": next_step(advice),
            "confidence": self.confidence,
            "server": clean(self.server, TEXT) or None,
            "address": clean(self.address, TEXT) or None,
            "recipient": clean(self.recipient, TEXT) or None,
            "text": clean(self.text, TEXT),
        }


@dataclass(frozen=True, slots=True)
class LogSummary:
    """The picture of a log."""

    kind: str
    lines: int
    bad_lines: int
    bad_example: str
    first: int  # ms
    last: int
    delivered: int
    stuck: int
    deferred: int  # failures that were to be tried again
    returned: int
    refused: int  # by our side
    insights: tuple[LogInsight, ...]
    more: int  # insights that are not shown
    forgotten: int

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """Return the documented object."""
        return {
            "source_kind": self.kind,
            "lines": self.lines,
            "bad_lines": self.bad_lines,
            "bad_example": self.bad_example or None,
            "from": _when(self.first),
            "until": _when(self.last),
            "delivered": self.delivered,
            "stuck": self.stuck,
            "attempts_failed": self.deferred,
            "returned": self.returned,
            "refused_incoming": self.refused,
            "insights": [insight.to_json(lang) for insight in self.insights],
            "more_insights": self.more,
            "forgotten": self.forgotten,
        }


def next_step(advice: Advice) -> str:
    """Return the first thing to do, in one sentence."""
    return advice.fixes[0].text if advice.fixes else advice.explanation


def summary_of(reading: Reading, wanted: Wanted) -> LogSummary:
    """Return the picture of what has been read so far."""
    tally, bad = reading.tally, reading.bad
    insights = sorted(
        (i for i in _insights(tally) if _is_wanted(i, wanted)),
        key=lambda i: (i.incoming, -i.stuck, -i.returned, -i.attempts, i.destination),
    )
    groups = list(tally.groups.values())
    return LogSummary(
        reading.kind, bad.lines, bad.count, bad.example, tally.first * 1000, tally.last * 1000, tally.delivered,
        stuck=sum(count for count, _ in tally.stuck().values()),
        deferred=sum(group.attempts for group in groups if group.key[0] == "out"),
        returned=sum(group.returned for group in groups),
        refused=sum(group.attempts for group in groups if group.key[0] == "in"),
        insights=tuple(insights[: wanted.top]),
        more=max(len(insights) - wanted.top, 0),
        forgotten=tally.forgotten,
    )  # fmt: skip


def _is_wanted(insight: LogInsight, wanted: Wanted) -> bool:
    to = wanted.to.lower().lstrip("@").rpartition("@")[2]
    return wanted.failure_class in ("", insight.failure_class) and (
        not to or to in (insight.destination, insight.server.lower())
    )


def _insights(tally: Tally) -> Iterable[LogInsight]:
    stuck = tally.stuck()
    for bundle in _bundles(g for g in tally.groups.values() if g.attempts or g.number in stuck):
        yield _insight(bundle, stuck, tally)


def _bundles(groups: Iterable[Group]) -> Iterable[list[Group]]:
    """Yield groups that are one insight: many destinations that fail alike at one server are the server's."""
    by_server: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        side, destination, failure_class, sub = group.key
        server = next(iter(group.servers), "") if side == "out" and destination != OTHERS else ""
        alone = server or destination if side == "out" else "incoming"
        by_server.setdefault((side, failure_class, sub, alone), []).append(group)
    for (side, *_), bundle in by_server.items():
        if len(bundle) > MANY or side == "in":
            yield bundle
        else:
            yield from ([group] for group in bundle)


def _insight(bundle: list[Group], stuck: dict[int, tuple[int, int]], tally: Tally) -> LogInsight:
    latest = max(bundle, key=lambda group: group.last)
    side, destination, failure_class, sub = latest.key
    waiting = [stuck[group.number] for group in bundle if group.number in stuck]
    held = sum(count for count, _ in waiting)
    oldest = min((at for _, at in waiting), default=0)
    hours: dict[int, int] = {}
    for group in bundle:
        for hour, count in group.buckets.items():
            hours[hour] = hours.get(hour, 0) + count
    servers = latest.servers
    if latest.said.confidence and len(bundle) > 1 and side == "out":
        destination = next(iter(servers), destination)
    since = min((group.first for group in bundle if group.first), default=0)
    works = [found[1] for group in bundle if (found := tally.places.get(group.key[1].encode()))]
    return LogInsight(
        incoming=side == "in",
        destination=destination if side == "out" else "",
        destinations=len(bundle),
        failure_class=failure_class,
        sub=sub,
        code=latest.said.code,
        phase=latest.said.phase,
        since=since * 1000,
        last_seen=latest.last * 1000,
        oldest_at=oldest * 1000,
        attempts=sum(group.attempts for group in bundle),
        stuck=held,
        delivered=sum(group.delivered for group in bundle),
        returned=sum(group.returned for group in bundle),
        trend=tuple((hour * HOUR * 1000, hours[hour]) for hour in sorted(hours)),
        trending=trending(hours, tally.last // HOUR),
        works_at=max(works, default=0) * 1000,
        severity=_severity(side, failure_class, sub, held, bundle, tally),
        confidence=latest.said.confidence,
        server=next(reversed(servers), ""),
        address=servers[next(reversed(servers))] if servers else "",
        recipient=latest.sample.recipient.decode("utf-8", "replace"),
        text=latest.sample.text,
    )


def _severity(side: str, failure_class: str, sub: str, held: int, bundle: list[Group], tally: Tally) -> str:
    """Weigh it as the gateway weighs its own: what waits behind a route, or messages that fail one by one."""
    ended = sum(group.returned for group in bundle)
    lately = sum(group.buckets.get(tally.last // HOUR, 0) for group in bundle)
    age = (tally.last - min(group.first for group in bundle)) * 1000
    load = Load(messages=held, lately=lately, ended=ended, age=age)
    whole = held and side == "out"
    return str(
        severity(Scope.DESTINATION if whole else Scope.MESSAGES, failure_class, sub, load, route=False)
    )


def trending(hours: dict[int, int], now: int) -> str:
    """Return how failures develop: the last hour (and a part of one) against the day before it."""
    if not hours:
        return "over"
    recent = hours.get(now, 0) + hours.get(now - 1, 0)
    if not recent:
        return "over"
    before = [hours.get(hour, 0) for hour in range(now - 1 - DAY_HOURS, now - 1)]
    while before and not before[0]:
        before.pop(0)
    if not before:
        return "new"
    usual = 2 * sum(before) / len(before)
    return "rising" if recent >= 2 * usual else "falling" if 2 * recent <= usual else "steady"


def _when(at: int) -> str | None:
    return iso(at) if at else None


def is_class(word: str) -> bool:
    """Tell whether a word is a failure class."""
    return word in {str(failure_class) for failure_class in FailureClass}
