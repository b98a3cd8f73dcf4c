"""What a notice says: the insight in its sentence, the fields of the queue view, causes, fixes; in a language."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from gatepost.alert.notices import VERSION, sentence
from gatepost.diagnose.catalogue import explain
from gatepost.fix.actions import ACTIONS
from gatepost.fix.edit import Target
from gatepost.fix.offers import offers
from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.i18n import translator
from gatepost.model.alert import Alert, Channel
from gatepost.model.evidence import Ranking
from gatepost.model.failure import FailureClass, iso
from gatepost.model.ids import to_text
from gatepost.model.insight import Insight, Scope

MOST_CAUSES = 3
MOST_FIXES = 3

SituationOf = Callable[[Target], Awaitable[tuple[Any, Sequence[tuple[str, Any]]]]]
RankingOf = Callable[[str], Awaitable[Ranking | None]]


class AlertFacts:
    """Gathers them; `situation_of` and `ranking_of` are given by `app`."""

    def __init__(self, journey: Journey, insights: Insights, situation_of: SituationOf) -> None:
        self._journey = journey
        self._insights = insights
        self._situation_of = situation_of
        self.ranking_of: RankingOf | None = None
        self.forecast_of: Callable[[str, str], Mapping[str, object] | None] = lambda key, lang: None

    async def payload(
        self, alerts: Sequence[Alert], kind: str, channel: Channel, now: int
    ) -> dict[str, object]:
        """Return the versioned JSON of a notice, in the language of its channel."""
        settings = self._journey.world.settings
        entries = [await self.entry(alert, channel.language) for alert in alerts]
        return {
            "version": VERSION,
            "kind": kind,
            "gateway": settings.hostname,
            "url": settings.admin_url,
            "at": iso(now),
            "language": channel.language,
            "alerts": entries,
        }

    async def entry(self, alert: Alert, lang: str) -> dict[str, object]:
        """Return an alert with what it is about."""
        about = await self._about(alert, lang)
        entry: dict[str, object] = {
            "id": to_text(alert.id),
            "policy": alert.policy,
            "subject": alert.subject,
            "severity": alert.severity,
            "state": str(alert.state),
            "since": iso(alert.since),
            "about": about,
        }
        return {**entry, "sentence": sentence(entry, translator(lang))}

    async def _about(self, alert: Alert, lang: str) -> dict[str, object]:
        insight = self._insights.book.get(alert.subject)
        forecast = self.forecast_of(alert.subject, lang) if insight is None else None
        if forecast is not None:
            return dict(forecast)
        found: dict[str, object] = {"connector": alert.connector, "since": iso(alert.since)}
        await self._queue(found, alert, insight)
        if insight is not None:
            await self._insight(found, insight, lang)
        return found

    async def _queue(self, found: dict[str, object], alert: Alert, insight: Insight | None) -> None:
        summaries = await self._journey.store.destinations(self._journey.expiry_of)
        number = insight.fingerprint.destination_id if insight is not None else 0
        rows = [
            s
            for s in summaries
            if s.messages and (s.state.id == number if number else s.state.connector == alert.connector)
        ]
        if not rows:
            return
        found["messages"] = sum(row.messages for row in rows)
        oldest = min(row.oldest_at for row in rows)
        found["queued_since"] = iso(
            min([row.state.queued_since for row in rows if row.state.queued_since] or [oldest])
        )
        found["oldest_expires_at"] = iso(min(row.oldest_expires_at for row in rows))
        error = max(
            (r.state.last_error for r in rows if r.state.last_error), key=lambda e: e.at, default=None
        )
        if error is not None and insight is None:
            found |= {
                "server": error.server,
                "address": error.address,
                "last_error": error.text(),
                "code": error.code,
            }

    async def _insight(self, found: dict[str, object], insight: Insight, lang: str) -> None:
        where, error = insight.fingerprint, insight.last_error
        connector = self._journey.world.connector(where.connector)
        said = explain(
            FailureClass(where.failure_class),
            lang,
            to=connector.to if connector is not None else "",
            sub=insight.sub,
            server=error.server if error is not None else "",
            connector=where.connector,
        )
        found |= {
            "insight": to_text(insight.id),
            "class": where.failure_class,
            "scope": where.scope,
            "destination": insight.destination,
            "title": said.title,
            "explanation": said.explanation,
            "since": iso(insight.opened_at),
            "attempts": insight.attempts,
        }
        if error is not None:
            code = insight.flow_code if insight.flow_code != "other" else error.code
            found |= {
                "server": error.server,
                "address": error.address,
                "last_error": error.text(),
                "code": code,
            }
        found["causes"] = await self._ranked(insight, lang, {c.id: c.text for c in said.causes})
        found["fixes"] = await self._fixes(insight, lang)

    async def _ranked(self, insight: Insight, lang: str, texts: Mapping[str, str]) -> list[dict[str, object]]:
        """Return the likeliest causes with their evidence."""
        ranking = await self.ranking_of(insight.fingerprint.text) if self.ranking_of is not None else None
        if ranking is None:
            return [{"text": text, "because": []} for text in list(texts.values())[:MOST_CAUSES]]
        say = translator(lang)
        return [
            {
                "id": cause.id,
                "text": texts.get(cause.id, cause.id),
                "because": [say(b.text).format(**b.values) for b in cause.because],
            }
            for cause in ranking.causes[:MOST_CAUSES]
        ]

    async def _fixes(self, insight: Insight, lang: str) -> list[dict[str, object]]:
        say, number = translator(lang), to_text(insight.id)
        where = insight.fingerprint
        if where.scope == Scope.FOREIGN:  # nothing of ours would mend a foreign system
            return []
        target = Target(where.connector, where.destination_id, where.text, where.failure_class)
        situation, ranked = await self._situation_of(target)
        return [
            {
                "action": offer.action,
                "title": say(ACTIONS[offer.action].title),
                "command": f"gatepost fix apply {number} {offer.action} --dry-run",
            }
            for offer in offers(situation, ranked)[:MOST_FIXES]
        ]
