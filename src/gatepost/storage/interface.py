"""The store as every other part sees it: one write door, claims, and reading for the surfaces.

Guarantee: when `done(None)` is called, everything in the `Change` is on disk, or none of it was asked to be.
Guarantee: a recipient ends exactly once; a second end is a no-op that counts nothing and tells nobody.
Rule: nothing here assumes one process or one writer; ids come from `model.ids`, items are claimed, objects
have a revision that the writer of a change must have seen.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from gatepost.model.attempt import Attempt
from gatepost.model.document import Document
from gatepost.model.failure import LastError
from gatepost.model.mail import Item, NewMessage, Settlement
from gatepost.model.route import DestinationKey

FINAL = frozenset({"delivered", "returned", "cancelled", "failed"})

Done = Callable[[BaseException | None], None]


class StoreError(Exception):
    """The store could not do what was asked."""


class StoreFailed(StoreError):
    """The disk or the database refused a batch; nothing of it was kept; later ones may succeed."""


class StoreFull(StoreFailed):
    """No room on the disk: nothing was kept; the store works again when there is room."""


class StoreBroken(StoreError):
    """A sync failed, so nobody knows what is on the disk: the process must be started again."""


class ChangeRejected(StoreError):
    """This change contradicts what is there (an id twice, a value that cannot be kept); others went on."""


class StoreLocked(StoreError):
    """Another process has this data folder open."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"the data folder is in use by process {pid}")
        self.pid = pid


class StoreUnusable(StoreError):
    """The database is of a newer version, was changed by hand, or SQLite itself is too old."""


