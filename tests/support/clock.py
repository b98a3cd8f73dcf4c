"""A wall clock that a test sets while the gateway runs (libfaketime); the monotonic clocks stay as they are."""

from pathlib import Path

LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")


def library() -> Path:
    """Return the library for programs with threads; it takes Debian's package faketime."""
    for folder in LIBRARIES:
        path = Path(folder) / "faketime" / "libfaketimeMT.so.1"
        if path.exists():
            return path
    raise AssertionError("no libfaketime to set the clock with: install faketime")


class WallClock:
    """`gateway.start(wrapper=clock.wrapper)`, then `clock.set("-3h")`; "+0" is the truth again."""

    def __init__(self, place: Path) -> None:
        self._file = place / "clock"
        self.set("+0")
        variables = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": self._file,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
            "FAKETIME_NO_CACHE": 1,
            "NO_FAKE_STAT": 1,
        }
        self.wrapper = ("env", *(f"{name}={value}" for name, value in variables.items()))

    def set(self, offset: str) -> None:
        """Set the clock: so far from the truth, as libfaketime writes it (+24h, -3h, +10y)."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(offset + "\n")
        fresh.replace(self._file)
