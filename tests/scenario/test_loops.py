"""The event loop is a setting; mail goes the same way on each."""

from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.smtp_server import FaultServer


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_mail_goes_on_each_loop(tmp_path: Path, loop: str) -> None:
    with FaultServer() as server:
        gateway = GatewayProcess(tmp_path, more=f'[process]\nloop = "{loop}"')
        with gateway:
            gateway.apply(
                f'[[connector]]\nname = "c"\ndomains = ["a.test"]\nsmart_hosts = ["127.0.0.1:{server.port}"]'
            )
            for size in (1, 10_000, 200_000):  # a line, one write, a spool file sent in blocks
                gateway.send("ann@client.test", "bob@a.test", body="A line of text.\r\n" * (size // 17 + 1))
            gateway.drained()
            assert len(server.messages) == 3
        assert gateway.process is not None
        assert gateway.process.returncode == 0


def test_a_loop_that_is_not_installed_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise ModuleNotFoundError(name='uvloop')\n")
    gateway = GatewayProcess(tmp_path / "gw", more='[process]\nloop = "uvloop"')
    gateway.environment["PYTHONPATH"] = f"{tmp_path}:{gateway.environment['PYTHONPATH']}"
    gateway.start(wait=False)
    assert gateway.process is not None
    assert gateway.process.wait(60) == 2
    assert gateway.output.read_text() == (
        "process.loop is uvloop, which is not installed: pip install 'gatepost[fast]', or set it to auto.\n"
    )
