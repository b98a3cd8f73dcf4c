"""Messages: those that wait, those of the past, one with everything that happened to it (R20, B2, B5)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass

from gatepost.admin.errors import Conflict, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.queue import DestinationFilter, Place, QueueUseCases
from gatepost.admin.shapes import (
    Json,
    attempt_json,
    client_json,
    error_json,
    event_json,
    head_json,
    latest_error,
    message_state,
    recipient_json,
    when,
)
from gatepost.config.problems import BadValue
from gatepost.config.values import seconds
from gatepost.model.failure import from_iso
from gatepost.model.ids import from_text, to_text
from gatepost.model.mail import BodyMissing
from gatepost.smtp.body import Unstuffer
from gatepost.storage.interface import (
    AttemptView,
    DestinationState,
    MessageFilter,
    MessageView,
    QueuedMessage,
    RecipientView,
    TraceFilter,
)

PAGE = 200
MAX_LIMIT = 1000
ENDED_AT_ONCE = 200
MAX_LOOKED_AT = 20_000  # rows that one request looks at before it answers with what it has
STATES = ("ready", "active", "retry", "suspended", "deferred")


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Which queued messages; "" and () mean any."""

    connector: str = ""
    destination: str = ""
    sender: str | None = None
    recipient: str = ""  # an address, or @domain
    code: str = ""
    state: str = ""
    older_than: str = ""  # a duration
    ids: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Return whether it names nothing, so that it would match everything."""
        return self == MessageQuery()


@dataclass(frozen=True, slots=True)
class Found:
    """One message at one destination that a query means."""

    message: QueuedMessage
    place: Place


@dataclass(frozen=True, slots=True)
class _Search:
    """A query made ready: the parts that the store answers, and the parts that are judged here."""

    query: MessageQuery
    which: MessageFilter
    now: int


class MessageUseCases:
    """What can be asked of and done to messages."""

    def __init__(self, gateway: Gateway, queue: QueueUseCases) -> None:
        self._gateway = gateway
        self._queue = queue

    # ------------------------------------------------------------------ lists

    async def listed(self, query: MessageQuery, limit: int = 100, after: str = "") -> Json:
        """Return queued messages in the queue's order; `next` leads to the page behind them."""
        limit = max(1, min(limit, MAX_LIMIT))
        rows: list[Json] = []
        last = ""
        looked_at = 0
        async for found, cursor, looked_at in self._search(query, _cursor(after)):
            if found is not None:
                rows.append(self._row(found, await self._attempts_of(found)))
            last = cursor
            if len(rows) >= limit or looked_at >= MAX_LOOKED_AT:
                return {"messages": rows, "next": last}
        return {"messages": rows, "next": None}

    async def _search(
        self, query: MessageQuery, after: tuple[int, int]
    ) -> AsyncIterator[tuple[Found | None, str, int]]:
        """Yield what a query means (None for a row that it does not), a cursor, and the rows looked at."""
        search = self._prepare(query)
        which = DestinationFilter(query.connector, query.destination)
        places = [p for p in await self._queue.places() if p.matches(which)]
        looked_at = 0
        for place in sorted(places, key=lambda p: p.id):
            if place.id < after[0] or not _state_possible(query.state, place):
                continue
            position = after if place.id == after[0] else (place.id, 0)
            while True:
                page = await self._gateway.store.messages(
                    search.which._replace(destination_id=place.id), PAGE, position
                )
                for message in page:
                    looked_at += 1
                    position = (place.id, message.message_id)
                    found = Found(message, place)
                    good = await self._matches(search, found)
                    yield found if good else None, f"{place.id}-{message.message_id}", looked_at
                if len(page) < PAGE:
                    break

    def _prepare(self, query: MessageQuery) -> _Search:
        if query.state and query.state not in STATES:
            raise Invalid(
                tr('"{state}" is no state of a queued message: use one of {states}.'),
                state=query.state,
                states=", ".join(STATES),
            )
        now = self._gateway.now()
        domain = query.recipient[1:].lower() if query.recipient.startswith("@") else ""
        which = MessageFilter(
            domain=domain,
            address="" if domain else query.recipient,
            sender=query.sender,
            message_id=number_of(query.ids[0]) if len(query.ids) == 1 else 0,
            older_than=now - age(query.older_than) if query.older_than else 0,
        )
        return _Search(query, which, now)

    async def _matches(self, search: _Search, found: Found) -> bool:
        query, message = search.query, found.message
        if len(query.ids) > 1 and to_text(message.message_id) not in query.ids:
            return False
        if query.state and not _in_state(query.state, found, search.now):
            return False
        if not query.code:
            return True
        error = found.place.summary.state.last_error
        codes = {error.code, error.flow_code} if error is not None else set()
        codes |= {c for a in (await self._attempts_of(found))[-1:] for c in (a.code, a.flow_code)}
        return query.code in codes

    async def _attempts_of(self, found: Found) -> list[AttemptView]:
        """Return the attempts of a message that had its own; the destination's state says all of others."""
        if not any(recipient.attempts for recipient in found.message.recipients):
            return []
        return await self._gateway.store.attempts(found.message.message_id)

    def _row(self, found: Found, attempts: list[AttemptView]) -> Json:
        message, place = found.message, found.place
        state = place.summary.state
        hostname = self._gateway.settings.hostname
        own = [latest_error(attempts, r, hostname) for r in message.recipients]
        error = next((e for e in own if e is not None), state.last_error)
        expiries = [self._expires_at(message.accepted_at, r, state) for r in message.recipients]
        due = max((r.not_before for r in message.recipients), default=0)
        return {
            **head_json(message),
            "connector": state.connector,
            "destination": place.name,
            "state": state.state,
            "recipients": [r.address for r in message.recipients],
            "suspended": any(r.suspended for r in message.recipients),
            "attempts": max((r.attempts for r in message.recipients), default=0),
            "next_attempt_at": when(max(due, state.next_attempt_at if state.state == "retry" else 0)),
            "expires_at": when(min(expiries, default=0)),
            "last_error": error_json(error),
        }

    def _expires_at(self, accepted_at: int, recipient: RecipientView, state: DestinationState | None) -> int:
        if recipient.expires_at or state is None:
            return recipient.expires_at
        return accepted_at + self._gateway.expiry_of(state)

    # -------------------------------------------------------------------- one

    async def show(self, message: str) -> Json:
        """Return a message with its recipients, all events and all attempts."""
        view = await self._view(message)
        attempts = await self._gateway.store.attempts(view.id)
        places = {p.id: p for p in await self._queue.places()}
        names = {i: (p.summary.state.connector, p.name) for i, p in places.items()}
        hostname = self._gateway.settings.hostname
        recipients = []
        for recipient in view.recipients:
            place = places.get(recipient.destination_id)
            expires_at = self._expires_at(
                view.accepted_at, recipient, place.summary.state if place is not None else None
            )
            row = recipient_json(recipient, names.get(recipient.destination_id, ("", "")), expires_at)
            error = None if recipient.state == "delivered" else latest_error(attempts, recipient, hostname)
            recipients.append(row | {"last_error": error_json(error)})
        events = view.events or tuple(await self._gateway.store.events(view.id))
        return {
            **head_json(view),
            "state": message_state(view.recipients),
            "envid": view.envid,
            "client": client_json(view.client),
            "recipients": recipients,
            "events": [event_json(event) for event in events],
            "attempts": [attempt_json(attempt, hostname, names) for attempt in attempts],
        }

    async def _view(self, message: str) -> MessageView:
        view = await self._gateway.store.message(number_of(message))
        if view is None:
            raise NotFound(tr("There is no message {id}: it never was here, or is forgotten."), id=message)
        return view

    async def content(self, message: str) -> AsyncIterator[bytes]:
        """Return the content of a queued message, dots un-stuffed (an .eml file), in pieces."""
        view = await self._view(message)
        if message_state(view.recipients) != "queued":
            raise Conflict(
                tr("The content of message {id} is gone: it is kept while a recipient waits."), id=message
            )
        try:
            pieces = await self._gateway.store.open_body(view.id)
        except BodyMissing:
            raise Conflict(tr("The content of message {id} cannot be read."), id=message) from None
        return _unstuffed(pieces)

    # ----------------------------------------------------------------- cancel

    async def cancel(
        self, query: MessageQuery, who: str, *, ndr: bool, everything: bool, dry_run: bool
    ) -> Json:
        """End messages for good, with a report to their senders or without a word; return the counts."""
        found: Json = {}
        async for step in self.cancelling(query, who, ndr=ndr, everything=everything, dry_run=dry_run):
            found = step
        result = found["result"]
        assert isinstance(result, dict)
        return result

    async def cancelling(
        self, query: MessageQuery, who: str, *, ndr: bool, everything: bool, dry_run: bool
    ) -> AsyncGenerator[Json, None]:
        """As `cancel`, and tell how far it is: `{"progress": {"done", "of"}}`, `{"result": ...}` last.

        Many are ended at a time, so that they share their syncs. Raises before the first step where it makes no sense.
        """
        if query.empty and not everything:
            raise Invalid(tr("This would end every message: name ids or a filter, or say all."))
        for text in query.ids:
            number_of(text)
        targets = await self._targets(query)
        ended = 0
        for done in () if dry_run else range(0, len(targets), ENDED_AT_ONCE):
            yield {"progress": {"done": done, "of": len(targets)}}
            batch = targets[done : done + ENDED_AT_ONCE]
            ended += sum(await asyncio.gather(*(self._end(found, who, ndr=ndr) for found in batch)))
        yield {"result": self._cancel_counts(targets, ended, ndr=ndr, dry_run=dry_run)}

    def _end(self, found: Found, who: str, *, ndr: bool) -> Awaitable[int]:
        numbers = tuple(r.n for r in found.message.recipients)
        return self._gateway.cancel(found.place.id, found.message.message_id, numbers, who, ndr=ndr)

    async def _targets(self, query: MessageQuery) -> list[Found]:
        return [found async for found, _cursor_, _n in self._search(query, (0, 0)) if found is not None]

    def _cancel_counts(self, targets: list[Found], ended: int, *, ndr: bool, dry_run: bool) -> Json:
        recipients = sum(len(f.message.recipients) for f in targets)
        by_place: dict[tuple[str, str], int] = {}
        for found in targets:
            key = (found.place.summary.state.connector, found.place.name)
            by_place[key] = by_place.get(key, 0) + 1
        null_senders = {f.message.message_id for f in targets if not f.message.sender}
        told = {f.message.message_id for f in targets} - null_senders if ndr else set()
        return {
            "dry_run": dry_run,
            "ndr": ndr,
            "messages": len({f.message.message_id for f in targets}),
            "recipients": recipients,
            "ended": ended,
            "under_way": 0 if dry_run else recipients - ended,
            "reports": len(told),
            "bytes": sum({f.message.message_id: f.message.size for f in targets}.values()),
            "rows": [{"connector": c, "destination": d, "messages": n} for (c, d), n in by_place.items()],
        }

    # ------------------------------------------------------------------ trace

    async def trace(self, which: TraceFilter, limit: int = 100) -> Json:
        """Return messages of the past and present, newest first, with where each recipient stands."""
        limit = max(1, min(limit, MAX_LIMIT))
        views = await self._gateway.store.trace(which, limit)
        names = {p.id: (p.summary.state.connector, p.name) for p in await self._queue.places()}
        rows = [
            {
                **head_json(view),
                "state": message_state(view.recipients),
                "recipients": [
                    recipient_json(r, names.get(r.destination_id, ("", "")), r.expires_at)
                    for r in view.recipients
                ],
            }
            for view in views
        ]
        more = to_text(views[-1].id) if len(views) == limit else None
        return {"messages": rows, "next": more}

    async def destination_id(self, name: str) -> int:
        """Return the number of the one destination of that name."""
        which = DestinationFilter(destination=name)
        places = [p for p in await self._queue.places() if p.matches(which)]
        if len(places) != 1:
            raise NotFound(
                tr('{count} destinations are named "{name}": see gatepost queue list --json for the ids.'),
                count=len(places),
                name=name,
            )
        return places[0].id


