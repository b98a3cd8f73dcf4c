"""Schemathesis against the OpenAPI document of a running gateway: every call, with what fits and with what does not."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.office import OFFICE
from tests.support.peers import ROOT, free_port

OWN_TOKEN = (
    "GATEPOST_TEST_TOKEN_NAME"  # as in tests.support.schemathesis_hooks, which only Schemathesis can import
)
# What fits the document may still name what does not exist, or a time that is none: a problem says so. That much of
# what is made up is refused is a warning: it says nothing of the gateway, and depends on what the run has deleted.
CONFIG = """
warnings = false

[phases.coverage]
unexpected-methods = ["PUT", "OPTIONS"]

[parameters]
message_id = "{message}"
insight = "{insight}"
destination = "127.0.0.1:{closed}"
"path.action" = "disable_connector"
target = "to-office"
address = "ann@contoso.example"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("openapi")
    with GatewayProcess(
        folder, delivery='retry = ["1h"]\nconnect_timeout = "1s"', dns_timeout="200ms"
    ) as process:
        process.apply(OFFICE.format(closed=free_port()))
        process.send("ann@contoso.example", "bob@contoso.example")
        process.error("to-office")
        yield process


def schemathesis(gateway: GatewayProcess, folder: Path, *more: str, timeout: int = 300) -> None:
    """Run it as people do; it exits 0 only where it found nothing."""
    known = {
        "message": gateway.json("message", "list")["messages"][0]["id"],
        "insight": gateway.json("insight", "list")[0]["number"],
        "closed": gateway.queue()[0]["destination"].rpartition(":")[2],
    }
    token = json.loads(gateway.run("token", "create", folder.name, "--scope", "admin", "--json").stdout)[
        "token"
    ]
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.format(**known))
    base = f"http://127.0.0.1:{gateway.admin_port}"
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config),
        "run", f"{base}/api/v1/openapi.json", "--header", f"Authorization: Bearer {token}", "--seed", "20261127",
        "--exclude-path", "/api/v1/events",  # it does not end
        "--no-color", *more,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
        OWN_TOKEN: folder.name,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
    }
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout, done.stdout[-2000:]


def test_schemathesis_finds_nothing(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Every answer and every no is one that the document names, in the form that it says.

    Calls alone, and calls that follow from one another. The phase that tries every limit of every parameter takes
    longer, and so is with the slow ones.
    """
    few = ("--phases", "fuzzing,stateful", "--max-examples", "2", "--max-time", "25")
    schemathesis(gateway, tmp_path, *few)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_schemathesis_finds_nothing_for_a_long_time(gateway: GatewayProcess, tmp_path: Path) -> None:
    """All phases for twenty minutes, every limit of every parameter among them."""
    schemathesis(gateway, tmp_path, "--max-examples", "300", "--max-time", "1200", timeout=2200)
