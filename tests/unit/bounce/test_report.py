# ruff: noqa: E501 (a sample is one line)
"""Reports to the sender: right for programs, plain for people, safe against strangers (R4, R20, B10)."""

import email
import email.policy
import re
from dataclasses import replace

import pytest
from flufl.bounce import all_failures, scan_message
from hypothesis import given
from hypothesis import strategies as st

from gatepost.bounce.facts import Explanation, Moment, ReportFacts, ReportRecipient
from gatepost.bounce.report import build_delay, build_ndr, build_over, build_relayed, may_report, report_flags
from gatepost.bounce.safe import stuffed, unstuff
from gatepost.bounce.words import shorten
from gatepost.model.attempt import Reply
from gatepost.model.failure import LastError
from gatepost.model.mail import (
    EIGHT_BIT,
    NOTIFY_DELAY,
    NOTIFY_FAILURE,
    NOTIFY_NEVER,
    NOTIFY_SUCCESS,
    REPORT,
    RET_HDRS,
    SMTPUTF8,
)

T0 = 1_795_420_800_000  # 2026-11-23 08:00:00 UTC
DAY = 86_400_000
EXPLANATION = Explanation(
    "Connection refused",
    "The destination server refused the connection.",
    ("A firewall refuses this gateway.",),
    ("Tell the recipient by other means.",),
)
ERROR = LastError(
    450, "4.4.316", "Connection refused", "connect", "refused", "connection_refused", "4.4.316",
    "Connection refused (ECONNREFUSED)", "mail.contoso.example", "192.0.2.7:25", T0 + DAY - 60_000,
    "gw1.example", "01J",
)  # fmt: skip
HEADER = (
    b"Received: from a by b; Mon, 23 Nov 2026 08:00:00 +0000\r\nFrom: ann@example.org\r\nTo: bob@contoso.example\r\n"
    b"Subject: Quarterly figures\r\nMessage-ID: <abc@example.org>\r\n"
)
ORIGINAL = HEADER + b"\r\nHello Bob,\r\n..dots\r\n"
RECIPIENT = ReportRecipient(
    "bob@contoso.example",
    EXPLANATION,
    orcpt="rfc822;bob@contoso.example",
    line="550 5.4.316 Message expired, connection refused",
    status="5.4.316",
    error=ERROR,
    timeline=tuple(Moment(T0 + i * 60_000, "450 4.4.316 Connection refused") for i in range(30)),
)
FACTS = ReportFacts(
    "01JREPORT0000",
    "01JMESSAGE000",
    T0,
    T0 + DAY,
    "gw1.example",
    "ann@example.org",
    (RECIPIENT,),
    envid="QQ+2B7",
    header=HEADER,
    original=ORIGINAL,
)


def parsed(data, **policy):
    return email.message_from_bytes(data, policy=email.policy.compat32.clone(**policy))


def status_of(data):
    return parsed(data).get_payload()[1].get_payload()


def text_of(data):
    return parsed(data).get_payload()[0].get_payload(decode=True).decode()


def test_an_ndr_is_understood_by_an_independent_parser():
    """R4."""
    message = parsed(build_ndr(FACTS))
    assert scan_message(message) == {b"bob@contoso.example"}
    temporary, permanent = all_failures(message)
    assert (temporary, permanent) == (set(), {b"bob@contoso.example"})


def test_a_delay_is_understood_as_temporary():
    message = parsed(build_delay(replace(FACTS, retry_until=T0 + DAY)))
    temporary, permanent = all_failures(message)
    assert (temporary, permanent) == ({b"bob@contoso.example"}, set())


