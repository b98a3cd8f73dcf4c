"""Each known failure, met by a real gateway: what the queue, the message, the log and the report say (R4-R13).

One gateway meets all of them at once, with the shortest expiry that there is.
"""

import email
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.faults import FAULTS, Fault, FaultyWorld, faulty_world
from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until

pytestmark = pytest.mark.timeout(600)

SHORT = """\
connect_timeout = "2s"
banner_timeout = "2s"
ehlo_timeout = "2s"
tls_timeout = "3s"
retry = ["3s"]
expiry = "1m"
"""

WAITING = [fault for fault in FAULTS if not fault.final]
# what concerns one message or recipient is no error of the destination
AT_DESTINATION = [f for f in WAITING if f.phase not in {"rcpt", "data", "eod", "mail"}]
FINAL = [fault for fault in FAULTS if fault.final]


def name_of(fault: Fault) -> str:
    return fault.name


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyWorld]:
    with faulty_world(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, world: FaultyWorld) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    process = GatewayProcess(folder, delivery=SHORT, dns=world.names.address, dns_timeout="1s")
    with process:
        process.apply(world.objects)
        for fault in FAULTS:
            body = "\r\n".join(["Hello, this is a line of text."] * fault.lines)
            process.send(fault.sender, f"user@{fault.domain}", subject=f"to {fault.name}", body=body)
        yield process


@pytest.fixture(scope="module")
def messages(gateway: GatewayProcess) -> dict[str, dict[str, Any]]:
    """Return `message show` of the message of each fault, once each has failed, long before any expires."""
    shown: dict[str, dict[str, Any]] = {}

    def look() -> bool:
        for row in gateway.trace("--limit", "500"):
            fault = row["sender"].partition("@")[0]
            if fault not in shown and row["sender"].endswith("@home.test"):
                found = gateway.message(row["id"])
                if found["recipients"][0].get("last_error"):
                    shown[fault] = found
        return len(shown) == len(FAULTS)

    wait_until(look, 40, 0.5, "an error of every message")
    return shown


@pytest.fixture(scope="module")
def rows(gateway: GatewayProcess) -> dict[str, dict[str, Any]]:
    """Return the row of `queue list` of each connector, as it was when it first showed an error.

    Taken in one go, and before anything else is looked at: each message waits for a minute only.
    """
    seen: dict[str, dict[str, Any]] = {}

    def look() -> bool:
        for row in gateway.queue():
            if row["last_error"] and row["connector"] not in seen:
                seen[row["connector"]] = row
        return {fault.name for fault in AT_DESTINATION} <= seen.keys()

    wait_until(look, 40, 0.3, "an error of every destination")
    return seen


def check(error: dict[str, Any], fault: Fault, world: FaultyWorld) -> None:
    """Compare an error with what the table says."""
    assert error["flow_code"] == fault.code, error
    assert error["class"] == fault.failure_class, error
    assert error["phase"] in fault.phase.split("|"), error
    assert error["code"] == (fault.remote or fault.code), error
    assert error["server"] == fault.host, error
    where = "" if fault.phase == "dns" else f"127.0.0.1:{world.ports[fault.name]}"
    assert error["address"] == where, error
    assert fault.token in error["text"], error
    assert re.match(rf"{error['smtp']} {re.escape(error['code'])} \S", error["text"])
    if where:
        assert f"[LastAttemptedServerName={fault.host}]" in error["text"]
        assert f"[LastAttemptedIP={where}]" in error["text"]


@pytest.mark.parametrize("fault", AT_DESTINATION, ids=name_of)
def test_the_queue_shows_the_error_of_its_destination(
    fault: Fault, rows: dict[str, dict[str, Any]], world: FaultyWorld
) -> None:
    """R19: the queue view names the last error and the destination server."""
    row = rows[fault.name]
    assert row["messages"] == 1
    assert row["state"] in {"retry", "active", "ready"}
    check(row["last_error"], fault, world)


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_the_message_shows_its_error(
    fault: Fault, messages: dict[str, dict[str, Any]], world: FaultyWorld
) -> None:
    """R5-R12, R20, B1: code, class, phase, server and address of the attempt."""
    check(messages[fault.name]["recipients"][0]["last_error"], fault, world)


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_the_log_shows_the_error(
    fault: Fault, gateway: GatewayProcess, messages: dict[str, dict[str, Any]]
) -> None:
    """R20: a line of the log names connector, code and server."""
    assert messages
    lines = [json.dumps(line) for line in gateway.log()]
    assert any(
        f'"{fault.name}"' in line and (fault.remote or fault.code) in line and fault.host in line
        for line in lines
    )


def reports(gateway: GatewayProcess, fault: Fault) -> list[str]:
    """Return the reports that the sender of a fault's message has in the mailbox, without delay notices."""
    return [
        text
        for text in gateway.mailbox()
        if f"to {fault.name}" in text and fault.sender in text and "Action: failed" in text
    ]


@pytest.mark.parametrize("fault", FINAL, ids=name_of)
def test_a_servers_own_5xx_goes_back_at_once(fault: Fault, gateway: GatewayProcess) -> None:
    """R12: the remote's words are kept."""
    found = wait_until(lambda: reports(gateway, fault), 20, 0.3, "the report")
    assert f"Status: {fault.remote}" in found[0]


@pytest.mark.parametrize("fault", WAITING, ids=name_of)
def test_after_the_expiry_the_sender_is_told_the_last_real_error(
    fault: Fault, gateway: GatewayProcess, world: FaultyWorld
) -> None:
    """R4: the message expires, and the report names the error, the server and the address."""
    found = wait_until(lambda: reports(gateway, fault), 120, 1, "the report")
    assert len(found) == 1
    report = email.message_from_string(found[0])
    assert report.get_content_type() == "multipart/report"
    status = next(part for part in report.walk() if part.get_content_type() == "message/delivery-status")
    fields = "".join(str(part) for part in status.get_payload())
    if fault.code != "other":
        assert f"Status: 5{fault.code[1:]}" in fields
    else:
        assert "Status: 5.4.300" in fields
    assert "Action: failed" in fields
    assert f"user@{fault.domain}" in fields
    assert fault.host in found[0]
    if fault.phase != "dns":
        assert f":{world.ports[fault.name]}" in found[0].replace("=\n", "")


def test_at_the_end_nothing_waits_and_the_books_balance(gateway: GatewayProcess) -> None:
    """R2, R4: accepted = delivered + returned, once everything has expired."""
    gateway.drained(60)
    audit = gateway.json("queue", "audit")
    assert audit["balanced"] is True, audit
