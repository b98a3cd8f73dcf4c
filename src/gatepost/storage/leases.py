"""Which queued recipients are in somebody's hands, for a store that one process owns.

Rule: taking needs `lock` around "read, then take", and giving back after an end needs it too: otherwise a
claim that reads a row, waits, and takes it after its end would hand out a message twice.
"""

import threading
from collections.abc import Iterable


class Leases:
    """Claims in memory: destination, then message, then the numbers of the claimed recipients."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._held: dict[int, dict[int, tuple[int, ...]]] = {}

    def take(self, destination_id: int, message_id: int, numbers: tuple[int, ...]) -> None:
        """Claim recipients of a message."""
        self._held.setdefault(destination_id, {})[message_id] = numbers

    def held(self, destination_id: int) -> dict[int, tuple[int, ...]]:
        """Return the claimed messages of a destination, to look up in."""
        return self._held.setdefault(destination_id, {})

    def drop(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Give back single recipients, as (destination, message, number); the lock is taken here."""
        with self.lock:
            for destination_id, message_id, n in rows:
                messages = self._held.get(destination_id)
                numbers = messages.get(message_id) if messages else None
                if messages is None or numbers is None:
                    continue
                if numbers == (n,):  # nearly always
                    del messages[message_id]
                    continue
                rest = tuple(x for x in numbers if x != n)
                if rest:
                    messages[message_id] = rest
                else:
                    del messages[message_id]

    def release(self, keys: Iterable[tuple[int, int]]) -> None:
        """Give back whole messages, as (destination, message)."""
        with self.lock:
            for destination_id, message_id in keys:
                self.held(destination_id).pop(message_id, None)