def test_the_machine_part_says_all_that_is_known():
    """R4, R20: the last real error and the destination server."""
    message_fields, recipient_fields = status_of(build_ndr(FACTS))
    assert message_fields.items() == [
        ("Original-Envelope-Id", "QQ+7"),
        ("Reporting-MTA", "dns; gw1.example"),
        ("Arrival-Date", "Mon, 23 Nov 2026 08:00:00 +0000"),
    ]
    fields = {name: re.sub(r"\r?\n ", " ", value) for name, value in recipient_fields.items()}
    assert fields == {
        "Original-Recipient": "rfc822; bob@contoso.example",
        "Final-Recipient": "rfc822; bob@contoso.example",
        "Action": "failed",
        "Status": "5.4.316",
        "Remote-MTA": "dns; mail.contoso.example (192.0.2.7:25)",
        "Diagnostic-Code": "smtp; 550 5.4.316 Message expired, connection refused "
        "[Message=Connection refused (ECONNREFUSED)]",
        "Last-Attempt-Date": "Tue, 24 Nov 2026 07:59:00 +0000",
    }


def test_the_header_is_that_of_an_automatic_answer():
    """RFC 3834 section 5.1, RFC 6522."""
    message = parsed(build_ndr(FACTS))
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@gw1.example>"
    assert message["To"] == "<ann@example.org>"
    assert message["Subject"] == "Undeliverable: Quarterly figures"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == message["References"] == "<abc@example.org>"
    assert message["Message-ID"] == "<01JREPORT0000@gw1.example>"
    assert message["Content-Language"] == "en"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"


def test_a_real_reply_is_quoted_word_for_word():
    """R12."""
    reply = Reply(550, ("5.1.1 <bob@contoso.example>:", "5.1.1 User unknown"), "5.1.1")
    data = build_ndr(replace(FACTS, recipients=(replace(RECIPIENT, reply=reply, status="5.1.1"),)))
    fields = status_of(data)[1]
    assert re.sub(r"\r?\n ", " ", fields["Diagnostic-Code"]) == f"smtp; {reply.text}"
    assert f"Last reply of the server: {reply.text}" in text_of(data)


def test_the_original_recipient_is_decoded():
    """RFC 3461 section 4.2: the xtext of RCPT becomes the address that the sender knows."""
    data = build_ndr(
        replace(FACTS, recipients=(replace(RECIPIENT, orcpt="rfc822;bob+2Bnews@contoso.example"),))
    )
    assert status_of(data)[1]["Original-Recipient"] == "rfc822; bob+news@contoso.example"


def test_a_delay_says_until_when_we_try():
    data = build_delay(replace(FACTS, retry_until=T0 + DAY))
    fields = status_of(data)[1]
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.4.316")
    assert fields["Will-Retry-Until"] == "Tue, 24 Nov 2026 08:00:00 +0000"
    assert "We keep trying until: 2026-11-24 08:00:00 UTC" in text_of(data)
    assert "You do not need to send it again" in text_of(data)


def test_good_news_carries_no_error():
    relayed = build_relayed(replace(FACTS, recipients=(replace(RECIPIENT, relayed_to="mx.contoso.example"),)))
    fields = status_of(relayed)[1]
    assert (fields["Action"], fields["Status"], fields["Diagnostic-Code"]) == ("relayed", "2.0.0", None)
    assert fields["Remote-MTA"] == "dns; mx.contoso.example"
    assert "Taken by: mx.contoso.example" in text_of(relayed)
    over = build_over(replace(FACTS, recipients=(replace(RECIPIENT, error=None),)))
    assert status_of(over)[1]["Action"] == "delivered"
    assert "has now been delivered" in text_of(over)


def test_the_human_part_answers_what_since_when_who_and_what_to_do():
    text = text_of(build_ndr(FACTS)).replace("\r\n", "\n")
    assert "Your message could not be delivered.\n" in text
    assert "What happened: Connection refused\n  The destination server refused the connection.\n" in text
    assert "First failed attempt: 2026-11-23 08:00:00 UTC" in text
    assert "Who can fix it: The administrators of the recipient's mail system, not you." in text
    assert "  - A firewall refuses this gateway.\n" in text
    assert "  - Tell the recipient by other means.\n" in text
    assert "Attempts (30):\n  2026-11-23 08:00:00 UTC  450 4.4.316 Connection refused\n" in text
    assert "  ... 28 more attempts\n" in text
    assert "Destination server: mail.contoso.example 192.0.2.7:25" in text


