"""Large bodies as files of their own: `<data_dir>/spool/<13-character id>`, in wire form."""

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from gatepost.model import ids
from gatepost.model.mail import BodyMissing

CHUNK = 512 * 1024


def file_of(folder: Path, message_id: int) -> Path:
    """Return where the body of a message lies."""
    return folder / ids.to_text(message_id)


def sync_folder(folder: Path) -> None:
    """Make the names in the folder durable; without it a synced file can be gone after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(folder: Path, message_ids: Iterable[int]) -> None:
    """Delete bodies that nobody needs; one that stays behind is an orphan, removed at the next start."""
    for message_id in message_ids:
        with suppress(OSError):
            file_of(folder, message_id).unlink()


def remove_orphans(folder: Path, wanted: set[int]) -> int:
    """Delete files of messages that were never accepted, or have ended; return how many."""
    names = {ids.to_text(message_id) for message_id in wanted}
    orphans = [entry for entry in folder.iterdir() if entry.name not in names and entry.is_file()]
    for entry in orphans:
        entry.unlink()
    return len(orphans)


class Check:
    """Passes pieces on, one behind; raises `BodyMissing` before the last one where size or CRC-32 is wrong."""

    def __init__(self, message_id: int, size: int, crc: int) -> None:
        self._message_id = message_id
        self._size = size
        self._crc = crc
        self._held = b""
        self._total = self._seen = 0

    def take(self, piece: bytes) -> bytes:
        """Return the piece before; b"" says that there are no more, and gives the last one."""
        held, self._held = self._held, piece
        self._total += len(piece)
        self._seen = zlib.crc32(piece, self._seen)
        if self._total > self._size or (not piece and (self._total, self._seen) != (self._size, self._crc)):
            raise BodyMissing(
                f"the body of {ids.to_text(self._message_id)} is damaged: "
                f"{self._total} of {self._size} octets, CRC {self._seen:08x}"
            )
        return held


class BodyFile:
    """A spool file that is read piece by piece: at once what the kernel has in memory, else by a thread."""

    _buffer = bytearray(CHUNK)  # for the loop's thread: filled and copied out in one turn

    def __init__(self, path: Path, message_id: int) -> None:
        self._message_id = message_id
        self._offset = 0
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._missing(error) from error

    def at_once(self) -> bytes | None:
        """Return the next piece without waiting for the disk, None where that cannot be; b"" at the end."""
        try:
            size = os.preadv(self._fd, [self._buffer], self._offset, os.RWF_NOWAIT)
        except (OSError, AttributeError):  # not in memory; or no such thing here
            return None
        self._offset += size
        return bytes(memoryview(self._buffer)[:size])

    def read(self) -> bytes:
        """Return the next piece, b"" at the end; `BodyMissing` where it cannot be read."""
        try:
            piece = os.pread(self._fd, CHUNK, self._offset)
        except OSError as error:
            raise self._missing(error) from error
        self._offset += len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _missing(self, error: OSError) -> BodyMissing:
        return BodyMissing(f"the body of {ids.to_text(self._message_id)} cannot be read: {error}")


def pieces_of_bytes(data: bytes) -> Iterator[bytes]:
    """Cut a body into pieces."""
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]
