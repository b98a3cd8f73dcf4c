"""A disk that fails on demand under a whole gateway: a small library of C, preloaded, and steered while it runs.

    shim = Shim(tmp_path, gateway.data_dir)
    gateway.start(wrapper=shim.wrapper)
    shim.fail_writes(errno.ENOSPC)     # from now on; shim.heal() ends it
    shim.kill_at(shim.calls + 5)       # SIGKILL in the fifth call from now, a write half done

SQLite inside apsw is linked statically, but its system calls go through the C library, so they are caught too.
"""

import mmap
import shutil
import struct
import subprocess
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
FIELDS = (
    "calls",
    "kill_at",
    "sync_errno",
    "sync_failures",
    "write_errno",
    "write_failures",
    "sync_delay",
    "sync_lies",
    "syncs",
    "syncs_failed",
    "failed_inode",
    "syncs_again",
    "writes_failed",
)


@cache
def library() -> Path:
    """Compile the library, once a test run; it takes gcc."""
    compiler = shutil.which("gcc")
    assert compiler is not None, "no C compiler to build the failing disk with: install gcc and libc6-dev"
    target = Path("/tmp") / f"gatepost-shim-{SOURCE.stat().st_mtime_ns}.so"
    if not target.exists():
        made = target.with_suffix(f".{id(target)}")
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"], check=True
        )
        made.replace(target)
    return target


class Shim:
    """The faults of the files below one folder."""

    def __init__(self, place: Path, folder: Path) -> None:
        self._file = place / "shim.control"
        self._file.write_bytes(bytes(8 * len(FIELDS)))
        with self._file.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * len(FIELDS))
        variables = (f"LD_PRELOAD={library()}", f"SHIM_CONTROL={self._file}", f"SHIM_FOLDER={folder}")
        self.wrapper = ("env", *variables)

    def get(self, field: str) -> int:
        """Return a number of the control block."""
        return int(struct.unpack_from("<q", self._map, 8 * FIELDS.index(field))[0])

    def set(self, **values: int) -> None:
        """Set numbers of the control block."""
        for field, value in values.items():
            struct.pack_into("<q", self._map, 8 * FIELDS.index(field), value)

    @property
    def calls(self) -> int:
        """Return how many writes, syncs, renames, links and unlinks there were."""
        return self.get("calls")

    def kill_at(self, call: int) -> None:
        """Kill the process in that call (0: never)."""
        self.set(kill_at=call)

    def fail_writes(self, number: int, times: int = -1) -> None:
        """Let writes fail with an error number of the system."""
        self.set(write_errno=number, write_failures=times)

    def fail_syncs(self, number: int, times: int = -1) -> None:
        """Let syncs fail with an error number of the system."""
        self.set(sync_errno=number, sync_failures=times)

    def slow_syncs(self, seconds: float) -> None:
        """Let every sync take so much longer."""
        self.set(sync_delay=int(seconds * 1_000_000))

    def lie(self) -> None:
        """Report every sync as done and do nothing: what a disk without honour does."""
        self.set(sync_lies=1)

    def heal(self) -> None:
        """Let everything succeed again."""
        self.set(kill_at=0, sync_errno=0, write_errno=0, sync_delay=0, sync_lies=0)
