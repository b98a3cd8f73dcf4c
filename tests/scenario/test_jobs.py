"""Actions on any set of queued mail in the whole gateway: by filter, previewed, stopped by a kill, undone (B5)."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.test_fix_now import fill
from tests.support.browser import signed_in
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

OBJECTS = """
[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{port}"]

[[connector]]
name = "backup"
domains = ["backup.example"]
smart_hosts = ["127.0.0.1:{backup}"]
"""
SLOWLY = 'retry = ["1h"]'


def act(gateway: GatewayProcess, action: str, *words: str) -> dict[str, Any]:
    done = gateway.run("message", action, *words, "--json")
    assert done.returncode in (0, 1), done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def queued(gateway: GatewayProcess, *words: str) -> list[dict[str, Any]]:
    found = gateway.json("message", "list", *words)["messages"]
    assert isinstance(found, list)
    return found


def office(gateway: GatewayProcess) -> None:
    """Queue three messages, one of them with two recipients, behind a closed port."""
    gateway.apply(OBJECTS.format(port=free_port(), backup=free_port()))
    gateway.send("ann@contoso.example", "bob@contoso.example", "eve@contoso.example")
    gateway.send("ann@contoso.example", "eve@contoso.example", body="0123456789\r\n" * 500)
    gateway.send("list@robot.example", "bob@contoso.example")
    gateway.error("to-office")


def test_what_a_filter_means_is_held_back_and_goes_on_again_after_undo(tmp_path: Path) -> None:
    """B5: preview equals what is done; recipients that do not match are not touched; undo restores."""
    with GatewayProcess(tmp_path, delivery=SLOWLY) as gateway:
        office(gateway)
        only_bob = ("--filter", "to:bob@contoso.example age<1h")
        preview = act(gateway, "suspend", *only_bob, "--dry-run")
        assert (preview["messages"], preview["recipients"], preview["dry_run"]) == (2, 2, True)
        assert queued(gateway, "--filter", "state:suspended") == []
        job = act(gateway, "suspend", *only_bob, "--until", "4h", "--reason", "line is full")
        assert (job["done"], job["recipients"], job["state"]) == (2, 2, "done")
        held = queued(gateway, "--filter", "state:suspended")
        assert len(held) == 2
        assert queued(gateway, "--filter", "state:suspended to:eve@contoso.example") == []
        events = gateway.message(held[0]["id"])["events"]
        noted = next(e["data"] for e in events if e["kind"] == "job.suspend")
        assert (noted["by"], noted["reason"]) == ("administrator", "line is full")
        again = act(gateway, "suspend", *only_bob)
        assert again["done"] == 0, "applied twice it does nothing more"
        gateway.json("job", "undo", job["id"])
        assert queued(gateway, "--filter", "state:suspended") == []
        assert gateway.run("job", "undo", job["id"]).returncode == 1


def test_a_hold_with_an_end_ends_by_itself(tmp_path: Path) -> None:
    """B5."""
    with GatewayProcess(tmp_path, delivery=SLOWLY) as gateway:
        office(gateway)
        job = act(gateway, "suspend", "--all", "--until", "1s")
        assert job["done"] == 4
        wait_until(lambda: gateway.json("job", "show", job["id"])["state"] == "undone", what="the end")
        assert queued(gateway, "--filter", "state:suspended") == []


def test_expiry_is_extended_shortened_and_put_back(tmp_path: Path) -> None:
    """B5."""
    with GatewayProcess(tmp_path, delivery=SLOWLY) as gateway:
        office(gateway)
        before = {m["id"]: m["expires_at"] for m in queued(gateway)}
        job = act(gateway, "expire", "--filter", "size>4KB", "--until", "5d")
        assert job["done"] == 1
        assert len(queued(gateway, "--filter", "expires>4d")) == 1
        gateway.json("job", "undo", job["id"])
        assert {m["id"]: m["expires_at"] for m in queued(gateway)} == before
        act(gateway, "expire", "--filter", "from:@robot.example", "--until", "1s")
        wait_until(lambda: not queued(gateway, "--filter", "from:@robot.example"), what="the expiry")


def test_mail_is_sent_by_another_connector_and_what_still_waits_comes_back(tmp_path: Path) -> None:
    """B5."""
    with FaultServer() as server, GatewayProcess(tmp_path, delivery=SLOWLY) as gateway:
        office(gateway)
        job = act(gateway, "reroute", "--filter", "from:ann@contoso.example", "--by", "backup")
        assert (job["done"], job["recipients"], job["under_way"]) == (3, 3, 0)
        assert len(queued(gateway, "--connector", "backup")) == 2
        gateway.json("job", "undo", job["id"])
        assert len(queued(gateway, "--connector", "to-office")) == 3
        gateway.run("connector", "set", "backup", "--smart-host", f"127.0.0.1:{server.port}")
        act(gateway, "reroute", "--all", "--by", "backup")
        gateway.drained()


def test_mail_that_was_sent_another_way_stays_there_until_it_is_undone_and_says_who_did_it(
    tmp_path: Path,
) -> None:
    """B5: whatever objects change, and across a restart; where that connector is disabled it takes its own way."""
    with GatewayProcess(tmp_path, delivery=SLOWLY) as gateway:
        office(gateway)
        ann = ("--filter", "from:ann@contoso.example", "--by", "backup")
        job = act(gateway, "reroute", *ann, "--reason", "the office moves")

        def there() -> list[str]:
            return [m["id"] for m in queued(gateway, "--connector", "backup")]

        sent = there()
        assert len(sent) == 2
        for changed in ("to-office", "backup"):
            gateway.run("connector", "set", changed, "--comment", "changed")
            assert there() == sent
        gateway.stop()
        gateway.start()
        assert there() == sent
        (row,) = [row for row in gateway.queue() if row["connector"] == "backup"]
        (reroute,) = row["rerouted"]
        why = {"job": job["id"], "by": "administrator", "connector": "backup", "reason": "the office moves"}
        assert why.items() <= reroute.items()
        assert reroute["recipients"] == 3
        (shown,) = {r["rerouted"]["reason"] for m in sent for r in gateway.message(m)["recipients"]}
        assert shown == "the office moves"
        for words in (("queue", "list"), ("message", "show", sent[0])):
            text = gateway.run(*words).stdout
            assert f"rerouted by administrator through backup (job {job['id']}): the office moves" in text
        page = signed_in(gateway).get("/queues")
        assert "rerouted by administrator" in page
        assert "the office moves" in page
        gateway.run("connector", "disable", "backup")
        assert there() == []
        gateway.run("connector", "enable", "backup")
        assert there() == [], "it took its own way again"
        job = act(gateway, "reroute", *ann)
        assert there() == sent
        gateway.json("job", "undo", job["id"])
        assert len(queued(gateway, "--connector", "to-office")) == 3
        gateway.run("connector", "set", "backup", "--comment", "again")
        assert there() == []


def test_mail_is_tried_at_once_by_filter_of_messages_and_of_destinations(tmp_path: Path) -> None:
    """B5."""
    with GatewayProcess(tmp_path, delivery=SLOWLY) as gateway:
        office(gateway)
        row = gateway.row("to-office")
        assert row is not None
        job = act(gateway, "retry", "--filter", "class:connection_refused code:4.4.316")
        assert job["done"] == 4
        wait_until(
            lambda: (gateway.row("to-office") or {}).get("attempts", 0) > row["attempts"], what="the attempt"
        )
        assert gateway.json("queue", "retry", "--filter", "class:cert_invalid")["destinations"] == 0
        assert gateway.json("queue", "retry", "--filter", "code:4.4.316 age<1d")["destinations"] == 1
        refused = gateway.run("queue", "list", "--filter", "to:bob@contoso.example")
        assert refused.returncode == 2
        assert "gatepost message" in refused.stderr


@pytest.mark.parametrize(("action", "state"), [("return", "returned"), ("delete", "cancelled")])
def test_a_job_that_a_kill_cut_off_goes_on_and_does_nothing_twice(
    tmp_path: Path, action: str, state: str
) -> None:
    """B5: kill -9 in the middle; afterwards every recipient ended once, and each is counted once."""
    number = 500
    with GatewayProcess(tmp_path, delivery=SLOWLY, smtp="limits.messages_per_minute = 0") as gateway:
        gateway.apply(OBJECTS.format(port=free_port(), backup=free_port()))
        fill(gateway, number, 0)
        wait_until(lambda: gateway.queued() == number, 60, what="the queue")
        done = gateway.run("message", action, "--filter", "to:@contoso.example", "--dry-run", "--json")
        assert json.loads(done.stdout)["recipients"] == number
        name = {"return": "return_now"}.get(action, action)
        job = _begin(gateway, name)
        _reach(gateway, job, 200)
        gateway.kill()
        gateway.start()
        found = wait_until(
            lambda: j if (j := gateway.ask(f"jobs/{job}"))["state"] == "done" else None, 60, 0.2, "the end"
        )
        assert (found["recipients"], found["done"], found["under_way"]) == (number, number, 0)
        left = [row for row in gateway.queue() if row["connector"] == "to-office"]
        assert left == []
        audit = gateway.json("queue", "audit")
        assert audit["balanced"]
        assert audit[state] == number
        reports = sum(int(row["messages"]) for row in gateway.queue())
        assert reports == (number if state == "returned" else 0)


def _begin(gateway: GatewayProcess, action: str) -> str:
    from gatepost.cli.client import UnixConnection  # noqa: PLC0415

    connection = UnixConnection(str(gateway.data_dir / "control.sock"))
    body = json.dumps({"filter": "to:@contoso.example", "wait": 0})
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/api/v1/messages/actions/{action}", body, headers)
    found = json.loads(connection.getresponse().read())
    connection.close()
    return str(found["id"])


def _reach(gateway: GatewayProcess, job: str, done: int) -> None:
    end = time.monotonic() + 60
    while gateway.ask(f"jobs/{job}")["done"] < done:
        assert time.monotonic() < end, "the job does not get on"
