"""Find queued recipients by a filter, page by page in the queue's own order, for lists and for jobs."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple, Protocol

from gatepost.fix.filter import Facts, Filter
from gatepost.model.ids import from_text
from gatepost.storage.interface import (
    AttemptView,
    DestinationState,
    DestinationSummary,
    MessageFilter,
    QueuedMessage,
    RecipientView,
    Store,
)

PAGE = 200


class Place(Protocol):
    """A destination with the name that people call it."""

    @property
    def summary(self) -> DestinationSummary:
        """Return its state and what waits there."""

    @property
    def name(self) -> str:
        """Return its name."""


class Around(NamedTuple):
    """What a search needs of the process; `now` stays the same from its first page to its last."""

    store: Store
    now: int
    expiry_of: Callable[[DestinationState], int]


class Hit(NamedTuple):
    """One message at one destination, with those of its recipients there that are meant."""

    place: Place
    message: QueuedMessage
    recipients: tuple[RecipientView, ...]


class Step(NamedTuple):
    """One message that was looked at; `hit` None: it is not meant. `position` is where a search goes on."""

    hit: Hit | None
    position: tuple[int, int]


def names_of(place: Place) -> tuple[str, ...]:
    """Return what a destination is called: by its number, its name, its hosts."""
    state = place.summary.state
    return (str(state.id), place.name, state.next_hop, *place.name.split(", "))


def worth_looking(places: Iterable[Place], which: Filter) -> list[Place]:
    """Return the destinations where something can be meant, in the queue's order."""
    found = [p for p in places if p.summary.messages]
    found = [p for p in found if which.may_match_at(p.summary.state.connector, names_of(p))]
    return sorted(found, key=lambda p: p.summary.state.id)


async def search(
    around: Around, places: Iterable[Place], which: Filter, after: tuple[int, int] = (0, 0)
) -> AsyncIterator[Step]:
    """Yield every message that was looked at behind a position, oldest first at each destination."""
    narrow = _narrow(which, around.now)
    for place in worth_looking(places, which):
        number = place.summary.state.id
        if number < after[0]:
            continue
        position = after if number == after[0] else (number, 0)
        while True:
            page = await around.store.messages(narrow._replace(destination_id=number), PAGE, position)
            for message in page:
                position = (number, message.message_id)
                recipients = await _meant(around, place, message, which)
                yield Step(Hit(place, message, recipients) if recipients else None, position)
            if len(page) < PAGE:
                break


def _narrow(which: Filter, now: int) -> MessageFilter:
    """Return what the store can leave out by itself; the rest is judged row by row."""
    address, sender, number = which.only("to"), which.only("from"), which.only("id")
    domain = address[1:] if address.startswith("@") and address.isascii() else ""
    return MessageFilter(
        domain=domain,
        address=address if address.isascii() and not domain else "",
        sender=""
        if sender == "<>"
        else sender
        if sender and sender.isascii() and "@" in sender[1:]
        else None,
        message_id=from_text(number) if number else 0,
        older_than=which.accepted_before(now),
    )


async def _meant(
    around: Around, place: Place, message: QueuedMessage, which: Filter
) -> tuple[RecipientView, ...]:
    """Return the recipients of a message that a filter means."""
    attempts: list[AttemptView] = []
    if which.asks_for_errors and any(r.attempts for r in message.recipients):
        attempts = await around.store.attempts(message.message_id)
    return tuple(r for r in message.recipients if which.matches(_facts(around, place, message, r, attempts)))


def _facts(
    around: Around,
    place: Place,
    message: QueuedMessage,
    recipient: RecipientView,
    attempts: list[AttemptView],
) -> Facts:
    state = place.summary.state
    states = {state.state}
    if recipient.not_before > around.now:
        states.add("deferred")
    if recipient.suspended:
        states.add("suspended")
    codes, failure_class = _error(state, recipient, attempts)
    return Facts(
        now=around.now,
        message_id=message.message_id,
        accepted_at=message.accepted_at,
        expires_at=recipient.expires_at or message.accepted_at + around.expiry_of(state),
        size=message.size,
        recipients=len(message.recipients),
        sender=message.sender,
        address=recipient.address,
        connector=state.connector,
        destination=names_of(place),
        source=message.source,
        header_id=message.header_id,
        attempts=recipient.attempts,
        states=frozenset(states),
        codes=codes,
        failure_class=failure_class,
    )


def _error(
    state: DestinationState, recipient: RecipientView, attempts: list[AttemptView]
) -> tuple[frozenset[str], str]:
    """Return codes and class of the last error: of the recipient's own latest attempt, else its destination's."""
    for attempt in reversed(attempts):
        mine = attempt.message_id and attempt.recipient == recipient.n
        if mine or (not attempt.message_id and attempt.destination_id == recipient.destination_id):
            return frozenset({attempt.code, attempt.flow_code} - {""}), attempt.failure_class
    error = state.last_error
    if error is None:
        return frozenset(), ""
    return frozenset({error.code, error.flow_code}), error.failure_class
