"""Reading for the surfaces: destinations, the queue, a message, its attempts. Functions of a connection."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import apsw

from gatepost.model import ids
from gatepost.storage.counters import Counters
from gatepost.storage.interface import (
    AttemptView,
    DestinationState,
    DestinationSummary,
    Event,
    MessageFilter,
    MessageView,
    QueuedMessage,
    RecipientView,
    Rerouted,
    TraceFilter,
    TracePage,
)
from gatepost.storage.queries import Queries
from gatepost.storage.sqlite import rows, trace_index

SQL = Queries("sqlite", "read")
_LAST = (1 << 63) - 1
_STEP = 2000  # messages
_STEP_LOOKS = (
    100  # a step costs as much as so many candidates where recipients are looked at: some milliseconds
)
_HEAD_LOOKS = 15  # and so many where the message itself says enough
_LOOKS = 3000  # at candidates, that one search may take: a tenth of a second
UNDELIVERED = frozenset({"returned", "failed", "cancelled"})


def states(connection: apsw.Connection, waiting: Iterable[int]) -> list[DestinationState]:
    """Return all destinations, those included that only the queue knows."""
    found = [rows.destination_of(row) for row in connection.execute(SQL["destinations"])]
    known = {state.id for state in found}
    return found + [DestinationState(key, "", "", "") for key in waiting if key not in known]


def destinations(
    connection: apsw.Connection, counters: Counters, expiry_of: Callable[[DestinationState], int]
) -> list[DestinationSummary]:
    """Return every destination with its counters and its oldest recipient."""
    result = []
    for state in states(connection, counters.known()):
        counted = counters.get(state.id)
        oldest = _one(connection, "oldest", state.id) if counted[1] else None
        expiry = 0
        if oldest is not None:
            by_default = _one(connection, "oldest_by_default", state.id)
            dates = [_one(connection, "first_expiry", state.id)]
            dates.append(by_default + expiry_of(state) if by_default is not None else None)
            expiry = min((date for date in dates if date is not None), default=0)
        result.append(DestinationSummary(state, *counted, oldest or 0, expiry, counters.ages(state.id)))
    return result


def _one(connection: apsw.Connection, name: str, key: int) -> int | None:
    found = connection.execute(SQL[name], (key,)).fetchall()
    return cast("int | None", found[0][0]) if found else None


def messages(
    connection: apsw.Connection, which: MessageFilter, limit: int, after: tuple[int, int]
) -> list[QueuedMessage]:
    """Return a page of the queue."""
    values = {
        **which._asdict(),
        "after_destination": max(after[0], which.destination_id - 1, 0) if not after[0] else after[0],
        "after_message": after[1] if after[0] else _LAST if which.destination_id else 0,
        "first_destination": which.destination_id,
        "last_destination": which.destination_id or _LAST,
        "suspended": None if which.suspended is None else int(which.suspended),
        "limit": limit,
    }
    keys = cast("list[tuple[int, int]]", connection.execute(SQL["messages"], values).fetchall())
    result = []
    for destination_id, message_id in keys:
        view = _message_row(connection, message_id)
        if view is not None:
            waiting = _recipients(connection, "rows_at", (destination_id, message_id))
            head = (message_id, destination_id, view.accepted_at, view.sender, view.size)
            result.append(QueuedMessage(*head, view.header_id, view.source, waiting))
    return result


def _message_row(connection: apsw.Connection, message_id: int) -> MessageView | None:
    found = connection.execute(SQL["message"], (message_id,)).fetchall()
    if not found:
        return None
    row = cast("tuple[int, int, str, int, int, str, str, str, str, int]", found[0])
    return MessageView(*row[:9], bool(row[9]), ())


def _recipients(connection: apsw.Connection, name: str, key: tuple[object, ...]) -> tuple[RecipientView, ...]:
    found = connection.execute(SQL[name], cast("tuple[int, ...]", key)).fetchall()
    views = [
        RecipientView(*row)
        for row in cast("list[tuple[int, str, int, str, int, int, int, bool, int, int]]", found)
    ]
    return tuple(view._replace(suspended=bool(view.suspended)) for view in views)


def message(connection: apsw.Connection, counters: Counters, message_id: int) -> MessageView | None:
    """Return a message with all its recipients and events."""
    view = _message_row(connection, message_id)
    if view is None:
        return None
    places = json.dumps(counters.known())
    waiting = _recipients(connection, "rows_of_message", (places, message_id))
    ended = _recipients(connection, "ended_of_message", (message_id,))
    both = tuple(sorted((*waiting, *ended)))
    return view._replace(recipients=both, events=tuple(events(connection, message_id)))


def events(connection: apsw.Connection, message_id: int) -> list[Event]:
    """Return what happened to a message."""
    found = connection.execute(SQL["events"], (message_id,)).fetchall()
    return [rows.event_of(row) for row in cast("list[tuple[int, int, str, str]]", found)]


def session(connection: apsw.Connection, session_id: int) -> object:
    """Return the facts of a connection, or None."""
    found = connection.execute(SQL["session"], (session_id,)).fetchall()
    return rows.decode(found[0][0]) if found else None


def attempts(connection: apsw.Connection, counters: Counters, message_id: int) -> list[AttemptView]:
    """Return its own attempts and those of the destinations where it waited, in order."""
    view = message(connection, counters, message_id)
    if view is None:
        return []
    own = [rows.attempt_of(row) for row in connection.execute(SQL["attempts_of_message"], (message_id,))]
    merged = {(0, a.id): a for a in own}
    for destination_id, start, end in waits(view, own):
        span = (destination_id, ids.first_of(start), ids.first_of(end) if end else _LAST)
        for row in connection.execute(SQL["attempts_between"], span):
            attempt = rows.attempt_of(row)
            merged[destination_id, attempt.id] = attempt
    return sorted(merged.values(), key=lambda a: a.id)


def waits(view: MessageView, own: list[AttemptView]) -> list[tuple[int, int, int]]:
    """Return where a message waited as (destination, from, until); until 0: it still does (pure)."""
    moves = [(e.data, ids.born(e.id)) for e in view.events if e.kind == "moved"]
    came = {cast("int", data["target"]): at for data, at in reversed(moves)}
    went = {cast("int", data["source"]): at + 1 for data, at in moves}
    here = {r.destination_id for r in view.recipients if r.state == "queued"}
    ended: dict[int, int] = {}
    for attempt in own:
        ended[attempt.destination_id] = max(ended.get(attempt.destination_id, 0), attempt.at + 1)
    result = []
    for destination_id in dict.fromkeys([*came, *went, *here, *ended]):
        until = (
            0 if destination_id in here else max(went.get(destination_id, 0), ended.get(destination_id, 0))
        )
        start = view.accepted_at
        if destination_id in came and not (
            destination_id in went and went[destination_id] <= came[destination_id]
        ):
            start = came[destination_id]
        if until or destination_id in here:
            result.append((destination_id, start, until))
    return result


def destination_attempts(connection: apsw.Connection, destination_id: int, limit: int) -> list[AttemptView]:
    """Return the latest attempts that concerned a whole destination."""
    found = connection.execute(SQL["attempts_of_destination"], (destination_id, limit))
    return [rows.attempt_of(row) for row in found]


def trace(connection: apsw.Connection, counters: Counters, which: TraceFilter, limit: int) -> TracePage:
    """Return messages of the past and present: a walk back over ids, which are times.

    Candidates are known by blocks or by how they ended; else messages are looked at step by step. Both end when enough
    was looked at, whatever was found.
    """
    newest = min(ids.first_of(which.until) if which.until else _LAST, which.before or _LAST) - 1
    oldest = ids.first_of(max(which.since, 0))
    values = {
        **which._asdict(),
        "sender_at": _whole_domain(which.sender or ""),
        "recipient_at": _whole_domain(which.recipient),
        "places": json.dumps(counters.known()),
    }
    found: list[int] = []
    left, before = _LOOKS, 0
    step = _STEP_LOOKS if which.recipient or which.destination_id else _HEAD_LOOKS
    for first, last in _stretches(connection, which, oldest, newest):
        if left <= 0:
            break
        before = first
        left -= 1 if first == last else step
        bounds = {"first": first, "last": last, "limit": limit - len(found)}
        found += [cast("int", row[0]) for row in connection.execute(SQL["trace"], values | bounds)]
        if len(found) >= limit:
            before = found[-1]
            break
    else:
        before = 0
    views = [message(connection, counters, number) for number in found]
    return TracePage([view for view in views if view is not None], before)


def _stretches(
    connection: apsw.Connection, which: TraceFilter, oldest: int, newest: int
) -> Iterator[tuple[int, int]]:
    """Yield what has to be looked at, the newest first: single candidates, or steps of the past."""
    key = trace_index.key_of(which)
    if key is not None:
        for span in trace_index.spans(connection, key, oldest, newest):
            if span.ids is None:
                yield from _steps(connection, span.first, span.last)
            else:
                yield from ((number, number) for number in span.ids)
    elif which.state in UNDELIVERED:
        ends = connection.execute(SQL["trace_ends"], {"state": which.state, "first": oldest, "last": newest})
        yield from ((number, number) for (number,) in cast("Iterable[tuple[int]]", ends))
    else:
        yield from _steps(connection, oldest, newest)


def _steps(connection: apsw.Connection, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield stretches of `_STEP` messages each, the newest first."""
    while True:
        found = connection.execute(
            SQL["trace_walk"], {"first": first, "last": last, "count": _STEP}
        ).fetchall()
        if not found:
            yield first, last
            return
        end = cast("int", found[0][0])
        yield end + 1, last
        last = end


