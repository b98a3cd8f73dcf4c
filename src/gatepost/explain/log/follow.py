"""Follow a file that a log is written to, through rotation: renamed and made anew, or copied and cut.

Rule: what was written before a rotation is read to its end before the new file is begun; lines are handed on whole.
"""

import os
from pathlib import Path
from typing import BinaryIO

PIECE = 1 << 20
LONGEST = PIECE // 2  # octets of a line without an end that are kept
_SIGN = 256  # octets at the beginning by which a file is known again


class Follower:
    """One followed file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")
        self._sign = b""
        self._rest = b""
        self.rotations = 0

    def read(self) -> bytes:
        """Return whole lines that have been written since the last call, some at a time; nothing where none was."""
        if self._was_cut():
            self._begin(self._file)
        data = self._piece()
        if data:
            return data
        after = self._next()
        if after is None:
            return b""
        data = self._piece()  # what was written until it was put away
        if data:
            after.close()
            return data
        rest = self._rest + b"\n" if self._rest else b""
        self._file.close()
        self._begin(after)
        return rest + self._piece()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _begin(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file, self._sign, self._rest = file, b"", b""
        self.rotations += 1

    def _was_cut(self) -> bool:
        """Tell whether the file has been emptied, even where it has grown again since."""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            return True
        if len(self._sign) < _SIGN:
            now = os.pread(self._file.fileno(), _SIGN, 0)
            same, self._sign = now.startswith(self._sign), now
            return not same
        return os.pread(self._file.fileno(), _SIGN, 0) != self._sign

    def _piece(self) -> bytes:
        data = self._rest + self._file.read(PIECE)
        end = data.rfind(b"\n") + 1
        self._rest = data[end:][:LONGEST]
        return data[:end]

    def _next(self) -> BinaryIO | None:
        """Return the file that has the name now, where it is another one."""
        try:
            file = self._path.open("rb")
        except OSError:
            return None  # put away, and the next one is not there yet
        if os.path.sameopenfile(file.fileno(), self._file.fileno()):
            file.close()
            return None
        return file
