"""Attacks by way of reports and of mail that goes round in circles (rules 13 to 15)."""

import email
import email.policy
from email.message import Message

import pytest
from tests.scenario.safe.conftest import STRANGER, World
from tests.support.peers import wait_until


def report_to_ann(world: World, connector: str, subject: bytes) -> Message:
    """Send to a next hop that refuses, and return the report that comes back."""
    with world.client() as client:
        content = b"Subject: " + subject + b"\r\nMessage-ID: <x@y>\r\n\r\nhello\r\n.\r\n"
        answer = client.message("ann@home.test", f"x@{connector}.test", content)
        assert answer.startswith(b"250")
    token = f"x@{connector}.test"
    found = wait_until(
        lambda: [m for m in world.gateway.mailbox() if f"Final-Recipient: rfc822; {token}" in m],
        15,
        what="the report",
    )
    assert len(found) == 1
    for line in found[0].encode(errors="surrogateescape").split(b"\n"):
        assert len(line) <= 998
        assert not set(line) & set(b"\0\x1b\x07"), line
    return email.message_from_string(found[0], policy=email.policy.compat32)


@pytest.mark.parametrize("connector", ["insults", "forges"])
def test_rule_13_a_report_holds_nothing_that_a_remote_server_could_have_written_into_its_header(
    world: World, connector: str
) -> None:
    report = report_to_ann(world, connector, b"=?utf-8?q?x=0D=0ABcc:_x@evil.test?=")
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["Bcc"] is None
    assert report.get_content_type() == "multipart/report"
    parts = report.get_payload()
    assert isinstance(parts, list)
    assert [part.get_content_type() for part in parts] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    fields = parts[1].as_string()
    assert "Status: 5.7.1" in fields
    assert '\n{"' not in fields
    diagnostic = fields.partition("Diagnostic-Code:")[2].partition("\nLast-Attempt")[0]
    assert 0 < len(diagnostic) < 1200


def test_rule_14_nothing_is_said_to_the_null_sender(world: World) -> None:
    with world.client() as client:
        content = b"Subject: undeliverable\r\n\r\n.\r\n"
        assert client.message("", "nobody@insults.test", content).startswith(b"250")

    def ended() -> bool:
        shown = world.message_of("nobody@insults.test")
        return bool(shown) and shown["recipients"][0]["state"] == "failed"

    wait_until(ended, 10)
    assert not [text for text in world.gateway.mailbox() if "nobody@insults.test" in text]


def test_rule_14_a_bounce_of_a_bounce_is_kept_for_the_postmaster_once(world: World) -> None:
    """The sender's own server refuses the report: nobody else is told, and nothing goes round."""
    with world.client() as client:
        content = b"Subject: twice\r\n\r\n.\r\n"
        assert client.message("eve@insults.test", "twice@forges.test", content).startswith(b"250")

    def kept() -> list[str]:
        return [text for text in world.gateway.mailbox() if "rfc822; eve@insults.test" in text]

    (report,) = wait_until(kept, 15, what="the report that nobody takes")
    assert "\nTo: <postmaster@home.test>" in report
    assert "Return-Path: <>" in report
    assert "twice@forges.test" in report, "the report that was refused is in it"
    first = world.message_of("eve@insults.test")
    assert [row["state"] for row in first["recipients"]] == ["failed"]
    told = [line["recipients"] for line in world.gateway.log() if line["event"] == "message.accepted"]
    assert told.count(["eve@insults.test"]) == 1
    assert len(kept()) == 1


def test_rule_14_unknown_recipients_are_refused_before_a_report_could_be_due(world: World) -> None:
    with world.client(STRANGER) as client:
        assert client.ask(b"MAIL FROM:<x@elsewhere.test>\r\n").startswith(b"250")
        assert client.ask(b"RCPT TO:<nobody@home.test>\r\n").startswith(b"550 5.1.10")


def test_rule_15_too_many_hops_are_a_loop(world: World) -> None:
    with world.client() as client:
        content = b"Received: from a by b\r\n" * 31 + b"Subject: round\r\n\r\n.\r\n"
        assert client.message("a@client.test", "x@partner.test", content).startswith(b"554 5.4.14")
        content = b"Received: from a by b\r\n" * 30 + b"Subject: far\r\n\r\n.\r\n"
        assert client.message("a@client.test", "x@partner.test", content).startswith(b"250")
    assert wait_until(lambda: world.taken("Subject: far"), 10)


def test_rule_15_a_next_hop_that_is_ourselves_is_seen_before_it_turns(world: World) -> None:
    with world.client() as client:
        content = b"Subject: circle\r\n\r\n.\r\n"
        assert client.message("a@client.test", "x@ourselves.test", content).startswith(b"250")
    error = wait_until(lambda: world.error_of("x@ourselves.test"), 10)
    assert error is not None
    assert error["flow_code"] == "other"
    assert error["code"].endswith("4.6"), error
    assert world.message_of("x@ourselves.test")["attempts"]
