# ruff: noqa: E501 (a line of a log is one line)
"""The log of a foreign mail system is sent to a gateway: insights, alerts and pages serve it too (B8)."""

from pathlib import Path

from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until

from gatepost.cli.client import UnixConnection

DEFERRED = "2026-11-23T07:00:00.{n:03d}Z mx1 postfix/smtp[3]: 4F2B1C{n:04X}: to=<b@far.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx.far.example[192.0.2.9]:25: Connection refused)\n"
SENT = "2026-11-23T07:30:00.{n:03d}Z mx1 postfix/smtp[3]: 4F2B1C{n:04X}: to=<b@far.example>, relay=mx.far.example[192.0.2.9]:25, delay=1800, delays=0/0/30/0, dsn=2.0.0, status=sent (250 OK)\n"


def page(gateway: GatewayProcess, where: str) -> str:
    """Return a page as the administrator at the control socket sees it."""
    connection = UnixConnection(str(gateway.data_dir / "control.sock"))
    connection.request("GET", where, headers={"Accept": "text/html"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return text


def test_a_foreign_log_raises_alerts_survives_a_restart_and_ends(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text("".join(DEFERRED.format(n=n) for n in range(250)))
    send = ("explain", "--summary", "--send", "--system", "mx1", str(log))
    gateway = GatewayProcess(tmp_path / "gateway")
    with gateway:
        done = gateway.run(*send)
        assert (done.returncode, "mx1: 1 insights" in done.stderr) == (0, True), done.stderr
        (row,) = gateway.json("insight", "list")
        assert (row["foreign"], row["messages"], row["destination"]) == ("mx1", 250, "far.example")
        shown = gateway.run("insight", "show", row["number"])
        assert (shown.returncode, "foreign system mx1" in shown.stdout) == (0, True), shown.stderr
        text = page(gateway, f"/insights/{row['number']}")
        assert "a foreign mail system, by its log" in text
        assert 'href="/connectors/foreign' not in text
        (alert,) = wait_until(
            lambda: gateway.json("alert", "list"), 20, 0.3, "an alert of the foreign system"
        )
        assert (alert["policy"], alert["connector"], alert["severity"]) == (
            "mail-stuck",
            "foreign:mx1",
            "high",
        )
    with gateway:
        (again,) = gateway.json("insight", "list")
        assert (again["id"], again["messages"]) == (row["id"], 250)
        log.write_text(log.read_text() + "".join(SENT.format(n=n) for n in range(250)))
        assert gateway.run(*send).returncode == 0
        assert gateway.json("insight", "list") == []
        (over,) = gateway.json("insight", "list", "--state", "all")
        assert (over["state"], over["resolved_why"]) == ("resolved", "recovered")
