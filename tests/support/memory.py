"""What a process uses: memory, time of the CPU, descriptors; read from /proc."""

import os
from pathlib import Path


def resident(pid: int) -> int:
    """Return its resident memory in octets."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def cpu_seconds(pid: int) -> float:
    """Return how long it has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """Return how many file descriptors it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def peak(pid: int) -> int:
    """Return the most memory that it ever had resident, in octets."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
