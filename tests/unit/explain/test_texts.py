# ruff: noqa: E501 (a sample is one line)
"""Single texts and lines of logs are taken apart: kind, codes, server, recipient, time (B8)."""

import json

import pytest

from gatepost.explain.detect import kind_of_file, units
from gatepost.explain.judge import judge
from gatepost.explain.opening import FORMS, open_text
from gatepost.explain.record import Record
from gatepost.explain.replies import find_reply
from gatepost.explain.stages import phase_of_stage
from gatepost.explain.texts import KINDS, read, read_one
from gatepost.model.failure import FailureClass as C
from gatepost.model.failure import from_iso

NOW = from_iso("2026-11-23T08:00:00Z")
KINDS_OF = {
    "reply": "550 5.1.1 user unknown",
    "exchange": "450 4.4.316 Connection refused [Message=Socket error code 10061]",
    "postfix": "4F2B1C3D9A: to=<b@example.com>, relay=none, status=deferred (connect to a[192.0.2.1]:25: no)",
    "exim": "2026-11-23 08:00:00 1pXYzA-0000Ab-00 == b@example.com R=dnslookup T=remote_smtp defer (60): no",
    "sendmail": "Nov 23 08:00:00 gw sm-mta[1]: r39G922P001173: to=<b@example.com>, relay=a. [192.0.2.1], stat=Deferred: no",
    "opensmtpd": "delivery: TempFail for 4a: from=<a@x>, to=<b@y>, rcpt=<->, relay=192.0.2.9 (mx.y), delay=1s, stat=no",
    "qmail": "delivery 42: deferral: Connected_to_192.0.2.9_but_connection_died._(#4.4.2)/",
    "haraka": "[ERROR] [-] [core] [outbound] Failed to get pool entry: Outbound connection timed out to 192.0.2.9:25",
    "kumomta": json.dumps({"type": "Bounce", "response": {"code": 550, "content": "no such user"}}),
    "gatepost": json.dumps(
        {"smtp": 450, "code": "4.4.316", "title": "Connection refused", "phase": "connect"}
    ),
}


def one(text: str, kind: str = "") -> Record:
    found = read(text, kind, now=NOW)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("kind", KINDS_OF)
def test_the_kind_is_recognised_by_itself(kind):
    """B8."""
    assert one(KINDS_OF[kind]).kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_can_be_forced(kind):
    """B8."""
    assert one("550 5.1.1 user unknown", kind).kind == kind


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.sample[:50])
def test_a_form_finds_what_its_sample_names(form):
    found = open_text(form.sample)
    assert found.server or found.phase or found.inner
    assert form.hint in form.sample


def test_a_line_of_postfix_gives_everything_that_it_names():
    """B8, R20."""
    record = judge(
        one(
            "Nov 22 09:13:39 gw postfix/smtp[8504]: 114D4800C4: to=<b@example.com>, orig_to=<c@example.org>, "
            "relay=mx.example.com[192.0.2.9]:25, delay=1, delays=1/0/0/0, dsn=4.2.0, status=deferred (host "
            "mx.example.com[192.0.2.9] said: 450 4.2.0 <b@example.com>: Greylisted (in reply to RCPT TO command))"
        )
    ).record
    assert record._replace(text="", raw="") == Record(
        kind="postfix", text="", smtp=450, enhanced="4.2.0", phase="rcpt", server="mx.example.com",
        address="192.0.2.9:25", recipient="b@example.com", at=from_iso("2026-11-22T09:13:39Z"),
        outcome="deferred", message="114D4800C4", delay=1000,
    )  # fmt: skip


def test_a_syslog_time_after_now_is_of_the_year_before():
    """RFC 3164 leaves the year out."""
    assert one("Dec 24 08:00:00 gw postfix/smtp[1]: 114D48: to=<b@x>, status=bounced (no)").at == from_iso(
        "2025-12-24T08:00:00Z"
    )


def test_a_bounced_recipient_is_final_and_a_deferred_one_is_not():
    text = (
        "114D4800C4: to=<b@example.com>, relay=none, dsn=5.4.4, status={} (Host or domain name not found. x)"
    )
    assert judge(one(text.format("bounced"))).permanent
    assert not judge(one(text.format("deferred"))).permanent


