"""The bounces that a real Postfix writes are read."""

import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.peers import Postfix, postfix_with_mailboxes, wait_until
from tests.support.smtp_server import FaultServer

from gatepost.explain.bounces import BounceReading, read_container

pytestmark = pytest.mark.root  # Postfix runs as a user of its own

REPLIES = {
    "unknown@dest.test": "550 5.1.1 <unknown@dest.test>: Recipient address rejected: User unknown",
    "full@dest.test": "552 5.2.2 mailbox full",
    "policy@dest.test": "554 no enhanced code here",
}


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, BounceReading]]:
    """Return what is read of the bounces of one message each, by recipient."""
    folder = tmp_path_factory.mktemp("postfix")
    with FaultServer(rcpt=REPLIES) as server, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound, so that nobody else answers there; not listening, so refused
        postfix = _postfix(folder / "mta", server.port, deaf.getsockname()[1]).start()
        try:
            for number, address in enumerate([*REPLIES, "ann@refused.test"], 1):
                _send(postfix, address)
                wait_until(lambda n=number: len(_read(folder)) == n, 30, what="the bounce")  # type: ignore[misc]
            yield {reading.records[0].recipient: reading for reading in _read(folder)}
        finally:
            postfix.stop()


def _postfix(folder: Path, port: int, deaf: int) -> Postfix:
    routes = f"dest.test=smtp:[127.0.0.1]:{port}, refused.test=smtp:[127.0.0.1]:{deaf}"
    return postfix_with_mailboxes(
        folder,
        "sender.test",
        transport_maps=f"inline:{{{routes}}}",
        maximal_queue_lifetime="0",
        smtp_host_lookup="native",
    )


def _send(postfix: Postfix, address: str) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=20) as client:
        client.sendmail(
            "bob@sender.test", [address], f"Message-ID: <{address}>\r\nSubject: x\r\n\r\nhello\r\n"
        )


def _read(folder: Path) -> list[BounceReading]:
    return [reading for reading in read_container(folder / "mta" / "mail") if reading.is_bounce]


@pytest.mark.parametrize(
    ("address", "status", "smtp", "outcome"),
    [
        ("unknown@dest.test", "5.1.1", 550, "failed"),
        ("full@dest.test", "5.2.2", 552, "failed"),
        ("policy@dest.test", "5.0.0", 554, "failed"),
        ("ann@refused.test", "4.4.1", 0, "failed"),
    ],
)
def test_recipient_status_and_reply_of_a_bounce_of_postfix(readings, address, status, smtp, outcome):
    """B8."""
    reading = readings[address]
    record = reading.records[0]
    assert (reading.kind, record.enhanced, record.smtp, record.outcome) == ("dsn", status, smtp, outcome)
    assert (record.sender, record.message) == ("bob@sender.test", f"<{address}>")
    assert record.address.startswith("127.0.0.1")


def test_the_phase_and_the_words_of_the_server_come_out(readings):
    record = readings["full@dest.test"].records[0]
    assert (record.phase, record.text) == ("rcpt", "mailbox full")
    refused = readings["ann@refused.test"].records[0]
    assert "Connection refused" in refused.text
