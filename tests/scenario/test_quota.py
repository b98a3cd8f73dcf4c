"""The quota for recipients that do not exist, in front of the whole gateway: who pays, and who does not (R16)."""

import smtplib
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until
from tests.support.smtp_server import FaultServer

QUOTA = '[quota]\nwarn = 3\nlimit = 6\nharvest = {harvest}\n[alerts]\ngroup_wait = "1s"'
OURS = """
[[accepted_domain]]
name = "contoso.example"
type = "authoritative"
recipients = ["ann@contoso.example"]
"""
PARTNER = """
[[connector]]
name = "to-partner"
to = "partner"
domains = ["fabrikam.example"]
smart_hosts = ["127.0.0.1:{port}"]
"""


def offer(
    gateway: GatewayProcess, recipient: str, sender: str = "eve@elsewhere.example", client: str = "127.0.0.1"
) -> tuple[int, str]:
    """Name a sender and a recipient; return the answer that counts."""
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=30, source_address=(client, 0)) as smtp:
        smtp.ehlo()
        code, text = smtp.mail(sender)
        if code == 250:
            code, text = smtp.rcpt(recipient)
        return code, text.decode()


def rows(gateway: GatewayProcess, dimension: str) -> dict[str, dict[str, Any]]:
    found = gateway.json("report", "quota", "--dimension", dimension)
    return {row["name"]: row for row in found["rows"]}


def test_whoever_names_too_many_waits_and_nobody_else_does(tmp_path: Path) -> None:
    """R16: warned, limited with an answer that says why, visible everywhere, normal mail of others untouched."""
    with GatewayProcess(tmp_path, more=QUOTA.format(harvest=0)) as gateway:
        gateway.apply(OURS, source="")
        assert offer(gateway, "ann@contoso.example")[0] == 250
        for _ in range(6):
            assert offer(gateway, "nobody@contoso.example")[0] == 550
        code, text = offer(gateway, "ann@contoso.example")
        assert code == 450
        assert "4.7.1 Too many recipients that do not exist (6, the limit is 6)" in text
        assert offer(gateway, "ann@contoso.example", client="127.0.0.2")[0] == 250
        row = rows(gateway, "client")["127.0.0.1"]
        assert (row["level"], row["refused"], row["total"], row["limited_at"]) == ("limited", 6, 6, 6)
        assert rows(gateway, "domain")["contoso.example"]["level"] == "fine"
        assert "127.0.0.1" in gateway.run("report", "quota", "--csv").stdout
        assert "已限制" in gateway.run("report", "quota", "--lang", "zh-CN").stdout
        (insight,) = wait_until(lambda: gateway.json("insight", "list"), what="the insight")
        assert (insight["class"], insight["scope"]) == ("recipient_unknown", "messages")
        assert "127.0.0.1" in insight["sentence"]
        (alert,) = wait_until(lambda: gateway.json("alert", "list"), what="the alert")
        assert (alert["policy"], alert["severity"]) == ("foresight", "high")
        assert "The client 127.0.0.1 named 6 recipients" in alert["sentence"]
        (forecast,) = gateway.json("insight", "foresight")
        assert (forecast["forecast"], forecast["severity"]) == ("invalid_recipients", "high")
        assert "450" in " ".join(forecast["evidence"])
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin_port}/metrics") as answer:
            metrics = answer.read().decode()
        assert 'gatepost_invalid_recipients_total{connector="",how="refused"} 6.0' in metrics
        assert 'gatepost_quota{dimension="client",level="limited"} 1.0' in metrics
        assert "127.0.0.1" not in metrics
        gateway.stop()
        gateway.start()
        assert offer(gateway, "ann@contoso.example")[0] == 450  # a restart forgives nobody


def test_who_tries_which_addresses_exist_is_stopped(tmp_path: Path) -> None:
    """R16: directory harvest."""
    with GatewayProcess(tmp_path, more=QUOTA.format(harvest=4)) as gateway:
        gateway.apply(OURS, source="")
        for number in range(4):
            assert offer(gateway, f"guess{number}@contoso.example")[0] == 550
        code, text = offer(gateway, "ann@contoso.example")
        assert (code, "addresses that do not exist were tried" in text) == (450, True)
        assert rows(gateway, "client")["127.0.0.1"]["harvest"] is True
        kinds = wait_until(
            lambda: [f["forecast"] for f in gateway.json("insight", "foresight")], what="foresight"
        )
        assert kinds == ["address_harvest"]


def test_what_destinations_reject_counts_for_the_sender_of_a_source(tmp_path: Path) -> None:
    """R16: by domain, source and connector; another sender of the same source goes on."""
    with (
        FaultServer(rcpt="550 5.1.1 no such user") as server,
        GatewayProcess(tmp_path, more=QUOTA.format(harvest=0)) as gateway,
    ):
        gateway.apply(PARTNER.format(port=server.port))
        for number in range(6):
            gateway.send("eve@sender.example", f"u{number}@fabrikam.example")

        def counted() -> bool:
            row = rows(gateway, "sender").get("loopback: <eve@sender.example>")
            return bool(row and row["level"] == "limited" and row["rejected"] == row["reports"] == 6)

        wait_until(counted, 30, 0.3, "the count")
        for dimension, name in (
            ("source", "loopback"),
            ("connector", "to-partner"),
            ("domain", "fabrikam.example"),
        ):
            assert rows(gateway, dimension)[name]["total"] == 6
        assert offer(gateway, "ann@fabrikam.example", "eve@sender.example")[0] == 450
        assert offer(gateway, "ann@fabrikam.example", "bob@sender.example")[0] == 250
