"""Messages: those that wait, those of the past, one with everything that happened to it (R20, B2, B5)."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gatepost.admin.answers.messages import (
    MessageJson,
    MessagePage,
    MessageRow,
    RecipientDetail,
    TracePage,
    TraceRow,
)
from gatepost.admin.errors import Conflict, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.looks import Looks
from gatepost.admin.queue import DestinationFilter, QueueUseCases, parsed
from gatepost.admin.reroutes import Reroutes
from gatepost.admin.shapes import (
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
from gatepost.fix.filter import STATES, Filter, Term
from gatepost.flow.searching import Around, Hit, Step, search
from gatepost.model.failure import from_iso
from gatepost.model.ids import from_text, to_text
from gatepost.model.mail import BodyMissing
from gatepost.smtp.body import Unstuffer
from gatepost.storage.interface import (
    AttemptView,
    DestinationState,
    MessageView,
    RecipientView,
    TraceFilter,
)

_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)
MAX_LIMIT = 1000
MAX_LOOKED_AT = 20_000  # rows that one request looks at before it answers with what it has


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
    filter: str = ""  # in the language of `fix.filter`; holds beside the others

    @property
    def empty(self) -> bool:
        """Return whether it names nothing, so that it would match everything."""
        return self == MessageQuery()

    def filtered(self) -> Filter:
        """Return the one filter that all of it means; `Invalid` where it cannot be understood."""
        terms: list[Term] = []
        for field, value in (("connector", self.connector), ("destination", self.destination),
                             ("to", self.recipient), ("code", self.code), ("state", self.state)):  # fmt: skip
            if value:
                terms.append(Term(field, ":", (value.lower(),)))
        if self.sender is not None:
            terms.append(Term("from", ":", (self.sender.lower() or "<>",)))
        if self.state and self.state not in STATES:
            raise Invalid(
                tr('"{state}" is no state of a queued message: use one of {states}.'),
                state=self.state,
                states=", ".join(STATES),
            )
        if self.older_than:
            terms.append(Term("age", ">", (), age(self.older_than)))
        if self.ids:
            terms.append(Term("id", ":", tuple(to_text(number_of(text)).lower() for text in self.ids)))
        given = parsed(self.filter)
        everything = (*terms, *given.terms)
        return Filter(everything, " ".join(term.text() for term in everything))


class MessageUseCases:
    """What can be asked of and done to messages."""

    def __init__(self, gateway: Gateway, queue: QueueUseCases) -> None:
        self._gateway = gateway
        self._queue = queue
        self._looks = Looks(gateway)
        self._reroutes = Reroutes(gateway)

    # ------------------------------------------------------------------ lists

    async def listed(self, query: MessageQuery, limit: int = 100, after: str = "") -> MessagePage:
        """Return queued messages in the queue's order; `next` leads to the page behind them."""
        limit = max(1, min(limit, MAX_LIMIT))
        rows: list[MessageRow] = []
        looked_at = 0
        async for step in self._search(query, _cursor(after)):
            looked_at += 1
            position = step.position
            if step.hit is not None:
                rows.append(await self._row(step.hit, await self._attempts_of(step.hit)))
            if len(rows) >= limit or looked_at >= MAX_LOOKED_AT:
                return {"messages": rows, "next": f"{position[0]}-{position[1]}"}
        return {"messages": rows, "next": None}

    async def _search(self, query: MessageQuery, after: tuple[int, int]) -> AsyncIterator[Step]:
        gateway = self._gateway
        which = query.filtered()
        around = Around(gateway.store, gateway.now(), gateway.expiry_of)
        async for step in search(around, await self._queue.places(), which, after):
            yield step

    async def _attempts_of(self, found: Hit) -> list[AttemptView]:
        """Return the attempts of a message that had its own; the destination's state says all of others."""
        if not any(recipient.attempts for recipient in found.message.recipients):
            return []
        return await self._gateway.store.attempts(found.message.message_id)

    async def _row(self, found: Hit, attempts: list[AttemptView]) -> MessageRow:
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
            "rerouted": await self._reroutes.of(max((r.rerouted for r in message.recipients), default=0)),
            "last_error": error_json(error),
        }

    def _expires_at(self, accepted_at: int, recipient: RecipientView, state: DestinationState | None) -> int:
        if recipient.expires_at or state is None:
            return recipient.expires_at
        return accepted_at + self._gateway.expiry_of(state)

    # -------------------------------------------------------------------- one

    async def show(self, message: str) -> MessageJson:
        """Return a message with its recipients, all events and all attempts."""
        view = await self._view(message)
        attempts = await self._gateway.store.attempts(view.id)
        places = {p.id: p for p in await self._queue.places()}
        names = {i: (p.summary.state.connector, p.name) for i, p in places.items()}
        hostname = self._gateway.settings.hostname
        recipients: list[RecipientDetail] = []
        for recipient in view.recipients:
            place = places.get(recipient.destination_id)
            expires_at = self._expires_at(
                view.accepted_at, recipient, place.summary.state if place is not None else None
            )
            row = recipient_json(recipient, names.get(recipient.destination_id, ("", "")), expires_at)
            error = None if recipient.state == "delivered" else latest_error(attempts, recipient, hostname)
            rerouted = await self._reroutes.of(recipient.rerouted)
            recipients.append({**row, "rerouted": rerouted, "last_error": error_json(error)})
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

    async def content(self, message: str, who: str) -> AsyncIterator[bytes]:
        """Return the content of a queued message, dots un-stuffed (an .eml file), in pieces; the look is noted."""
        view = await self._view(message)
        if message_state(view.recipients) != "queued":
            raise Conflict(
                tr("The content of message {id} is gone: it is kept while a recipient waits."), id=message
            )
        try:
            pieces = await self._gateway.store.open_body(view.id)
        except BodyMissing:
            raise Conflict(tr("The content of message {id} cannot be read."), id=message) from None
        self._looks.at_message(to_text(view.id), who)
        return _unstuffed(pieces)

    async def export(self, query: MessageQuery, who: str) -> AsyncIterator[bytes]:
        """Return every message that a query means as an mbox (mboxrd); what has gone meanwhile is left out."""
        which, began, seen = query.filtered().text, self._gateway.now(), 0
        self._looks.at_many(which, who, began, seen)
        try:
            async for step in self._search(query, (0, 0)):
                content = None if step.hit is None else await self._whole(step.hit)
                if step.hit is not None and content is not None:
                    seen += 1
                    yield mboxrd(step.hit.message.sender, step.hit.message.accepted_at, content)
        finally:
            self._looks.at_many(which, who, began, seen)

    async def _whole(self, found: Hit) -> bytes | None:
        """Return the content of a message, None where it has gone meanwhile."""
        try:
            pieces = _unstuffed(await self._gateway.store.open_body(found.message.message_id))
            return b"".join([piece async for piece in pieces])
        except BodyMissing:
            return None

    # ------------------------------------------------------------------ trace

    async def trace(self, which: TraceFilter, limit: int = 100) -> TracePage:
        """Return messages of the past and present, newest first, with where each recipient stands."""
        limit = max(1, min(limit, MAX_LIMIT))
        page = await self._gateway.store.trace(which, limit)
        names = {p.id: (p.summary.state.connector, p.name) for p in await self._queue.places()}
        rows: list[TraceRow] = [
            {
                **head_json(view),
                "state": message_state(view.recipients),
                "recipients": [
                    recipient_json(r, names.get(r.destination_id, ("", "")), r.expires_at)
                    for r in view.recipients
                ],
            }
            for view in page.messages
        ]
        return {"messages": rows, "next": to_text(page.before) if page.before else None}

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


def mboxrd(sender: str, accepted_at: int, content: bytes) -> bytes:
    """Return a message as an entry of an mbox: lines that look like a beginning get one `>` more, line ends are LF."""
    date = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(accepted_at // 1000))
    who = (sender or "MAILER-DAEMON").replace(" ", "_").encode("utf-8", "replace")
    text = _FROM_LINE.sub(rb">\1", content.replace(b"\r\n", b"\n"))
    return b"From " + who + b" " + date.encode() + b"\n" + text.rstrip(b"\n") + b"\n\n"


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
