"""Insights as people and programs use them: what is broken, since when, how much waits, what to do (R19, B3)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import cast

from gatepost.admin.answers.checks import ProbeJson
from gatepost.admin.answers.fixes import OfferJson
from gatepost.admin.answers.insights import (
    FacetsJson,
    ForecastJson,
    HostJson,
    InsightHistory,
    InsightJson,
    InsightRow,
    MemberJson,
    NotedJson,
    WhyJson,
    WhyOfInsight,
)
from gatepost.admin.errors import Conflict, Invalid, NotFound, tr
from gatepost.admin.fixes import FixUseCases
from gatepost.admin.gateway import Gateway
from gatepost.admin.insight_shapes import (
    facets_json,
    history_json,
    host_json,
    insight_row,
    ranking_json,
    waiting_json,
)
from gatepost.admin.insight_words import Shown, Words
from gatepost.admin.shapes import attempt_json, connectors_of, when
from gatepost.flow.foresight import forecast_json
from gatepost.model.evidence import Ranking
from gatepost.model.insight import Insight, InsightState, Scope, Severity
from gatepost.model.objects import Connector
from gatepost.model.waiting import expiries, expiring_next
from gatepost.storage.interface import DestinationSummary

FACET_ROWS = 10_000
DATED_ROWS = 50_000
MEMBERS = 50
ATTEMPTS = 20
MAX_NOTE = 2000
SEVERITIES = tuple(str(severity) for severity in Severity)
STATES = ("open", "all", *(str(state) for state in InsightState))


@dataclass(frozen=True, slots=True)
class InsightFilter:
    """Which insights; "" is any. `connector` and `destination` may hold `*`; `severity` means this one or worse."""

    state: str = "open"
    severity: str = ""
    failure_class: str = ""
    code: str = ""
    scope: str = ""
    connector: str = ""
    destination: str = ""
    explained: bool = False  # also what another insight explains
    limit: int = 200

    def check(self) -> None:
        """Raise `Invalid` for words that mean nothing."""
        for word, allowed in (
            (self.state, STATES),
            (self.severity, ("", *SEVERITIES)),
            (self.scope, ("", *Scope)),
        ):
            if word not in allowed:
                choices = ", ".join(str(choice) for choice in allowed if choice)
                raise Invalid(tr('"{word}" is none of {choices}.'), word=word, choices=choices)

    def takes(self, insight: Insight) -> bool:
        """Tell whether an insight is meant."""
        fingerprint = insight.fingerprint
        worse = SEVERITIES[: SEVERITIES.index(self.severity) + 1] if self.severity else SEVERITIES
        return (
            self._takes_state(insight)
            and insight.severity in worse
            and self.failure_class in ("", fingerprint.failure_class)
            and self.code in ("", insight.flow_code)
            and self.scope in ("", fingerprint.scope)
            and _like(fingerprint.connector, self.connector)
            and (
                _like(insight.destination, self.destination)
                or self.destination == str(fingerprint.destination_id)
            )
            and (self.explained or not insight.parent)
        )

    def _takes_state(self, insight: Insight) -> bool:
        if self.state == "open":
            return insight.state.open
        return self.state in ("all", insight.state)


def _like(name: str, pattern: str) -> bool:
    if not pattern:
        return True
    names = [name, *name.split(", ")]
    return any(fnmatchcase(each.lower(), pattern.lower().replace("[", "[[]")) for each in names)


class InsightUseCases:
    """What can be asked of and done with insights."""

    def __init__(self, gateway: Gateway, fixes: FixUseCases) -> None:
        self._gateway = gateway
        self._fixes = fixes

    # ---------------------------------------------------------------- look

    async def listed(self, which: InsightFilter, lang: str) -> list[InsightRow]:
        """Return insights, what matters most first."""
        which.check()
        chosen = [insight for insight in self._gateway.insights.book.all() if which.takes(insight)]
        waiting = await self._waiting()
        connectors = connectors_of(self._gateway.objects)
        words = Words(lang)
        shown = [(self._shown(i, waiting, connectors), self._summary(i, waiting)) for i in chosen]
        shown.sort(key=lambda pair: _order(pair[0]))
        return [insight_row(one, summary, words) for one, summary in shown[: which.limit]]

    def foreseen(self, lang: str) -> list[ForecastJson]:
        """Return what will stop mail if nobody does anything, what matters most first."""
        return [
            cast("ForecastJson", forecast_json(forecast, lang)) for forecast in self._gateway.foresight.all()
        ]

    async def show(self, text: str, lang: str) -> InsightJson:
        """Return everything about an insight."""
        insight = self.find(text)
        gateway, words = self._gateway, Words(lang)
        waiting = await self._waiting()
        summary = self._summary(insight, waiting)
        ranking = await gateway.ranking(insight.fingerprint.text)
        shown = self._shown(insight, waiting, connectors_of(gateway.objects), ranking)
        soonest = await self._soonest(summary)
        if summary is not None:
            shown = _with_expiry(shown, soonest)
        advice = words.advice(insight, shown.to)
        return {
            **insight_row(shown, summary, words),
            "explanation": advice.explanation,
            "advice": [
                {"owner": f.owner, "owner_name": f.owner_name, "text": f.text, "action": f.action}
                for f in advice.fixes
            ],
            "known_causes": [{"id": cause.id, "text": cause.text} for cause in advice.causes],
            "ranking": ranking_json(ranking, {cause.id: cause.text for cause in advice.causes}, words),
            "fixes": await self._offers(insight, words),
            "probe": cast("ProbeJson | None", await gateway.latest_probe(insight.fingerprint.text)),
            "hosts_known": self._hosts(insight),
            **waiting_json(summary, soonest, gateway.now()),
            "facets": await self._facets(insight, summary),
            "trend": [{"at": when(at), "attempts": count} for at, count in insight.trend],
            "history": history_json(insight),
            "why": self._why(insight, words),
            "members": await self._members(insight, words),
        }

    def why(self, text: str, lang: str) -> WhyOfInsight:
        """Return why failures were counted as this insight, and why it is hidden behind another one."""
        insight = self.find(text)
        return {"id": insight.fingerprint.text, **self._why(insight, Words(lang))}

    async def history(self, text: str) -> InsightHistory:
        """Return when it was open before, and the latest attempts at its destination."""
        insight = self.find(text)
        fingerprint = insight.fingerprint
        attempts = []
        if fingerprint.destination_id:
            attempts = await self._gateway.store.destination_attempts(fingerprint.destination_id, ATTEMPTS)
        places = {fingerprint.destination_id: (fingerprint.connector, insight.destination)}
        hostname = self._gateway.settings.hostname
        return {
            "id": fingerprint.text,
            "first_seen": when(insight.first_seen),
            "episodes": insight.episodes,
            "past": history_json(insight),
            "attempts": [attempt_json(attempt, hostname, places) for attempt in attempts],
        }

    def find(self, text: str) -> Insight:
        """Return an insight by its id, the beginning of its id where that is enough, or its number."""
        near = self._gateway.insights.book.find(text)
        if len(near) == 1:
            return near[0]
        if near:
            raise Conflict(tr('Several insights begin with "{text}": write more of the id.'), text=text)
        raise NotFound(tr('There is no insight "{text}": see gatepost insight list --state all.'), text=text)

    # ---------------------------------------------------------------- people

    def acknowledge(
        self, text: str, who: str, *, taken_back: bool = False, dry_run: bool = False
    ) -> NotedJson:
        """Note that somebody looks after it, or no longer does."""
        insight = self.find(text)
        if not insight.state.open and not taken_back:
            raise Conflict(tr("This insight is over: there is nothing to look after."))
        if not dry_run:
            name = "" if taken_back else who
            book = self._gateway.insights.book
            insight = book.acknowledge(insight.fingerprint.text, name, self._gateway.now()) or insight
        return self._answer(insight, dry_run=dry_run)

    def note(self, text: str, words: str, *, dry_run: bool = False) -> NotedJson:
        """Keep a note about it; an empty one takes it away."""
        insight = self.find(text)
        if not dry_run:
            written = words.strip()[:MAX_NOTE]
            insight = self._gateway.insights.book.write(insight.fingerprint.text, written) or insight
        return self._answer(insight, dry_run=dry_run)

    def resolve(self, text: str, who: str, *, dry_run: bool = False) -> NotedJson:
        """Call it over; the next failure of its kind opens it again."""
        insight = self.find(text)
        if not insight.state.open:
            raise Conflict(tr("This insight is over already."))
        if not dry_run:
            book = self._gateway.insights.book
            insight = book.resolve(insight.fingerprint.text, self._gateway.now(), "by hand", who) or insight
        return self._answer(insight, dry_run=dry_run)

    @staticmethod
    def _answer(insight: Insight, *, dry_run: bool) -> NotedJson:
        return {
            "dry_run": dry_run,
            "id": insight.fingerprint.text,
            "state": str(insight.state),
            "acknowledged_by": insight.acknowledged_by,
            "acknowledged_at": when(insight.acknowledged_at),
            "note": insight.note,
            "resolved_at": when(insight.resolved_at),
        }

    # ---------------------------------------------------------------- facts

    async def _waiting(self) -> Mapping[int, DestinationSummary]:
        live = self._gateway.live()
        summaries = await self._gateway.store.destinations(self._gateway.expiry_of)
        return {s.state.id: s._replace(state=live.get(s.state.id, s.state)) for s in summaries}

    def _summary(
        self, insight: Insight, waiting: Mapping[int, DestinationSummary]
    ) -> DestinationSummary | None:
        """Return what waits because of an insight: at its destination, or at those of its members together."""
        fingerprint = insight.fingerprint
        if fingerprint.scope in (Scope.HOSTS, Scope.MESSAGES, Scope.FOREIGN):
            return None
        if fingerprint.scope != Scope.GATEWAY:
            return waiting.get(fingerprint.destination_id)
        members = [self._gateway.insights.book.get(text) for text in insight.members]
        found = [waiting.get(m.fingerprint.destination_id) for m in members if m is not None]
        return together([summary for summary in found if summary is not None])

    def _shown(
        self,
        insight: Insight,
        waiting: Mapping[int, DestinationSummary],
        connectors: Mapping[str, Connector],
        ranking: Ranking | None = None,
    ) -> Shown:
        summary = self._summary(insight, waiting)
        connector = connectors.get(insight.fingerprint.connector)
        held = self._gateway.foreign.held(insight.fingerprint.destination_id)
        shown = Shown(
            insight=insight,
            now=self._gateway.now(),
            to=connector.to if connector is not None else "",
            messages=summary.messages if summary is not None else held.stuck if held is not None else 0,
            oldest_at=held.oldest_at if held is not None else 0,
            owner=ranking.owner
            if ranking is not None and ranking.causes and ranking.causes[0].because
            else "",
            works=not self._gateway.insights.book.open_at(
                insight.fingerprint.destination_id, Scope.DESTINATION
            ),
            hosts=tuple(self._gateway.insights.hosts.current(insight.fingerprint.destination_id)),
            by_probe=_by_probe(insight, summary),
        )
        return shown if summary is None else self._with_queue(shown, summary)

    def _with_queue(self, shown: Shown, summary: DestinationSummary) -> Shown:
        state = summary.state
        shown = replace(
            shown,
            next_attempt_at=state.next_attempt_at if state.state == "retry" else 0,
            suspended_by=state.suspended_by if state.state == "suspended" else "",
        )
        return _with_expiry(shown, expiries(summary.ages, self._gateway.expiry_of(state), now=shown.now))

    async def _soonest(self, summary: DestinationSummary | None) -> list[tuple[int, int]]:
        if summary is None or not summary.messages:
            return []
        dated = await self._gateway.store.dated(summary.state.id, DATED_ROWS)
        return expiries(summary.ages, self._gateway.expiry_of(summary.state), dated, now=self._gateway.now())

    def hosts_of(self, connector: str) -> list[HostJson]:
        """Return what is known of each host and address that a connector leads to."""
        hosts = self._gateway.insights.hosts
        numbers = [number for number, state in self._gateway.live().items() if state.connector == connector]
        rows = [row for number in numbers for row in hosts.current(number)]
        return [host_json(row, current=True) for row in sorted(rows, key=lambda r: (r.server, r.address))]

    def _hosts(self, insight: Insight) -> list[HostJson]:
        hosts = self._gateway.insights.hosts
        number = insight.fingerprint.destination_id
        current = sorted(hosts.current(number), key=lambda row: (row.server, row.address))
        former = [row for row in hosts.rows(number) if row not in current]
        return [host_json(row, current=True) for row in current] + [
            host_json(row, current=False) for row in former
        ]

    async def _facets(self, insight: Insight, summary: DestinationSummary | None) -> FacetsJson | None:
        destination_id = insight.fingerprint.destination_id
        if not destination_id or summary is None or not summary.messages:
            return None
        return facets_json(await self._gateway.store.facets(destination_id, FACET_ROWS))

    async def _offers(self, insight: Insight, words: Words) -> list[OfferJson]:
        if insight.fingerprint.scope in (Scope.GATEWAY, Scope.FOREIGN) or not insight.state.open:
            return []
        plan = await self._fixes.plan(insight.fingerprint.text, words.say)
        return plan["offers"]

    def _why(self, insight: Insight, words: Words) -> WhyJson:
        """Return the parts of the fingerprint, the version of the rule, and what explains it."""
        fingerprint = insight.fingerprint
        counted = dict(insight.grouping)
        found: WhyJson = {
            "rule": fingerprint.rule,
            "parts": {
                "scope": fingerprint.scope,
                "connector": fingerprint.connector,
                "destination_id": str(fingerprint.destination_id),
                "destination": insight.destination,
                "class": fingerprint.failure_class,
            },
            "text": words.why(insight),
            "parent": insight.parent,
        }
        if counted:
            found["counted"] = {
                "failing": counted.get("failing", 0),
                "working": counted.get("working", 0),
                "since": when(counted.get("since", 0)),
            }
        return found

    async def _members(self, insight: Insight, words: Words) -> list[MemberJson]:
        waiting = await self._waiting() if insight.members else {}
        connectors = connectors_of(self._gateway.objects)
        found: list[MemberJson] = []
        for text in insight.members[:MEMBERS]:
            member = self._gateway.insights.book.get(text)
            if member is not None:
                shown = self._shown(member, waiting, connectors)
                found.append(
                    {"id": text, "destination": member.destination, "sentence": words.sentence(shown)}
                )
        return found


def _by_probe(insight: Insight, summary: DestinationSummary | None) -> bool:
    """Tell whether only a probe can have seen it: no delivery has failed there since the last that worked."""
    if insight.fingerprint.scope != Scope.DESTINATION or not insight.state.open:
        return False
    return summary is None or not (summary.messages or summary.state.attempts)


def together(summaries: list[DestinationSummary]) -> DestinationSummary | None:
    """Return several destinations as one."""
    if not summaries:
        return None
    ages: dict[int, int] = {}
    for summary in summaries:
        for start, messages in summary.ages:
            ages[start] = ages.get(start, 0) + messages
    full = [summary for summary in summaries if summary.messages]
    return DestinationSummary(
        summaries[0].state._replace(
            state="ready",
            queued_since=min((s.state.queued_since for s in full if s.state.queued_since), default=0),
        ),
        sum(s.messages for s in summaries),
        sum(s.recipients for s in summaries),
        sum(s.bytes for s in summaries),
        min((s.oldest_at for s in full), default=0),
        min((s.oldest_expires_at for s in full), default=0),
        tuple(sorted(ages.items())),
    )


def _with_expiry(shown: Shown, soonest: list[tuple[int, int]]) -> Shown:
    return replace(shown, expiring=expiring_next(soonest, shown.now))


def _order(shown: Shown) -> tuple[bool, int, int, int]:
    insight = shown.insight
    return (
        not insight.state.open,
        SEVERITIES.index(insight.severity),
        -shown.messages,
        -insight.last_seen,
    )
