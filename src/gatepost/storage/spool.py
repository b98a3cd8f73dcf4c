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


def checked(pieces: Iterable[bytes], message_id: int, size: int, crc: int) -> Iterator[bytes]:
    """Pass pieces on, one behind; raise `BodyMissing` before the last one where size or CRC-32 is wrong."""
    held, total, seen = b"", 0, 0
    for piece in pieces:
        if held:
            yield held
        held = piece
        total += len(piece)
        seen = zlib.crc32(piece, seen)
        if total > size:
            break
    if total != size or seen != crc:
        raise BodyMissing(
            f"the body of {ids.to_text(message_id)} is damaged: {total} of {size} octets, CRC {seen:08x}"
        )
    yield held


def pieces_of_file(path: Path, message_id: int) -> Iterator[bytes]:
    """Read a spool file piece by piece; `BodyMissing` where it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(CHUNK):
                yield piece
    except OSError as error:
        raise BodyMissing(f"the body of {ids.to_text(message_id)} cannot be read: {error}") from error


def pieces_of_bytes(data: bytes) -> Iterator[bytes]:
    """Cut a body into pieces."""
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]
