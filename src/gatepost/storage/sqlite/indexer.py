"""Makes the blocks of the trace beside the mail, and takes out those that a message comes too late for.

Rule: a block that would miss a message is gone before the message is written (`trace_index` has the guarantee).
"""

import asyncio
import json

from gatepost.model import ids
from gatepost.storage.counters import Counters
from gatepost.storage.interface import Change, Done
from gatepost.storage.sqlite import trace_index
from gatepost.storage.sqlite.trace_index import Block, Coverage
from gatepost.storage.sqlite.worker import Worker
from gatepost.storage.sqlite.writer import Writer


class Indexer:
    """Between the store and its writer; all on the loop's thread."""

    def __init__(self, writer: Writer, reader: Worker, coverage: Coverage, counters: Counters) -> None:
        self._writer = writer
        self._reader = reader
        self._covered = coverage
        self._counters = counters
        self._outdated: set[int] = set()  # blocks that have to go

    def write(self, change: Change, done: Done | None) -> None:
        """Queue a change, behind the removal of blocks that would miss what it accepts."""
        late = self._covered.late(change.accepts) if change.accepts else []
        if not late:
            self._writer.write(change, done)
            return
        self._outdated.update(late)

        def write(removed: "asyncio.Future[object]") -> None:
            removed.exception()  # where the disk refuses it now, `index` asks again
            self._writer.write(change, done)

        self._remove(tuple(late)).add_done_callback(write)

    async def index(self, before_ms: int) -> bool:
        """Make the next block; tell whether there may be more to do."""
        newest, places = ids.first_of(before_ms) - 1, json.dumps(self._counters.known())
        self._covered.begin(newest)
        outdated = tuple(self._outdated)
        await self._remove(outdated)  # and whatever was queued before is in the store now
        self._outdated.difference_update(outdated)
        oldest, block = await self._reader.ask(
            lambda c: trace_index.read_block(c, self._covered, places, newest)
        )
        forgotten = self._covered.forget(oldest)
        self._outdated.update(forgotten)
        if block is None:
            return bool(forgotten)
        if self._covered.add(block):  # from now on a message that comes late takes it out again, in order
            await self._add(block)
        return True

    def _add(self, block: Block) -> "asyncio.Future[object]":
        return self._writer.task(
            lambda applier, _effects: trace_index.write_block(applier.connection, block), exclusive=False
        )

    def _remove(self, blocks: tuple[int, ...]) -> "asyncio.Future[object]":
        return self._writer.task(
            lambda applier, _effects: trace_index.take_out(applier.connection, blocks), exclusive=False
        )
