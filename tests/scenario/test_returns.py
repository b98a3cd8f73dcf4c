"""What senders are told, by a real gateway: of delays and their end, hand-over, failures, as DSN asks (RFC 3461)."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from flufl.bounce import all_failures
from tests.support.gateway import FAST, GatewayProcess
from tests.support.peers import wait_until
from tests.support.raw_smtp import RawClient
from tests.support.smtp_server import FaultServer

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]

[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test"]

[[accepted_domain]]
name = "jia.test"
recipients = ["li@jia.test"]
"""
DELIVERY = FAST + 'delay_notice = "1m"\nresolved_notice = true\n'
MORE = '[ndr]\nlanguages = { "jia.test" = "zh-CN" }\n'
REFUSED = {"refused@partner.test": "550 5.1.1 nobody here", "grüße@partner.test": "550 5.1.1 niemand"}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    extensions = ("PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    with FaultServer(rcpt=REFUSED, extensions=extensions) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, server: FaultServer) -> Iterator[GatewayProcess]:
    folder: Path = tmp_path_factory.mktemp("returns")
    with GatewayProcess(folder, delivery=DELIVERY, more=MORE) as running:
        running.apply(OBJECTS.format(port=server.port))
        yield running


def hand_in(gateway: GatewayProcess, mail: str, rcpt: str, subject: str) -> None:
    """Send a message with these MAIL and RCPT arguments, as they are."""
    with RawClient(gateway.smtp_port) as client:
        opening = f"MAIL FROM:{mail}\r\nRCPT TO:{rcpt}\r\nDATA\r\n".encode()
        assert client.greet().codes(opening, 3) == [250, 250, 354]
        text = f"Subject: {subject}\r\n\r\nthe body of {subject}\r\n.\r\n"
        assert client.ask(text.encode()).startswith(b"250")


def report(gateway: GatewayProcess, action: str, recipient: str, seconds: float = 20) -> EmailMessage:
    """Wait for the report about a recipient with this action, and return it."""

    def found() -> EmailMessage | None:
        for text in gateway.mailbox():
            message = email.message_from_string(text, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            fields = status_of(message)
            if f"Action: {action}" in fields and recipient in fields:
                return message
        return None

    message = wait_until(found, seconds, 0.2, f"a report: {action} {recipient}")
    assert message is not None
    return message


def status_of(message: EmailMessage) -> str:
    parts = [part for part in message.walk() if part.get_content_type().endswith("delivery-status")]
    return "".join(part.as_string() for part in parts)


def words_of(message: EmailMessage) -> str:
    part = next(part for part in message.walk() if part.get_content_type() == "text/plain")
    return str(part.get_content())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_delay_is_told_once_and_that_it_is_over_in_the_language_of_the_sender(
    gateway: GatewayProcess, server: FaultServer
) -> None:
    """After the time of the setting, with Will-Retry-Until; then the message is delivered after all."""
    server.change(mail="451 4.3.0 come back")
    gateway.send("ann@home.test", "late@partner.test")
    gateway.send("li@jia.test", "spaet@partner.test")
    told = report(gateway, "delayed", "late@partner.test", 90)
    assert "Will-Retry-Until:" in status_of(told)
    assert "You do not need to send it again" in words_of(told)
    assert "451 4.3.0 come back" in status_of(told)
    chinese = report(gateway, "delayed", "spaet@partner.test")
    assert "您的邮件尚未送达" in words_of(chinese)
    assert chinese["Content-Language"] == "zh-CN"
    server.change(mail=None)
    over = report(gateway, "relayed", "late@partner.test")
    assert "has now been delivered" in words_of(over)
    delays = [text for text in gateway.mailbox() if "Action: delayed" in text and "late@partner.test" in text]
    assert len(delays) == 1


def test_a_failure_comes_back_whole_or_by_its_header_as_ret_says(gateway: GatewayProcess) -> None:
    """R4, RFC 3461 section 4.3; understood by the standard library's parser and by flufl.bounce."""
    hand_in(gateway, "<ann@home.test> RET=FULL ENVID=one+2D1", "<refused@partner.test>", "whole")
    whole = report(gateway, "failed", "refused@partner.test")
    assert "the body of whole" in whole.as_string()
    fields = status_of(whole)
    for wanted in (
        "Original-Envelope-Id: one-1",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 nobody here",
        "Arrival-Date:",
        "Last-Attempt-Date:",
        "Remote-MTA: dns;",
    ):
        assert wanted in fields
    assert all_failures(whole) == (set(), {b"refused@partner.test"})
    assert whole["Auto-Submitted"] == "auto-replied"
    hand_in(
        gateway,
        "<li@jia.test> RET=HDRS",
        "<refused@partner.test> ORCPT=rfc822;once+2Bmore@partner.test",
        "header",
    )
    header = report(gateway, "failed", "once+more@partner.test")
    assert "the body of header" not in header.as_string()
    assert "Subject: header" in header.as_string()
    assert "Original-Recipient: rfc822; once+more@partner.test" in status_of(header)
    assert "您的邮件未能送达" in words_of(header)


def test_a_hand_over_is_told_where_it_was_asked_for(gateway: GatewayProcess) -> None:
    """RFC 3461 section 5.2.2: the next server sends no such reports."""
    hand_in(gateway, "<ann@home.test>", "<taken@partner.test> NOTIFY=SUCCESS", "relayed")
    assert "2.0.0" in status_of(report(gateway, "relayed", "taken@partner.test"))


def test_nothing_is_told_where_never_was_said(gateway: GatewayProcess) -> None:
    """NOTIFY=NEVER: the message ends as failed, and no report is made."""
    hand_in(gateway, "<ann@home.test>", "<refused@partner.test> NOTIFY=NEVER", "never")

    def ended() -> bool:
        rows = gateway.trace("--recipient", "refused@partner.test")
        return any(row["state"] == "failed" for row in rows)

    wait_until(ended, 15, 0.2, "the end of the message")
    assert not [text for text in gateway.mailbox() if "Subject: never" in text]


def test_a_report_about_an_international_address_is_international(gateway: GatewayProcess) -> None:
    """RFC 6533."""
    hand_in(gateway, "<ann@home.test> SMTPUTF8", "<grüße@partner.test>", "utf8")
    found = report(gateway, "failed", "grüße@partner.test")
    kinds = [part.get_content_type() for part in found.walk()]
    assert "message/global-delivery-status" in kinds
    assert "utf-8; grüße@partner.test" in status_of(found)
