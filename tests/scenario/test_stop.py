"""Stopping, restarting, and a second gateway that finds the place taken (fault matrix 11, 16)."""

from pathlib import Path

from tests.support.gateway import GatewayProcess
from tests.support.load import Load
from tests.support.peers import wait_until
from tests.support.smtp_server import FaultServer

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""


def test_a_stop_under_load_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    with FaultServer() as server:
        gateway = GatewayProcess(tmp_path).start()
        gateway.apply(OBJECTS.format(port=server.port))
        load = Load(gateway.smtp_port)
        try:
            for _ in range(3):
                reached = len(load.acknowledged) + 100
                wait_until(lambda reached=reached: len(load.acknowledged) >= reached, 30)  # type: ignore[misc]
                assert gateway.stop() == 0
                gateway.start()
            load.stop()
            gateway.drained()
            arrived = [r for message in server.messages for r in message.recipients]
            assert len(arrived) == len(set(arrived))
            assert set(load.acknowledged) <= set(arrived)
        finally:
            load.stop()
            gateway.stop()


def test_a_second_gateway_on_the_same_data_refuses_to_start(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "first") as first:
        second = GatewayProcess(tmp_path / "second", environment={"GATEPOST_DATA_DIR": str(first.data_dir)})
        second.start(wait=False)
        assert second.process is not None
        assert second.process.wait(20) == 2
        assert second.output.read_text().strip()
        first.apply("")
        assert first.queue() == []


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "first") as first:
        second = GatewayProcess(
            tmp_path / "second", environment={"GATEPOST_SMTP_LISTEN": f"127.0.0.1:{first.smtp_port}"}
        )
        second.start(wait=False)
        assert second.process is not None
        assert second.process.wait(20) == 2
        words = (
            f"cannot listen on 127.0.0.1:{first.smtp_port}: Address already in use. Another program listens"
        )
        assert second.output.read_text().startswith(f"The gateway cannot start: {words} there: stop it, or")
