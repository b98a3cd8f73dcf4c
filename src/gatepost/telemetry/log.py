"""The log: one event, one line of JSON; cheap to say, written on the next turn of the loop.

What every message says (`tell`) waits `LINGER` for company: a write lets go of the interpreter lock, and with other
threads at work it takes a switch interval until the loop has it again.

Rule: whatever a field holds, a line stays a line: everything that is not printable ASCII is escaped.
Rule: a log that cannot be written loses lines and counts them; it never stops mail.
"""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from json import JSONEncoder, encoder

from gatepost.model.failure import clean

LEVELS = {"debug": 0, "info": 1, "warning": 2, "error": 3}
MAX_LINES = 256  # so many waiting lines are written at once
MAX_FIELD = 4096
LINGER = 0.01  # seconds


def _text_of(value: object) -> str:
    """Return what JSON does not know as text."""
    return clean(str(value), MAX_FIELD)


def _encoder() -> Callable[[dict[str, object]], str]:
    """Return the encoder, made once: the library makes a new one for every value."""
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return JSONEncoder(separators=(",", ":"), default=_text_of).encode
    pieces = make(None, _text_of, encoder.encode_basestring_ascii, None, ":", ",", False, False, True)  # noqa: FBT003
    join = "".join
    return lambda fields: join(pieces(fields, 0))


_encode = _encoder()


class Log:
    """Writes events to a file descriptor; `say` is what every other part is given."""

    def __init__(
        self, stream_fd: int, level: str = "info", clock: Callable[[], int] = time.time_ns, path: str = ""
    ) -> None:
        self._fd = stream_fd
        self._least = LEVELS[level]
        self._clock = clock
        self._path = path
        self._waiting: deque[str] = deque()
        self._scheduled = False
        self._delay = 0.0  # of the write that is scheduled
        self._writing = threading.Lock()
        self._second = -1
        self._stamp = ""
        self.lost = 0
        atexit.register(self.flush)

    @property
    def level(self) -> str:
        """Return the least important level that is kept; it can be set while the log runs."""
        return next(name for name, rank in LEVELS.items() if rank == self._least)

    @level.setter
    def level(self, level: str) -> None:
        self._least = LEVELS[level]

    def say(self, event: str, /, level: str = "info", **fields: object) -> None:
        """Write an event with its fields; a field that is named `event` shows as `on`."""
        if LEVELS[level] < self._least:
            return
        if "event" in fields:
            fields["on"] = fields.pop("event")
        self._add(level, event, f",{_encode(fields)[1:]}" if fields else "}")

    def tell(self, event: str, fields: str) -> None:
        """Write an event of level info whose fields are JSON already, without the braces."""
        if self._least <= LEVELS["info"]:
            self._add("info", event, f",{fields}}}", LINGER)

    def _add(self, level: str, event: str, rest: str, delay: float = 0.0) -> None:
        second, part = divmod(self._clock() // 1_000_000, 1000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime('{"time":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second))
        self._waiting.append(f'{self._stamp}{part:03d}Z","level":"{level}","event":"{event}"{rest}\n')
        if not self._scheduled or delay < self._delay or len(self._waiting) >= MAX_LINES:
            self._schedule(delay)

    def _schedule(self, delay: float) -> None:
        """Write on the next turn of the loop, or after a delay; at once where there is no loop or much is waiting."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if len(self._waiting) >= MAX_LINES:
            self.flush()
        else:
            self._scheduled, self._delay = True, delay
            if delay:
                loop.call_later(delay, self.flush)
            else:
                loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            self._scheduled = False
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            data = memoryview("".join(lines).encode())
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                self.lost += len(lines)

    def reopen(self) -> None:
        """Open the file anew by its name, after it was rotated; nothing happens with a stream."""
        if self._path:
            fresh = open_file(self._path)
            self.flush()
            with self._writing:
                os.dup2(fresh, self._fd, inheritable=False)
            os.close(fresh)

    def close(self) -> None:
        """Write what waits; the descriptor stays with whoever opened it."""
        self.flush()
        atexit.unregister(self.flush)


def open_file(path: str) -> int:
    """Return a descriptor that appends to a file which only its owner can read."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


class LoggingBridge(logging.Handler):
    """Turn the log records of libraries into events of ours."""

    def __init__(self, say: Callable[..., None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of a library."""
        level = "error" if record.levelno >= logging.ERROR else "warning"
        text = clean(record.getMessage(), MAX_FIELD)
        problem = repr(record.exc_info[1]) if record.exc_info else ""
        self._say("library", level=level, logger=record.name, text=text, error=problem)


def bridge(say: Callable[..., None]) -> None:
    """Send what libraries log (warnings and worse) to our log instead of standard error."""
    logging.getLogger().handlers[:] = [LoggingBridge(say)]
