"""Logs that a real Postfix and a real Exim write are read, and say what their queues say (B8)."""

import json
import smtplib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.peers import exim, postfix_with_mailboxes, wait_until
from tests.support.smtp_server import FaultServer

from gatepost.cli.main import main

pytestmark = pytest.mark.root  # both run as users of their own

REPLIES = {
    "unknown@dest.test": "550 5.1.1 User unknown",
    "grey@dest.test": "450 4.7.1 Greylisted, try again later",
}
SENT = ("ann@dest.test", "bob@dest.test", *REPLIES, "ann@closed.test", "bob@closed.test")


@pytest.fixture
def closed() -> Iterator[socket.socket]:
    """Return a port that nobody else can take and where nobody answers."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf


def send(port: int, recipients: Sequence[str]) -> list[str]:
    """Send one message to each; return who was refused at once."""
    refused = []
    for address in recipients:
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            try:
                client.sendmail("ann@sender.test", [address], "Subject: x\r\n\r\nhello\r\n")
            except smtplib.SMTPRecipientsRefused:
                refused.append(address)
    return refused


def summary(log: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["explain", "--summary", "--json", str(log)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def by_class(found: dict[str, Any]) -> dict[str, tuple[str, int, int]]:
    return {i["class"]: (i["destination"], i["stuck"], i["returned"]) for i in found["insights"]}


def test_a_log_of_postfix_says_what_its_queue_says(
    tmp_path: Path, closed: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    with FaultServer(rcpt=REPLIES) as server:
        routes = f"dest.test=smtp:[127.0.0.1]:{server.port}, closed.test=smtp:[127.0.0.1]:{closed.getsockname()[1]}"
        postfix = postfix_with_mailboxes(
            tmp_path / "mta", "sender.test", transport_maps=f"inline:{{{routes}}}", smtp_host_lookup="native"
        ).start()
        try:
            send(postfix.port, SENT)
            wait_until(lambda: postfix.log.read_text().count(" status=") >= len(SENT) + 1, 60, what="the log")
            queue = [json.loads(line) for line in postfix.command("postqueue", "-j").stdout.splitlines()]
        finally:
            postfix.stop()
    found = summary(postfix.log, capsys)
    assert (found["source_kind"], found["bad_lines"]) == ("postfix", 0)
    assert found["stuck"] == sum(len(message["recipients"]) for message in queue) == 3
    assert found["delivered"] == 3  # two, and the bounce to the sender
    assert by_class(found) == {
        "connection_refused": ("closed.test", 2, 0),
        "greylisted": ("dest.test", 1, 0),
        "recipient_unknown": ("dest.test", 0, 1),
    }
    assert main(["explain", "--json", "--class", "greylisted", str(postfix.log)]) == 0
    (grey,) = json.loads(capsys.readouterr().out)
    assert (grey["sender"], grey["recipient"], grey["outcome"]) == (
        "ann@sender.test",
        "grey@dest.test",
        "deferred",
    )


ROUTERS = """\
closed:
  driver = manualroute
  domains = closed.test
  transport = smtp
  route_data = 127.0.0.1::{closed}
  self = send
  no_more
dest:
  driver = manualroute
  domains = dest.test
  transport = smtp
  route_data = 127.0.0.1::{dest}
  self = send
  no_more
"""


def waiting(folder: Path) -> list[str]:
    """Return the recipients that Exim's own files say still wait."""
    headers = [entry.read_text(errors="replace") for entry in (folder / "spool" / "input").rglob("*-H")]
    return [name for name in SENT for text in headers if f"\n{name}\n" in text]


def test_a_log_of_exim_says_what_its_queue_says(
    tmp_path: Path, closed: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "exim"
    with FaultServer(rcpt=REPLIES) as dest:
        routers = ROUTERS.format(closed=closed.getsockname()[1], dest=dest.port)
        server = exim(folder, routers)
        try:
            refused = send(server.port, [*SENT, "nobody@dest.test"])
            log = folder / "mainlog"
            words = (" == ", " ** ", " => ", " -> ")
            wait_until(
                lambda: sum(log.read_text().count(word) for word in words) >= len(SENT) + 1,
                60,
                what="the log",
            )
            wait_until(lambda: len(waiting(folder)) == 3, 60, what="the queue")
        finally:
            server.stop()
    assert refused == ["nobody@dest.test"]
    found = summary(log, capsys)
    assert (found["source_kind"], found["bad_lines"]) == ("exim", 0)
    assert (found["stuck"], found["delivered"], found["refused_incoming"]) == (3, 3, 1)
    classes = by_class(found)
    assert classes["connection_refused"][:2] == ("closed.test", 2)
    assert classes["greylisted"][:2] == ("dest.test", 1)
    assert found["returned"] == 1
