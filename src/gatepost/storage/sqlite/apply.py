"""Changes to statements: what a batch does inside its transaction, and what memory does after the commit.

Every statement that steps hands the interpreter lock around, so rows go many to a statement.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import cast

import apsw

from gatepost.model.attempt import Attempt
from gatepost.model.mail import NewMessage, Settlement
from gatepost.storage.counters import IDS_OF_A_BUCKET, Place
from gatepost.storage.interface import FINAL, Change, Event, RowUpdate
from gatepost.storage.leases import Leases
from gatepost.storage.queries import LARGEST, Queries, padded
from gatepost.storage.sqlite import documents, moves, objects, rows
from gatepost.storage.sqlite.rows import Row, Value

SQL = Queries("sqlite", "write")
_LEDGER = ("accepted", "delivered", "returned", "cancelled", "failed")
_BODIES_AT_ONCE = 256 << 10
PLAIN = Change()[2:]  # of a change that only accepts or only ends
_VIEWS = (
    *("accepting", "accept_trigger", "delivering", "deliver_trigger"),
    *("closing", "close_trigger", "ending", "end_trigger"),
)
_decode = json.JSONDecoder().decode

# a queued recipient that is about to end: destination, message, number, address, size, open, spool
Found = tuple[int, int, int, str, int, int, int]


@dataclass(slots=True)
class Effects:
    """What a transaction changes in memory and on the file system, once it is committed."""

    counters: dict[Place, list[int]] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)
    taken: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)
    dropped: list[tuple[int, int, int]] = field(default_factory=list)
    unlink: list[int] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    moved: int = 0
    revision: int = 0
    spooled: bool = False

    def count(self, place: Place, messages: int, recipients: int, octets: int) -> None:
        """Note a change of what waits at a destination, of an age."""
        entry = self.counters.get(place)
        if entry is None:
            self.counters[place] = [messages, recipients, octets]
        else:
            entry[0] += messages
            entry[1] += recipients
            entry[2] += octets

    def book(self, name: str, number: int) -> None:
        """Note a change of the ledger."""
        self.ledger[name] = self.ledger.get(name, 0) + number

    def merge(self, other: "Effects") -> None:
        """Add the effects of a change that went well."""
        for place, (messages, recipients, octets) in other.counters.items():
            self.count(place, messages, recipients, octets)
        for name, number in other.ledger.items():
            self.book(name, number)
        self.taken += other.taken
        self.dropped += other.dropped
        self.unlink += other.unlink
        self.sessions |= other.sessions


class Applier:
    """Execute changes on the write connection; the caller owns the transaction."""

    def __init__(
        self, connection: apsw.Connection, leases: Leases, new_id: Callable[[], int], seen: set[int]
    ) -> None:
        self.connection = connection
        self._execute = connection.execute
        self._leases = leases
        self._new_id = new_id
        self._seen = seen  # sessions whose row is on disk
        self._not_queued: list[tuple[int, ...]] = []  # recipients that had ended already
        connection.create_scalar_function("not_queued", lambda *key: self._not_queued.append(key), 3)
        for name in _VIEWS:
            connection.execute(SQL[name])

    def insert(self, name: str, values: list[Row]) -> None:
        """Run a statement over many rows, a step for each 32; it must let rows of nothing but NULL pass by."""
        nothing = (None,) * len(values[0]) if values else ()
        for start in range(0, len(values), LARGEST):
            part = values[start : start + LARGEST]
            size = padded(len(part))
            flat = list(chain.from_iterable(part))
            flat += nothing * (size - len(part))
            self._execute(SQL.rows(name, size), flat)

    def apply_all(self, changes: Iterable[Change], effects: Effects) -> None:
        """Run a batch: plain accepts together, then what is not plain in order, then plain ends together."""
        accepts: list[NewMessage] = []
        settles: list[Settlement] = []
        others: list[Change] = []
        for change in changes:
            if change[2:] != PLAIN:
                others.append(change)
            elif not change.settles:
                accepts += change.accepts
            elif not change.accepts and all(s.outcome in FINAL for s in change.settles):
                settles += change.settles
            else:
                others.append(change)
        if accepts:
            self.accept(accepts, effects)
        for change in others:
            self.apply_one(change, effects)
        if settles:
            self.finish(settles, effects)

    def apply_one(self, change: Change, effects: Effects) -> None:
        """Run everything that a change asks for; settlements first, since the rest may hang on them."""
        settled = 0
        if change.settles:
            settled = self.finish([s for s in change.settles if s.outcome in FINAL], effects)
            settled += self._defer([s for s in change.settles if s.outcome not in FINAL], effects)
        if change.only_if_settled and not settled:
            return
        if change.accepts:
            self.accept(change.accepts, effects)
        for state in change.destinations:
            self._execute(SQL["put_destination"], rows.destination_row(state))
        self._attempts(change.attempts, effects)
        self._events(change.events)
        for move in change.moves:
            effects.moved += moves.run(self._execute, SQL, move, self._leases, effects.count)
        for update in change.updates:
            self._update(update)
        if change.objects is not None:
            effects.revision = objects.save(self._execute, SQL, change.objects)
        if change.documents:
            documents.save(self._execute, SQL, change.documents)

    def accept(self, messages: Iterable[NewMessage], effects: Effects) -> None:
        """Keep messages: envelope and first recipient together, other recipients, bodies."""
        envelopes: list[Row] = []
        others: list[Row] = []
        bodies: list[tuple[int, bytes | None]] = []
        for message in messages:
            self._count_accepted(message, effects)
            envelopes.append(rows.message_row(message))
            if len(message.recipients) > 1:
                others += rows.other_recipients(message)
            if message.spool:
                effects.spooled = True
            else:
                bodies.append((message.id, message.body))
        self.insert("accept", envelopes)
        self._bodies(bodies)
        if others:
            self.insert("accept_recipient", others)

    def _bodies(self, bodies: list[tuple[int, bytes | None]]) -> None:
        """Keep bodies, small ones many to a statement: it holds them all twice."""
        flat: list[Value] = []
        octets = 0
        for message_id, body in bodies:
            flat += (message_id, body)
            octets += len(body or b"")
            if octets > _BODIES_AT_ONCE or len(flat) == 2 * LARGEST:
                self._execute(SQL.rows("accept_body", len(flat) // 2), flat)
                flat, octets = [], 0
        if flat:
            self._execute(SQL.rows("accept_body", len(flat) // 2), flat)

    def _count_accepted(self, message: NewMessage, effects: Effects) -> None:
        recipients = message.recipients
        if not recipients:
            raise ValueError("a message needs a recipient")
        effects.book("accepted", len(recipients))
        if len(recipients) == 1:
            at = {recipients[0].destination_id: (recipients[0].n,)}
        else:
            at = {}
            for recipient in recipients:
                destination_id = recipient.destination_id
                at[destination_id] = (*at.get(destination_id, ()), recipient.n)
        bucket = message.id // IDS_OF_A_BUCKET
        for destination_id, numbers in at.items():
            effects.count((destination_id, bucket), 1, len(numbers), message.size)
            # Claimed before it is committed: a move in the same batch must leave it alone.
            if message.claimed and message.id not in self._leases.held(destination_id):
                self._leases.take(destination_id, message.id, numbers)
                effects.taken.append((destination_id, message.id, numbers))

    def finish(self, settlements: list[Settlement], effects: Effects) -> int:
        """End recipients; those that are not queued any more count nothing. Return how many really ended."""
        closing = [s for s in settlements if s.size and rows.is_plain(s)]
        ended = self._close(closing, effects) if closing else 0
        if len(closing) < len(settlements):
            others = [s for s in settlements if not (s.size and rows.is_plain(s))]
            ended += self._end(others, effects)
        if ended:
            self._sessions((s.attempt for s in settlements if s.attempt), effects)
        return ended

    def _close(self, settlements: list[Settlement], effects: Effects) -> int:
        """End messages with their last recipient: nearly all mail, so nothing is looked up."""
        gone = self._not_queued
        gone.clear()
        self.insert("close", [rows.closing_row(s) for s in settlements])
        ended = 0
        for message_id, n, destination_id, _, _, _, size in settlements:
            if gone and (message_id, n, destination_id) in gone:
                gone.remove((message_id, n, destination_id))  # two ends of one in a batch: one of them counts
                continue
            ended += 1
            effects.count((destination_id, message_id // IDS_OF_A_BUCKET), -1, -1, -size)
            effects.dropped.append((destination_id, message_id, n))
        effects.book("delivered", ended)
        return ended

    def _end(self, settlements: list[Settlement], effects: Effects) -> int:
        by_key = {(s.destination_id, s.message_id, s.n): s for s in settlements}
        found = self._find(list(by_key))
        if not found:
            return 0
        last = _last_ones(found)
        ends: list[Row] = []
        deliveries: list[Row] = []
        for row in found:
            key = row[:3]
            settlement = by_key[key]
            closes = row[1] in last
            if rows.is_plain(settlement):
                deliveries.append(rows.delivered_row(settlement, row[3], closes))
            else:
                ended = rows.settled_row(settlement, row[3], settlement.outcome, self._new_id)
                ends.append((closes, *ended))
            effects.book(settlement.outcome, 1)
            effects.dropped.append(key)
        self.insert("deliver", deliveries)
        self.insert("end", ends)
        self._count_ended(found, last, effects)
        return len(found)

    def _count_ended(self, found: list[Found], last: set[int], effects: Effects) -> None:
        """Note how many recipients left each destination, and whether a message has none left there."""
        at: dict[tuple[int, int], list[int]] = {}
        for destination_id, message_id, _, _, size, open_, spooled in found:
            if open_ == 1:  # nearly always
                effects.count((destination_id, message_id // IDS_OF_A_BUCKET), -1, -1, -size)
                effects.unlink += (message_id,) if spooled else ()
            else:
                entry = at.setdefault((destination_id, message_id), [0, size, spooled])
                entry[0] += 1
        unlinked = set()
        for (destination_id, message_id), (number, size, spooled) in at.items():
            gone = int(message_id in last or not self._waits(destination_id, message_id))
            effects.count((destination_id, message_id // IDS_OF_A_BUCKET), -gone, -number, -size * gone)
            if spooled and message_id in last:
                unlinked.add(message_id)
        effects.unlink += unlinked

    def _find(self, keys: list[tuple[int, int, int]]) -> list[Found]:
        found: list[Found] = []
        for start in range(0, len(keys), LARGEST):
            part = keys[start : start + LARGEST]
            size = padded(len(part))
            part += part[-1:] * (size - len(part))  # a set: one more of the same is nothing more
            flat = list(chain.from_iterable(part))
            text = self._execute(SQL.rows("find_rows", size), flat).fetchall()[0][0]
            found += [cast("Found", tuple(row)) for row in _decode(cast("str", text))]
        return found

    def _waits(self, destination_id: int, message_id: int) -> bool:
        return bool(self._execute(SQL["still_there"], (destination_id, message_id)).fetchall())

    def _defer(self, settlements: list[Settlement], effects: Effects) -> int:
        changed = 0
        for settlement in settlements:
            key = (settlement.destination_id, settlement.message_id, settlement.n)
            found = self._execute(SQL["defer_row"], (settlement.not_before, *key)).fetchall()
            if found:
                changed += 1
                row = rows.settled_row(settlement, str(found[0][0]), "", self._new_id)
                self._execute(SQL["insert_attempt"], row)
                effects.dropped.append(key)
        self._sessions((s.attempt for s in settlements if s.attempt), effects)
        return changed

    def _attempts(self, attempts: tuple[Attempt, ...], effects: Effects) -> None:
        for attempt in attempts:
            columns = rows.attempt_columns(attempt)
            if attempt.message_id == 0:
                key: Row = (attempt.destination_id, attempt.id, attempt.at, attempt.outcome)
                self._execute(SQL["insert_destination_attempt"], (*key, *columns))
                continue
            where = (attempt.destination_id, attempt.message_id, attempt.recipient)
            found = self._execute(SQL["address_of"], where).fetchall()
            key = (attempt.message_id, attempt.recipient, attempt.id, attempt.destination_id)
            address = str(found[0][0]) if found else ""
            self._execute(SQL["insert_attempt"], (*key, address, attempt.at, attempt.outcome, "", *columns))
        self._sessions(attempts, effects)

    def _sessions(self, attempts: Iterable[Attempt], effects: Effects) -> None:
        """Keep each connection once; again where an attempt over it failed, since it knows more by then."""
        for attempt in attempts:
            session = attempt.session
            if session is None or session.id == 0:
                continue
            plain = attempt.outcome == "delivered"
            if plain and (session.id in self._seen or session.id in effects.sessions):
                continue
            effects.sessions.add(session.id)
            self._execute(SQL["put_session"], (session.id, rows.session_json(session)))

    def _events(self, events: tuple[Event, ...]) -> None:
        for event in events:
            row = (event.message_id, event.id, event.kind, rows.encode(event.data))
            self._execute(SQL["insert_event"], row)

    def _update(self, update: RowUpdate) -> None:
        values = update._asdict()
        values["suspended"] = None if update.suspended is None else int(update.suspended)
        self._execute(SQL["update_rows"], values)

    def book(self, ledger: dict[str, int]) -> None:
        """Write the ledger: once a batch, whatever its size."""
        if ledger:
            self._execute(SQL["ledger_add"], [ledger.get(name, 0) for name in _LEDGER])


def _last_ones(found: list[Found]) -> set[int]:
    """Return the messages of which nothing is left anywhere."""
    last: set[int] = set()
    ended: dict[int, int] = {}
    for row in found:
        message_id, open_ = row[1], row[5]
        ended[message_id] = ended.get(message_id, 0) + 1
        if ended[message_id] >= open_:
            last.add(message_id)
    return last
