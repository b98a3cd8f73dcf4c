"""What the process forbids itself before it serves: dumps of its memory, and memory without end.

Rule: what this process holds (mail, passwords, keys) leaves it by no core file and no debugger of the same user.
"""

import ctypes
import resource

PR_SET_DUMPABLE = 4


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