@pytest.mark.parametrize(
    ("owner", "words"),
    [("sender", "You, the sender."), ("us", "this mail gateway"), ("other", "the recipient's mail system")],
)
def test_the_one_who_can_fix_it_is_named(owner, words):
    explanation = replace(EXPLANATION, owner=owner)
    text = text_of(build_ndr(replace(FACTS, recipients=(replace(RECIPIENT, explanation=explanation),))))
    assert re.search(rf"Who can fix it: .*{words}", text)


def test_a_report_can_be_read_in_chinese():
    """B10."""
    data = build_ndr(replace(FACTS, language="zh-CN"))
    assert data.isascii()
    message = parsed(data)
    assert message["Content-Language"] == "zh-CN"
    assert (
        str(email.header.make_header(email.header.decode_header(message["Subject"])))
        == "未能送达：Quarterly figures"
    )
    text = text_of(data)
    assert "您的邮件未能送达。" in text
    assert "谁能解决：收件人邮件系统的管理员，而不是您。" in text
    assert "Who can fix it" not in text


def test_recipients_with_one_story_are_told_together():
    both = (RECIPIENT, replace(RECIPIENT, address="eve@contoso.example", orcpt=""))
    data = build_ndr(replace(FACTS, recipients=both))
    assert text_of(data).count("What happened") == 1
    assert scan_message(parsed(data)) == {b"bob@contoso.example", b"eve@contoso.example"}


def test_a_thousand_recipients_are_all_in_the_machine_part():
    many = tuple(
        replace(RECIPIENT, address=f"u{i}@contoso.example", orcpt="", line=f"550 5.1.1 no {i}")
        for i in range(1000)
    )
    data = build_ndr(replace(FACTS, recipients=many))
    assert len(scan_message(parsed(data))) == 1000
    assert text_of(data).count("What happened") == 20
    assert "... and 980 more recipients" in text_of(data)


def original_of(data):
    return parsed(data).get_payload()[2]


def test_a_small_original_comes_back_whole_and_without_stuffing():
    part = original_of(build_ndr(FACTS))
    assert part.get_content_type() == "message/rfc822"
    assert part.get_payload()[0].get_payload() == "Hello Bob,\r\n.dots\r\n"


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, flags=RET_HDRS),
        replace(FACTS, original=None),
        replace(FACTS, original=ORIGINAL + b"x" * 60_000),
        replace(FACTS, original=ORIGINAL + b"\0"),
        replace(FACTS, original=ORIGINAL + b"bare\nnewline"),
    ],
)
def test_otherwise_the_headers_come_back(facts):
    """RFC 3461 section 4.3."""
    part = original_of(build_ndr(facts))
    assert part.get_content_type() == "text/rfc822-headers"
    assert part.get_payload() == HEADER.decode()


def test_the_cap_decides_how_large_an_original_may_come_back():
    facts = replace(FACTS, original=ORIGINAL + b"x\r\n" * 20_000)
    assert original_of(build_ndr(facts)).get_content_type() == "text/rfc822-headers"
    assert original_of(build_ndr(replace(facts, original_cap=100_000))).get_content_type() == "message/rfc822"


def test_a_delay_never_carries_the_whole_message():
    assert original_of(build_delay(FACTS)).get_content_type() == "text/rfc822-headers"


def test_eight_bit_content_is_declared():
    data = build_ndr(replace(FACTS, original=ORIGINAL + "é\r\n".encode()))
    assert parsed(data)["Content-Transfer-Encoding"] == "8bit"
    assert original_of(data)["Content-Transfer-Encoding"] == "8bit"
    assert report_flags(FACTS, data) == REPORT | EIGHT_BIT
    assert report_flags(FACTS, build_ndr(FACTS)) == REPORT


