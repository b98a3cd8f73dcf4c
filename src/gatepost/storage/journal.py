"""The in-doubt journal: which messages had their final dot sent and no reply kept, when the process died.

RFC 5321 section 4.5.3.2.6 warns of it: after the dot the other side may have taken the message. A slot of
eight bytes in a shared mapping survives the death of the process (not of the machine, where a duplicate is
the lesser evil) and costs no system call.
"""

import mmap
import os
import struct
from pathlib import Path

_SLOT = struct.Struct("<q")
_FIRST = 4096


class Journal:
    """Messages between final dot and reply."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._file).st_size // _SLOT.size * _SLOT.size
        old = os.pread(self._file, size, 0)
        self._previous = sorted({number for (number,) in _SLOT.iter_unpack(old) if number > 0})
        os.ftruncate(self._file, 0)
        os.ftruncate(self._file, _FIRST * _SLOT.size)
        # Space is reserved now: a full disk must not become a SIGBUS at a write to the mapping.
        os.posix_fallocate(self._file, 0, _FIRST * _SLOT.size)
        self._map = mmap.mmap(self._file, _FIRST * _SLOT.size)
        self._free = list(range(_FIRST - 1, -1, -1))
        self._inherited: set[int] = set()
        self._used: dict[int, tuple[int, int]] = {}  # message id: slot, deliveries under way
        for message_id in self._previous:
            self.dot_sent(message_id)
        self._inherited = set(self._previous)

    def in_doubt(self) -> list[int]:
        """Return the messages that the previous run left in doubt; they stay noted until settled."""
        return list(self._previous)

    def dot_sent(self, message_id: int) -> None:
        """Note that a final dot is on its way."""
        if message_id in self._inherited:  # noted already; this delivery takes the note over
            self._inherited.discard(message_id)
            return
        slot, count = self._used.get(message_id, (-1, 0))
        if not count:
            if not self._free:
                self._grow()
            slot = self._free.pop()
            _SLOT.pack_into(self._map, slot * _SLOT.size, message_id)
        self._used[message_id] = (slot, count + 1)

    def settled(self, message_id: int) -> None:
        """Note that the reply is known and kept."""
        self._inherited.discard(message_id)
        entry = self._used.pop(message_id, None)
        if entry is None:
            return
        slot, count = entry
        if count > 1:
            self._used[message_id] = (slot, count - 1)
            return
        _SLOT.pack_into(self._map, slot * _SLOT.size, 0)
        self._free.append(slot)

    def forget(self, message_id: int) -> None:
        """Drop every note about a message, whatever number of deliveries was noted."""
        if message_id in self._used:
            self._used[message_id] = (self._used[message_id][0], 1)
            self.settled(message_id)

    def _grow(self) -> None:
        old = len(self._map) // _SLOT.size
        os.posix_fallocate(self._file, old * _SLOT.size, old * _SLOT.size)
        self._map.resize(old * 2 * _SLOT.size)
        self._free.extend(range(old * 2 - 1, old - 1, -1))

    def close(self) -> None:
        """Let go of the file; what is noted stays noted."""
        self._map.close()
        os.close(self._file)