async def _unstuffed(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unstuffer = Unstuffer()
    async for piece in pieces:
        yield unstuffer.feed(piece)


def _state_possible(state: str, place: Place) -> bool:
    return state in ("", "deferred", "suspended") or place.summary.state.state == state


def _in_state(state: str, found: Found, now: int) -> bool:
    recipients: Iterable[RecipientView] = found.message.recipients
    if state == "deferred":
        return any(r.not_before > now for r in recipients)
    if state == "suspended" and any(r.suspended for r in recipients):
        return True
    return found.place.summary.state.state == state


def number_of(text: str) -> int:
    """Return the number of a message id; `Invalid` where it is none."""
    try:
        return from_text(text)
    except ValueError:
        raise Invalid(
            tr('"{text}" is not a message id: it has 13 letters and digits, as in gatepost message list.'),
            text=text,
        ) from None


def age(text: str) -> int:
    """Return the milliseconds of a duration."""
    try:
        return seconds(text) * 1000
    except BadValue:
        raise Invalid(tr('"{text}" is not a duration: write 30s, 5m, 4h or 2d.'), text=text) from None


def past(text: str, now: int) -> int:
    """Return the time that a duration ago (`4h`) or a time (RFC 3339) means; 0 for none."""
    if not text:
        return 0
    try:
        return now - seconds(text) * 1000
    except BadValue:
        try:
            return from_iso(text)
        except (ValueError, OverflowError, OSError):
            raise Invalid(
                tr('"{text}" is no time: write a duration like 4h, or a time like 2026-11-23T08:00:00Z.'),
                text=text,
            ) from None


def _cursor(text: str) -> tuple[int, int]:
    """Return the place where the last page ended."""
    if not text:
        return (0, 0)
    destination, _, message = text.partition("-")
    if not (destination.isdecimal() and message.isdecimal() and len(text) < 45):
        raise Invalid(tr('"{text}" is not a page: take the value of next from the page before.'), text=text)
    return int(destination), int(message)
