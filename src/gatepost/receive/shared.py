"""What all sessions of a listener have in common."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from gatepost.net.sends import Sends
from gatepost.receive.hooks import Hooks
from gatepost.receive.limits import Connections, LoginGuard, MinuteRate
from gatepost.receive.options import ReceiveOptions
from gatepost.smtp.server import ServerConfig


class Open(Protocol):
    """An open session, as the listener sees it."""

    def sweep(self, now: float) -> None:
        """Look at the deadlines."""

    def stop(self) -> None:
        """End when nothing is on its way."""

    def abort(self) -> None:
        """Close without a word."""


@dataclass(slots=True)
class Shared:
    """The limits, counts and threads of a listener."""

    options: ReceiveOptions
    hooks: Hooks
    config: ServerConfig
    loop: asyncio.AbstractEventLoop
    executor: Executor
    view: memoryview  # one read buffer: it is copied out of before the next read
    connections: Connections
    rate: MinuteRate
    guard: LoginGuard
    sends: Sends  # of answers
    sessions: set[Open] = field(default_factory=set)
    stopping: bool = False
    gone: Callable[[], None] = lambda: None
