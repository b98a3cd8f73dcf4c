"""Fix now on a long queue: preview, first report and mailboxes in time, and back again (R14, R16, R17)."""

import json
import smtplib
import time
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until

MESSAGES = 10_000
KNOWN = 1000


def fill(gateway: GatewayProcess, number: int, known: int) -> None:
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=60) as client:
        client.ehlo("client.test")
        for n in range(number):
            client.mail("<ann@sender.example>")
            name = f"k{n}" if n < known else f"x{n}"
            client.rcpt(f"<{name}@contoso.example>")
            code, text = client.data("Subject: x\r\n\r\nHello.\r\n")
            assert code == 250, text


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_messages_nine_tenths_of_them_to_unknown_recipients(tmp_path: Path) -> None:
    """R14, R17: preview under a second, the first report within a second, all within a minute, undo."""
    # the mailboxes become known together with the switch, as after a move
    people = "recipients=" + ",".join(f"k{n}@contoso.example" for n in range(KNOWN))
    with GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        objects = f"""
[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"
recipients = []

[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{free_port()}"]

[[connector]]
name = "back"
domains = ["sender.example"]
smart_hosts = ["127.0.0.1:{free_port()}"]
"""
        gateway.apply(objects)
        fill(gateway, MESSAGES, KNOWN)
        wait_until(
            lambda: (gateway.row("to-office") or {}).get("messages") == MESSAGES, 120, what="the queue"
        )
        exported = gateway.run("export").stdout
        started = time.monotonic()
        preview = json.loads(
            gateway.run("fix", "apply", "to-office", "fix_now", "--set", people, "--dry-run", "--json").stdout
        )["preview"]
        preview_took = time.monotonic() - started
        effect = preview["effect"]
        assert (effect["returned"], effect["delivered"]) == (MESSAGES - KNOWN, KNOWN)
        started = time.monotonic()
        done = gateway.run(
            "fix", "apply", "to-office", "fix_now", "--set", people, "--reason", "moved", "--json"
        )
        assert done.returncode == 0, done.stderr
        applied_took = time.monotonic() - started
        change = json.loads(done.stdout)["fix"]["id"]
        wait_until(lambda: gateway.row("back"), 10, 0.05, "the first report")
        first_took = time.monotonic() - started
        wait_until(
            lambda: (
                gateway.row("to-office") is None
                and (gateway.row("back") or {}).get("messages") == MESSAGES - KNOWN
            ),
            120, 0.2, "all reports",
        )  # fmt: skip
        all_took = time.monotonic() - started
        assert len(gateway.mailbox()) == KNOWN
        assert preview_took < 5
        assert all_took < 60
        print(
            f"preview {preview_took:.2f} apply {applied_took:.2f} first {first_took:.2f} all {all_took:.2f}"
        )
        assert gateway.json("queue", "audit")["balanced"]
        gateway.json("fix", "undo", change)
        assert gateway.run("export").stdout == exported
