"""The demo keeps its promise: every code is seen, and healthy mail arrives."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.support.gateway import GATEPOST
from tests.support.peers import ROOT

PROMISED = ("4.4.312", "4.4.315", "4.4.316", "4.4.317", "4.4.318", "4.7.320")


def demo(folder: Path, seconds: int, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the demo for some seconds."""
    environment = {**os.environ, "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(folder)}
    return subprocess.run(  # noqa: PLW1510 - its exit code is the test's to judge
        [*GATEPOST, "demo", "--for", str(seconds), *more],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=300,
    )


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a short name: the path of a Unix socket has to fit into 107 octets."""
    return tmp_path_factory.mktemp("d")


def test_the_demo_shows_every_promised_code_and_tidies_up(folder: Path) -> None:
    done = demo(folder, 25)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(code in done.stdout for code in PROMISED)
    assert "http://127.0.0.1:" in done.stdout
    assert list(folder.iterdir()) == []


def test_a_demo_that_is_too_short_to_see_every_code_says_which_are_missing(folder: Path) -> None:
    """A connection needs seconds to time out, so one second cannot show all."""
    done = demo(folder, 1)
    assert done.returncode == 1
    assert "Not seen:" in done.stdout
    assert "4.4.315" in done.stdout.partition("Not seen:")[2]


def test_the_demo_speaks_chinese_too(folder: Path) -> None:
    """B10."""
    done = demo(folder, 1, "--lang", "zh-CN")
    assert "Gatepost 演示" in done.stdout, done.stdout + done.stderr
    assert "未看到：" in done.stdout
    assert "Not seen" not in done.stdout
