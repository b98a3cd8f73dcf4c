"""Count deliveries of a log as they are read: failures that belong together, and what still waits.

Guarantee: memory is bounded by the constants below, however long the log is; what finds no room is counted.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gatepost.explain.log.reasons import Said
from gatepost.model.failure import FailureClass

HOUR = 3600
MAX_WAITING = 250_000  # messages whose end is not known yet
MAX_GROUPS = 20_000
MAX_PLACES = 50_000  # domains whose deliveries are counted
TREND = 168  # hours that are kept of each group
SAMPLES = 5
_SHIFT = 40  # bits of the time in an entry of a waiting recipient
_TIME = (1 << _SHIFT) - 1
_HASH = (1 << 32) - 1
OTHERS = "*"  # the destination of failures that found no room

Key = tuple[str, str, str, str]  # out | in, destination, class, sub


class Event(NamedTuple):
    """What one line of a log tells of one recipient. Times are seconds since 1970."""

    at: int
    outcome: str  # delivered | deferred | failed | expired
    message: bytes = b""  # the queue id; without one nothing can be joined
    recipient: bytes = b""
    destination: str = ""
    accepted: int = 0  # when the message came
    server: str = ""
    address: str = ""
    text: str = ""
    incoming: bool = False  # our side refused it


class Group:
    """Failures that belong together."""

    __slots__ = (
        "attempts", "buckets", "delivered", "first", "key", "last", "number", "returned", "said", "sample",
        "servers",
    )  # fmt: skip

    def __init__(self, key: Key, number: int, said: Said, event: Event) -> None:
        self.key = key
        self.number = number
        self.said = said
        self.sample = event
        self.first = self.last = event.at
        self.attempts = 0
        self.delivered = 0  # recipients that it had delayed, and that were delivered
        self.returned = 0  # recipients that it made fail for good
        self.buckets: dict[int, int] = {}
        self.servers: dict[str, str] = {}

    def count(self, event: Event) -> None:
        """Count a failure."""
        self.attempts += 1
        self.first = min(self.first, event.at) if self.first else event.at
        if event.at >= self.last:
            self.last, self.sample = event.at, event
        hour = event.at // HOUR
        self.buckets[hour] = self.buckets.get(hour, 0) + 1
        if len(self.buckets) > TREND:
            del self.buckets[min(self.buckets)]
        if event.server and len(self.servers) < SAMPLES:
            self.servers.setdefault(event.server, event.address)


class Tally:
    """The state of one log while it is read."""

    def __init__(self, since: int = 0) -> None:
        self.since = since  # what was before is joined, and not counted
        self.groups: dict[Key, Group] = {}
        self._numbered: list[Group] = []
        self._roots: dict[str, Group] = {}  # destination -> how it really failed last
        self.waiting: dict[bytes, int | list[int]] = {}  # queue id -> entries: hash, group, time accepted
        self.places: dict[bytes, list[int]] = {}  # domain -> deliveries, time of the last
        self.delivered = 0
        self.forgotten = 0  # waiting messages that found no room
        self.first = self.last = 0

    # ---------------------------------------------------------------- counting

    def seen(self, at: int) -> None:
        """Note the time of a line."""
        if at:
            self.last = max(at, self.last)
            self.first = min(at, self.first) if self.first else at

    def arrived(self, place: bytes, at: int) -> None:
        """Count a delivery."""
        if at < self.since:
            return
        self.delivered += 1
        found = self.places.get(place)
        if found is not None:
            found[0] += 1
            found[1] = at
        elif len(self.places) < MAX_PLACES:
            self.places[place] = [1, at]

    def ended(self, message: bytes, recipient: bytes) -> None:
        """Note that a recipient, or with none every recipient, of a message was delivered."""
        for entry in self._take(message, recipient):
            self._numbered[entry >> _SHIFT & _HASH].delivered += 1

    def removed(self, message: bytes) -> None:
        """Note that an administrator took a message away."""
        self._take(message, b"")

    def failed(self, said: Said, event: Event) -> Group:
        """Count a failure; a deferred recipient waits from now on because of it."""
        group = self._group(said, event)
        if event.at >= self.since:
            group.count(event)
        if event.outcome == "deferred" and not event.incoming:
            self._wait(group, event)
        elif not event.incoming:
            before = self._take(event.message, event.recipient)
            (self._numbered[before[0] >> _SHIFT & _HASH] if said.bare and before else group).returned += 1
        return group

    def expired(self, message: bytes) -> bool:
        """Note that what still waits of a message has been returned; False where nothing of it is known."""
        entries = self._take(message, b"")
        for entry in entries:
            self._numbered[entry >> _SHIFT & _HASH].returned += 1
        return bool(entries)

    def _group(self, said: Said, event: Event) -> Group:
        side = "in" if event.incoming else "out"
        if said.failure_class == FailureClass.QUEUED_RETRY and event.destination in self._roots:
            return self._roots[event.destination]  # not tried again yet: what failed before is why
        key = (side, event.destination, said.failure_class, said.sub)
        group = self.groups.get(key)
        if group is None and len(self.groups) >= MAX_GROUPS:
            key = (side, OTHERS, said.failure_class, "")
            group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group(key, len(self._numbered), said, event)
            self._numbered.append(group)
        if event.outcome == "deferred" and not event.incoming and group.key[1] == event.destination:
            self._roots[event.destination] = group
        return group

    def _wait(self, group: Group, event: Event) -> None:
        if not event.message:
            return
        before = self._take(event.message, event.recipient)
        accepted = min((entry & _TIME for entry in before), default=event.accepted or event.at)
        entry = (hash(event.recipient) & _HASH) << 72 | group.number << _SHIFT | accepted & _TIME
        there = self.waiting.get(event.message)
        if there is None:
            if len(self.waiting) >= MAX_WAITING:
                self._make_room()
            self.waiting[event.message] = entry
        elif isinstance(there, int):
            self.waiting[event.message] = [there, entry]
        else:
            there.append(entry)

    def _take(self, message: bytes, recipient: bytes) -> list[int]:
        """Remove and return the entries of a recipient of a message; of all, where none is named."""
        there = self.waiting.get(message)
        if there is None:
            return []
        entries = [there] if isinstance(there, int) else there
        wanted = hash(recipient) & _HASH
        taken = [entry for entry in entries if not recipient or entry >> 72 == wanted]
        rest = [entry for entry in entries if entry not in taken]
        if rest:
            self.waiting[message] = rest[0] if len(rest) == 1 else rest
        else:
            del self.waiting[message]
        return taken

    def _make_room(self) -> None:
        for message in list(self.waiting)[: MAX_WAITING // 10]:
            del self.waiting[message]
            self.forgotten += 1

    # ---------------------------------------------------------------- looking

    def stuck(self) -> dict[int, tuple[int, int]]:
        """Return by group how many recipients wait and when the oldest message came."""
        found: dict[int, tuple[int, int]] = {}
        for entry in self._entries():
            number, accepted = entry >> _SHIFT & _HASH, entry & _TIME
            count, oldest = found.get(number, (0, accepted))
            found[number] = (count + 1, min(oldest, accepted))
        return found

    def _entries(self) -> Iterator[int]:
        for there in self.waiting.values():
            if isinstance(there, int):
                yield there
            else:
                yield from there
