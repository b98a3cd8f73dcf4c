"""Moves committed pages from the log into the database, beside the writer and not in its way."""

import threading
from collections.abc import Callable
from contextlib import suppress

import apsw

from gatepost.storage.interface import StoreBroken
from gatepost.storage.sqlite.connection import PAGE
from gatepost.storage.sqlite.faults import meaning

_START = (16 << 20) // PAGE
_RESTART = (64 << 20) // PAGE
_FORCE = (256 << 20) // PAGE


class Checkpointer:
    """Owns a connection and a thread that sleeps until the log has grown."""

    def __init__(self, connection: apsw.Connection, broken: Callable[[str], None]) -> None:
        self.connection = connection
        self._broken = broken
        self._wake = threading.Event()
        self._stop = False
        self._done_at = 0  # pages in the log when the last checkpoint began
        self._thread = threading.Thread(target=self._run, name="store-checkpoint", daemon=True)
        self._thread.start()

    def grew(self, pages: int) -> None:
        """Hear from the writer how many pages the log has."""
        if pages < self._done_at:
            self._done_at = 0  # the log began anew
        if pages - self._done_at > _START and not self._wake.is_set():
            self._done_at = pages
            self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stop = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._stop:
                return
            try:
                self._checkpoint()
            except apsw.Error as failure:
                error = meaning(failure)
                if isinstance(error, StoreBroken):
                    self._broken(str(error))
                    return
            self._wake.clear()

    def _checkpoint(self) -> None:
        """Passive first; then, with little left to do, a restart that holds the writer up but a moment."""
        pages, _ = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if pages > _RESTART:
            forced = pages > _FORCE
            # Readers are waited for with the writer held up: shorter than the writer's own patience.
            self.connection.set_busy_timeout(3000 if forced else 20)
            with suppress(apsw.BusyError):  # somebody reads: the next growth tries again
                self.connection.wal_checkpoint(
                    mode=apsw.SQLITE_CHECKPOINT_TRUNCATE if forced else apsw.SQLITE_CHECKPOINT_RESTART
                )