class RevisionConflict(StoreError):
    """Somebody else changed the objects since the revision that this change was made from."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the objects were changed meanwhile: expected revision {expected}, found {found}")
        self.expected = expected
        self.found = found


class DestinationState(NamedTuple):
    """What is kept of a destination; `state` is ready, active, retry or suspended."""

    id: int
    kind: str
    connector: str
    next_hop: str
    state: str = "ready"
    attempts: int = 0
    next_attempt_at: int = 0
    last_error: LastError | None = None
    queued_since: int = 0
    suspended_by: str = ""
    suspended_until: int = 0
    suspended_reason: str = ""
    changed_at: int = 0

    @classmethod
    def of(cls, key: DestinationKey, changed_at: int = 0) -> "DestinationState":
        """Return the state of a destination that has just become known."""
        return cls(key.id, key.kind, key.connector, key.next_hop, changed_at=changed_at)


class Event(NamedTuple):
    """Something that happened to a message, or with `message_id` 0 to the gateway; `id` carries the time."""

    message_id: int
    id: int
    kind: str
    data: Mapping[str, object]


LET_GO = -1  # as `Move.holds`


class Move(NamedTuple):
    """Recipients that go from one destination to another; claimed ones stay where they are.

    `id` (of `model.ids`) is the event's. "" as domain or address means all; `limit` 0 means no limit. `holds` is the
    job that sends them another way for somebody: they stay there whatever objects say, until a move with
    `LET_GO` (or another job) takes them; 0 is re-routing, which leaves such recipients where they are.
    """

    id: int
    source: int
    target: int
    domain: str = ""
    address: str = ""
    message_id: int = 0
    limit: int = 0
    addresses: tuple[str, ...] = ()  # these only; () means all
    holds: int = 0


class RowUpdate(NamedTuple):
    """A change to queued recipients of a message; None leaves a field alone, `n` 0 means every recipient.

    `expires_at` 0 takes an explicit expiry away again; `noticed_at` says that the delay notice is settled.
    """

    destination_id: int
    message_id: int
    n: int = 0
    suspended: bool | None = None
    expires_at: int | None = None
    not_before: int | None = None
    noticed_at: int | None = None


class StoredObject(NamedTuple):
    """One object of run-time configuration: `data` is JSON-able; None deletes it."""

    kind: str
    name: str
    data: Mapping[str, object] | None


class ObjectsChange(NamedTuple):
    """A change of objects, all or nothing, made from revision `expected`; recorded with who and what."""

    expected: int
    at: int
    who: str
    what: str
    puts: tuple[StoredObject, ...]


class Change(NamedTuple):
    """Everything that becomes true together.

    `only_if_settled`: the rest is written only if at least one of `settles` really ended or deferred a
    recipient (an NDR rides with the end that it reports, so it exists exactly once).
    """

    accepts: tuple[NewMessage, ...] = ()
    settles: tuple[Settlement, ...] = ()
    destinations: tuple[DestinationState, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    events: tuple[Event, ...] = ()
    moves: tuple[Move, ...] = ()
    updates: tuple[RowUpdate, ...] = ()
    objects: ObjectsChange | None = None
    only_if_settled: bool = False
    documents: tuple[Document, ...] = ()


class DestinationSummary(NamedTuple):
    """A destination with what waits there."""

    state: DestinationState
    messages: int
    recipients: int
    bytes: int
    oldest_at: int  # accepted_at of the oldest, 0 where nothing waits
    oldest_expires_at: int
    ages: tuple[
        tuple[int, int], ...
    ] = ()  # (start of five minutes in ms, messages accepted in them), oldest first


class Facets(NamedTuple):
    """Whose mail waits at a destination, from its oldest rows; `sampled` where there are more."""

    messages: int  # that were looked at
    recipients: int
    octets: int
    recipient_domains: tuple[tuple[str, int], ...]  # with recipients, the most first
    sender_domains: tuple[tuple[str, int], ...]  # with messages, the most first; "" is the null sender
    sampled: bool


class EndedCount(NamedTuple):
    """Recipients that were not delivered, of one day and one code."""

    day: str  # 2026-11-23, UTC
    code: str
    smtp: int
    failure_class: str
    flow_code: str
    destination_id: int
    recipients: int
    returned: int  # of these, senders were told
    title: str
    samples: tuple[int, ...]  # ids of messages


class Traffic(NamedTuple):
    """Attempts at one destination over connections of one TLS version ("" in clear)."""

    destination_id: int
    tls: str
    connections: int
    attempts: int
    delivered: int
    deferred: int
    failed: int
    milliseconds: float  # of the deliveries, together
    last_success: int  # ms since 1970, 0 for none


class MessageFilter(NamedTuple):
    """Which queued messages; zero, "" and None mean any."""

    destination_id: int = 0
    domain: str = ""
    address: str = ""
    sender: str | None = None
    message_id: int = 0
    suspended: bool | None = None
    older_than: int = 0  # accepted before, ms since 1970


class QueuedMessage(NamedTuple):
    """One message at one destination, for people."""

    message_id: int
    destination_id: int
    accepted_at: int
    sender: str
    size: int
    header_id: str
    source: str
    recipients: tuple["RecipientView", ...]


class RecipientView(NamedTuple):
    """A recipient with where it stands: `state` is queued, delivered, returned, cancelled or failed."""

    n: int
    address: str
    destination_id: int
    state: str
    attempts: int
    not_before: int
    expires_at: int  # 0: by the destination's default
    suspended: bool
    ended_at: int  # 0 while queued
    rerouted: int = 0  # the job that sent it another way, 0 for none


class Rerouted(NamedTuple):
    """Recipients that wait at a destination because a job sent them there."""

    destination_id: int
    job: int
    recipients: int


class MessageView(NamedTuple):
    """Everything about a message but its content and its attempts."""

    id: int
    accepted_at: int
    sender: str
    size: int
    flags: int
    envid: str
    header_id: str
    source: str
    client: str
    spool: bool
    recipients: tuple[RecipientView, ...]
    events: tuple[Event, ...] = ()


class AttemptView(NamedTuple):
    """An attempt as it was kept; `message_id` 0 where it concerned the whole destination."""

    id: int
    message_id: int
    recipient: int
    destination_id: int
    address: str
    at: int
    outcome: str
    ended: str  # the final outcome of the recipient, "" where it went on
    phase: str
    reason: str
    failure_class: str
    sub: str
    flow_code: str
    code: str
    smtp: int
    title: str
    message: str
    reply: str
    server: str
    endpoint: str
    session_id: int
    milliseconds: float
    in_doubt: bool
    evidence: Mapping[str, object]


class TraceFilter(NamedTuple):
    """Which messages of the past and present; `since` and `until` bound the time of acceptance."""

    since: int = 0
    until: int = 0
    sender: str | None = None
    recipient: str = ""
    header_id: str = ""
    source: str = ""
    destination_id: int = 0
    state: str = ""  # of any recipient
    before: int = 0  # message id: the page after (older than) this one


class TracePage(NamedTuple):
    """Messages that were found, and before which id to look on; 0 where nothing older can be meant."""

    messages: list[MessageView]
    before: int


class HistoryEntry(NamedTuple):
    """One object in one change."""

    revision: int
    at: int
    who: str
    what: str
    kind: str
    name: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


class StoredObjects(NamedTuple):
    """All objects of one revision: kind, then name, then data."""

    revision: int
    kinds: Mapping[str, Mapping[str, Mapping[str, object]]]


class Health(NamedTuple):
    """How the store is; `problem` is "" while it works, `lasting` where only a new start can help."""

    ok: bool
    problem: str
    engine: str
    pending: int
    wal_bytes: int
    free_bytes: int
    lasting: bool = False
    size_bytes: int = 0  # of the database itself


class Store(Protocol):
    """What a backend offers. All methods are called on the loop's thread."""

    @property
    def spool(self) -> Path:
        """Return the folder where a large body lies in a file named by the message's id as text."""

    def write(self, change: Change, done: Done | None = None) -> None:
        """Queue a change; `done` is called on the loop when it is on disk (None) or was not kept (why)."""

    def release(self, keys: Iterable[tuple[int, int]]) -> None:
        """Give claimed messages back, as (destination id, message id)."""

    def watch_commits(self, committed: Callable[[int, float], None]) -> None:
        """Call `committed` after every commit, with its number of changes and its seconds, on any thread."""

    def health(self) -> Health:
        """Return how the store is, without waiting for it."""

    async def claim(
        self, destination_id: int, limit: int, max_bytes: int, now: int, after: int = 0, horizon: int = 0
    ) -> list[Item]:
        """Return messages that may be delivered now, oldest first, and keep them from being claimed again.

        Deferred ones that are due come first, with at most half of the places while others wait. An item
        without a body is to be read by `open_body`. `after` saves the walk over claimed ones: the id of the
        last message taken whose recipients have `not_before` 0; what was released behind it needs 0 again.
        What is deferred until after `horizon` is due too: no retry is planned that far ahead, so a clock was wrong.
        """

    async def next_due(self, destination_id: int) -> int | None:
        """Return when the next deferred recipient of the destination may be tried, or None."""

    async def open_body(self, message_id: int) -> AsyncIterator[bytes]:
        """Return the wire form in pieces; `BodyMissing` comes before the last piece where it is damaged."""

    async def expired(self, destination_id: int, now: int, default_expiry_ms: int, limit: int) -> list[Item]:
        """Return messages whose time is over, claimed ones included, without bodies."""

    async def notices_due(self, destination_id: int, now: int, after_ms: int, limit: int) -> list[Item]:
        """Return messages that have waited for `after_ms` and whose delay notice is not settled."""

    async def destinations(self, expiry_of: Callable[[DestinationState], int]) -> list[DestinationSummary]:
        """Return every destination known; `expiry_of` gives the default expiry of each in milliseconds."""

    async def facets(self, destination_id: int, limit: int) -> Facets:
        """Return whose mail waits at a destination, from at most `limit` rows, the oldest first."""

    async def ended_counts(self, since: int, until: int, limit: int) -> list[EndedCount]:
        """Return what was not delivered between two times (ms), from at most `limit` recipients, the latest."""

    async def traffic(self, since: int, limit: int) -> tuple[list[Traffic], bool]:
        """Return attempts for messages accepted since a time (ms), at most `limit`; and whether there are more."""

    async def held_back(self, since: int) -> dict[int, int]:
        """Return the attempts since a time (ms) that concerned a whole destination, by destination."""

    async def dated(self, destination_id: int, limit: int) -> list[tuple[int, int, int]]:
        """Return messages whose expiry is not the default: (accepted, expires, messages) in five minutes each.

        At most `limit` recipients are looked at, those that expire first.
        """

    async def groups(self, destination_id: int, rerouted: bool | None = None) -> list[tuple[str, int]]:
        """Return the recipient domains that wait at a destination with their number of recipients.

        `rerouted`: only those that somebody sent there (True), or only the others.
        """

    async def queued_addresses(
        self, destination_id: int, domain: str, after: str, limit: int, rerouted: bool | None = None
    ) -> list[tuple[str, int]]:
        """Return the distinct addresses of a domain that wait, behind `after`, with their number."""

    async def rerouted(self) -> list[Rerouted]:
        """Return how many recipients wait where somebody sent them, by destination and job."""

    async def move(self, move: Move) -> int:
        """Move recipients in slices, so that mail goes on meanwhile; return how many were moved."""

    async def messages(
        self, which: MessageFilter, limit: int, after: tuple[int, int] = (0, 0)
    ) -> list[QueuedMessage]:
        """Return queued messages in the queue's own order, behind (destination id, message id)."""

    async def message(self, message_id: int) -> MessageView | None:
        """Return a message, queued or finished, with all its recipients."""

    async def attempts(self, message_id: int) -> list[AttemptView]:
        """Return its own attempts and those of the destinations where it waited, while it did, in order."""

    async def destination_attempts(self, destination_id: int, limit: int) -> list[AttemptView]:
        """Return the latest attempts that concerned the whole destination, newest first."""

    async def session(self, session_id: int) -> Mapping[str, object] | None:
        """Return the facts of a connection."""

    async def events(self, message_id: int) -> list[Event]:
        """Return what happened to a message."""

    async def trace(self, which: TraceFilter, limit: int) -> TracePage:
        """Return messages of the past and present, newest first: at most so many, and what a bounded look finds."""

    async def index(self, before_ms: int) -> bool:
        """Make some of what was accepted before a time quick to find in the trace; tell whether there may be more.

        The trace finds everything without it too. To be called now and then, beside the mail.
        """

    async def audit(self) -> dict[str, object]:
        """Count everything again and compare it with the ledger."""

    async def objects(self) -> StoredObjects:
        """Return all objects."""

    async def save_objects(self, change: ObjectsChange, documents: Sequence[Document] = ()) -> int:
        """Change objects; return the new revision; `RevisionConflict` where somebody was faster.

        The documents are written with it, or not at all.
        """

    async def history(self, limit: int, before: int = 0) -> list[HistoryEntry]:
        """Return changes of objects, newest first, older than revision `before`."""

    async def document(self, kind: str, key: str) -> Document | None:
        """Return what is remembered under a kind and a key."""

    async def documents(
        self,
        kind: str,
        *,
        prefix: str = "",
        since: int = 0,
        before: tuple[int, str] | None = None,
        limit: int = 1000,
    ) -> list[Document]:
        """Return documents of a kind whose key begins so, newest first; `before` is (at, key) of the last one seen."""

    async def forget(self, kind: str, before_ms: int) -> int:
        """Forget documents of a kind that are older; return how many."""

    async def prune(self, before_ms: int) -> int:
        """Forget finished messages accepted before, with their attempts; return how many."""

    async def prune_history(self, before_ms: int) -> None:
        """Forget changes of objects that were made before; the objects themselves and their revision stay."""

    async def backup(self, path: Path) -> None:
        """Write a consistent copy to a file that does not exist yet (large bodies to `path`.spool)."""

    async def close(self) -> None:
        """Finish what is queued, then let go of everything."""
