"""Foresight beside the journey: what is known of places, names and offenders becomes forecasts, and alerts (B7)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from gatepost.alert.policies import Subject
from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.flow.names import Names
from gatepost.flow.quota import Quota
from gatepost.i18n import translator
from gatepost.insight.foresight import Lapsed, Outlook, Place, Room, forecasts
from gatepost.model.evidence import Because
from gatepost.model.failure import Reason, iso
from gatepost.model.forecast import Forecast
from gatepost.model.insight import Scope
from gatepost.model.objects import TlsMode
from gatepost.model.waiting import Growth, growth
from gatepost.queue.lane import Lane
from gatepost.storage.interface import DestinationSummary

EVERY_MS = 5_000
REMEMBERED = 500  # forecasts that are over, so that their end can be told in words


class Foresight:
    """A part of `flow.intelligence`."""

    def __init__(
        self,
        journey: Journey,
        insights: Insights,
        names: Names,
        quota: Quota,
        summaries: Callable[[], Sequence[DestinationSummary]],
    ) -> None:
        self._journey = journey
        self._world = journey.world
        self._insights = insights
        self._names = names
        self._quota = quota
        self._summaries = summaries
        self._looked_at = 0
        self._now: dict[str, Forecast] = {}
        self._over: dict[str, Forecast] = {}

    # ---------------------------------------------------------------- every second

    async def restore(self) -> None:
        """Nothing: forecasts follow from what other parts remember."""

    def tick(self, now: int) -> None:
        """Look ahead every few seconds."""
        if now - self._looked_at < EVERY_MS:
            return
        self._looked_at = now
        found = {forecast.key: forecast for forecast in forecasts(self._outlook(now))}
        for key, forecast in found.items():
            before = self._now.get(key)
            since = before.since if before is not None else forecast.since or now
            found[key] = forecast._replace(since=since)
            if before is None:
                self._say("forecast.made", found[key])
        for key in self._now.keys() - found.keys():
            self._say("forecast.over", self._now[key])
            self._over[key] = self._now[key]
        while len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]
        self._now = found

    async def stop(self) -> None:
        """Nothing is left to be written."""

    def _say(self, event: str, forecast: Forecast) -> None:
        words = forecast.sentence.text.format(**forecast.sentence.values)
        self._journey.say(
            event,
            kind=forecast.kind,
            connector=forecast.connector,
            severity=forecast.severity,
            forecast=words,
        )

    # ---------------------------------------------------------------- what is looked at

    def _outlook(self, now: int) -> Outlook:
        summaries = {summary.state.id: summary for summary in self._summaries()}
        ages = [growth(summary.ages, now) for summary in summaries.values()]
        grown = Growth(sum(g.last_hour for g in ages), sum(g.hour_before for g in ages))
        places = [
            self._place(lane, summaries.get(lane.id))
            for lane in self._journey.lanes.by_id.values()
            if lane.key.kind in ("smart", "mx") and (lane.key.connector or lane.id in summaries)
        ]
        places += self._names.places()
        rooms, offenders = self._rooms(list(summaries.values())), self._quota.notable(now)
        guessers = self._world.guesses.notable(now)
        return Outlook(now, places, grown, rooms, self._lapsed(summaries), offenders, guessers)

    def _place(self, lane: Lane, summary: DestinationSummary | None) -> Place:
        ours = bool(lane.key.connector)
        waits = summary is not None and bool(summary.messages)
        connector = self._world.connector(lane.key.connector)
        return Place(
            lane.id, lane.key.connector, self._world.destination_name(lane),
            self._insights.hosts.current(lane.id) if ours else (),
            broken=bool(self._insights.book.open_at(lane.id, Scope.DESTINATION)),
            moved=self._names.moved(lane.id) if ours else None,
            messages=summary.messages if summary is not None else 0,
            expires_at=summary.oldest_expires_at if summary is not None and waits else 0,
            lifetime=summary.oldest_expires_at - summary.oldest_at if summary is not None and waits else 0,
            use_mx=lane.key.kind == "mx",
            validates=connector is not None and connector.tls in VALIDATING,
        )  # fmt: skip

    def _rooms(self, summaries: Sequence[DestinationSummary]) -> list[Room]:
        limits = self._world.pressure.limits
        messages = sum(summary.messages for summary in summaries)
        octets = sum(summary.bytes for summary in summaries)
        free = self._journey.store.health().free_bytes - limits.min_free_bytes
        return [
            Room("queue", messages, limits.max_messages, 1),
            Room("disk", 0, max(free, 0), octets // messages if messages else 0),
        ]

    def _lapsed(self, summaries: Mapping[int, DestinationSummary]) -> list[Lapsed]:
        """Return names that are gone: of our domains, and of destinations where nothing waits for them yet."""
        found = {lapsed.name: lapsed for lapsed in self._names.lapsed()}
        for scope in (Scope.HOSTS, Scope.DESTINATION):
            for insight in self._insights.book.open_of(scope):
                where, error = insight.fingerprint, insight.last_error
                waiting = summaries.get(where.destination_id)
                stuck = scope == Scope.DESTINATION and waiting is not None and waiting.messages
                if insight.sub != Reason.NXDOMAIN or error is None or stuck or not where.connector:
                    continue
                worked = self._insights.hosts.worked(where.destination_id)
                found.setdefault(
                    error.server, Lapsed(error.server, insight.opened_at, worked, where.connector)
                )
        return list(found.values())

    # ---------------------------------------------------------------- who asks

    def all(self) -> list[Forecast]:
        """Return what is foreseen now, what matters most first."""
        return sorted(self._now.values(), key=lambda f: (_RANK[f.severity], f.due or 1 << 62, f.key))

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many there are, by kind and severity."""
        return Counter((forecast.kind, forecast.severity) for forecast in self._now.values())

    def subjects(self, now: int) -> list[Subject]:
        """Return the forecasts as alert policies look at them."""
        found = []
        for forecast in self._now.values():
            connector = self._world.connector(forecast.connector)
            found.append(
                Subject(
                    forecast.key, "foresight", forecast.connector, connector.to if connector else "",
                    forecast.severity, forecast.kind, first_expires_at=forecast.due,
                    destination_id=forecast.destination_id,
                )
            )  # fmt: skip
        return found

    def about(self, key: str, lang: str) -> Mapping[str, object] | None:
        """Return what a notice says of a forecast, also of one that is over."""
        forecast = self._now.get(key) or self._over.get(key)
        return None if forecast is None else forecast_json(forecast, lang)


VALIDATING = (TlsMode.CERTIFICATE_VALIDATION, TlsMode.DOMAIN_VALIDATION)
_RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def forecast_json(forecast: Forecast, lang: str) -> dict[str, object]:
    """Return a forecast in words, as the surfaces and the notices show it."""
    translate = translator(lang)

    def say(because: Because) -> str:
        return translate(because.text).format(**because.values)

    evidence = [say(because) for because in forecast.evidence]
    sentence = say(forecast.sentence)
    return {
        "forecast": forecast.kind,
        "key": forecast.key,
        "severity": forecast.severity,
        "title": sentence.rstrip("."),
        "sentence": sentence,
        "explanation": " ".join(evidence),
        "evidence": evidence,
        "next_step": say(forecast.next_step),
        "connector": forecast.connector,
        "destination": forecast.destination,
        "destination_id": str(forecast.destination_id) if forecast.destination_id else "",
        "due": iso(forecast.due) if forecast.due else None,
        "since": iso(forecast.since) if forecast.since else None,
        "causes": [],
        "fixes": [{"action": "", "title": say(forecast.next_step)}],
    }