def test_what_our_own_side_refuses_names_no_server():
    """Rule 6 of the failure classes."""
    text = "NOQUEUE: reject: RCPT from mx.example[192.0.2.4]: 554 5.7.1 <b@y>: Relay access denied; from=<a@x> to=<b@y> proto=SMTP helo=<z>"
    said = judge(one(text))
    assert (said.record.server, said.record.recipient, said.record.sender) == ("", "b@y", "a@x")
    assert said.failure_class is C.RELAY_DENIED


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("X-Postfix; connect to\n  mx.example.org[192.0.2.1]:25: no", "mx.example.org"),
        ("X-Postfix; Name service error\n    for name=example.org type=MX: no", "example.org"),
        ("lost connection with mx.example.org[private/lmtp] while sending RCPT TO", "mx.example.org"),
        ("to=<b@example.com>, relay=antispam, status=deferred (temporary failure)", ""),
        ("to=<b@example.com>, relay=mx.example.org[192.0.2.1]:25, status=deferred (no)", "mx.example.org"),
    ],
)
def test_a_server_is_found_across_lines_and_a_program_of_this_machine_is_none(text, server):
    """B8."""
    assert judge(one(text)).record.server == server


def test_a_refusal_of_old_opensmtpd_is_ours_and_its_step_is_known():
    said = judge(one('smtp-in: Failed command on session a6ee64ed: "RCPT TO:<b@example.com>" => 451 later'))
    assert (said.record.server, said.phase, said.permanent) == ("", "rcpt", False)


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("postfix/smtpd[7]: too many errors after RCPT from client.example[192.0.2.7]", "rcpt"),
        ("postfix/smtpd[7]: lost connection after DATA (400 bytes) from client.example[192.0.2.7]", "data"),
        ("<DATA>: Data command rejected: no; from=<> to=<b@example.com> proto=ESMTP helo=<x>", "data"),
        ("2026-11-23 08:00:00 TLS error on connection from client.example [192.0.2.7] (recv): no", "tls"),
    ],
)
def test_a_client_that_goes_away_is_no_server_and_the_step_is_known(line, phase):
    """B8."""
    said = judge(one(line))
    assert (said.record.server, said.phase) == ("", phase)


def test_the_servers_of_the_service_itself_are_not_the_ones_that_failed():
    said = judge(
        one(
            "Server at MN2PR13MB4005.namprd13.prod.outlook.com returned '550 5.4.316 Message expired, connection refused'"
        )
    )
    assert said.record.server == ""
    assert said.failure_class is C.CONNECTION_REFUSED


@pytest.mark.parametrize(
    ("text", "server", "address"),
    [
        (
            "450 4.4.316 Connection refused [LastAttemptedServerName=mx.a] [LastAttemptedIP=192.0.2.1:25 [fe](x)",
            "mx.a",
            "192.0.2.1:25",
        ),
        (
            "{LED=450 4.4.312 DNS query failed};{MSG=InfoNoRecords};{FQDN=a.example};{IP=0.0.0.0};{LRT=}",
            "a.example",
            "",
        ),
        ("Reason: [{LED=450 4.4.316 Connection refused};{MSG=};{FQDN=};{IP=};{LRT=}]", "", ""),
        ("{MSG=4. OutboundProxyTargetIP: 192.0.2.7. OutboundProxyTargetHostName: mx.b", "mx.b", "192.0.2.7."),
        (
            "450 4.4.317 x [LastAttemptedServerName=mx.a] [LastAttemptedIP=[2001:db8::7]:25] y",
            "mx.a",
            "[2001:db8::7]:25",
        ),
        ("mx.example.org #<mx.example.org #5.1.1 smtp;550 5.1.1 User unknown> #SMTP#", "mx.example.org", ""),
    ],
)
def test_last_errors_of_exchange_are_read_however_they_are_cut(text, server, address):
    record = judge(one(text)).record
    assert (record.server, record.address) == (server, address.rstrip("."))


def test_each_attempt_of_a_report_is_an_error_of_its_own():
    text = (
        "12/9/2020 9:47:12 PM - Server at a.example (192.0.2.1) returned '450 4.4.316 Connection refused'\n"
        "12/9/2020 9:37:12 PM - Server at a.example (192.0.2.1) returned '450 4.4.315 Connection timed out'\n"
    )
    assert [judge(record).flow_code for record in read(text)] == ["4.4.316", "4.4.315"]


def test_the_lines_of_a_reply_belong_together_and_replies_do_not():
    assert len(read("550-5.1.1 no such\n550 5.1.1 user\n452 4.2.2 mailbox full")) == 2


def test_a_listing_of_a_queue_gives_its_reasons_with_the_recipients():
    text = (
        "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
        "4F2B1C3D*     1234 Mon Nov 23 08:00:00  a@example.org\n"
        "(connect to mx.example.org[192.0.2.1]:25: Connection timed out)\n"
        "                                         b@example.com\n"
    )
    said = judge(one(text))
    assert (said.failure_class, said.record.recipient) == (C.CONNECTION_TIMEOUT, "b@example.com")


def test_lines_that_follow_a_line_of_a_log_belong_to_it():
    text = "2026-11-23 08:00:00 1pXYzA-0000Ab-00 ** b@x R=r T=t H=mx.x [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<b@x>: 550-5.1.1 no\n550 5.1.1 such user\n2026-11-23 08:00:01 1pXYzA-0000Ab-00 ** c@x: Unrouteable address"
    assert [record.recipient for record in read(text)] == ["b@x", "c@x"]


