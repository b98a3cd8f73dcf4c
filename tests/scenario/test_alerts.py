"""Administrators are told: once, soon, by a way that works, and once more when it is over (R18, B7)."""

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

OFFICE = """
[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"
recipients = ["admin@contoso.example"]

[[connector]]
name = "to-office"
to = "on-premises"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{port}"]

[[alert_policy]]
name = "mail-stuck"
least_severity = "high"
keep_firing = "1s"
"""
BY_MAIL = """
[[notification_channel]]
name = "admins"
to = ["admin@contoso.example"]
"""


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted; the first answer is 503."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        server.posts.append((dict(self.headers), body))
        self.send_response(503 if len(server.posts) == 1 else 200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def web_server() -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.posts = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def notices(gateway: GatewayProcess) -> list[str]:
    return [text for text in gateway.mailbox() if "Auto-Submitted: auto-generated" in text]


def test_from_the_first_failure_to_the_inbox_within_30_seconds_once_and_once_more_when_it_is_over(
    tmp_path: Path,
) -> None:
    """R18: for a hard failure, with many messages failing; R20: the notice names server and error."""
    port = free_port()
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(OFFICE.format(port=port) + BY_MAIL)
        for number in range(100):
            gateway.send("ann@sender.example", f"user{number}@contoso.example")
        (first,) = wait_until(lambda: notices(gateway), 30, 0.2, "the notice")
        for wanted in ("to-office", "4.4.316", f"127.0.0.1:{port}", "Connection refused"):
            assert wanted in first
        row = gateway.json("alert", "list")[0]
        assert (row["state"], row["policy"], row["connector"]) == ("firing", "mail-stuck", "to-office")
        with FaultServer(port=port):
            gateway.drained()
            wait_until(lambda: len(notices(gateway)) == 2, 30, 0.2, "the end")
        assert "over" in next(text for text in notices(gateway) if text != first)
        assert gateway.json("alert", "list") == []
        assert [n["kind"] for n in gateway.json("alert", "notices")] == ["resolved", "firing"]


def test_a_webhook_is_signed_and_tried_again_until_it_is_taken(tmp_path: Path) -> None:
    """R18."""
    with web_server() as hook, GatewayProcess(tmp_path, more="[alerts]\ninternal_webhooks = true") as gateway:
        url = f"http://127.0.0.1:{hook.server_address[1]}/hook"
        channel = (
            f'[[notification_channel]]\nname = "hook"\nkind = "webhook"\nurl = "{url}"\npassword = "s3cret"\n'
        )
        gateway.apply(OFFICE.format(port=free_port()) + channel)
        gateway.send("ann@sender.example", "bob@contoso.example")
        wait_until(lambda: len(hook.posts) == 2, 40, 0.2, "the second try")
        headers, body = hook.posts[1]
        stamped = f"{headers['Gatepost-Timestamp']}.".encode() + body
        expected = "sha256=" + hmac.new(b"s3cret", stamped, hashlib.sha256).hexdigest()
        assert headers["Gatepost-Signature"] == expected
        said = json.loads(body)
        assert (said["version"], said["kind"]) == (1, "firing")
        assert said["alerts"][0]["about"]["code"] == "4.4.316"
        assert said["alerts"][0]["about"]["fixes"]
        (notice,) = gateway.json("alert", "notices")
        assert [entry["ok"] for entry in notice["log"]] == [False, True]


def test_a_webhook_may_not_reach_internal_addresses_without_leave(tmp_path: Path) -> None:
    """Rule 24."""
    with web_server() as hook, GatewayProcess(tmp_path) as gateway:
        url = f"http://127.0.0.1:{hook.server_address[1]}/hook"
        gateway.apply(f'[[notification_channel]]\nname = "hook"\nkind = "webhook"\nurl = "{url}"\n')
        done = gateway.run("alert", "test", "hook")
        assert done.returncode == 1
        assert "internal" in done.stdout
        assert hook.posts == []


def test_the_notice_about_a_broken_route_does_not_leave_through_it(tmp_path: Path) -> None:
    """The administrator's own mail goes through the connector that is broken; a smart host takes the notice."""
    with FaultServer() as way_out:
        more = f'[alerts]\nsmart_host = "127.0.0.1:{way_out.port}"'
        with GatewayProcess(tmp_path, more=more) as gateway:
            objects = OFFICE.format(port=free_port()).replace(
                "admin@contoso.example", "other@contoso.example"
            )
            gateway.apply(objects + BY_MAIL)
            gateway.send("ann@sender.example", "bob@contoso.example")
            wait_until(lambda: way_out.messages, 30, 0.2, "the notice")
            (notice,) = gateway.json("alert", "notices")
            assert notice["log"][0]["way"] == "alerts.smart_host"


def test_what_is_silenced_or_acknowledged_tells_nobody(tmp_path: Path) -> None:
    """R18."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(OFFICE.format(port=free_port()) + BY_MAIL)
        made = gateway.json(
            "alert", "silence", "--connector", "to-office", "--until", "1h", "--reason", "work"
        )
        gateway.send("ann@sender.example", "bob@contoso.example")
        (row,) = wait_until(lambda: gateway.json("alert", "list"), what="the alert")
        assert row["silenced"]
        gateway.json("alert", "ack", row["id"])
        assert gateway.json("alert", "list")[0]["state"] == "acknowledged"
        gateway.json("alert", "unsilence", made["id"])
        assert gateway.json("alert", "silences") == []
        assert gateway.json("alert", "notices") == []
        assert gateway.run("alert", "silence", "--until", "yesterday", "--reason", "x").returncode == 2