def test_broken_headers_are_encoded():
    """RFC 6522 section 4."""
    data = build_ndr(replace(FACTS, original=None, header="Subject: naïve\r\n".encode()))
    assert data.isascii()
    assert original_of(data).get_payload(decode=True) == "Subject: naïve\r\n".encode()


def test_an_internationalized_message_gets_an_internationalized_report():
    """RFC 6533."""
    facts = replace(
        FACTS,
        sender="安@例子.example",
        flags=SMTPUTF8,
        recipients=(replace(RECIPIENT, address="波@例子.example"),),
    )
    data = build_ndr(facts)
    message = parsed(data)
    assert [part.get_content_type() for part in message.get_payload()][1:] == [
        "message/global-delivery-status",
        "message/global",
    ]
    assert "Final-Recipient: utf-8; 波@例子.example\r\n".encode() in data
    assert "To: <安@例子.example>\r\n".encode() in data
    assert report_flags(facts, data) == REPORT | EIGHT_BIT | SMTPUTF8
    headers = build_ndr(replace(facts, original=None))
    assert parsed(headers).get_payload()[2].get_content_type() == "message/global-headers"


def test_a_foreign_address_in_a_plain_report_is_escaped():
    """RFC 6533 section 3."""
    data = build_ndr(replace(FACTS, recipients=(replace(RECIPIENT, address="波@x.example", orcpt=""),)))
    assert data.isascii()
    assert status_of(data)[1]["Final-Recipient"] == r"utf-8; \x{6CE2}@x.example"


def test_an_encoded_subject_cannot_smuggle_a_header():
    """Security rule 13."""
    header = b"Subject: =?utf-8?q?a=0D=0ABcc:_victim@example.org?=\r\n"
    message = parsed(build_ndr(replace(FACTS, header=header, original=None)))
    assert message["Bcc"] is None
    assert message["Subject"] == "Undeliverable: a Bcc: victim@example.org"


def test_an_unreadable_message_id_is_not_referred_to():
    message = parsed(build_ndr(replace(FACTS, header=b"Message-ID: <a b>\r\nSubject: x\r\n")))
    assert message["References"] is None


def test_a_boundary_never_stands_in_the_content():
    line = b"--=_report_01JREPORT0000_0--\r\n"
    data = build_ndr(replace(FACTS, original=HEADER + b"\r\n" + line * 3))
    assert original_of(data).get_payload()[0].get_payload() == (line * 3).decode()


# --- strangers

TEXT = st.text(st.characters(exclude_categories=[]), max_size=1500)
NASTY = st.one_of(
    TEXT,
    st.lists(st.sampled_from(["\r\n", "\n", "\0", "Bcc: x@y", "--=_report", " ", "\t", "=?utf-8?q?=0A?=", "é", "中", "\x1b[31m", "a" * 1200, "."]), max_size=30).map("".join),
)  # fmt: skip
KNOWN = {
    "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted", "content-language",
    "mime-version", "content-type", "content-transfer-encoding",
}  # fmt: skip
FIELDS = {
    "original-envelope-id", "reporting-mta", "arrival-date", "original-recipient", "final-recipient", "action", "status",
    "remote-mta", "diagnostic-code", "last-attempt-date", "will-retry-until",
}  # fmt: skip


