"""Large content goes to a file of its own while it arrives, written by threads, a bounded amount in memory.

Guarantee: `finish` reports success only after the file's data are synced; the store syncs the folder.
"""

import asyncio
import os
import zlib
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path

_MAX_VECTOR = 512  # below IOV_MAX of every system
_WORTH_A_WRITE = 512 * 1024  # octets that wait until a thread is woken for them


class SpoolFile:
    """One file being written: pieces in, in order; `outstanding` octets are not written yet."""

    def __init__(
        self,
        path: Path,
        executor: Executor,
        loop: asyncio.AbstractEventLoop,
        progressed: Callable[[], None],
    ) -> None:
        self.outstanding = 0
        self.size = 0
        self.crc = 0
        self.error: OSError | None = None
        self._written = 0
        self._path = path
        self._executor = executor
        self._loop = loop
        self._progressed = progressed
        self._pending: list[bytes] = []
        self._fd = -1
        self._busy = False
        self._made = False
        self._done: Callable[[OSError | None], None] | None = None
        self._dropped = False

    def write(self, pieces: list[bytes]) -> None:
        """Take pieces; they are written when the one before has been."""
        octets = sum(map(len, pieces))
        self.size += octets
        self.outstanding += octets
        self._pending += pieces
        self._next()

    def finish(self, done: Callable[[OSError | None], None]) -> None:
        """Write what is left, sync and close, then call `done` on the loop."""
        self._done = done
        self._next()

    def drop(self) -> None:
        """Forget the message: the file is removed as soon as no thread is at it."""
        self._dropped = True
        self._pending.clear()
        self._next()

    def _next(self) -> None:
        if self._busy:
            return
        closing = self._dropped or (self._done is not None)
        if self.outstanding < _WORTH_A_WRITE and not closing:
            return
        pieces, self._pending = self._pending, []
        self._busy = True
        try:
            self._executor.submit(self._work, pieces, closing, self._dropped)
        except RuntimeError:  # the threads have stopped: only tidying up is left to do
            self._dropped = True
            self._close(remove=True)

    def _work(self, pieces: list[bytes], closing: bool, dropped: bool) -> None:
        """Run in a thread: the disk may take its time."""
        try:
            if self.error is None and not dropped:
                self._write(pieces)
                if closing:
                    os.fdatasync(self._fd)
        except OSError as error:
            self.error = error
        except Exception as error:
            self.error = OSError(f"the spool file was not written: {error!r}")
        finally:
            if closing:
                self._close(remove=dropped or self.error is not None)
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._worked, sum(map(len, pieces)), closing)

    def _write(self, pieces: list[bytes]) -> None:
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._made = True
        for piece in pieces:
            self.crc = zlib.crc32(piece, self.crc)
        before = self._written
        for start in range(0, len(pieces), _MAX_VECTOR):
            vector = pieces[start : start + _MAX_VECTOR]
            written = os.writev(self._fd, vector)
            rest = sum(map(len, vector)) - written
            self._written += written + rest
            if rest:
                self._write_all(b"".join(vector)[-rest:])
        # The kernel begins with these pages now, so that little is left for the sync; what goes wrong is said there.
        with suppress(OSError, AttributeError):
            os.posix_fadvise(self._fd, before, self._written - before, os.POSIX_FADV_DONTNEED)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _close(self, *, remove: bool) -> None:
        fd, self._fd = self._fd, -1
        try:
            if fd >= 0:
                os.close(fd)
            if remove and self._made:
                self._made = False
                self._path.unlink(missing_ok=True)
        except OSError as error:
            self.error = self.error or error

    def _worked(self, octets: int, closing: bool) -> None:
        self._busy = False
        self.outstanding -= octets
        if not closing:
            self._next()
            self._progressed()
        elif self._dropped:
            if self._made:
                self._next()  # it was dropped while it was being finished
        elif self._done is not None:
            done, self._done = self._done, None
            done(self.error)
