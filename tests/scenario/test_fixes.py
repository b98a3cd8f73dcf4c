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
    with GatewayProcess(tmp_path, delivery='retry = ["1h"]\nconnect_timeout = "60s"') as gateway:
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


def test_a_dry_run_of_a_domain_names_who_would_be_refused_and_imports_the_good(tmp_path: Path) -> None:
    """R14, R15: queued and recent recipients; those that mail was delivered to can be imported."""
    refuses = {"gone@contoso.example": "550 5.1.1 no such user"}
    with FaultServer(rcpt=refuses) as server, GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(DOMAIN.format(known='"ann@contoso.example"', port=server.port))
        gateway.send("x@sender.example", "bob@contoso.example", "gone@contoso.example")
        wait_until(lambda: gateway.row("to-office") is None, what="the deliveries")
        gateway.run("connector", "set", "to-office", "--smart-host", f"127.0.0.1:{free_port()}")
        gateway.send("x@sender.example", "bob@contoso.example", "eve@contoso.example")
        gateway.error("to-office")
        found = gateway.json("domain", "dry-run", "contoso.example")
        assert (found["effect"]["returned"], found["effect"]["messages"]) == (2, 1)
        recent = {row["address"]: row for row in found["recent"]}
        assert recent["bob@contoso.example"]["good"]
        assert not recent["gone@contoso.example"]["good"]
        assert found["importable"] == ["bob@contoso.example"]
        gateway.json("domain", "dry-run", "contoso.example", "--import")
        again = gateway.json("domain", "dry-run", "contoso.example")
        assert (again["importable"], again["effect"]["returned"]) == ([], 1)
        shown = gateway.json("domain", "set", "contoso.example", "--type", "authoritative", "--dry-run")
        assert shown["effect"]["returned"] == 1


def test_new_smart_hosts_are_probed_before_and_a_fix_is_verified_by_a_probe(tmp_path: Path) -> None:
    """B4, R17: a live probe of the new value; with nothing queued a probe verifies."""
    with FaultServer() as server, GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(DOMAIN.format(known="", port=free_port()))
        bad, good = f"smart_hosts=127.0.0.1:{free_port()}", f"smart_hosts=127.0.0.1:{server.port}"
        probe = fix(gateway, "to-office", "set_smart_hosts", "--set", bad, "--dry-run")["probe"]
        assert (probe["ok"], probe["last_error"]["code"]) == (False, "4.4.316")
        assert fix(gateway, "to-office", "set_smart_hosts", "--set", good, "--dry-run")["probe"]["ok"]
        assert "probe" not in fix(gateway, "to-office", "retry", "--dry-run")
        number = fix(gateway, "to-office", "set_smart_hosts", "--set", good)["fix"]["id"]
        wait_until(lambda: gateway.json("fix", "show", number)["state"] == "verified", what="the probe")
        server.stop()
        done = gateway.run("fix", "verify", number, "--json")
        assert (done.returncode, json.loads(done.stdout)["fix"]["state"]) == (1, "failing")


def test_a_hold_is_undone_to_what_there_was_before(tmp_path: Path) -> None:
    """B4: undo restores; a hold of somebody else, with his reason, comes back."""
    with GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(DOMAIN.format(known="", port=free_port()))
        gateway.send("x@sender.example", "bob@contoso.example")
        gateway.error("to-office")
        gateway.run("queue", "suspend", "--connector", "to-office", "--reason", "the first")
        number = fix(gateway, "to-office", "suspend", "--reason", "the second")["fix"]["id"]
        gateway.json("fix", "undo", number)
        row = gateway.row("to-office")
        assert row is not None
        assert (row["state"], row["suspended_reason"]) == ("suspended", "the first")
        number = fix(gateway, "to-office", "resume")["fix"]["id"]
        assert (gateway.row("to-office") or {})["state"] == "retry"
        gateway.json("fix", "undo", number)
        row = gateway.row("to-office")
        assert row is not None
        assert (row["state"], row["suspended_reason"]) == ("suspended", "the first")


def test_the_guard_warns_where_the_host_took_mail_a_moment_ago(tmp_path: Path) -> None:
    """B4: a warning with its evidence before a fix that takes mail away."""
    with FaultServer() as server, GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(DOMAIN.format(known="", port=server.port))
        gateway.send("x@sender.example", "bob@contoso.example")
        gateway.drained()
        server.stop()
        gateway.send("x@sender.example", "bob@contoso.example")
        gateway.error("to-office")
        gateway.stop()
        gateway.start()  # the evidence outlives the process
        warnings = fix(gateway, "to-office", "fix_now", "--dry-run")["preview"]["warnings"]
        assert any("took mail" in text for text in warnings), warnings
        assert fix(gateway, "to-office", "retry", "--dry-run")["preview"]["warnings"] == []


@pytest.mark.slow
def test_a_shorter_expiry_says_what_it_returns_at_once(tmp_path: Path) -> None:
    """B5: extended during an outage, shortened again; the preview counts what would go back."""
    with GatewayProcess(tmp_path, delivery='retry = ["1s"]\nconnect_timeout = "1s"') as gateway:
        gateway.apply(DOMAIN.format(known="", port=free_port()))
        gateway.send("x@sender.example", "bob@contoso.example", "eve@contoso.example")
        wait_until(
            lambda: gateway.json("message", "list", "--filter", "age>=61s")["messages"],
            90, 2.0, "a message of a minute",
        )  # fmt: skip
        longer = fix(gateway, "to-office", "extend_expiry", "--set", "expiry=3d", "--dry-run")
        assert longer["preview"]["effect"]["returned"] == 0
        effect = fix(gateway, "to-office", "extend_expiry", "--set", "expiry=1m")["preview"]["effect"]
        assert (effect["returned"], effect["retried"]) == (2, 0)
        wait_until(lambda: fates(gateway).get("returned") == 2, what="the reports")
