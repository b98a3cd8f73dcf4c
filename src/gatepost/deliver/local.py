"""Deliver into our own Maildirs, in a thread, behind the same face as a connection to a server.

Rule: one message at a time per carrier; a disk that fails ends in a `Failure` like any other destination.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from gatepost.deliver.maildir import deliver
from gatepost.deliver.options import Result
from gatepost.model.attempt import Failure, Reply, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.mail import BodyMissing, Item, QueuedRecipient

OpenBody = Callable[[Item], AsyncIterator[bytes]]


class MailboxCarrier:
    """Takes items from a lane and writes them into Maildirs below `root`."""

    def __init__(self, root: Path, open_body: OpenBody, session: SessionFacts) -> None:
        self.session = session
        self._root = root
        self._open_body = open_body
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a message is being written."""
        return self._task is not None

    def run(
        self,
        take: Callable[[], Item | None],
        finish: Callable[[Item, list[Result]], None],
        idle: Callable[["MailboxCarrier"], None],
        lost: Callable[["MailboxCarrier", Failure | None], None],
    ) -> None:
        """Start to take items; as `Connection.run`."""
        self._take, self._finish, self._idle, self._lost = take, finish, idle, lost
        self.wake()

    def wake(self) -> None:
        """Take what there is, where nothing is under way."""
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def close(self, graceful: bool = True) -> None:
        """End after the current message (a file half written is never seen, so there is nothing to cut short)."""
        self._closed = True
        if self._task is None:
            self._lost(self, None)

    async def _work(self) -> None:
        try:
            while not self._closed and (item := self._take()) is not None:
                self._finish(item, await self._deliver(item))
        finally:
            self._task = None
            if self._closed:
                self._lost(self, None)
            else:
                self._idle(self)

    async def _deliver(self, item: Item) -> list[Result]:
        loop = asyncio.get_running_loop()
        results = []
        for recipient in item.recipients:
            started = time.monotonic()
            failure = None
            try:
                await loop.run_in_executor(None, self._write, loop, item, recipient)
            except OSError as problem:
                failure = self._failure(f"the mailbox cannot be written: {problem.strerror or problem}")
            except (BodyMissing, ValueError) as problem:
                failure = self._failure(str(problem))
            milliseconds = (time.monotonic() - started) * 1000
            reply = None if failure else Reply(250, ("2.0.0 delivered to mailbox",), "2.0.0")
            outcome = "deferred" if failure else "delivered"
            results.append(Result(recipient.n, outcome, failure, reply, milliseconds, ()))
        return results

    def _failure(self, detail: str) -> Failure:
        return Failure(Phase.DATA, Reason.LOCAL, detail, self.session)

    def _write(self, loop: asyncio.AbstractEventLoop, item: Item, recipient: QueuedRecipient) -> None:
        content = (item.body,) if item.body is not None else self._pieces(loop, item)
        deliver(
            self._root, recipient.address, content, item.sender, message_id=item.message_id, n=recipient.n
        )

    def _pieces(self, loop: asyncio.AbstractEventLoop, item: Item) -> Iterator[bytes]:
        """Yield a content that is on disk, in the thread, piece by piece."""
        pieces = self._open_body(item)
        while True:
            piece = asyncio.run_coroutine_threadsafe(anext(pieces, b""), loop).result()
            if not piece:
                return
            yield piece
