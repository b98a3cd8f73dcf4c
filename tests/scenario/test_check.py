"""`gatepost check`: what a delivery would meet, stage by stage, for connectors and bare hosts (B9)."""

from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port
from tests.support.smtp_server import CLOSE, FaultServer


def stages(found):
    return {(s["stage"], s["verdict"]) for s in found["stages"]}


@pytest.mark.parametrize(
    ("script", "failed", "code"),
    [
        ({"banner": "554 no service"}, "banner", "4.4.317"),
        ({"ehlo": CLOSE}, "ehlo", "4.4.318"),
        ({"mail": "450 4.7.1 slow down"}, "mail", "4.7.1"),
        ({"rcpt": "550 5.1.1 nobody here"}, "rcpt", "5.1.1"),
    ],
)
def test_each_stage_that_fails_is_named_with_its_evidence(tmp_path: Path, script, failed, code) -> None:
    """B9, R6 to R12."""
    with FaultServer(**script) as server, GatewayProcess(tmp_path) as gateway:
        found = gateway.json("check", "--smart-host", f"127.0.0.1:{server.port}", "--rcpt", "a@b.example")
        assert (failed, "fail") in stages(found)
        assert found["ok"] is False
        assert found["last_error"]["code"] == code
        assert found["stages"][-1]["stage"] == failed
        assert server.messages == []


def test_a_saved_connector_is_checked_at_every_address_and_the_result_is_kept(tmp_path: Path) -> None:
    """B9, B2."""
    objects = """
[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{good}", "127.0.0.1:{closed}"]
"""
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(objects.format(good=server.port, closed=free_port()))
        done = gateway.run("check", "to-office", "--rcpt", "ann@contoso.example")
        assert done.returncode == 0, done.stdout
        assert "1 of 2" in done.stdout
        found = gateway.json("check", "to-office")
        assert (found["verdict"], found["hosts"], found["working"]) == ("warning", 2, 1)
        assert found["last_error"]["code"] == "4.4.316"
        assert gateway.run("check", "nowhere").returncode == 1
        assert gateway.run("check").returncode == 2


def test_a_certificate_is_judged_by_the_mode_and_shown(tmp_path: Path) -> None:
    """R11: in a mode that takes any certificate it is a remark, else the failure."""
    chain = certificates.expired(certificates.Authority()).write(tmp_path)
    with FaultServer(certificate=chain) as server, GatewayProcess(tmp_path / "gw") as gateway:
        where = ("--smart-host", f"127.0.0.1:{server.port}")
        found = gateway.json("check", *where, "--tls", "encryption-only")
        assert ("certificate", "warning") in stages(found)
        assert found["ok"]
        strict = gateway.json("check", *where, "--tls", "certificate-validation")
        assert ("certificate", "fail") in stages(strict)
        assert strict["last_error"]["code"] == "4.7.320"
