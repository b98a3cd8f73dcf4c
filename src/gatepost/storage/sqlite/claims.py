"""Reading the queue for deliveries: claims, expiries, notices. Functions of a connection, run by a worker."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import cast

import apsw

from gatepost.model import ids
from gatepost.model.mail import BodyMissing, Item, QueuedRecipient
from gatepost.storage.leases import Leases
from gatepost.storage.queries import Queries

SQL = Queries("sqlite", "read")
# An id is at most this much younger than the clock says (`model.ids` never goes back when the clock does).
_CLOCK_SLACK_MS = 3_600_000

_Row = tuple[int, int, str, str, int, int, int, int, str, int, int, str, int, int, int, str]


def claim(
    connection: apsw.Connection,
    leases: Leases,
    destination_id: int,
    limits: tuple[int, int],
    now: int,
    after: int,
    horizon: int,
) -> list[Item]:
    """Take messages: deferred ones that are due get at most half of the places while new ones wait."""
    limit, max_bytes = limits
    with leases.lock:
        held = leases.held(destination_id)
        fresh = _take(connection.execute(SQL["ready"], (destination_id, after)), held, destination_id, limit)
        due = _take(connection.execute(SQL["due"], (destination_id, now)), held, destination_id, limit)
        if horizon and not due:
            beyond = connection.execute(SQL["due_beyond"], (destination_id, horizon))
            due = _take(beyond, held, destination_id, limit)
        due = due[: max(limit // 2, limit - len(fresh))]
        chosen = _within(_merged([*due, *fresh])[:limit], max_bytes)
        for item, _ in chosen:
            leases.take(destination_id, item.message_id, tuple(r.n for r in item.recipients))
    return [item if spool else item._replace(body=good_body(connection, item)) for item, spool in chosen]


def _take(
    found: Iterable[object], held: dict[int, tuple[int, ...]], destination_id: int, limit: int
) -> list[tuple[Item, bool]]:
    taken: list[tuple[Item, bool]] = []
    for item, spool in _items(found, destination_id):
        if item.message_id not in held:
            taken.append((item, spool))
            if len(taken) >= limit:
                break
    return taken


def _items(found: Iterable[object], destination_id: int) -> Iterator[tuple[Item, bool]]:
    """Put the rows of a message together."""
    for message_id, group in groupby(cast("Iterable[_Row]", found), key=lambda row: row[0]):
        members = list(group)
        _, _, _, _, _, _, _, accepted_at, sender, size, flags, envid, crc, open_, spool, source = members[0]
        recipients = tuple(QueuedRecipient(*row[1:7]) for row in members)
        last = open_ == len(recipients)
        head = (message_id, destination_id, accepted_at, sender, size, flags, envid)
        yield Item(*head, recipients, None, crc, last, source), bool(spool)


def _merged(entries: list[tuple[Item, bool]]) -> list[tuple[Item, bool]]:
    """Make one item of each message, in the order of their first appearance."""
    merged: dict[int, tuple[Item, bool]] = {}
    for item, spool in entries:
        same = merged.get(item.message_id)
        if same is None:
            merged[item.message_id] = (item, spool)
            continue
        known = {r.n for r in same[0].recipients}
        both = (*same[0].recipients, *(r for r in item.recipients if r.n not in known))
        merged[item.message_id] = (same[0]._replace(recipients=both), spool)  # `last`: a hint, may stay False
    return list(merged.values())


def _within(chosen: list[tuple[Item, bool]], max_bytes: int) -> list[tuple[Item, bool]]:
    """Stop where the bodies that come along would be too many octets; one comes always."""
    total = 0
    for number, (item, spool) in enumerate(chosen):
        total += 0 if spool else item.size
        if total > max_bytes and number:
            return chosen[:number]
    return chosen


def good_body(connection: apsw.Connection, item: Item) -> bytes | None:
    """Return the body from the row where it is whole."""
    try:
        found = connection.execute(SQL["body"], (item.message_id,)).fetchall()
    except apsw.Error:  # a damaged page: this message is in trouble, the others are not
        return None
    data = found[0][0] if found else None
    return data if isinstance(data, bytes) and zlib.crc32(data) == item.crc else None


def body_facts(connection: apsw.Connection, message_id: int) -> tuple[int, int, bool, bytes]:
    """Return size, CRC-32, whether it is a spool file, and the octets where it is not."""
    try:
        found = connection.execute(SQL["body_facts"], (message_id,)).fetchall()
        if not found:
            raise BodyMissing(f"{ids.to_text(message_id)} is not queued")
        size, crc, spool = cast("tuple[int, int, int]", found[0])
        body = [] if spool else connection.execute(SQL["body"], (message_id,)).fetchall()
    except apsw.Error as error:
        raise BodyMissing(f"the body of {ids.to_text(message_id)} cannot be read: {error}") from error
    return size, crc, bool(spool), cast("bytes", body[0][0]) if body else b""


def next_due(connection: apsw.Connection, destination_id: int) -> int | None:
    """Return when the next deferred recipient may be tried."""
    return cast("int | None", connection.execute(SQL["next_due"], (destination_id,)).fetchall()[0][0])


def expired(
    connection: apsw.Connection, destination_id: int, now: int, default_expiry_ms: int, limit: int
) -> list[Item]:
    """Return messages whose time is over: by age in the queue's order, then by a date of their own."""
    accepted = now - default_expiry_ms
    bound = ids.first_of(max(accepted + _CLOCK_SLACK_MS, 0))
    by_age = connection.execute(SQL["expired_by_age"], (destination_id, bound, accepted))
    by_date = connection.execute(SQL["expired_by_date"], (destination_id, now))
    found = [*_take(by_age, {}, destination_id, limit), *_take(by_date, {}, destination_id, limit)]
    return [item for item, _ in _merged(found)[:limit]]


def notices_due(
    connection: apsw.Connection, destination_id: int, now: int, after_ms: int, limit: int
) -> list[Item]:
    """Return messages that have waited long enough for a delay notice (RFC 3461 section 4.1)."""
    accepted = now - after_ms
    bound = ids.first_of(max(accepted + _CLOCK_SLACK_MS, 0))
    found = connection.execute(SQL["notices_due"], (destination_id, bound, accepted))
    return [item for item, _ in _take(found, {}, destination_id, limit)]
