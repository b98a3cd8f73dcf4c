"""The outbox of notices: kept before they are sent, tried until they arrive, every try written down."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from gatepost.alert.notices import lines, mail, subject
from gatepost.flow.journey import Journey
from gatepost.flow.mail_out import send
from gatepost.i18n import translator
from gatepost.model.alert import Alert, Channel, Notice
from gatepost.model.document import Document
from gatepost.model.failure import clean, iso
from gatepost.model.ids import to_text
from gatepost.net import webhook
from gatepost.storage.interface import Change

NOTICE = "notice"
WAITS = (10, 30, 60, 300, 900, 1800, 3600)  # seconds; the last one repeats
LIFE = 86_400_000
KEPT_TRIES = 20
ORDINARY_AFTER = 2  # tries after which a mail may take the ordinary queue
AT_ONCE = 4


class Outbox:
    """Sends notices."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._world = journey.world
        self.waiting: dict[int, Notice] = {}
        self._busy: set[int] = set()

    def put(
        self, channel: Channel, kind: str, alerts: Sequence[Alert], payload: Mapping[str, object], now: int
    ) -> Notice:
        """Keep a notice, and try it at once."""
        numbers = tuple(alert.id for alert in alerts)
        notice = Notice(self._world.new_id(), channel.name, kind, numbers, now, payload=payload)
        self.waiting[notice.id] = notice
        self._write(notice)
        return notice

    def tick(self, now: int) -> None:
        """Try what is due."""
        for notice in list(self.waiting.values()):
            if len(self._busy) >= AT_ONCE:
                return
            if notice.next_at <= now and notice.id not in self._busy:
                self._busy.add(notice.id)
                self._world.start(self._try(notice))

    async def _try(self, notice: Notice) -> None:
        try:
            channel = next((c for c in self._world.objects.channels if c.name == notice.channel), None)
            if channel is None:
                ok, way, words = False, "", "the channel was deleted"
            else:
                ok, way, words = await self._send(channel, notice)
            self._note(notice, ok, way, words, gone=channel is None)
        finally:
            self._busy.discard(notice.id)

    async def send_test(self, channel: Channel, payload: Mapping[str, object]) -> tuple[bool, str, str]:
        """Send a test notice now; return whether it arrived, by which way, and what was said."""
        notice = Notice(self._world.new_id(), channel.name, "test", (), self._journey.now(), payload=payload)
        return await self._send(channel, notice)

    async def _send(self, channel: Channel, notice: Notice) -> tuple[bool, str, str]:
        if channel.kind == "email":
            return await self._mail(channel, notice)
        if channel.kind == "webhook":
            internal = self._world.settings.alerts.internal_webhooks
            done = await asyncio.to_thread(
                webhook.post, channel.url, notice.payload, channel.password, self._journey.now() // 1000,
                allowed=lambda address: internal or not webhook.internal(address),
            )  # fmt: skip
            return done.ok, "webhook", done.words
        return await asyncio.to_thread(_apprise, channel, notice)

    async def _mail(self, channel: Channel, notice: Notice) -> tuple[bool, str, str]:
        settings = self._world.settings
        sender = settings.alerts.sender or settings.postmaster
        say = translator(channel.language)
        results = []
        for address in channel.to:
            number = f"<{to_text(notice.id)}@{settings.hostname}>"
            message = mail(notice.payload, say, sender, address, number, notice.at)
            # the null sender: a notice that cannot be delivered makes no report of its own
            results.append(
                await send(self._journey, "", address, message, last=notice.tries >= ORDINARY_AFTER)
            )
        ok = all(r.ok for r in results)
        return ok, ", ".join(r.way for r in results), "; ".join(r.words for r in results)

    def _note(self, notice: Notice, ok: bool, way: str, words: str, *, gone: bool) -> None:
        now = self._journey.now()
        entry: Mapping[str, object] = {"at": iso(now), "ok": ok, "way": way, "result": clean(words, 500)}
        wait = WAITS[min(notice.tries, len(WAITS) - 1)] * 1000
        over = gone or now + wait - notice.at > LIFE
        noted = replace(
            notice,
            tries=notice.tries + 1,
            state="sent" if ok else "failed" if over else "waiting",
            next_at=0 if ok or over else now + wait,
            log=(*notice.log, entry)[-KEPT_TRIES:],
        )
        if noted.state == "waiting":
            self.waiting[noted.id] = noted
        else:
            self.waiting.pop(noted.id, None)
        self._write(noted)
        self._journey.say(
            f"notice.{'sent' if ok else 'failed'}", level="info" if ok else "warning", channel=notice.channel,
            kind=notice.kind, way=way, tries=noted.tries, result=clean(words, 500),
        )  # fmt: skip

    def _write(self, notice: Notice) -> None:
        self._journey.store.write(
            Change(documents=(Document(NOTICE, to_text(notice.id), notice.at, asdict(notice)),))
        )

    async def listed(self, limit: int) -> list[Notice]:
        """Return notices, newest first."""
        return [notice_of(d.data or {}) for d in await self._journey.store.documents(NOTICE, limit=limit)]

    async def restore(self) -> None:
        """Take up what the last process had not sent."""
        for notice in await self.listed(1000):
            if notice.state == "waiting":
                self.waiting[notice.id] = notice

    async def stop(self) -> None:
        """What is not sent stays in the store."""


def notice_of(data: Mapping[str, Any]) -> Notice:
    """Return the notice of a document."""
    return Notice(**{**data, "alerts": tuple(data["alerts"]), "log": tuple(data["log"])})


def _apprise(channel: Channel, notice: Notice) -> tuple[bool, str, str]:
    """Hand a notice to Apprise, which knows many services; blocking, for a thread."""
    try:
        import apprise  # type: ignore[import-not-found]  # noqa: PLC0415 - an extra
    except ImportError:
        return False, "apprise", "Apprise is not installed: pip install gatepost[notify]"
    say = translator(channel.language)
    target = apprise.Apprise()
    if not target.add(channel.url):
        return False, "apprise", "Apprise does not understand the address of this channel"
    ok = bool(target.notify(body="\n".join(lines(notice.payload, say)), title=subject(notice.payload, say)))
    return ok, "apprise", "sent" if ok else "Apprise says that it failed"
