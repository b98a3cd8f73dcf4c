"""Alerts, silences, policies and notices as people and programs use them (R18)."""

from typing import cast

from gatepost.admin.answers.alerts import (
    AlertDetail,
    AlertJson,
    AlertRow,
    ChannelTest,
    EndedJson,
    NoticeJson,
    PolicyInForce,
    SilenceJson,
    TryJson,
)
from gatepost.admin.answers.objects import PolicyJson
from gatepost.admin.errors import Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.queue import moment
from gatepost.admin.shapes import when
from gatepost.alert.policies import effective
from gatepost.config.objects import to_dict
from gatepost.model.alert import Alert, Notice, Silence
from gatepost.model.failure import iso
from gatepost.model.ids import to_text

MOST = 1000


class AlertUseCases:
    """What can be asked of and done with alerts."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def listed(self, lang: str, *, everything: bool, limit: int = 100) -> list[AlertRow]:
        """Return what fires, or with `everything` the past too; the loudest and newest first."""
        alerting = self._gateway.alerting
        if everything:
            found = await alerting.history(min(limit, MOST))
        else:
            found = [a for a in alerting.alerts.values() if a.fired_at][:MOST]
        found.sort(key=lambda a: (not a.resolved_at, _RANK[a.severity], a.fired_at), reverse=True)
        return [await self._row(alert, lang) for alert in found[:limit]]

    async def _row(self, alert: Alert, lang: str) -> AlertRow:
        said = await self._gateway.alert_facts.entry(alert, lang)
        return {
            **alert_json(alert),
            "sentence": str(said["sentence"]),
            "about": cast("dict[str, object]", said["about"]),
        }

    async def show(self, number: str, lang: str) -> AlertDetail:
        """Return an alert with its notices."""
        alert = await self._find(number)
        notices = [n for n in await self._gateway.alerting.outbox.listed(MOST) if alert.id in n.alerts]
        return {**await self._row(alert, lang), "notices": [notice_json(n) for n in notices]}

    async def acknowledge(self, number: str, who: str) -> AlertJson:
        """Note that somebody looks after it."""
        alert = self._gateway.alerting.find(number)
        if alert is None:
            raise NotFound(tr("There is no alert {id} that fires: see gatepost alert list."), id=number)
        return alert_json(self._gateway.alerting.acknowledge(alert, who))

    async def _find(self, number: str) -> Alert:
        alert = self._gateway.alerting.find(number)
        if alert is not None:
            return alert
        for old in await self._gateway.alerting.history(MOST):
            if to_text(old.id) == number.upper():
                return old
        raise NotFound(tr("There is no alert {id}: see gatepost alert list --all."), id=number)

    # ---------------------------------------------------------------- silences

    def silences(self) -> list[SilenceJson]:
        """Return what is silenced now."""
        return [silence_json(s) for s in self._gateway.alerting.silences]

    def silence(self, policy: str, connector: str, until: str, reason: str, who: str) -> SilenceJson:
        """Keep notices back until a time, with a reason."""
        if not reason.strip():
            raise Invalid(tr("Say why: whoever finds the silence wants to know."))
        if not until:
            raise Invalid(tr("Say until when: a duration like 4h, or a time."))
        ends = moment(until, self._gateway.now())
        made = self._gateway.alerting.silence(policy, connector, ends, reason[:500], who)
        return silence_json(made)

    def unsilence(self, number: str, who: str) -> EndedJson:
        """End a silence."""
        if not self._gateway.alerting.unsilence(number, who):
            raise NotFound(tr("There is no silence {id}: see gatepost alert silences."), id=number)
        return {"ended": 1}

    # ---------------------------------------------------------------- policies, channels, notices

    def policies(self) -> list[PolicyInForce]:
        """Return the policies in force, the built-in ones among them."""
        own = {policy.name for policy in self._gateway.objects.policies}
        return [
            {**cast("PolicyJson", to_dict(policy)), "built_in": policy.name not in own}
            for policy in effective(self._gateway.objects)
        ]

    async def notices(self, limit: int) -> list[NoticeJson]:
        """Return what was told, with every try."""
        return [notice_json(n) for n in await self._gateway.alerting.outbox.listed(min(limit, MOST))]

    async def test(self, name: str) -> ChannelTest:
        """Send a test notice through a channel, and say what became of it."""
        channel = next((c for c in self._gateway.objects.channels if c.name == name), None)
        if channel is None:
            raise NotFound(tr("There is no notification channel {name}."), name=name)
        payload = await self._gateway.alert_facts.payload((), "test", channel, self._gateway.now())
        ok, way, words = await self._gateway.alerting.outbox.send_test(channel, payload)
        return {"ok": ok, "channel": name, "way": way, "result": words}


_RANK = {"low": 0, "medium": 1, "high": 2, "critical": 3}


def alert_json(alert: Alert) -> AlertJson:
    """Return an alert."""
    return {
        "id": to_text(alert.id),
        "policy": alert.policy,
        "subject": alert.subject,
        "connector": alert.connector,
        "severity": alert.severity,
        "state": str(alert.state),
        "since": iso(alert.since),
        "fired_at": when(alert.fired_at),
        "resolved_at": when(alert.resolved_at),
        "notified_at": when(alert.notified_at),
        "silenced": alert.silenced,
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_at": when(alert.acknowledged_at),
    }


def silence_json(silence: Silence) -> SilenceJson:
    """Return a silence."""
    return {
        "id": to_text(silence.id),
        "policy": silence.policy,
        "connector": silence.connector,
        "until": iso(silence.until),
        "reason": silence.reason,
        "who": silence.who,
        "at": iso(silence.at),
    }


def notice_json(notice: Notice) -> NoticeJson:
    """Return a notice with every try."""
    return {
        "id": to_text(notice.id),
        "channel": notice.channel,
        "kind": notice.kind,
        "alerts": [to_text(number) for number in notice.alerts],
        "at": iso(notice.at),
        "state": notice.state,
        "tries": notice.tries,
        "next_at": when(notice.next_at),
        "log": [cast("TryJson", dict(entry)) for entry in notice.log],
    }
