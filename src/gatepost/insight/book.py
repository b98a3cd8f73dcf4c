"""The book of insights: failures that belong together are counted under one fingerprint, which moves by itself.

Rule 1: what concerns a whole destination, some hosts of it, some messages, or ourselves is told apart by scope.
Rule 2: an insight is over when its destination works again, or when nothing of its kind fails any more and nothing
waits; when it comes back within the retention it is the same one again, with one episode more.
Rule 3: nothing here reads a clock or a queue: times and loads are arguments.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gatepost.insight.entry import Entry
from gatepost.insight.weigh import Load, severity
from gatepost.model.failure import LastError
from gatepost.model.ids import to_text
from gatepost.model.insight import Fingerprint, Insight, InsightState, Scope

MAX_ENTRIES = 10_000
SUPERSEDED_AFTER = 3  # failures of another class
NOTHING_WAITS_MS = 60_000
STALE_HOSTS_MS = 24 * 3_600_000
PREFIX = 4  # digits of an id that are enough where no other begins so
SLICE = 500  # open insights that are weighed a second, at most

Key = tuple[str, str, int, str]  # scope, connector, destination, class
LoadOf = Callable[[int], Load]


class Trouble(NamedTuple):
    """A failed attempt, as far as an insight needs it."""

    scope: str
    connector: str
    destination_id: int
    failure_class: str
    error: LastError
    sub: str = ""
    destination: str = ""  # what people call it
    stranger: bool = False  # see `Insight`
    times: int = 1  # 0: seen again in the same moment
    waits: bool = True  # mail waits because of it; else it has ended
    quiet_ms: int = 3_600_000  # so long after the last one it is over

    @property
    def key(self) -> Key:
        """Return what it is grouped by."""
        return (self.scope, self.connector, self.destination_id, self.failure_class)


class Book:
    """Every insight of this gateway, open and over, by fingerprint."""

    def __init__(self, new_id: Callable[[], int], retention_ms: int) -> None:
        self._new_id = new_id
        self.retention_ms = retention_ms
        self._entries: dict[Key, Entry] = {}
        self._by_text: dict[str, Entry] = {}
        self._open: dict[Key, Entry] = {}
        self._places: dict[int, dict[Key, Entry]] = {}  # the open ones by destination
        self._dirty: dict[Key, Insight | None] = {}  # with the insight as it was told last
        self._turn: list[Entry] = []
        self.dropped = 0  # failures that found no room
        self.turns = 0  # how often anything was opened or over: unchanged, nothing has to be correlated again

    # ---------------------------------------------------------------- looking

    def all(self) -> list[Insight]:
        """Return every insight."""
        return [entry.snapshot() for entry in self._entries.values()]

    def get(self, fingerprint: str) -> Insight | None:
        """Return an insight by the text of its fingerprint."""
        entry = self._by_text.get(fingerprint)
        return entry.snapshot() if entry is not None else None

    def find(self, text: str) -> list[Insight]:
        """Return the insights that people mean: by id, the beginning of its digits, or number (13 characters)."""
        wanted = text.strip()
        found = self.get(wanted.lower())
        if found is not None:
            return [found]
        digits = wanted.lower().rpartition(":")[2]
        near = []
        for fingerprint, entry in self._by_text.items():
            if to_text(entry.kept.id) == wanted.upper():
                return [entry.snapshot()]
            if len(digits) >= PREFIX and fingerprint.partition(":")[2].startswith(digits):
                near.append(entry.snapshot())
        return near

    def open_at(self, destination_id: int, scope: str = "") -> list[Insight]:
        """Return what is broken at a destination."""
        return [e.snapshot() for e in self._at(destination_id, scope)]

    def troubled(self) -> dict[int, str]:
        """Return the destinations that have an open insight, with their connectors."""
        prints = [entry.fingerprint for entry in self._open.values()]
        return {f.destination_id: f.connector for f in prints if f.destination_id}

    def open_of(self, scope: str) -> list[Insight]:
        """Return what is broken in a scope."""
        return [e.snapshot() for e in self._open.values() if e.fingerprint.scope == scope]

    def changes(self) -> list[tuple[Insight, Insight | None]]:
        """Return what changed since the last call, each with what it was."""
        found = []
        for key, before in self._dirty.items():
            entry = self._entries.get(key)
            if entry is not None:
                found.append((entry.snapshot(), before))
        self._dirty.clear()
        return found

    def _at(self, destination_id: int, scope: str) -> list[Entry]:
        """Return what is open at a destination, in a scope or in any."""
        here = self._places.get(destination_id, {})
        return [entry for entry in here.values() if scope in ("", entry.fingerprint.scope)]

    def _opened(self, entry: Entry) -> None:
        key = _key(entry)
        self._open[key] = entry
        self._places.setdefault(entry.fingerprint.destination_id, {})[key] = entry
        self.turns += 1

    def _closed(self, entry: Entry) -> None:
        key, destination_id = _key(entry), entry.fingerprint.destination_id
        self._open.pop(key, None)
        here = self._places.get(destination_id, {})
        here.pop(key, None)
        if not here:
            self._places.pop(destination_id, None)
        self.turns += 1

    # ---------------------------------------------------------------- what happens

    def failed(self, trouble: Trouble, now: int) -> Insight | None:
        """Count a failed attempt; None where the book is full of open insights."""
        entry = self._entries.get(trouble.key)
        if entry is not None and not entry.open and now - entry.last_seen > self.retention_ms:
            self._forget(entry)
            entry = None
        if entry is None:
            entry = self._new(trouble, now)
            if entry is None:
                return None
        self._note(entry)
        if not entry.open:
            entry.begin_again(now)
            self._opened(entry)
        entry.quiet_ms, entry.waits = trouble.quiet_ms, trouble.waits
        entry.failed(trouble.error, trouble.sub, now, trouble.times)
        if trouble.destination != entry.kept.destination:
            entry.change(destination=trouble.destination)
        if trouble.scope == Scope.DESTINATION and trouble.times:
            self._all_of_it(entry, now)
        elif trouble.scope == Scope.MESSAGES:
            self._part_of_it(entry)
        return entry.snapshot()

    def _part_of_it(self, seen: Entry) -> None:
        """Let a destination that fails as a whole, in the same class, explain messages that fail there."""
        _, connector, destination_id, failure_class = _key(seen)
        whole = self._open.get((Scope.DESTINATION, connector, destination_id, failure_class))
        if whole is not None and not seen.kept.parent:
            self.explain(seen.fingerprint.text, whole.fingerprint.text)

    def _all_of_it(self, seen: Entry, now: int) -> None:
        """Let a failure of a whole destination explain that of its hosts, and supersede how it failed before."""
        for entry in self._at(seen.fingerprint.destination_id, ""):
            if entry.fingerprint.scope == Scope.MESSAGES:
                self._part_of_it(entry)
            elif entry.fingerprint.scope == Scope.HOSTS:
                self.explain(entry.fingerprint.text, seen.fingerprint.text)
            elif entry is not seen and entry.fingerprint.scope == Scope.DESTINATION:
                entry.misses += 1
                if entry.misses >= SUPERSEDED_AFTER:
                    self._resolve(entry, now, "superseded")

    def recovered(self, destination_id: int, now: int) -> None:
        """Note that a destination works again: whatever concerned all of it is over."""
        for entry in self._at(destination_id, Scope.DESTINATION):
            self._resolve(entry, now, "recovered")

    def hosts_now(self, destination_id: int, failing: Iterable[str], now: int) -> None:
        """Note in which classes hosts of a destination fail now; others are over."""
        classes = set(failing)
        for entry in self._at(destination_id, Scope.HOSTS):
            if entry.fingerprint.failure_class not in classes:
                self._resolve(entry, now, "recovered")

    def ended(self, connector: str, destination_id: int, failure_class: str, count: int) -> None:
        """Count recipients that failed for good, at the insight that explains them."""
        for key in (
            (Scope.MESSAGES, connector, destination_id, failure_class),
            (Scope.DESTINATION, connector, destination_id, failure_class),
            (Scope.MESSAGES, "", 0, failure_class),
        ):
            if key in self._open:
                self.ended_at(key, count)
                return

    def ended_at(self, key: Key, count: int) -> None:
        """Count recipients that failed for good at one insight, where it is open."""
        entry = self._open.get(key)
        if entry is not None:
            self._note(entry)
            entry.ended += count
            entry.touch()

    # ---------------------------------------------------------------- time

    def tick(self, now: int, load_of: LoadOf, gone: frozenset[int] = frozenset()) -> None:
        """Let states and severities follow time and what waits.

        `load_of` says what waits at a destination; `gone` has those whose connector is there no more.
        """
        for entry in self._next():
            load = self._load(entry, load_of)
            why = _over(entry, load, now, gone=entry.fingerprint.destination_id in gone)
            if why:
                self._resolve(entry, now, why)
            else:
                before = entry.snapshot()
                if entry.weigh(load, now):
                    self._dirty.setdefault(_key(entry), before)

    def _next(self) -> list[Entry]:
        """Return open insights, some at a time where there are many; each has its turn."""
        turn = self._turn or list(self._open.values())
        self._turn = turn[SLICE:]
        return [entry for entry in turn[:SLICE] if entry.open]

    def _load(self, entry: Entry, load_of: LoadOf) -> Load:
        if entry.fingerprint.scope == Scope.GATEWAY:
            members = [self._by_text[text] for text in entry.kept.members if text in self._by_text]
            return Load(messages=sum(load_of(m.fingerprint.destination_id).messages for m in members))
        return load_of(entry.fingerprint.destination_id)

    # ---------------------------------------------------------------- what explains what

    def explain(self, fingerprint: str, parent: str) -> None:
        """Hang an insight under the one that explains it ("": it stands by itself)."""
        entry = self._by_text.get(fingerprint)
        if entry is not None and entry.kept.parent != parent:
            self._note(entry)
            entry.change(parent=parent)

    def group(
        self, fingerprint: str, members: tuple[str, ...], grouping: tuple[tuple[str, int], ...]
    ) -> None:
        """Keep what an insight of the gateway explains, and what was counted."""
        entry = self._by_text.get(fingerprint)
        if entry is not None and (entry.kept.members, entry.kept.grouping) != (members, grouping):
            self._note(entry)
            entry.change(members=members, grouping=grouping)

    # ---------------------------------------------------------------- people

    def acknowledge(self, fingerprint: str, who: str, now: int) -> Insight | None:
        """Note that somebody looks after it; "" takes that back."""
        at = now if who else 0
        return self._change(fingerprint, acknowledged_by=who, acknowledged_at=at)

    def write(self, fingerprint: str, note: str) -> Insight | None:
        """Keep a note about it."""
        return self._change(fingerprint, note=note)

    def resolve(self, fingerprint: str, now: int, why: str, who: str = "") -> Insight | None:
        """Call it over; the next failure of its kind opens it again."""
        entry = self._by_text.get(fingerprint)
        if entry is None:
            return None
        if entry.open:
            self._resolve(entry, now, why, who)
        return entry.snapshot()

    def _change(self, fingerprint: str, **fields: object) -> Insight | None:
        entry = self._by_text.get(fingerprint)
        if entry is None:
            return None
        self._note(entry)
        entry.change(**fields)
        return entry.snapshot()

    # ---------------------------------------------------------------- entries

    def restore(self, insight: Insight) -> None:
        """Take an insight in that was written down."""
        entry = Entry(insight)
        self._entries[_key(entry)] = self._by_text[insight.fingerprint.text] = entry
        if entry.open:
            self._opened(entry)

    def _new(self, trouble: Trouble, now: int) -> Entry | None:
        if len(self._entries) >= MAX_ENTRIES and not self._make_room():
            self.dropped += 1
            return None
        insight = Insight(
            id=self._new_id(),
            fingerprint=Fingerprint(*trouble.key),
            sub=trouble.sub,
            flow_code=trouble.error.flow_code,
            state=InsightState.NEW,
            severity=severity(
                trouble.scope,
                trouble.failure_class,
                trouble.sub,
                Load(messages=1, working=2),
                route=not trouble.stranger,
            ),
            first_seen=now,
            opened_at=now,
            last_seen=now,
            destination=trouble.destination,
            stranger=trouble.stranger,
        )
        self._dirty[trouble.key] = None
        self.restore(insight)
        return self._entries[trouble.key]

    def _note(self, entry: Entry) -> None:
        """Remember what an entry was before it changes, once for each round of news."""
        key = _key(entry)
        if key not in self._dirty:
            self._dirty[key] = entry.snapshot()

    def _resolve(self, entry: Entry, now: int, why: str, who: str = "") -> None:
        self._note(entry)
        entry.resolve(now, why, who)
        self._closed(entry)
        text, destination_id = entry.fingerprint.text, entry.fingerprint.destination_id
        near = self._at(destination_id, "") if destination_id else list(self._open.values())
        for other in [other for other in near if other.kept.parent == text]:
            self.explain(other.fingerprint.text, "")

    def _make_room(self) -> bool:
        over = [entry for entry in self._entries.values() if not entry.open]
        for entry in sorted(over, key=lambda e: e.last_seen)[: MAX_ENTRIES // 10]:
            self._forget(entry)
        return bool(over)

    def _forget(self, entry: Entry) -> None:
        self._entries.pop(_key(entry), None)
        self._by_text.pop(entry.fingerprint.text, None)

    def prune(self, before: int) -> None:
        """Forget what was over before a time."""
        for entry in list(self._entries.values()):
            if not entry.open and entry.last_seen < before:
                self._forget(entry)


def _key(entry: Entry) -> Key:
    f = entry.fingerprint
    return (f.scope, f.connector, f.destination_id, f.failure_class)


def _over(entry: Entry, load: Load, now: int, *, gone: bool) -> str:
    """Return why an insight is over, "" while it is not."""
    scope = entry.fingerprint.scope
    if scope == Scope.GATEWAY:
        return ""  # it dissolves (see `correlate`)
    if gone and not load.messages:
        return "gone"
    silent = now - entry.last_seen
    if scope == Scope.FOREIGN:
        return "quiet" if silent >= entry.quiet_ms else ""  # nobody tells of it any more
    if scope == Scope.HOSTS:
        return "quiet" if silent >= STALE_HOSTS_MS else ""
    if scope == Scope.MESSAGES:
        nothing_waits = entry.waits and not load.messages
        return "quiet" if silent >= (NOTHING_WAITS_MS if nothing_waits else entry.quiet_ms) else ""
    return "quiet" if not load.messages and silent >= entry.quiet_ms else ""
