"""The sends of all connections of a loop, made close behind each other instead of one after each piece of work.

A send wakes whoever reads at the other end. With work between two sends the reader has fallen asleep again, and
waking a sleeping processor costs more than the send itself; a few sends in a row find the reader still awake.
"""

import asyncio
from collections.abc import Callable


class Sends:
    """Calls that hand something to the kernel, put off to the next turn of the loop, or until so many have come.

    More at once keep the other side waiting longer for what could have gone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, at_once: int) -> None:
        self._loop = loop
        self._at_once = at_once
        self._waiting: list[Callable[[], None]] = []

    def soon(self, send: Callable[[], None]) -> None:
        """Call `send` now or in a moment: it must bear that there is nothing left to send by then."""
        waiting = self._waiting
        waiting.append(send)
        if len(waiting) == 1:
            self._loop.call_soon(self._go)
        elif len(waiting) >= self._at_once:
            self._go()

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        for send in waiting:
            try:
                send()
            except Exception as failure:  # of one connection: the others send all the same
                self._loop.call_exception_handler({"message": "a send failed", "exception": failure})
