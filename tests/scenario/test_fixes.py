"""Fixes in the whole gateway: previewed, applied, verified, undone (B4, B5, R14, R17)."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

DOMAIN = """
[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"
recipients = [{known}]

[[connector]]
name = "to-office"
to = "on-premises"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{port}"]
"""


def fix(gateway: GatewayProcess, *words: str) -> dict[str, Any]:
    done = gateway.run("fix", "apply", *words, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def fates(gateway: GatewayProcess) -> dict[str, int]:
    found: dict[str, int] = {}
    for message in gateway.trace("--limit", "1000"):
        if message["sender"]:
            for recipient in message["recipients"]:
                found[recipient["state"]] = found.get(recipient["state"], 0) + 1
    return found


def test_fix_now_does_exactly_what_its_preview_said_and_undo_brings_the_objects_back(tmp_path: Path) -> None:
    """R14, R17, B4."""
    chance = random.Random(7)
    known = [f"k{n}@contoso.example" for n in range(5)]
    with GatewayProcess(tmp_path, delivery='retry = ["1h"]\nconnect_timeout = "2s"') as gateway:
        quoted = ", ".join(f'"{name}"' for name in known)
        gateway.apply(DOMAIN.format(known=quoted, port=free_port()).replace(quoted, ""))
        sent = 0
        for _ in range(12):
            to = [chance.choice([*known, f"x{chance.randrange(99)}@contoso.example"]) for _ in range(4)]
            gateway.send("ann@sender.example", *dict.fromkeys(to))
            sent += len(set(to))
        wait_until(lambda: gateway.queued() == 12, what="the queue")
        # the mailboxes became known after the mail had been queued
        gateway.run("domain", "recipients", "contoso.example", *[f"--add={k}" for k in known[:1]])
        exported = gateway.run("export").stdout
        plan = gateway.json("fix", "plan", "to-office")
        assert "fix_now" in [offer["action"] for offer in plan["offers"]]
        preview = fix(gateway, "to-office", "fix_now", "--dry-run")["preview"]
        assert gateway.run("export").stdout == exported
        effect = preview["effect"]
        assert effect["known"] + effect["unknown"] == effect["delivered"] + effect["returned"]
        answer = fix(gateway, "to-office", "fix_now", "--reason", "moved to the cloud")
        assert answer["preview"]["effect"] == effect
        wait_until(
            lambda: "queued" not in fates(gateway), what="the end of the mail"
        )  # reports wait for their MX
        ended = fates(gateway)
        assert ended.get("returned", 0) == effect["returned"] > 0
        wait_until(
            lambda: gateway.json("fix", "show", answer["fix"]["id"])["state"] == "verified",
            what="the verdict",
        )
        again = fix(gateway, "to-office", "fix_now")
        assert again["preview"]["objects"] == []
        gateway.json("fix", "undo", answer["fix"]["id"])
        assert gateway.run("export").stdout == exported
        assert gateway.run("fix", "undo", answer["fix"]["id"]).returncode == 1
        audit = gateway.json("queue", "audit")
        assert audit["balanced"], audit


def test_relaxed_tls_lets_the_mail_go_at_once_and_is_demanded_again_after_undo(tmp_path: Path) -> None:
    """R9, R17, B4."""
    objects = """
[[connector]]
name = "to-partner"
to = "partner"
domains = ["partner.example"]
smart_hosts = ["127.0.0.1:{port}"]
tls = "encryption-only"
"""
    with FaultServer() as server, GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(objects.format(port=server.port))
        gateway.send("ann@sender.example", "bob@partner.example")
        assert gateway.error("to-partner")["class"] == "tls_not_offered"
        offers = gateway.json("fix", "plan", "to-partner")["offers"]
        assert offers[0]["action"] == "relax_tls"
        answer = fix(gateway, "to-partner", "relax_tls", "--set", "hours=1")
        assert answer["preview"]["effect"]["retried"] == 1
        gateway.drained(10)
        wait_until(lambda: gateway.json("fix", "list")[0]["state"] == "verified", what="the verdict")
        gateway.json("fix", "undo", answer["fix"]["id"])
        gateway.send("ann@sender.example", "bob@partner.example")
        assert gateway.error("to-partner")["class"] == "tls_not_offered"


def test_a_fix_that_does_not_help_is_said_to_fail_still(tmp_path: Path) -> None:
    """R17: one can verify afterwards whether the error is gone."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(DOMAIN.format(known="", port=free_port()))
        gateway.send("ann@sender.example", "bob@contoso.example")
        gateway.error("to-office")
        number = fix(gateway, "to-office", "set_smart_hosts", "--set", f"smart_hosts=127.0.0.1:{free_port()}")
        wait_until(
            lambda: gateway.json("fix", "show", number["fix"]["id"])["state"] == "failing", what="the verdict"
        )


def test_mail_goes_by_another_connector_for_a_while_and_comes_back_by_itself(tmp_path: Path) -> None:
    """B5."""
    objects = (
        DOMAIN
        + """
[[connector]]
name = "backup"
domains = ["backup.example"]
smart_hosts = ["127.0.0.1:{backup}"]
"""
    )
    with FaultServer() as server, GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(objects.format(known="", port=free_port(), backup=server.port))
        gateway.send("ann@sender.example", "bob@contoso.example")
        gateway.error("to-office")
        answer = fix(gateway, "to-office", "reroute", "--set", "by=backup", "--set", "hours=0.001")
        assert answer["preview"]["effect"]["rerouted"] == 1
        gateway.drained(10)
        wait_until(lambda: not _overridden(gateway), what="the end of the override")


def _overridden(gateway: GatewayProcess) -> bool:
    why = gateway.json("route", "explain", "bob@contoso.example")["why"]
    return "stands in" in why


@pytest.mark.parametrize(("action", "state"), [("return_now", "returned"), ("delete", "cancelled")])
def test_mail_of_a_dead_destination_is_ended_at_once(tmp_path: Path, action: str, state: str) -> None:
    """B5."""
    with GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(DOMAIN.format(known="", port=free_port()))
        for _ in range(5):
            gateway.send("ann@contoso.example", "bob@contoso.example", "eve@contoso.example")
        gateway.error("to-office")
        effect = fix(gateway, "to-office", action, "--dry-run")["preview"]["effect"]
        assert effect["returned" if state == "returned" else "deleted"] == 10
        fix(gateway, "to-office", action, "--reason", "asked by the owner")
        wait_until(lambda: fates(gateway).get(state) == 10, what="the end of the mail")
        assert gateway.json("queue", "audit")["balanced"]
