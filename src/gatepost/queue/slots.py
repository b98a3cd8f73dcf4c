"""Connections to all destinations together: how many there are, and which lanes wait for one.

Rule 1: our own mailbox store needs none, so that nothing outside holds it up.
Rule 2: probes of dead destinations have at most half of them, so that those that live have room.
Rule 3: what becomes free goes to whoever has none and waits longest; an idle connection is closed for who waits.
"""

from collections.abc import Callable

from gatepost.queue.lane import Lane


class Slots:
    """Who holds a connection and who waits for one; `limit` is asked each time, since settings change."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._held: dict[Lane, int] = {}
        self._probes: set[Lane] = set()
        self._waiting: dict[Lane, None] = {}
        self._waiting_probes: dict[Lane, None] = {}
        self._wanting_more: dict[Lane, None] = {}
        self.used = 0

    def take(self, lane: Lane) -> bool:
        """Take a place for one more connection; False: the lane waits, and is given one later."""
        if lane.key.kind == "mailbox":
            return True
        probe = lane.state == "retry"
        if self.used >= self._limit() or (probe and not self._room_for_probes()):
            self._wait(lane, probe=probe)
            return False
        self.used += 1
        self._held[lane] = self._held.get(lane, 0) + 1
        if probe:
            self._probes.add(lane)
        return True

    def give_back(self, lane: Lane) -> None:
        """Give a place back: a connection has ended, or did not come about."""
        held = self._held.get(lane, 0)
        if not held:
            return
        self.used -= 1
        self._probes.discard(lane)
        if held > 1:
            self._held[lane] = held - 1
        else:
            del self._held[lane]

    @property
    def crowded(self) -> bool:
        """Return whether a lane without any connection waits for one."""
        return bool(self._waiting)

    def alive(self, lane: Lane) -> None:
        """Note that what a lane holds is no probe any more."""
        self._probes.discard(lane)

    def served(self, pump: Callable[[Lane], None]) -> None:
        """Let those that wait have what is free, each once."""
        for queue in (self._waiting, self._waiting_probes, self._wanting_more):
            for _ in range(len(queue)):
                if self.used >= self._limit():
                    return
                if queue is self._waiting_probes and not self._room_for_probes():
                    break
                pump(_first(queue))

    def _room_for_probes(self) -> bool:
        return len(self._probes) < max(1, self._limit() // 2)

    def _wait(self, lane: Lane, *, probe: bool) -> None:
        if lane in self._held:
            self._wanting_more[lane] = None
            return
        queue = self._waiting_probes if probe else self._waiting
        if lane in queue:
            return
        queue[lane] = None
        for other in self._held:
            if other.resting and not other.items:
                next(iter(other.resting)).close(graceful=True)
                return


def _first(queue: dict[Lane, None]) -> Lane:
    lane = next(iter(queue))
    del queue[lane]
    return lane
