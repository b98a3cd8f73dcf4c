"""Mail flow intelligence beside the journey: its parts, restored in order, asked once a second, stopped in order."""

import asyncio
from typing import Protocol

from gatepost.flow.journey import Journey

PERIOD = 1.0


class Part(Protocol):
    """One part: insights, probing, alerts, fixes ..."""

    async def restore(self) -> None:
        """Read what the last process knew."""

    def tick(self, now: int) -> None:
        """Do what is due (`now` in ms since 1970); quick, longer work is started beside."""

    async def stop(self) -> None:
        """Write down what is not yet kept."""


class Intelligence:
    """Runs the parts."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self.parts: list[Part] = []

    async def restore(self) -> None:
        """Restore every part, before mail flows."""
        for part in self.parts:
            await part.restore()

    async def run(self) -> None:
        """Ask every part once a second; one that fails is said and asked again."""
        while True:
            await asyncio.sleep(PERIOD)
            now = self._journey.now()
            for part in self.parts:
                try:
                    part.tick(now)
                except Exception as problem:
                    self._journey.say(
                        "part.failed", level="error", part=type(part).__name__, error=repr(problem)
                    )

    async def stop(self) -> None:
        """Stop every part, the last one first."""
        for part in reversed(self.parts):
            await part.stop()
