"""Write down what has already happened, again and again where the disk refuses, until it is on disk.

Guarantee: a message that the next hop took is noted as delivered as soon as there is room, so a full disk or a lock of
another program makes no duplicate; what is not noted yet stays claimed, so that nobody tries it again meanwhile.
Guarantee: after a failed sync nothing more is delivered: its end could not be noted, and it would go out twice.
"""

import asyncio
from collections.abc import Callable

from gatepost.storage.interface import Change, Done, Store, StoreBroken, StoreFailed


def written(store: Store, change: Change) -> "asyncio.Future[None]":
    """Write a change; the future is done when it is on disk, or raises why it was not kept."""
    kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(problem: BaseException | None) -> None:
        if kept.done():
            return
        if problem is None:
            kept.set_result(None)
        else:
            kept.set_exception(problem)

    store.write(change, done)
    return kept


class Writing:
    """Changes that must not be forgotten; `again` is called every second and at the end."""

    def __init__(self, store: Store, halt: Callable[[], None], say: Callable[..., None]) -> None:
        self._store = store
        self._halt = halt
        self._say = say
        self._waiting: list[tuple[Change, Done | None]] = []
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Return how many changes could not be written so far."""
        return len(self._waiting)

    def write(self, change: Change, done: Done | None = None) -> None:
        """Write a change; `done` is called once it is on disk, or when there is no hope that it will be."""

        def told(problem: BaseException | None) -> None:
            if isinstance(problem, StoreFailed) and not self._stopping:
                self._waiting.append((change, done))
                return
            if isinstance(problem, StoreBroken):
                self._halt()
            elif problem is not None:
                self._say("message.settle_failed", level="error", error=repr(problem))
            if done is not None:
                done(problem)

        self._store.write(change, told)

    def again(self) -> None:
        """Try once more what was refused, in its order."""
        waiting, self._waiting = self._waiting, []
        for change, done in waiting:
            self.write(change, done)

    def stop(self) -> None:
        """Try a last time; what cannot be written even now is told to whoever waits for it."""
        self._stopping = True
        self.again()
