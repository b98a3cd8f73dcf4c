"""A lane: one destination with mail, what of it is in memory, and how much may go at once.

Guarantee: a lane that holds mail has a next event: a connection at work, a timer, or a suspension that says who and
why. An item in `items` is claimed; whatever leaves the lane without an end is given back to the store.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gatepost.model.failure import LastError
from gatepost.model.mail import Item
from gatepost.model.objects import Connector
from gatepost.model.route import DestinationKey

WINDOW_ITEMS = 256
LOW_WATER = 64
MOMENT_MS = 2.0


class Carrier(Protocol):
    """What a lane needs of a connection."""

    @property
    def busy(self) -> bool:
        """Whether items are under way."""
        ...

    def wake(self) -> None:
        """Take the next item, now that there is one."""
        ...

    def close(self, graceful: bool = True) -> None:
        """End when the current items have ended (or at once)."""
        ...


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """What the connector (or the settings) demand of a destination; times in seconds."""

    retry: tuple[int, ...]
    expiry: int
    concurrency: int
    probe_interval: int = 0  # 0: the retry table alone decides


class Lane:
    """The state of one destination in this process."""

    __slots__ = (
        "attempts",
        "breaks",
        "claiming",
        "connections",
        "connector",
        "id",
        "items",
        "key",
        "last_attempt_at",
        "last_error",
        "last_success_at",
        "more",
        "next_attempt_at",
        "opening",
        "pace",
        "patience",
        "policy",
        "probing",
        "queued_since",
        "recheck",
        "resting",
        "state",
        "suspended_by",
        "suspended_reason",
        "suspended_until",
        "take",
        "taken",
        "timer",
        "under_way",
        "window",
    )

    def __init__(self, key: DestinationKey, connector: Connector | None, policy: LanePolicy) -> None:
        self.key = key
        self.id = key.id
        self.connector = connector
        self.policy = policy
        self.state = "ready"  # ready | retry | suspended
        self.items: deque[Item] = deque()
        self.more = False  # the store may hold unclaimed items
        self.claiming = False
        self.connections: set[Carrier] = set()
        self.resting: dict[Carrier, None] = {}  # connections with nothing to do, the last one first
        self.opening = 0
        self.pace = 0.0  # milliseconds that a message takes on a connection, lately; 0: not known
        self.taken = 0  # items that connections took
        self.patience: asyncio.TimerHandle | None = None  # set while items wait for connections at work
        self.under_way = 0
        self.window = min(5, policy.concurrency)
        self.attempts = 0
        self.breaks = 0
        self.next_attempt_at = 0
        self.last_attempt_at = 0
        self.last_success_at = 0  # of a delivery, by this process
        self.last_error: LastError | None = None
        self.queued_since = 0
        self.probing = False
        self.suspended_by = ""
        self.suspended_reason = ""
        self.suspended_until = 0
        self.recheck = False
        self.timer: asyncio.TimerHandle | None = None
        self.take: Callable[[], Item | None] = lambda: None

    @property
    def accepts(self) -> bool:
        """Whether an item that was just committed may stay in memory."""
        return not self.more and self.state == "ready" and len(self.items) < WINDOW_ITEMS

    @property
    def allowed(self) -> int:
        """How many connections there may be now."""
        if self.state == "suspended":
            return 0
        if self.state == "retry":
            return 1 if self.probing else 0
        return min(self.window, self.policy.concurrency)

    def measure(self, milliseconds: float) -> None:
        """Note how long a message took; 0 where it was not tried."""
        if milliseconds:
            self.pace = self.pace + (milliseconds - self.pace) / 8 if self.pace else milliseconds

    @property
    def wanted(self) -> int:
        """How many connections should be at work, so that what waits is gone in a moment."""
        waiting = len(self.items)
        return min(waiting, 1 + int(waiting * self.pace / MOMENT_MS)) if self.pace else waiting

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do here."""
        return not self.items and not self.more and not self.connections and not self.opening

    def shown_state(self, now: int, deferred_only: bool) -> str:
        """Return the state as the surfaces show it: ready, active, retry or suspended."""
        if self.state != "ready":
            return "active" if self.state == "retry" and self.probing else self.state
        if self.under_way or self.opening:
            return "active"
        if deferred_only:
            return "retry"
        return "ready" if self.next_attempt_at <= now else "retry"
