"""Alerts: judged once a second and whenever an insight changes, told through an outbox (R18, B7).

Guarantee: a notice is in the store before it is sent, and is tried again until it arrives or a day has passed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from gatepost.alert.policies import Key, Moved, Subject, effective, evaluate, said_already, silenced
from gatepost.alert.quiet import is_quiet
from gatepost.flow.alert_facts import AlertFacts
from gatepost.flow.insights import Insights
from gatepost.flow.journey import Journey
from gatepost.flow.outbox import Outbox
from gatepost.model.alert import Alert, AlertPolicy, AlertState, Channel, Silence
from gatepost.model.document import Document
from gatepost.model.failure import iso
from gatepost.model.ids import to_text
from gatepost.storage.interface import Change, DestinationSummary

ALERT = "alert"
SILENCE = "silence"
DAY = 86_400_000


class Alerting:
    """A part of `flow.intelligence`: what fires, who is told."""

    def __init__(
        self,
        journey: Journey,
        insights: Insights,
        summaries: Callable[[], Sequence[DestinationSummary]],
        facts: AlertFacts,
    ) -> None:
        self._journey = journey
        self._world = journey.world
        self._insights = insights
        self._summaries = summaries
        self._facts = facts
        self.outbox = Outbox(journey)
        self.alerts: dict[Key, Alert] = {}
        self.silences: list[Silence] = []
        self.forecasts: Callable[[int], Sequence[Subject]] = lambda now: ()
        self.changed: Callable[[Alert], None] = lambda alert: None
        self._waiting: dict[str, list[Alert]] = {}  # to be told, by "channel/kind"
        self._wait_until = 0
        self._told: dict[tuple[str, str], list[int]] = {}  # (policy, channel): when, for the daily limit
        self._telling = False

    # ---------------------------------------------------------------- what is judged

    def subjects(self, now: int) -> list[Subject]:
        """Return everything that a policy can look at now."""
        world, summaries = self._world, {s.state.id: s for s in self._summaries()}
        total = sum(s.messages for s in summaries.values())
        found: list[Subject] = []
        for insight in self._insights.book.all():
            if not insight.state.open or insight.parent:
                continue
            print_ = insight.fingerprint
            connector = world.connector(print_.connector)
            here = summaries.get(print_.destination_id)
            foreign = self._insights.loads(print_.destination_id)
            found.append(
                Subject(
                    print_.text, "insight", print_.connector, connector.to if connector else "",
                    str(insight.severity), print_.failure_class,
                    here.messages if here else foreign.messages if foreign else 0,
                    here.messages / total if here and total else 0.0,
                    here.oldest_expires_at if here else 0,
                    here.ages if here else (),
                    print_.destination_id,
                )
            )  # fmt: skip
        return [*found, *self._queues(total), *self.forecasts(now)]

    def _queues(self, total: int) -> list[Subject]:
        by_connector: dict[str, list[DestinationSummary]] = {}
        for summary in self._summaries():
            if summary.messages and summary.state.kind in ("smart", "mx", "none"):
                by_connector.setdefault(summary.state.connector, []).append(summary)
        found = []
        for name, rows in by_connector.items():
            connector = self._world.connector(name)
            waiting = sum(row.messages for row in rows)
            ages: dict[int, int] = {}
            for row in rows:
                for since, number in row.ages:
                    ages[since] = ages.get(since, 0) + number
            first = min((row.oldest_expires_at for row in rows if row.oldest_expires_at), default=0)
            found.append(
                Subject(
                    f"queue/{name}", "queue", name, connector.to if connector else "", "", "",
                    waiting, waiting / total if total else 0.0, first, tuple(sorted(ages.items())),
                    rows[0].state.id if len(rows) == 1 else 0,
                )
            )  # fmt: skip
        return found

    def policies(self) -> list[AlertPolicy]:
        """Return the policies in force."""
        return effective(self._world.objects)

    def tick(self, now: int) -> None:
        """Judge everything, and tell what is due."""
        self.silences = [s for s in self.silences if s.until > now]
        before = self.alerts
        self.alerts, moved = evaluate(self.policies(), self.subjects(now), before, now, self._world.new_id)
        for move in moved:
            self._moved(move, now)
        changed = [a for key, a in self.alerts.items() if _worth_keeping(before.get(key), a)]
        self._keep(changed, now)
        self.alerts = {k: a for k, a in self.alerts.items() if a.state is not AlertState.RESOLVED}
        self._release_quiet(now)
        if self._waiting and now >= self._wait_until and not self._telling:
            self._telling = True
            self._world.start(self._tell(now))
        self.outbox.tick(now)

    def _moved(self, move: Moved, now: int) -> None:
        alert = move.alert
        self._journey.say(
            f"alert.{move.what}", level="info" if move.what == "resolved" else "warning", policy=alert.policy,
            connector=alert.connector, severity=alert.severity, subject=alert.subject,
        )  # fmt: skip
        if move.what in ("fired", "worse"):
            self._want(alert, now)
        elif alert.notified_at:
            for channel in self._channels(alert):
                if channel.resolved:
                    self._wait(f"{channel.name}/resolved", alert, now)

    def _want(self, alert: Alert, now: int) -> None:
        """Have an alert told, unless it is silenced, said already, or the hours are quiet."""
        key = (alert.policy, alert.subject)
        if silenced(alert, self.silences, now):
            self.alerts[key] = replace(alert, silenced=True)
            return
        if said_already(alert, self.alerts.values()):
            return
        policy = next((p for p in self.policies() if p.name == alert.policy), None)
        if policy is not None and is_quiet(policy.quiet, now) and alert.severity != "critical":
            return
        told = False
        for channel in self._channels(alert):
            if self._within_limit(policy, channel, now):
                self._wait(f"{channel.name}/firing", alert, now)
                told = True
        if told:
            self.alerts[key] = replace(alert, notified_at=now)

    def _release_quiet(self, now: int) -> None:
        """Tell afterwards what the quiet hours or a silence kept back."""
        for alert in list(self.alerts.values()):
            if alert.state is AlertState.FIRING and not alert.notified_at:
                self._want(alert, now)

    def _within_limit(self, policy: AlertPolicy | None, channel: Channel, now: int) -> bool:
        if policy is None or not policy.daily_limit:
            return True
        times = self._told.setdefault((policy.name, channel.name), [])
        times[:] = [t for t in times if now - t < DAY]
        if len(times) >= policy.daily_limit:
            return False
        times.append(now)
        return True

    def _channels(self, alert: Alert) -> list[Channel]:
        policy = next((p for p in self.policies() if p.name == alert.policy), None)
        wanted = policy.channels if policy is not None else ()
        return [c for c in self._world.objects.channels if c.enabled and (not wanted or c.name in wanted)]

    def _wait(self, where: str, alert: Alert, now: int) -> None:
        if not self._waiting:
            self._wait_until = now + round(self._world.settings.alerts.group_wait * 1000)
        self._waiting.setdefault(where, []).append(alert)

    async def _tell(self, now: int) -> None:
        try:
            waiting, self._waiting = self._waiting, {}
            for where, alerts in waiting.items():
                name, _, kind = where.rpartition("/")
                channel = next((c for c in self._world.objects.channels if c.name == name), None)
                if channel is not None:
                    payload = await self._facts.payload(alerts, kind, channel, now)
                    self.outbox.put(channel, kind, alerts, payload, now)
        finally:
            self._telling = False

    # ---------------------------------------------------------------- what people do

    def find(self, number: str) -> Alert | None:
        """Return an open alert by its id."""
        return next((a for a in self.alerts.values() if to_text(a.id) == number.upper()), None)

    def acknowledge(self, alert: Alert, who: str) -> Alert:
        """Note that somebody looks after an alert: nobody is told again until it is over."""
        now = self._journey.now()
        noted = replace(alert, state=AlertState.ACKNOWLEDGED, acknowledged_by=who, acknowledged_at=now)
        self.alerts[noted.policy, noted.subject] = noted
        self._keep([noted], now)
        return noted

    def silence(self, policy: str, connector: str, until: int, reason: str, who: str) -> Silence:
        """Keep notices back for a while."""
        now = self._journey.now()
        made = Silence(self._world.new_id(), policy, connector, until, reason, who, now)
        self.silences.append(made)
        self._write(Document(SILENCE, to_text(made.id), now, asdict(made)))
        self._journey.say("alert.silenced", policy=policy, connector=connector, until=iso(until), by=who)
        return made

    def unsilence(self, number: str, who: str) -> bool:
        """End a silence."""
        found = next((s for s in self.silences if to_text(s.id) == number.upper()), None)
        if found is None:
            return False
        self.silences.remove(found)
        self._write(Document(SILENCE, to_text(found.id), 0, None))
        self._journey.say("alert.unsilenced", policy=found.policy, connector=found.connector, by=who)
        return True

    # ---------------------------------------------------------------- what is kept

    def _keep(self, alerts: Sequence[Alert], now: int) -> None:
        documents = tuple(Document(ALERT, to_text(a.id), now, _alert_data(a)) for a in alerts)
        if documents:
            self._write(*documents)
            for alert in alerts:
                self.changed(alert)

    def _write(self, *documents: Document) -> None:
        self._journey.store.write(Change(documents=documents))

    async def history(self, limit: int) -> list[Alert]:
        """Return alerts of the past and present, newest first."""
        return [alert_of(d.data or {}) for d in await self._journey.store.documents(ALERT, limit=limit)]

    async def restore(self) -> None:
        """Read what fires and what is silenced, so that a restart tells nobody twice."""
        for alert in await self.history(1000):
            if alert.state in (AlertState.FIRING, AlertState.ACKNOWLEDGED):
                self.alerts.setdefault((alert.policy, alert.subject), alert)
        now = self._journey.now()
        for document in await self._journey.store.documents(SILENCE):
            silence = Silence(**dict(document.data or {}))  # type: ignore[arg-type]
            if silence.until > now:
                self.silences.append(silence)
        await self.outbox.restore()

    async def stop(self) -> None:
        """Let notices that are on their way end."""
        await self.outbox.stop()


def _worth_keeping(before: Alert | None, after: Alert) -> bool:
    if after.state is AlertState.PENDING:
        return False
    return before is None or replace(before, seen_at=after.seen_at) != after


def _alert_data(alert: Alert) -> Mapping[str, object]:
    return {**asdict(alert), "state": str(alert.state)}


def alert_of(data: Mapping[str, Any]) -> Alert:
    """Return the alert of a document."""
    return Alert(**{**data, "state": AlertState(data["state"])})
