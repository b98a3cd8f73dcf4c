"""What the process forbids itself before it serves: dumps of its memory, memory without end, the rights of root.

Rule: what this process holds (mail, passwords, keys) leaves it by no core file and no debugger of the same user.
Rule: with a `user`, root does nothing but bind ports; every file is made and opened by that user.
"""

import contextlib
import ctypes
import os
import pwd
import resource
from collections.abc import Iterator
from pathlib import Path

PR_SET_DUMPABLE = 4
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_MEMORY = 16 << 20
OWN_MAPPING = 2 << 20


def forbid_dumps() -> None:
    """Leave no core file, and let no other process of the user look into this one (Linux)."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if hard else hard))
    # a core pattern that is a pipe ignores the limit; this it does not
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit_memory(octets: int) -> str:
    """Bound the private memory of this process (0: no bound); return why that was not possible, "" where it was."""
    if not octets:
        return ""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = octets if hard == resource.RLIM_INFINITY else min(octets, hard)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))
    except (OSError, ValueError) as problem:
        return str(problem)
    return ""


def act_as(user: str, data_dir: Path) -> None:
    """Be the unprivileged user from now on, where there is one, but able to bind ports as root."""
    if not user or os.getuid() != 0:
        return
    entry = pwd.getpwnam(user)
    os.chown(data_dir, entry.pw_uid, entry.pw_gid)
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)


@contextlib.contextmanager
def as_root(user: str) -> Iterator[None]:
    """Be root again for as long as it takes to bind ports."""
    if not user or os.getuid() != 0:
        yield
        return
    acting, group = os.geteuid(), os.getegid()
    os.seteuid(0)
    os.setegid(0)
    try:
        yield
    finally:
        os.setegid(group)
        os.seteuid(acting)


def drop_privileges(user: str) -> None:
    """Be the unprivileged user for good, once everything is bound."""
    if not user or os.getuid() != 0:
        return
    entry = pwd.getpwnam(user)
    os.seteuid(0)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    forbid_dumps()  # another user, another setting


def keep_memory() -> None:
    """Keep a little freed memory (glibc): else the kernel clears it anew for each block of a large message."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_MEMORY)
        mallopt(M_MMAP_THRESHOLD, OWN_MAPPING)
