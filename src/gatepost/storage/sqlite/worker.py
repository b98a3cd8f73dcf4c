"""A thread with a connection of its own that answers questions in order."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

import apsw

from gatepost.storage.sqlite.faults import meaning

T = TypeVar("T")


class Worker:
    """Runs plain functions of the connection, one after another, off the loop."""

    def __init__(self, name: str, connection: apsw.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.connection = connection
        self._loop = loop
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, function: Callable[[apsw.Connection], T]) -> "asyncio.Future[T]":
        """Return the future answer of `function(connection)`; errors of the database become ours."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def job() -> None:
            try:
                value = function(self.connection)
            except apsw.Error as failure:
                self._tell(_fail, answer, meaning(failure))
            except Exception as failure:  # carried to whoever asked
                self._tell(_fail, answer, failure)
            else:
                self._tell(_succeed, answer, value)

        self._jobs.put(job)
        return answer

    def tell(self, function: Callable[[], None]) -> None:
        """Run something in the same order as the questions, without an answer."""
        self._jobs.put(function)

    def stop(self) -> None:
        """Answer what was asked, then end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _tell(self, how: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(how, *args)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _succeed(answer: "asyncio.Future[T]", value: T) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: "asyncio.Future[T]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
