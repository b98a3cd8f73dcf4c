"""`gatepost check`: what a delivery would meet, stage by stage, for connectors and bare hosts (B9)."""

import http.client
import json
from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.dns_server import DnsServer
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


def ask(gateway, token, body, where="check", accept="application/json"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": accept}
        connection.request("POST", f"/api/v1/{where}", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_people_see_each_stage_in_a_line_and_one_sentence_in_their_language(tmp_path: Path) -> None:
    """B9, B10: "192.0.2.7:25 answers, but its certificate expired 3 days ago"."""
    now, day = certificates.now(), certificates.DAY
    issued = certificates.Authority().issue("mail.test", not_before=now - 50 * day, not_after=now - 3.5 * day)
    with (
        FaultServer(certificate=issued.write(tmp_path)) as server,
        GatewayProcess(tmp_path / "gw") as gateway,
    ):
        where = f"127.0.0.1:{server.port}"
        demanded = ("check", "--smart-host", where, "--tls", "certificate-validation")
        done = gateway.run(*demanded)
        assert done.returncode == 1
        assert f"{where} answers, but its certificate expired 3 days ago." in done.stdout
        assert f"x certificate  {where}" in done.stdout
        assert "4.7.320" in done.stdout
        chinese = gateway.run(*demanded, "--lang", "zh-CN")
        assert f"{where} 有响应，但其证书已过期（3 天前）。" in chinese.stdout
        with_remark = gateway.run("check", "--smart-host", where)
        assert with_remark.returncode == 0
        assert "certificate-validation: CertificateExpired" in with_remark.stdout


def test_a_bare_host_is_checked_without_a_gateway_too(tmp_path: Path) -> None:
    """B9: with the DNS of the settings."""
    with DnsServer({"mail.contoso.example": {"A": ["127.0.0.1"]}}) as dns, FaultServer() as server:
        gateway = GatewayProcess(tmp_path, dns=dns.address)
        found = gateway.json(
            "check", "--smart-host", f"mail.contoso.example:{server.port}", "--rcpt", "a@b.example"
        )
        assert found["ok"], found
        assert found["stages"][0]["evidence"]["addresses"] == ["127.0.0.1"]
        assert (found["stages"][-1]["stage"], found["stages"][-1]["verdict"]) == ("rcpt", "pass")
        gone = gateway.json("check", "--smart-host", "gone.contoso.example")
        assert (gone["ok"], gone["last_error"]["code"]) == (False, "4.4.312")
        assert gone["sentence"] == "gone.contoso.example does not exist in the DNS."
        assert gateway.run("check", "to-office").returncode == 3
        assert gateway.run("check", "--smart-host", "not a host").returncode == 2


def test_the_way_of_an_address_is_checked_where_its_mail_would_go(tmp_path: Path) -> None:
    """B9: the route is asked, then the destination of that address."""
    objects = """
[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{port}"]
"""
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(objects.format(port=server.port))
        found = gateway.json("check", "--rcpt", "ann@contoso.example")
        assert (found["connector"], found["ok"]) == ("to-office", True)
        assert found["stages"][-1]["evidence"]["reply"] == "250 2.1.5 recipient fine"


def test_a_check_by_an_operator_reaches_no_internal_address_that_the_settings_do_not_name(
    tmp_path: Path,
) -> None:
    """Rule 24: neither by address nor by a name that leads there; administrators and named networks may."""
    zones = {"inside.test": {"A": ["127.0.0.1"]}, "mx.test": {"MX": ["10 inside.test"]}}
    with (
        DnsServer(zones) as dns,
        FaultServer() as server,
        GatewayProcess(tmp_path, dns=dns.address) as gateway,
    ):
        operator = gateway.json("token", "create", "op", "--scope", "operate")["token"]
        for body in (
            {"smart_host": f"127.0.0.1:{server.port}"},
            {"smart_host": f"inside.test:{server.port}"},
            {"smart_host": f"[::ffff:127.0.0.1]:{server.port}"},
            {"draft": {"use_mx": True, "port": server.port, "domains": ["mx.test"]}},
            {"smart_host": "169.254.169.254:80"},
            {"recipient": "ann@mx.test"},
        ):
            status, answer = ask(gateway, operator, body)
            assert status == 403, (body, answer)
            assert ask(gateway, operator, body, "check/stream")[0] == 403
        assert server.connections == []
        admin = gateway.json("token", "create", "ad", "--scope", "admin")["token"]
        status, answer = ask(gateway, admin, {"smart_host": f"inside.test:{server.port}"})
        assert (status, json.loads(answer)["ok"]) == (200, True)


def test_a_network_of_the_settings_may_be_checked_by_operators_and_the_stages_are_streamed(
    tmp_path: Path,
) -> None:
    """Rule 24, B9: one JSON object a line, or server-sent events."""
    with FaultServer() as server:
        listed = {"GATEPOST_ADMIN_PROBE_NETWORKS": "127.0.0.0/8"}
        with GatewayProcess(tmp_path, environment=listed) as gateway:
            operator = gateway.json("token", "create", "op", "--scope", "operate")["token"]
            body = {"smart_host": f"127.0.0.1:{server.port}"}
            status, text = ask(gateway, operator, body, "check/stream")
            steps = [json.loads(line) for line in text.splitlines() if line]
            assert status == 200
            assert [step["stage"]["stage"] for step in steps[:-1]][:4] == [
                "resolve",
                "connect",
                "banner",
                "ehlo",
            ]
            assert steps[-1]["result"]["ok"] is True
            _, events = ask(gateway, operator, body, "check/stream", "text/event-stream")
            assert events.startswith("event: stage\ndata: {")
            assert "event: result\ndata: {" in events
            own = {"smart_host": f"127.0.0.1:{gateway.admin_port}"}
            assert ask(gateway, operator, own)[0] == 403
