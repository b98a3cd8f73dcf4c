"""The one writer: takes whatever is pending, makes it one transaction and one sync, reports the whole batch.

Guarantee: no limit of batches a second, and no timer for what anybody waits for: a lone change waits for one sync,
many share one. Only the ends of recipients, for which nobody waits, lie `_LINGER` for company.
Guarantee: after a failed sync nothing is written or synced any more; every later change fails at once.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import apsw

from gatepost.storage import spool
from gatepost.storage.counters import Counters
from gatepost.storage.interface import Change, Done, StoreBroken, StoreError, StoreFailed, StoreFull
from gatepost.storage.leases import Leases
from gatepost.storage.sqlite.apply import PLAIN, Applier, Effects
from gatepost.storage.sqlite.faults import SyncFailed, concerns_batch, meaning

_BATCH_CHANGES = 1000
_BATCH_OCTETS = 16 << 20
_LINGER = 0.002  # seconds; a process that dies then has as many deliveries more in doubt
_SESSIONS = 20_000  # remembered as being on disk; forgetting costs a second write of the same row


class Task(NamedTuple):
    """Work that needs a transaction of its own: a slice of a move, of pruning."""

    run: Callable[[Applier, Effects], object]
    answer: "asyncio.Future[object]"
    exclusive: bool = False


class _Stop:
    """The last entry of the queue."""


Entry = tuple[Change, Done | None] | Task | _Stop
Result = tuple[Done, BaseException | None]


class Writer:
    """Owns the write connection and its thread."""

    def __init__(
        self,
        connection: apsw.Connection,
        loop: asyncio.AbstractEventLoop,
        spool_folder: Path,
        leases: Leases,
        counters: Counters,
        new_id: Callable[[], int],
        wal_grew: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._loop = loop
        self._spool = spool_folder
        self._leases = leases
        self._counters = counters
        self._seen: set[int] = set()
        self._applier = Applier(connection, leases, new_id, self._seen)
        self._entries: deque[Entry] = deque()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._woken = False  # the writer will look: what is queued before it does goes along
        self._lingering = False
        self._wal_grew = wal_grew
        self.wal_pages = 0
        self.broken = ""
        self.refused = ""  # why the last batch was not kept, where a later one may be; "" once one was
        self.committed: Callable[[int, float], None] = lambda changes, seconds: None
        self._closed = False
        connection.set_wal_hook(self._wal_hook)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Return how many entries wait."""
        return len(self._entries)

    def write(self, change: Change, done: Done | None) -> None:
        """Queue a change; on the loop's thread."""
        if self._closed:
            if done is not None:
                self._loop.call_soon(done, StoreBroken("the store is closed"))
            return
        self._entries.append((change, done))
        if self._woken:
            return
        if change.accepts or change[2:] != PLAIN:
            self._wake_soon()
        elif not self._lingering:
            self._lingering = True
            self._loop.call_later(_LINGER, self._lingered)

    def task(self, run: Callable[[Applier, Effects], object], *, exclusive: bool) -> "asyncio.Future[object]":
        """Queue a task; `exclusive` keeps claims out until it is committed."""
        answer: asyncio.Future[object] = self._loop.create_future()
        self._entries.append(Task(run, answer, exclusive))
        self._wake_soon()
        return answer

    def stop(self) -> None:
        """Finish what is queued and end the thread."""
        self._closed = True
        self._entries.append(_Stop())
        self._wakes.put(None)
        self._thread.join()

    def _wake_soon(self) -> None:
        """Wake the writer when the loop has done what it is at: what else comes of it goes along."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._wakes.put, None)

    def _lingered(self) -> None:
        self._lingering = False
        if self._entries and not self._woken:
            self._woken = True
            self._wakes.put(None)

    def _wal_hook(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK

    def _run(self) -> None:
        stop = False
        while not stop:
            self._wakes.get()
            self._woken = False  # before it looks, never after
            more = True
            while more and not stop:
                changes, tasks, more, stop = self._drain()
                if changes:
                    self._report(self._write(changes))
                    del changes  # the bodies are not kept until the next batch comes
                for task in tasks:
                    self._do(task)
                self._wal_grew(self.wal_pages)

    def _drain(self) -> tuple[list[tuple[Change, Done | None]], list[Task], bool, bool]:
        """Take what is there, as much as one transaction bears; say whether there is more, and whether to stop."""
        changes: list[tuple[Change, Done | None]] = []
        tasks: list[Task] = []
        octets = 0
        entries = self._entries
        while entries:
            entry = entries.popleft()
            if isinstance(entry, _Stop):
                return changes, tasks, False, True
            if isinstance(entry, Task):
                tasks.append(entry)
                continue
            changes.append(entry)
            octets += sum([message.size for message in entry[0].accepts])
            if octets > _BATCH_OCTETS or len(changes) >= _BATCH_CHANGES:
                return changes, tasks, True, False
        return changes, tasks, False, False

    def _write(self, batch: list[tuple[Change, Done | None]]) -> list[Result]:
        changes = [change for change, _ in batch]
        exclusive = any(change.moves for change in changes)
        errors: list[BaseException | None] = [None] * len(changes)
        started = time.monotonic()
        try:
            effects = self._transact(lambda fx: self._applier.apply_all(changes, fx), exclusive=exclusive)
        except StoreError as error:
            if len(changes) == 1 or concerns_batch(error):
                errors = [error] * len(changes)
            else:
                errors = self._write_singly(changes, exclusive=exclusive)
        else:
            self.committed(len(changes), time.monotonic() - started)
            self._after(effects)
        return [(done, error) for (_, done), error in zip(batch, errors, strict=True) if done]

    def _write_singly(self, changes: list[Change], *, exclusive: bool) -> list[BaseException | None]:
        """Run a batch again, each change on its own, since one of them cannot be kept."""
        errors: list[BaseException | None] = []

        def run(effects: Effects) -> None:
            for change in changes:
                own = Effects()
                error: StoreError | None = None
                self._connection.execute("SAVEPOINT one")
                try:
                    self._applier.apply_one(change, own)
                except Exception as failure:
                    error = meaning(failure)
                    self._give_back(own)
                    if concerns_batch(error):
                        raise
                    self._connection.execute("ROLLBACK TO one")
                else:
                    effects.merge(own)
                self._connection.execute("RELEASE one")
                errors.append(error)

        try:
            self._after(self._transact(run, exclusive=exclusive))
        except StoreError as error:
            return [error] * len(changes)
        return errors

    def _transact(self, body: Callable[[Effects], object], *, exclusive: bool) -> Effects:
        if self.broken:
            raise StoreBroken(self.broken)
        effects = Effects()
        try:
            with self._leases.lock if exclusive else nullcontext():
                self._connection.execute("BEGIN IMMEDIATE")
                body(effects)
                self._applier.book(effects.ledger)
                if effects.spooled:
                    self._sync_spool()
                self._connection.execute("COMMIT")
        except Exception as failure:
            error = meaning(failure)
            if isinstance(error, StoreBroken):
                self.broken = str(error)
            elif isinstance(error, StoreFailed) and not isinstance(error, StoreFull):
                self.refused = str(error)
            self._roll_back()
            self._give_back(effects)
            raise error from failure
        self.refused = ""
        return effects

    def _give_back(self, effects: Effects) -> None:
        """Undo the claims of messages that were not accepted after all."""
        self._leases.drop((d, m, n) for d, m, numbers in effects.taken for n in numbers)

    def _sync_spool(self) -> None:
        try:
            spool.sync_folder(self._spool)
        except OSError as error:
            raise SyncFailed(f"the folder of large bodies cannot be synced: {error}") from error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(apsw.Error):
                self._connection.execute("ROLLBACK")

    def _after(self, effects: Effects) -> None:
        """Let memory follow what is on disk now."""
        self._counters.add(effects.counters)
        if len(self._seen) > _SESSIONS:
            self._seen.clear()
        self._seen |= effects.sessions
        if effects.dropped:
            self._leases.drop(effects.dropped)
        if effects.unlink:
            spool.remove(self._spool, effects.unlink)

    def _do(self, task: Task) -> None:
        answers: list[object] = []
        try:
            self._after(
                self._transact(
                    lambda fx: answers.append(task.run(self._applier, fx)), exclusive=task.exclusive
                )
            )
        except StoreError as error:
            self._report([(_failing(task.answer), error)])
        else:
            self._report([(_answering(task.answer, answers[0]), None)])

    def _report(self, results: list[Result]) -> None:
        if results:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._call, results)

    def _call(self, results: list[Result]) -> None:
        """Tell everyone; what one of them does wrong must not keep the news from the others."""
        for done, error in results:
            try:
                done(error)
            except Exception as failure:
                self._loop.call_exception_handler(
                    {"message": "a callback of the store failed", "exception": failure}
                )


def _failing(answer: "asyncio.Future[object]") -> Done:
    def done(error: BaseException | None) -> None:
        if error is not None and not answer.done():
            answer.set_exception(error)

    return done


def _answering(answer: "asyncio.Future[object]", value: object) -> Done:
    def done(_error: BaseException | None) -> None:
        if not answer.done():
            answer.set_result(value)

    return done
