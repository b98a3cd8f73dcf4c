"""Back-pressure: when to answer `452 4.3.1`, with hysteresis, and why.

Rule 1: a resource that crossed its limit refuses mail until it is back by a margin (disk 40 %, others 10 %).
Rule 2: only acceptance stops; delivery and administration go on, and make room.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """What must be free, and how much may be held."""

    min_free_bytes: int
    min_free_share: float  # of the file system, 0.05 = 5 %
    max_messages: int  # 0: no limit
    max_memory: int  # bytes of RSS, 0: no limit


@dataclass(slots=True)
class Pressure:
    """The state of back-pressure; `reason` is "" where mail is accepted."""

    path: str
    limits: Limits
    queued: Callable[[], int]
    reasons: dict[str, str] = field(default_factory=dict)
    clock_gap_ms: int = 0

    @property
    def reason(self) -> str | None:
        """Return why mail is refused now, None where it is not."""
        return next(iter(self.reasons.values()), None) if self.reasons else None

    def note_clock(self, gap_ms: int) -> None:
        """Note how far the wall clock is from where it should be."""
        self.clock_gap_ms = gap_ms

    def broken(self, why: str) -> list[tuple[str, str]]:
        """Note why the store cannot be written, "" where it can: nothing is accepted then; returns what changed."""
        changes: list[tuple[str, str]] = []
        self._set(changes, "store", bool(why), why)
        return changes

    def measure(self) -> list[tuple[str, str]]:
        """Look at disk, inodes, queue and memory; returns what changed as (resource, reason or "")."""
        changes: list[tuple[str, str]] = []
        self._measure_disk(changes)
        self._measure_queue(changes)
        self._measure_memory(changes)
        return changes

    def _measure_disk(self, changes: list[tuple[str, str]]) -> None:
        try:
            disk = os.statvfs(self.path)
        except OSError as problem:
            self._set(changes, "disk", True, f"the disk does not answer: {problem.strerror}")  # noqa: FBT003
            return
        free = disk.f_bavail * disk.f_frsize
        total = max(1, disk.f_blocks * disk.f_frsize)
        margin = 1.0 if "disk" not in self.reasons else 1.4
        low = free < self.limits.min_free_bytes * margin or free / total < self.limits.min_free_share * margin
        self._set(changes, "disk", low, f"disk is low: {free >> 20} MiB free ({100 * free // total} %)")
        inodes_low = disk.f_files > 0 and disk.f_favail / disk.f_files < self.limits.min_free_share * (
            1.0 if "inodes" not in self.reasons else 1.4
        )
        self._set(changes, "inodes", inodes_low, "inodes are low on the disk")

    def _measure_queue(self, changes: list[tuple[str, str]]) -> None:
        limit = self.limits.max_messages
        if limit:
            count = self.queued()
            threshold = limit * (0.9 if "queue" in self.reasons else 1.0)
            self._set(changes, "queue", count >= threshold, f"queue is deep: {count} messages")

    def _measure_memory(self, changes: list[tuple[str, str]]) -> None:
        limit = self.limits.max_memory
        if limit:
            rss = resident_bytes()
            threshold = limit * (0.9 if "memory" in self.reasons else 1.0)
            self._set(changes, "memory", rss >= threshold, f"memory is short: {rss >> 20} MiB in use")

    def _set(self, changes: list[tuple[str, str]], name: str, bad: bool, why: str) -> None:
        if bad and name not in self.reasons:
            self.reasons[name] = why
            changes.append((name, why))
        elif not bad and name in self.reasons:
            del self.reasons[name]
            changes.append((name, ""))


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    with open("/proc/self/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
