# ruff: noqa: E501 (a sample is one line)
"""What a record holds beyond recipient and status, and how what is a bounce is decided."""

import pytest
from tests.unit.explain_bounces.corpus import mail

from gatepost.bounce.facts import Explanation, ReportFacts, ReportRecipient
from gatepost.bounce.report import build_delay, build_ndr, build_relayed
from gatepost.explain.bounces import dsn, read_message
from gatepost.model.failure import LastError

T0 = 1_795_420_800_000  # 2026-11-23 08:00:00 UTC


def test_a_record_knows_the_original_and_the_times():
    """B8."""
    record = read_message(mail("dsn-sendmail.eml")).records[0]
    assert record.sender == "bob@example.com"
    assert record.message == "<1001@example.com>"
    assert record.at == 1_612_173_599_000
    assert record.destination == "example.org"
    assert record.phase == "data"
    assert record.raw.startswith("SMTP; 550 5.1.1")
    assert record.text == "<ann@example.org>... User unknown"


def test_the_notification_tells_the_phase_and_address_that_the_report_leaves_out():
    record = read_message(mail("dsn-postfix.eml")).records[0]
    assert (record.phase, record.address) == ("rcpt", "192.0.2.1")


def test_an_expiry_keeps_the_attempt_that_led_to_it():
    record = read_message(mail("dsn-exchange-online-expired.eml")).records[0]
    assert "Message expired" in record.text
    assert "[Message=Socket error code 10061]" in record.text
    assert (record.server, record.address) == ("mx.example.org", "192.0.2.1:25")


def test_the_original_recipient_is_named_and_the_final_one_is_the_destination():
    record = read_message(mail("dsn-postfix-two.eml")).records[1]
    assert (record.recipient, record.destination) == ("list@example.com", "example.net")


def test_what_was_delivered_beside_is_no_failure():
    assert [r.recipient for r in read_message(mail("dsn-mixed-actions.eml")).records] == ["ann@example.org"]


def test_the_verdict_names_the_signs():
    assert "delivery-status" in read_message(mail("dsn-postfix.eml")).why
    assert read_message(mail("not-read-receipt.eml")).why == ("read receipt",)
    assert read_message(mail("not-feedback.eml")).why == ("feedback report",)
    assert "reply or forward" in read_message(mail("not-quoted-bounce.eml")).why
    assert "absence in the subject" in read_message(mail("not-vacation-null-sender.eml")).why


def test_a_specific_code_wins_over_one_that_says_nothing():
    fields = "Final-Recipient: rfc822; a@b.cc\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.7.1 no\n"
    data = f"From: MAILER-DAEMON@b.cc\nContent-Type: message/delivery-status\n\n{fields}".encode()
    assert read_message(data).records[0].enhanced == "5.7.1"


def test_where_no_code_is_given_the_reply_code_tells_the_class():
    data = b"From: MAILER-DAEMON@b.cc\nSubject: failure notice\n\nHi. This is the qmail-send program\n\n<a@b.cc>:\n450 later\n"
    assert read_message(data).records[0].enhanced == "4.0.0"


def test_fields_of_a_status_part_may_be_indented_and_unknown_ones_end_the_diagnostic():
    report = dsn.parse(
        " Final-Recipient: rfc822; a@b.cc\n Action: failed\nDiagnostic-Code: smtp; 550 no\nSubject: x\nmore\n"
    )
    assert report.groups[0].get("diagnostic-code") == "smtp; 550 no"


def _facts() -> ReportFacts:
    error = LastError(
        450, "4.4.316", "Connection refused", "connect", "refused", "connection_refused", "4.4.316",
        "Connection refused (ECONNREFUSED)", "mail.contoso.example", "192.0.2.7:25", T0, "gw1.example", "01J",
    )  # fmt: skip
    header = b"From: ann@example.org\r\nTo: bob@contoso.example\r\nMessage-ID: <abc@example.org>\r\n"
    explanation = Explanation("Connection refused", "The destination server refused the connection.")
    line = "550 5.4.316 Message expired, connection refused"
    bob = ReportRecipient("bob@contoso.example", explanation, line=line, status="5.4.316", error=error)
    return ReportFacts("01JR", "01JM", T0, T0, "gw1.example", "ann@example.org", (bob,), header=header)


def test_the_reports_of_the_gateway_itself_are_read():
    """R4, B8."""
    failed, delayed = (read_message(build(_facts())).records[0] for build in (build_ndr, build_delay))
    assert (failed.recipient, failed.enhanced, failed.smtp) == ("bob@contoso.example", "5.4.316", 550)
    assert (failed.server, failed.address) == ("mail.contoso.example", "192.0.2.7:25")
    assert (failed.sender, failed.message) == ("ann@example.org", "<abc@example.org>")
    assert delayed.outcome == "deferred"
    assert read_message(build_relayed(_facts())).why[0] == "success"


_WITH_PARTS = (
    b"Received: from x\nFrom: bob@example.com\nTo: team@example.com\nSubject: minutes\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/mixed; boundary="----=_Part_868_30357988"\n\n------=_Part_868_30357988\n'
    b"Content-Type: text/plain\n\nThe mail to eve@example.net could not be delivered, her mailbox is full.\n"
    b"------=_Part_868_30357988\nContent-Type: text/html\n\n<p>eve@example.net: 552 5.2.2 over quota</p>\n"
    b"------=_Part_868_30357988--\n"
)


@pytest.mark.parametrize("name", ["qmail.eml", "exim.eml", "google-old.eml"])
def test_the_parts_of_a_message_that_comes_back_as_text_are_not_those_of_the_report(name):
    """B8: their boundary was taken for that of a report whose header got lost."""
    data = mail(name).replace(b"X-Failed-Recipients", b"X-Other")
    report, received, _ = data.rpartition(b"Received:")
    assert received
    expected = read_message(data).records
    got = read_message(report + _WITH_PARTS).records
    assert [(r.recipient, r.enhanced, r.text) for r in got] == [
        (r.recipient, r.enhanced, r.text) for r in expected
    ]


def test_a_recipient_that_is_told_twice_alike_is_one():
    group = b"Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n\n"
    head = b"From: MAILER-DAEMON@a.example\nSubject: Returned mail\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
    body = (
        b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\n"
        + 3 * group
        + b"--b--\n"
    )
    assert [record.recipient for record in read_message(head + body).records] == ["ann@example.org"]