@given(
    NASTY,
    NASTY,
    NASTY,
    st.binary(max_size=600),
    st.sampled_from(["en", "zh-CN"]),
    st.sampled_from([0, SMTPUTF8]),
)
def test_no_text_of_a_stranger_becomes_a_line_of_ours(reply, server, address, header, language, flags):
    """Security rule 13, fault 44."""
    error = replace(ERROR, server=server, message=reply, title=reply)
    recipient = replace(
        RECIPIENT,
        address=address,
        orcpt=f"rfc822;{address}",
        error=error,
        reply=Reply(550, (reply, server)),
        line=reply,
        status=reply,
        timeline=(Moment(T0, reply), Moment(T0 + 1, server)),
        explanation=replace(EXPLANATION, sentence=reply),
    )
    facts = replace(
        FACTS,
        recipients=(recipient, RECIPIENT),
        envid=address,
        header=header,
        original=None,
        language=language,
        flags=flags,
    )
    for build in (build_ndr, build_delay, build_relayed, build_over):
        data = build(facts)
        assert b"\0" not in data
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
        assert all(len(line) <= 998 for line in data.split(b"\r\n"))
        assert data.endswith(b"--\r\n")
        message = parsed(data)
        assert {name.lower() for name in message.keys()} <= KNOWN  # noqa: SIM118
        parts = message.get_payload()
        assert len(parts) == 3
        if not flags:
            assert data.isascii()
            groups = parts[1].get_payload()
            assert len(groups) == 3
            assert {name.lower() for group in groups for name in group.keys()} <= FIELDS  # noqa: SIM118


@given(st.binary(max_size=300))
def test_any_original_is_quoted_or_left_out(body):
    """Security rule 13."""
    wire = stuffed(HEADER + b"\r\n" + body)
    data = build_ndr(replace(FACTS, original=wire))
    part = original_of(data)
    if re.search(rb"\r(?!\n)|(?<!\r)\n|\0", wire):
        assert part.get_content_type() == "text/rfc822-headers"
    else:
        assert part.get_content_type() == "message/rfc822"
        assert HEADER + b"\r\n" + body in data


@given(st.binary(max_size=300))
def test_stuffing_is_undone_exactly(data):
    """RFC 5321 section 4.5.2."""
    assert unstuff(stuffed(data)) == data


def test_a_reply_of_a_megabyte_is_cut():
    data = build_ndr(replace(FACTS, recipients=(replace(RECIPIENT, reply=Reply(550, ("x" * 1_000_000,))),)))
    assert len(data) < 12_000


# --- may we?


@pytest.mark.parametrize(
    ("sender", "flags", "notify", "kind", "expected"),
    [
        ("", 0, 0, "failure", False),
        ("", 0, NOTIFY_FAILURE, "failure", False),
        ("a@b", REPORT, 0, "failure", False),
        ("a@b", 0, NOTIFY_NEVER, "failure", False),
        ("a@b", 0, 0, "failure", True),
        ("a@b", 0, 0, "delay", True),
        ("a@b", 0, 0, "over", True),
        ("a@b", 0, 0, "relayed", False),
        ("a@b", 0, NOTIFY_SUCCESS, "relayed", True),
        ("a@b", 0, NOTIFY_SUCCESS, "failure", False),
        ("a@b", 0, NOTIFY_FAILURE, "delay", False),
        ("a@b", 0, NOTIFY_DELAY, "delay", True),
        ("a@b", 0, NOTIFY_DELAY, "over", True),
        ("a@b", 0, NOTIFY_FAILURE | NOTIFY_DELAY, "failure", True),
    ],
)
def test_the_sender_is_told_only_what_may_be_told(sender, flags, notify, kind, expected):
    """R4, RFC 3461 section 4.1: never to the null sender, never about a report."""
    assert may_report(sender, flags, notify, kind) is expected


# --- the timeline


def test_a_short_timeline_is_shown_whole():
    moments = tuple(Moment(i, str(i)) for i in range(3))
    assert shorten(moments) == list(moments)


def test_a_timeline_keeps_first_last_and_changes():
    texts = ["a"] * 10 + ["b"] * 10 + ["a"] * 10
    moments = tuple(Moment(i, text) for i, text in enumerate(texts))
    assert shorten(moments) == [moments[0], 9, moments[10], 9, moments[20], 8, moments[29]]


@given(st.lists(st.sampled_from("abc"), max_size=200))
def test_a_timeline_never_grows_and_loses_no_attempt(texts):
    moments = tuple(Moment(i, text) for i, text in enumerate(texts))
    shown = shorten(moments)
    assert len(shown) <= 12
    assert sum(entry if isinstance(entry, int) else 1 for entry in shown) == len(moments)