@pytest.mark.parametrize(
    ("text", "smtp", "enhanced"),
    [
        ("550 5.1.1 no", 550, "5.1.1"),
        ("550-5.1.1 no\n550 5.1.1 no", 550, "5.1.1"),
        ("smtp; 550 no", 550, ""),
        ("host a[192.0.2.1] said: 451 4.7.1 later", 451, "4.7.1"),
        ("returned '421 4.2.1 x'", 421, "4.2.1"),
        ("(535, b'5.7.8 no')", 535, "5.7.8"),
        ("Sorry, no. (#5.1.1)", 0, "5.1.1"),
        ("delivered 250 of 500 messages", 0, ""),
        ("mx.example.com[192.0.2.4]:465", 0, ""),
        ("version 4.4.1-beta", 0, ""),
    ],
)
def test_codes_are_found_where_they_are_and_nowhere_else(text, smtp, enhanced):
    found = find_reply(text)
    assert (found.smtp, found.enhanced) == (smtp, enhanced)


def test_stages_are_phases():
    stages = {
        "RCPT TO command": "rcpt",
        "end of DATA command": "eod",
        "pipelined MAIL FROM:<rcpt@x>": "mail",
        "nothing": "",
    }
    assert {stage: phase_of_stage(stage) for stage in stages} == stages


def test_a_refusal_in_the_greeting_counts_by_its_reason_or_as_no_service():
    """Rule 4 of the failure classes, R9."""
    text = "host mx.example[192.0.2.1] refused to talk to me: 554 {}"
    assert judge(one(text.format("5.3.2 go away"))).failure_class is C.SERVICE_UNAVAILABLE
    assert judge(one(text.format("blocked using zen.spamhaus.org"))).failure_class is C.IP_BLOCKED


def test_a_timeout_is_told_by_where_it_happened():
    """Rule 5 of the failure classes."""
    assert judge(Record("reply", "timed out", phase="connect")).failure_class is C.CONNECTION_TIMEOUT
    assert judge(Record("reply", "Connection timed out", phase="data")).failure_class is C.SESSION_TIMEOUT


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"From: a@x\r\nTo: b@x\r\nSubject: x\r\n\r\nhello", "mail"),
        (b"From a@x Mon Nov 23 08:00:00 2026\nFrom: a@x\nTo: b@x\nSubject: x\n\nhello", "mbox"),
        (b"Nov 23 08:00:00 gw postfix/smtp[1]: x\n" * 3, "log"),
        (b"550 5.1.1 no", "text"),
        (b"", "text"),
        (b"\x00\xff" * 100, "text"),
    ],
)
def test_files_are_recognised_by_their_beginning(data, kind):
    assert kind_of_file(data) == kind


def test_nothing_is_nothing():
    assert read("") == read(" \n\t ") == list(units("")) == []
    assert read_one("  ") is None


@pytest.mark.parametrize(
    "line",
    [
        '[NOTICE] [7F2C.1.1] [outbound] delivered file=1700_0 domain=b.example host=mx.b.example ip=192.0.2.1 response="2.0.0 ok" delay=1.2',
        'level=NOTICE uuid=7F2C.1.1 source=outbound message="delivered file=1700_0 domain=b.example host=mx.b.example ip=192.0.2.1 response=\\"2.0.0 ok\\" delay=1"',
        'level=INFO uuid=7F2C.1.1 plugin=outbound domain=b.example "delivered file"=1700_0 host=mx.b.example ip=192.0.2.1 response="2.0.0 ok" delay=1',
    ],
)
def test_haraka_says_in_several_ways_that_it_delivered(line):
    (found,) = read(line)
    assert (found.outcome, found.message, found.destination, found.server, found.address, found.text) == (
        "delivered",
        "7F2C.1.1",
        "b.example",
        "mx.b.example",
        "192.0.2.1",
        "2.0.0 ok",
    )


def test_haraka_defers_in_logfmt_too():
    (found,) = read(
        'level=NOTICE uuid=7F2C.1.1 source=outbound message="Temp failing 1700 for 64 seconds: Tried all MXs"'
    )
    assert (found.outcome, found.message, found.text) == ("deferred", "7F2C.1.1", "Tried all MXs")


def test_who_is_unknown_in_reply_to_mail_is_the_sender():
    (found,) = read(
        "host mx.b.example[192.0.2.1] said: 553 us.example does not exist (in reply to MAIL FROM command)"
    )
    assert judge(found).failure_class is C.SENDER_REJECTED
    (found,) = read(
        "host mx.b.example[192.0.2.1] said: 553 b.example does not exist (in reply to RCPT TO command)"
    )
    assert judge(found).failure_class is not C.SENDER_REJECTED
