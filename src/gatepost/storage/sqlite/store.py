"""The embedded store: one SQLite file in the data folder, one writer thread, two readers.

Guarantee: the folder belongs to one process (`lock`), so claims are kept in memory and end with the process.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import apsw

from gatepost.model import ids
from gatepost.model.document import Document
from gatepost.model.mail import Item
from gatepost.storage import spool
from gatepost.storage.counters import Counters
from gatepost.storage.interface import (
    AttemptView,
    Change,
    DestinationState,
    DestinationSummary,
    Done,
    EndedCount,
    Event,
    Facets,
    Health,
    HistoryEntry,
    MessageFilter,
    MessageView,
    Move,
    ObjectsChange,
    QueuedMessage,
    Rerouted,
    StoredObjects,
    StoreUnusable,
    TraceFilter,
    TracePage,
    Traffic,
)
from gatepost.storage.leases import Leases
from gatepost.storage.spool import BodyFile, Check
from gatepost.storage.sqlite import aggregates, claims, connection, moves, objects, upkeep, views
from gatepost.storage.sqlite import documents as remembered
from gatepost.storage.sqlite.apply import SQL, Applier, Effects
from gatepost.storage.sqlite.checkpointer import Checkpointer
from gatepost.storage.sqlite.indexer import Indexer
from gatepost.storage.sqlite.trace_index import Coverage
from gatepost.storage.sqlite.worker import Worker
from gatepost.storage.sqlite.writer import Writer

DATABASE = "gatepost.db"  # where no other name is set
_MOVE_SLICE = 5000
_NODE = 63  # of the ids that the store makes for attempts that came without one


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteStore:
    """`interface.Store` on SQLite; made by `open_sqlite`."""

    def __init__(
        self,
        data_dir: Path,
        loop: asyncio.AbstractEventLoop,
        clock_ms: Callable[[], int] = _now_ms,
        vfs: str | None = None,
        name: str = DATABASE,
    ) -> None:
        connection.check_version(apsw.sqlite_lib_version())
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._data_dir = data_dir
        self._path = data_dir / name
        if self._path.is_dir():
            raise StoreUnusable(f"{self._path} is a folder: [store] url names the file of the database")
        self._lock = connection.lock_folder(data_dir)
        try:
            self._start(loop, clock_ms, vfs)
        except BaseException:
            os.close(self._lock)
            raise

    def _start(self, loop: asyncio.AbstractEventLoop, clock_ms: Callable[[], int], vfs: str | None) -> None:
        if not self._path.exists():
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._spool = self._data_dir / "spool"
        self._spool.mkdir(mode=0o700, exist_ok=True)
        self._loop = loop
        self._writing = connection.connect(self._path, cache_kib=16 << 10, vfs=vfs)
        connection.migrate(self._writing)
        self._writing.set_busy_timeout(connection.PATIENCE_MS)
        self._counters = Counters(upkeep.counters(self._writing))
        covered = Coverage(self._writing)
        spool.remove_orphans(self._spool, upkeep.spooled(self._writing))
        self._leases = Leases()
        self._checkpointer = Checkpointer(
            connection.connect(self._path, cache_kib=1 << 10, vfs=vfs), self._broken
        )
        self._writer = Writer(
            self._writing,
            loop,
            self._spool,
            self._leases,
            self._counters,
            ids.IdMaker(clock_ms, _NODE),
            self._checkpointer.grew,
        )
        self._queue = Worker("store-queue", connection.connect(self._path, cache_kib=8 << 10, vfs=vfs), loop)
        self._view = Worker("store-view", connection.connect(self._path, cache_kib=8 << 10, vfs=vfs), loop)
        self._indexer = Indexer(self._writer, self._view, covered, self._counters)

    def _broken(self, why: str) -> None:
        self._writer.broken = self._writer.broken or why

    @property
    def spool(self) -> Path:
        """Return the folder of large bodies."""
        return self._spool

    def write(self, change: Change, done: Done | None = None) -> None:
        """Queue a change; see `interface.Store.write`."""
        self._indexer.write(change, done)

    def release(self, keys: Iterable[tuple[int, int]]) -> None:
        """Give claimed messages back, in order with later claims."""
        chosen = list(keys)
        self._queue.tell(lambda: self._leases.release(chosen))

    def watch_commits(self, committed: Callable[[int, float], None]) -> None:
        """Call `committed` after every commit, with its number of changes and its seconds, on the writer's thread."""
        self._writer.committed = committed

    def health(self) -> Health:
        """Return how the store is."""
        broken = self._writer.broken
        problem = broken or self._writer.refused
        wal = self._writer.wal_pages * connection.PAGE
        free = shutil.disk_usage(self._data_dir).free
        engine = f"SQLite {apsw.sqlite_lib_version()}"
        size = self._path.stat().st_size
        return Health(not problem, problem, engine, self._writer.pending, wal, free, bool(broken), size)

    async def claim(
        self, destination_id: int, limit: int, max_bytes: int, now: int, after: int = 0, horizon: int = 0
    ) -> list[Item]:
        """Claim messages that may go now."""
        limits = (limit, max_bytes)
        return await self._queue.ask(
            lambda c: claims.claim(c, self._leases, destination_id, limits, now, after, horizon)
        )

    async def next_due(self, destination_id: int) -> int | None:
        """Return when the next deferred recipient may be tried."""
        return await self._queue.ask(lambda c: claims.next_due(c, destination_id))

    async def open_body(self, message_id: int) -> AsyncIterator[bytes]:
        """Return the pieces of a body, the last one only if all are right."""
        size, crc, spooled, data = await self._queue.ask(lambda c: claims.body_facts(c, message_id))
        check = Check(message_id, size, crc)
        if spooled:
            return self._from_file(spool.file_of(self._spool, message_id), message_id, check)
        return self._from_row(data, check)

    async def _from_row(self, data: bytes, check: Check) -> AsyncIterator[bytes]:
        for piece in (*spool.pieces_of_bytes(data), b""):
            if before := check.take(piece):
                yield before

    async def _from_file(self, path: Path, message_id: int, check: Check) -> AsyncIterator[bytes]:
        file = BodyFile(path, message_id)
        try:
            piece: bytes | None = b"more"
            while piece:
                piece = file.at_once()
                if piece is None:
                    piece = await self._loop.run_in_executor(None, file.read)
                if before := check.take(piece):
                    yield before
                await asyncio.sleep(0)  # a large message leaves turns to the others
        finally:
            file.close()

    async def expired(self, destination_id: int, now: int, default_expiry_ms: int, limit: int) -> list[Item]:
        """Return messages whose time is over."""
        return await self._queue.ask(
            lambda c: claims.expired(c, destination_id, now, default_expiry_ms, limit)
        )

    async def notices_due(self, destination_id: int, now: int, after_ms: int, limit: int) -> list[Item]:
        """Return messages that have waited long enough for a notice."""
        return await self._queue.ask(lambda c: claims.notices_due(c, destination_id, now, after_ms, limit))

    async def destinations(self, expiry_of: Callable[[DestinationState], int]) -> list[DestinationSummary]:
        """Return every destination with what waits there."""
        return await self._view.ask(lambda c: views.destinations(c, self._counters, expiry_of))

    async def facets(self, destination_id: int, limit: int) -> Facets:
        """Return whose mail waits."""
        return await self._view.ask(lambda c: aggregates.facets(c, destination_id, limit))

    async def ended_counts(self, since: int, until: int, limit: int) -> list[EndedCount]:
        """Return what was not delivered."""
        return await self._view.ask(lambda c: aggregates.ended_counts(c, since, until, limit))

    async def traffic(self, since: int, limit: int) -> tuple[list[Traffic], bool]:
        """Return attempts by destination and TLS version."""
        return await self._view.ask(lambda c: aggregates.traffic(c, since, limit))

    async def held_back(self, since: int) -> dict[int, int]:
        """Return attempts that concerned a whole destination."""
        return await self._view.ask(lambda c: aggregates.held_back(c, since))

    async def dated(self, destination_id: int, limit: int) -> list[tuple[int, int, int]]:
        """Return messages with an expiry of their own."""
        return await self._view.ask(lambda c: aggregates.dated(c, destination_id, limit))

    async def groups(self, destination_id: int, rerouted: bool | None = None) -> list[tuple[str, int]]:
        """Return the recipient domains at a destination."""
        return await self._view.ask(lambda c: views.groups(c, destination_id, rerouted))

    async def queued_addresses(
        self, destination_id: int, domain: str, after: str, limit: int, rerouted: bool | None = None
    ) -> list[tuple[str, int]]:
        """Return a page of distinct addresses."""
        return await self._view.ask(
            lambda c: views.queued_addresses(c, destination_id, domain, after, limit, rerouted)
        )

    async def rerouted(self) -> list[Rerouted]:
        """Return how many recipients wait where somebody sent them."""
        return await self._view.ask(views.rerouted)

    async def move(self, move: Move) -> int:
        """Move recipients, slice by slice."""
        total, wanted = 0, move.limit
        while True:
            size = min(_MOVE_SLICE, wanted - total) if wanted else _MOVE_SLICE
            moved = await self._writer.task(
                _MoveSlice(move._replace(limit=size), self._leases), exclusive=True
            )
            total += cast("int", moved)
            if cast("int", moved) < size or total == wanted:
                return total

    async def messages(
        self, which: MessageFilter, limit: int, after: tuple[int, int] = (0, 0)
    ) -> list[QueuedMessage]:
        """Return a page of the queue."""
        return await self._view.ask(lambda c: views.messages(c, which, limit, after))

    async def message(self, message_id: int) -> MessageView | None:
        """Return a message."""
        return await self._view.ask(lambda c: views.message(c, self._counters, message_id))

    async def attempts(self, message_id: int) -> list[AttemptView]:
        """Return the attempts that a message saw."""
        return await self._view.ask(lambda c: views.attempts(c, self._counters, message_id))

    async def destination_attempts(self, destination_id: int, limit: int) -> list[AttemptView]:
        """Return the latest attempts of a destination."""
        return await self._view.ask(lambda c: views.destination_attempts(c, destination_id, limit))

    async def session(self, session_id: int) -> Mapping[str, object] | None:
        """Return the facts of a connection."""
        found = await self._view.ask(lambda c: views.session(c, session_id))
        return cast("Mapping[str, object] | None", found)

    async def events(self, message_id: int) -> list[Event]:
        """Return what happened to a message."""
        return await self._view.ask(lambda c: views.events(c, message_id))

    async def trace(self, which: TraceFilter, limit: int) -> TracePage:
        """Return messages of the past and present."""
        return await self._view.ask(lambda c: views.trace(c, self._counters, which, limit))

    async def index(self, before_ms: int) -> bool:
        """Make the next block of the trace; tell whether there may be more."""
        return await self._indexer.index(before_ms)

    async def audit(self) -> dict[str, object]:
        """Count again."""
        return await self._view.ask(lambda c: upkeep.audit(c, self._spool, self._counters))

    async def objects(self) -> StoredObjects:
        """Return all objects."""

        return await self._view.ask(lambda c: objects.load(c, views.SQL, SQL))

    async def save_objects(self, change: ObjectsChange, documents: Sequence[Document] = ()) -> int:
        """Change objects."""

        def save(applier: Applier, _effects: Effects) -> int:
            revision = objects.save(applier.connection.execute, SQL, change)
            remembered.save(applier.connection.execute, SQL, documents)
            return revision

        return cast("int", await self._writer.task(save, exclusive=False))

    async def history(self, limit: int, before: int = 0) -> list[HistoryEntry]:
        """Return changes of objects."""
        return await self._view.ask(lambda c: objects.history(c.execute, views.SQL, limit, before))

    async def document(self, kind: str, key: str) -> Document | None:
        """Return a document."""
        return await self._view.ask(lambda c: remembered.one(c.execute, views.SQL, kind, key))

    async def documents(
        self,
        kind: str,
        *,
        prefix: str = "",
        since: int = 0,
        before: tuple[int, str] | None = None,
        limit: int = 1000,
    ) -> list[Document]:
        """Return documents, newest first."""
        return await self._view.ask(
            lambda c: remembered.some(c.execute, views.SQL, kind, prefix, since, before, limit)
        )

    async def forget(self, kind: str, before_ms: int) -> int:
        """Forget old documents, slice by slice."""

        def forget_slice(applier: Applier, _effects: Effects) -> int:
            applier.connection.execute(
                SQL["forget_documents"], (kind, kind, before_ms, remembered.FORGET_SLICE)
            )
            return applier.connection.changes()

        total = 0
        while gone := cast("int", await self._writer.task(forget_slice, exclusive=False)):
            total += gone
        return total

    async def prune(self, before_ms: int) -> int:
        """Forget finished messages, slice by slice."""
        total, after = 0, 0
        while True:
            task = upkeep.PruneSlice(after, ids.first_of(before_ms))
            count, last = cast("tuple[int, int]", await self._writer.task(task, exclusive=False))
            if not count:
                return total
            total, after = total + count, last

    async def prune_history(self, before_ms: int) -> None:
        """Forget who changed which objects; the newest change stays, since it counts the revisions."""

        def forget(applier: Applier, _effects: Effects) -> None:
            applier.connection.execute(SQL["prune_history"], (before_ms,))
            applier.connection.execute(SQL["prune_audit"], (before_ms,))

        await self._writer.task(forget, exclusive=False)

    async def backup(self, path: Path) -> None:
        """Write a consistent copy."""
        await self._view.ask(lambda c: upkeep.backup(c, self._spool, path))

    async def close(self) -> None:
        """Finish what is queued, then let go of everything."""
        await self._loop.run_in_executor(None, self._close)

    def _close(self) -> None:
        self._writer.stop()
        self._checkpointer.stop()
        for worker in (self._queue, self._view):
            worker.stop()
        everything = [
            self._queue.connection,
            self._view.connection,
            self._checkpointer.connection,
            self._writing,
        ]
        for each in everything:
            if self._writer.broken:  # closing the last connection would sync the file that failed
                each.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            each.close()
        os.close(self._lock)


class _MoveSlice:
    """One slice of a move, for the writer."""

    def __init__(self, move: Move, leases: Leases) -> None:
        self._move = move
        self._leases = leases

    def __call__(self, applier: Applier, effects: Effects) -> int:
        """Move a slice."""
        return moves.run(applier.connection.execute, SQL, self._move, self._leases, effects.count)


async def open_sqlite(
    data_dir: Path, *, clock_ms: Callable[[], int] = _now_ms, vfs: str | None = None, name: str = DATABASE
) -> SqliteStore:
    """Open (and make, and migrate) the store of a data folder; `StoreLocked` where another process has it."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, lambda: SqliteStore(data_dir, loop, clock_ms, vfs, name))
