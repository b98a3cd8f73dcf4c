"""Changes to statements: what a batch does inside its transaction, and what memory does after the commit.

Every statement that steps hands the interpreter lock around, so rows go many to a statement.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import apsw

from gatepost.model.attempt import Attempt
from gatepost.model.mail import NewMessage, Settlement
from gatepost.storage.counters import IDS_OF_A_BUCKET, Place
from gatepost.storage.interface import FINAL, Change, Event, RowUpdate
from gatepost.storage.leases import Leases
from gatepost.storage.queries import Queries, sizes
from gatepost.storage.sqlite import documents, moves, objects, rows
from gatepost.storage.sqlite.rows import Row

SQL = Queries("sqlite", "write")


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


class _Found(NamedTuple):
    """A queued recipient that is about to end."""

    destination_id: int
    message_id: int
    n: int
    address: str
    size: int
    open: int
    spool: int


class Applier:
    """Execute changes on the write connection; the caller owns the transaction."""

    def __init__(
        self, connection: apsw.Connection, leases: Leases, new_id: Callable[[], int], seen: set[int]
    ) -> None:
        self.connection = connection
        self._execute = connection.execute
        self._many = connection.executemany
        self._leases = leases
        self._new_id = new_id
        self._seen = seen  # sessions whose row is on disk

    def insert(self, name: str, values: list[Row]) -> None:
        """Run a statement over many rows, in as few steps as there are powers of two in their number."""
        start = 0
        for size in sizes(len(values)):
            flat = [value for row in values[start : start + size] for value in row]
            self._execute(SQL.rows(name, size), flat)
            start += size

    def apply_all(self, changes: Iterable[Change], effects: Effects) -> None:
        """Run a batch: plain accepts together, then what is not plain in order, then plain ends together."""
        accepts: list[NewMessage] = []
        settles: list[Settlement] = []
        others: list[Change] = []
        for change in changes:
            if change[2:] != _PLAIN:
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
        """Keep messages: envelope, body, recipients."""
        envelopes, bodies, waiting = [], [], []
        for message in messages:
            envelopes.append(rows.message_row(message))
            if message.spool:
                effects.spooled = True
            else:
                bodies.append((message.id, message.body))
            waiting += rows.recipient_rows(message)
            self._count_accepted(message, effects)
        self.insert("accept_message", envelopes)
        self._many(
            SQL["accept_body"], bodies
        )  # one by one: a statement of many bodies would hold them all twice
        self.insert("accept_recipient", waiting)

    def _count_accepted(self, message: NewMessage, effects: Effects) -> None:
        if not message.recipients:
            raise ValueError("a message needs a recipient")
        effects.book("accepted", len(message.recipients))
        at: dict[int, list[int]] = {}
        for recipient in message.recipients:
            at.setdefault(recipient.destination_id, []).append(recipient.n)
        bucket = message.id // IDS_OF_A_BUCKET
        for destination_id, numbers in at.items():
            effects.count((destination_id, bucket), 1, len(numbers), message.size)
            # Claimed before it is committed: a move in the same batch must leave it alone.
            if message.claimed and message.id not in self._leases.held(destination_id):
                self._leases.take(destination_id, message.id, tuple(numbers))
                effects.taken.append((destination_id, message.id, tuple(numbers)))

    def finish(self, settlements: list[Settlement], effects: Effects) -> int:
        """End recipients; those that are not queued any more count nothing. Return how many really ended."""
        by_key = {(s.destination_id, s.message_id, s.n): s for s in settlements}
        found = self._find(list(by_key))
        if not found:
            return 0
        self.insert("delete_rows", [row[:3] for row in found])
        attempts: list[Row] = []
        by_message: dict[int, list[_Found]] = {}
        for row in found:
            settlement = by_key[row[:3]]
            attempts.append(rows.settled_row(settlement, row.address, settlement.outcome, self._new_id()))
            effects.book(settlement.outcome, 1)
            effects.dropped.append(row[:3])
            by_message.setdefault(row.message_id, []).append(row)
        self.insert("insert_attempt", attempts)
        self._sessions((s.attempt for s in settlements if s.attempt), effects)
        closed: list[Row] = []
        for message_id, members in by_message.items():
            if len(members) >= members[0].open:
                closed.append((message_id,))
                effects.unlink += [message_id] if members[0].spool else []
            else:
                self._execute(SQL["open_less"], (len(members), message_id))
            self._count_ended(members, effects)
        self.insert("close_messages", closed)
        self.insert("delete_bodies", closed)
        return len(found)

    def _count_ended(self, members: list["_Found"], effects: Effects) -> None:
        """Note how many recipients of one message left each destination, and whether the last one did."""
        at: dict[int, int] = {}
        for row in members:
            at[row.destination_id] = at.get(row.destination_id, 0) + 1
        message_id, size, closed = members[0].message_id, members[0].size, len(members) >= members[0].open
        for destination_id, number in at.items():
            gone = int(closed or not self._waits(destination_id, message_id))
            place = (destination_id, message_id // IDS_OF_A_BUCKET)
            effects.count(place, -gone, -number, -size * gone)

    def _find(self, keys: list[tuple[int, int, int]]) -> list[_Found]:
        found: list[_Found] = []
        start = 0
        for size in sizes(len(keys)):
            flat = [value for key in keys[start : start + size] for value in key]
            text = self._execute(SQL.rows("find_rows", size), flat).fetchall()[0][0]
            found += [_Found(*row) for row in json.loads(cast("str", text))]
            start += size
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
                row = rows.settled_row(settlement, str(found[0][0]), "", self._new_id())
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
        self._many(SQL["ledger_add"], [(number, name) for name, number in ledger.items()])


_PLAIN = Change()[2:]