def _whole_domain(text: str) -> str | None:
    """Return the pattern of every address of a domain, written `@domain`; None for an address."""
    if not text.startswith("@"):
        return None
    return "%" + "".join(f"\\{c}" if c in "%_\\" else c for c in text)


def groups(
    connection: apsw.Connection, destination_id: int, rerouted: bool | None = None
) -> list[tuple[str, int]]:
    """Return the recipient domains at a destination."""
    values = {"destination_id": destination_id, "rerouted": None if rerouted is None else int(rerouted)}
    return cast("list[tuple[str, int]]", connection.execute(SQL["groups"], values).fetchall())


def queued_addresses(
    connection: apsw.Connection,
    destination_id: int,
    domain: str,
    after: str,
    limit: int,
    rerouted: bool | None = None,
) -> list[tuple[str, int]]:
    """Return a page of the distinct addresses that wait."""
    values = {
        "destination_id": destination_id,
        "domain": domain.lower(),
        "after": after,
        "limit": limit,
        "rerouted": None if rerouted is None else int(rerouted),
    }
    return cast("list[tuple[str, int]]", connection.execute(SQL["queued_addresses"], values).fetchall())


def rerouted(connection: apsw.Connection) -> list[Rerouted]:
    """Return how many recipients wait where somebody sent them."""
    found = connection.execute(SQL["rerouted"]).fetchall()
    return [Rerouted(*row) for row in cast("list[tuple[int, int, int]]", found)]
