"""What the process forbids itself (rules 26 and 29), in processes of their own."""

import subprocess
import sys

import pytest
from tests.support.peers import ROOT

from gatepost.config.problems import BadSettings
from gatepost.config.settings import load


def run(code: str) -> str:
    """Return what a new Python prints after it ran some code of the gateway."""
    setup = "import ctypes, resource\nfrom gatepost.app.process import forbid_dumps, limit_memory\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    return done.stdout.strip()


def test_a_process_that_forbids_dumps_is_not_dumpable_and_leaves_no_core_file() -> None:
    """Rule 26: PR_GET_DUMPABLE (3) says 0, the limit of core files is 0 and cannot be raised."""
    code = "forbid_dumps()\nprint(ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE))"
    assert run(code) == "0 (0, 0)"


def test_a_process_gets_no_memory_beyond_its_limit() -> None:
    """Rule 29: an error that a program can handle, long before the machine is out of memory."""
    code = (
        "print(limit_memory(300 << 20))\n"
        "held = bytearray(50 << 20)\n"
        "try:\n    bytearray(400 << 20)\nexcept MemoryError:\n    print('refused')"
    )
    assert run(code) == "refused"


def test_no_limit_is_no_limit() -> None:
    assert run(
        "limit_memory(0)\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY)"
    )


def test_a_memory_limit_below_that_of_back_pressure_is_a_mistake() -> None:
    with pytest.raises(BadSettings, match=r"process\.memory"):
        load(None, {"GATEPOST_PROCESS_MEMORY": "500MB"})
