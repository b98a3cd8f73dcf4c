"""The deadlines of all connections of a loop, looked at twice a second instead of one timer per command."""

import asyncio
from typing import Protocol

from gatepost.net.loops import one_for_each_loop

INTERVAL = 0.5
NEVER = float("inf")


class Timed(Protocol):
    """What has a deadline (by the clock of the loop)."""

    deadline: float

    def expire(self) -> None:
        """Act on a deadline that has passed."""
        ...


class Sweeper:
    """Call `expire` of whatever is late; runs only while something is registered."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._members: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Timed) -> None:
        """Watch one more."""
        self._members.add(member)
        if self._timer is None:
            self._timer = self._loop.call_later(INTERVAL, self._sweep)

    def remove(self, member: Timed) -> None:
        """Watch one less; the timer goes with the last one."""
        self._members.discard(member)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(INTERVAL, self._sweep)
        now = self._loop.time()
        for member in [member for member in self._members if member.deadline <= now]:
            member.deadline = NEVER
            member.expire()


sweeper = one_for_each_loop(Sweeper)
