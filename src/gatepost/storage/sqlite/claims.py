"""Reading the queue for deliveries: claims, expiries, notices. Functions of a connection, run by a worker.

Every row that a statement returns hands the interpreter lock around, while the loop wants it: so whatever is read
comes as one row of JSON, and small bodies many in one.
"""

import json
import zlib
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
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
_QUEUED = {
    name: SQL["at_once"].replace("rows_in_order", SQL[name])
    for name in ("ready", "due", "due_beyond", "expired_by_age", "expired_by_date", "notices_due")
}
_BODIES_AT_ONCE = 256 << 10  # octets of bodies that come in one row
_decode = json.JSONDecoder().decode


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
        fresh = _take(connection, "ready", (destination_id, after), held, limit)
        due = _take(connection, "due", (destination_id, now), held, limit)
        if horizon and not due:
            due = _take(connection, "due_beyond", (destination_id, horizon), held, limit)
        due = due[: max(limit // 2, limit - len(fresh))]
        chosen = _within(_merged([*due, *fresh])[:limit], max_bytes)
        for item, _ in chosen:
            leases.take(destination_id, item.message_id, tuple(r.n for r in item.recipients))
    bodies = _bodies(connection, [item for item, spool in chosen if not spool])
    return [item if spool else item._replace(body=bodies[item.message_id]) for item, spool in chosen]


def _take(
    connection: apsw.Connection, name: str, where: tuple[int, ...], held: Collection[int], limit: int
) -> list[tuple[Item, bool]]:
    """Return the first messages that are not held; so many rows are read that one recipient each is enough."""
    size = limit + len(held) + 1
    while True:
        text = connection.execute(_QUEUED[name], (*where, size)).fetchall()[0][0]
        found = cast("list[_Row]", _decode(cast("str", text)))
        taken = list(_items(found, where[0], held))
        if len(found) < size or len(taken) > limit:  # the last one may have been cut
            return taken[:limit]
        size *= 4


def _items(found: Iterable[_Row], destination_id: int, held: Collection[int]) -> Iterator[tuple[Item, bool]]:
    """Put the rows of each message together that is not held."""
    for message_id, group in groupby(found, key=itemgetter(0)):
        if message_id in held:
            continue
        members = list(group)
        _, _, _, _, _, _, _, accepted_at, sender, size, flags, envid, crc, open_, spool, source = members[0]
        recipients = tuple([QueuedRecipient(*row[1:7]) for row in members])
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


def _bodies(connection: apsw.Connection, items: list[Item]) -> dict[int, bytes | None]:
    """Return the bodies from their rows where they are whole."""
    found: dict[int, bytes | None] = {}
    part: list[Item] = []
    octets = 0
    for item in items:
        part.append(item)
        octets += item.size
        if octets > _BODIES_AT_ONCE:
            found |= _read_bodies(connection, part)
            part, octets = [], 0
    return found | _read_bodies(connection, part)


def _read_bodies(connection: apsw.Connection, items: list[Item]) -> dict[int, bytes | None]:
    if len(items) > 1:
        try:
            bodies = _together(connection, [item.message_id for item in items])
        except apsw.Error:  # a damaged page: one of them is in trouble, the others are not
            bodies = {}
    else:
        bodies = {}
    return {item.message_id: _good_body(connection, item, bodies.get(item.message_id)) for item in items}


def _together(connection: apsw.Connection, numbers: list[int]) -> dict[int, bytes]:
    """Read many bodies as one value, and cut it by their lengths."""
    found = connection.execute(SQL["bodies"], (json.dumps(numbers),)).fetchall()
    lengths, joined = cast("tuple[str, bytes | None]", found[0])
    bodies: dict[int, bytes] = {}
    start = 0
    for number, length in _decode(lengths):
        bodies[number] = (joined or b"")[start : start + length]
        start += length
    return bodies


def _good_body(connection: apsw.Connection, item: Item, data: object) -> bytes | None:
    """Return a body that is whole: as it was read, or from its row."""
    if isinstance(data, bytes) and zlib.crc32(data) == item.crc:
        return data
    try:
        found = connection.execute(SQL["body"], (item.message_id,)).fetchall()
    except apsw.Error:
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
    by_age = _take(connection, "expired_by_age", (destination_id, bound, accepted), (), limit)
    by_date = _take(connection, "expired_by_date", (destination_id, now), (), limit)
    found = [*by_age, *by_date]
    return [item for item, _ in _merged(found)[:limit]]


def notices_due(
    connection: apsw.Connection, destination_id: int, now: int, after_ms: int, limit: int
) -> list[Item]:
    """Return messages that have waited long enough for a delay notice (RFC 3461 section 4.1)."""
    accepted = now - after_ms
    bound = ids.first_of(max(accepted + _CLOCK_SLACK_MS, 0))
    found = _take(connection, "notices_due", (destination_id, bound, accepted), (), limit)
    return [item for item, _ in found]
