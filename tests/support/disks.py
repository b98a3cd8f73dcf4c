"""File systems of a test's own, in a file or in memory: small, full, read-only, or with the power cut. Needs root.

with Disk(tmp_path, gateway.data_dir, "ext4", "64M") as disk:
    ...
    disk.cut_power()   # what was not synced is gone, as by FS_IOC_SHUTDOWN without a flush of the log
    ...
"""

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path
from typing import Self

_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN of ext4 (fs/ext4/ext4.h), XFS_IOC_GOINGDOWN of xfs: the same number
_WITHOUT_FLUSH = 2  # neither data nor log reach the disk any more

_MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}"


class Disk:
    """A file system of a kind (ext4, xfs or tmpfs) and size, mounted at a folder."""

    def __init__(self, place: Path, at: Path, kind: str, size: str, *, inodes: int = 0) -> None:
        self.at = at
        self.kind = kind
        self.size = size
        self.inodes = inodes
        self._image = place / f"{kind}.img"
        self._mounted = False

    def __enter__(self) -> Self:
        self.at.mkdir(parents=True, exist_ok=True)
        if self.kind != "tmpfs":
            _run("truncate", "-s", self.size, str(self._image))
            more = ("-N", str(self.inodes)) if self.inodes else ()
            _run(*_MAKE[self.kind], *more, str(self._image))
        self.mount()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.unmount()
        self._image.unlink(missing_ok=True)

    def mount(self) -> None:
        """Mount it; the log is replayed, as at a start after a crash."""
        if self.kind == "tmpfs":
            more = f",nr_inodes={self.inodes}" if self.inodes else ""
            _run("mount", "-t", "tmpfs", "-o", f"size={self.size}{more}", "gatepost-test", str(self.at))
        else:
            _run("mount", "-o", "loop", str(self._image), str(self.at))
        self._mounted = True

    def unmount(self) -> None:
        """Take it away, as soon as nobody is there any more."""
        for _ in range(100 if self._mounted else 0):
            if subprocess.run(["umount", str(self.at)], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        else:
            if self._mounted:
                _run("umount", "-l", str(self.at))
        self._mounted = False

    def turn_read_only(self) -> None:
        """Do what ext4 does where it finds itself damaged (errors=remount-ro): every write fails from now on."""
        _run("mount", "-o", "remount,abort", str(self.at))

    def fill(self) -> Path:
        """Take all room that is left; returns the file to remove."""
        path = self.at / "filler"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    os.write(descriptor, b"x" * size)
            except OSError:
                continue
        os.close(descriptor)
        return path

    def cut_power(self) -> None:
        """Let nothing reach the disk any more. Stop the processes before it, and kill them after it."""
        descriptor = os.open(self.at, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSH))
        finally:
            os.close(descriptor)

    def restart(self) -> None:
        """Mount again what was on the disk when the power went."""
        self.unmount()
        self.mount()
