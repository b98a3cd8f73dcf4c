# ruff: noqa: E501 (a line of a log is one line)
"""Whole logs of every kind: recognised, joined by queue id, counted; what is stuck, was delivered later or returned (B8)."""

import gzip
import io
import json
import time

import pytest

from gatepost.explain.lines.syslog import local_ms
from gatepost.explain.log.joins import MAX_KNOWN
from gatepost.explain.log.reading import read_log, reading_of
from gatepost.explain.log.summary import Wanted, summary_of, trending
from gatepost.explain.sources import opened, records_in
from gatepost.model.failure import from_iso

NOW = from_iso("2026-11-23T12:00:00Z")


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    local_ms.cache_clear()
    yield
    local_ms.cache_clear()
    monkeypatch.undo()
    time.tzset()


def evidence(text):
    data = text if isinstance(text, bytes) else text.encode()
    return opened(io.BufferedReader(io.BytesIO(data)), NOW)


def summary(text, kind="", since=0, **wanted):
    found = evidence(text)
    assert found.found == "log"
    return summary_of(read_log(found.stream, kind, found.now, since=since), Wanted(**wanted))


def records(text, kind=""):
    return [record for record in records_in(evidence(text), kind) if record.outcome]


POSTFIX = """\
Nov 23 08:00:00 gw postfix/smtpd[1]: 4F2B1C3D9A: client=app.example[10.0.0.1]
Nov 23 08:00:00 gw postfix/qmgr[2]: 4F2B1C3D9A: from=<ann@us.example>, size=1, nrcpt=2 (queue active)
Nov 23 08:00:30 gw postfix/smtp[3]: 4F2B1C3D9A: to=<b@far.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx.far.example[192.0.2.9]:25: Connection timed out)
Nov 23 08:00:31 gw postfix/smtp[3]: 4F2B1C3D9A: to=<c@near.example>, relay=mx.near.example[192.0.2.8]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 OK)
Nov 23 08:01:00 gw postfix/smtp[3]: 4F2B1C3D9B: to=<d@far.example>, relay=none, delay=10, delays=0/0/10/0, dsn=4.4.1, status=deferred (connect to mx.far.example[192.0.2.9]:25: Connection timed out)
Nov 23 08:02:00 gw postfix/smtp[3]: 4F2B1C3D9C: to=<e@near.example>, relay=mx.near.example[192.0.2.8]:25, delay=1, delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx.near.example[192.0.2.8] said: 550 5.1.1 User unknown (in reply to RCPT TO command))
Nov 23 09:00:00 gw postfix/smtp[3]: 4F2B1C3D9B: to=<d@far.example>, relay=mx.far.example[192.0.2.9]:25, delay=3610, delays=0/0/1/0, dsn=2.0.0, status=sent (250 OK)
Nov 23 09:00:01 gw postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[203.0.113.9]: 554 5.7.1 <z@us.example>: Relay access denied; from=<s@spam.example> to=<z@us.example> proto=ESMTP helo=<x>
what is this \x1b[2J line
"""


def test_a_log_of_postfix_says_what_is_stuck_what_came_later_and_what_was_returned():
    found = summary(POSTFIX)
    assert (found.kind, found.lines, found.bad_lines) == ("postfix", 9, 1)
    assert found.bad_example == "what is this \\x1b[2J line"
    assert (found.stuck, found.delivered, found.returned, found.refused) == (1, 2, 1, 1)
    far, near, refused = found.insights
    assert (far.destination, far.failure_class, far.code) == ("far.example", "connection_timeout", "4.4.315")
    assert (far.stuck, far.delivered, far.returned, far.attempts) == (1, 1, 0, 2)
    assert far.oldest_at == far.since - 30_000 == from_iso("2026-11-23T08:00:00Z")
    assert (far.server, far.address) == ("mx.far.example", "192.0.2.9:25")
    assert far.works_at == from_iso("2026-11-23T09:00:00Z")
    assert (near.destination, near.failure_class, near.returned) == ("near.example", "recipient_unknown", 1)
    assert (refused.incoming, refused.failure_class, refused.attempts) == (True, "relay_denied", 1)


def test_the_lines_of_a_message_are_joined_by_its_queue_id():
    first = records(POSTFIX)[0]
    assert (first.sender, first.recipient, first.delay) == ("ann@us.example", "b@far.example", 30_000)


@pytest.mark.parametrize(
    ("line", "stuck", "returned"),
    [
        ("postfix/qmgr[2]: 4F2B1C3D9A: from=<ann@us.example>, status=expired, returned to sender", 0, 1),
        ("postfix/postsuper[9]: 4F2B1C3D9A: removed", 0, 0),
        ("postfix/smtp[3]: 4F2B1C3D9A: to=<other@far.example>, relay=a.example[192.0.2.7]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 OK)", 1, 0),
    ],
)  # fmt: skip
def test_a_message_that_expires_or_is_taken_away_waits_no_more(line, stuck, returned):
    found = summary("".join(POSTFIX.splitlines(keepends=True)[:3]) + f"Nov 24 08:00:31 gw {line}\n")
    assert (found.stuck, found.insights[0].stuck, found.returned) == (stuck, stuck, returned)


def test_mail_that_a_filter_of_this_machine_takes_is_delivered_once():
    text = (
        "Nov 23 08:00:00 gw postfix/smtp[3]: 4F2B1C3D9A: to=<c@a.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 11)\n"
        "Nov 23 08:00:01 gw postfix/smtp[3]: 4F2B1C3D9B: to=<c@a.example>, relay=mx.a.example[192.0.2.8]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 OK)\n"
    )
    assert summary(text).delivered == 1


EXIM = """\
2026-11-23 08:00:00 1sLABC-0001ab-Cd <= ann@us.example H=app [10.0.0.1] P=esmtp S=700
2026-11-23 08:00:30 1sLABC-0001ab-Cd == b@far.example R=dnslookup T=remote_smtp defer (110): Connection timed out H=mx.far.example [192.0.2.9]
2026-11-23 08:00:31 1sLABC-0001ab-Cd => c@near.example R=dnslookup T=remote_smtp H=mx.near.example [192.0.2.8] C="250 OK"
2026-11-23 08:01:00 1sLABC-0001ab-Ce == d@far.example R=dnslookup T=remote_smtp defer (110): Connection timed out H=mx.far.example [192.0.2.9]
2026-11-23 08:02:00 1sLABC-0001ab-Cf ** e@near.example R=dnslookup T=remote_smtp H=mx.near.example [192.0.2.8]: SMTP error from remote mail server after RCPT TO:<e@near.example>: 550 5.1.1 User unknown
2026-11-23 09:00:00 1sLABC-0001ab-Ce => d@far.example R=dnslookup T=remote_smtp H=mx.far.example [192.0.2.9] C="250 OK"
2026-11-23 09:00:00 1sLABC-0001ab-Ce Completed
"""
SENDMAIL = """\
Nov 23 08:00:00 gw sendmail[9]: 5AN80001: from=<ann@us.example>, size=700, class=0, nrcpts=2, relay=app [10.0.0.1]
Nov 23 08:00:30 gw sendmail[9]: 5AN80001: to=<b@far.example>, delay=00:00:30, xdelay=00:00:30, mailer=esmtp, relay=mx.far.example. [192.0.2.9], dsn=4.0.0, stat=Deferred: Connection timed out with mx.far.example.
Nov 23 08:00:31 gw sendmail[9]: 5AN80002: to=<c@near.example>, delay=00:00:01, mailer=esmtp, relay=mx.near.example. [192.0.2.8], dsn=2.0.0, stat=Sent (250 OK)
Nov 23 08:01:00 gw sendmail[9]: 5AN80003: to=<d@far.example>, delay=00:00:30, mailer=esmtp, relay=mx.far.example. [192.0.2.9], dsn=4.0.0, stat=Deferred: Connection timed out with mx.far.example.
Nov 23 08:02:00 gw sendmail[9]: 5AN80004: to=<e@near.example>, delay=00:00:01, mailer=esmtp, relay=mx.near.example. [192.0.2.8], dsn=5.1.1, stat=User unknown
Nov 23 09:00:00 gw sendmail[9]: 5AN80003: to=<d@far.example>, delay=01:00:01, mailer=esmtp, relay=mx.far.example. [192.0.2.9], dsn=2.0.0, stat=Sent (250 OK)
"""
OPENSMTPD = """\
Nov 23 08:00:30 gw smtpd[9]: 1111111111111111 mta delivery evpid=aaaaaaaa00000001 from=<ann@us.example> to=<b@far.example> rcpt=<-> source="-" relay="192.0.2.9 (mx.far.example)" delay=30s result="TempFail" stat="Network error on destination MXs: Connection timed out"
Nov 23 08:00:31 gw smtpd[9]: 1111111111111111 mta delivery evpid=aaaaaaaa00000002 from=<ann@us.example> to=<c@near.example> rcpt=<-> source="10.0.0.9" relay="192.0.2.8 (mx.near.example)" delay=1s result="Ok" stat="250 OK"
Nov 23 08:01:00 gw smtpd[9]: 1111111111111112 mta delivery evpid=bbbbbbbb00000001 from=<ann@us.example> to=<d@far.example> rcpt=<-> source="-" relay="192.0.2.9 (mx.far.example)" delay=30s result="TempFail" stat="Network error on destination MXs: Connection timed out"
Nov 23 08:02:00 gw smtpd[9]: 1111111111111113 mta delivery evpid=cccccccc00000001 from=<ann@us.example> to=<e@near.example> rcpt=<-> source="10.0.0.9" relay="192.0.2.8 (mx.near.example)" delay=1s result="PermFail" stat="550 5.1.1 User unknown"
Nov 23 09:00:00 gw smtpd[9]: 1111111111111114 mta delivery evpid=bbbbbbbb00000001 from=<ann@us.example> to=<d@far.example> rcpt=<-> source="10.0.0.9" relay="192.0.2.9 (mx.far.example)" delay=1h result="Ok" stat="250 OK"
"""
QMAIL = """\
Nov 23 08:00:00 gw qmail: 1795420800.1 new msg 77
Nov 23 08:00:00 gw qmail: 1795420800.1 info msg 77: bytes 700 from <ann@us.example> qp 5 uid 6
Nov 23 08:00:00 gw qmail: 1795420800.1 starting delivery 1: msg 77 to remote b@far.example
Nov 23 08:00:30 gw qmail: 1795420830.1 delivery 1: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/
Nov 23 08:00:30 gw qmail: 1795420830.1 starting delivery 2: msg 78 to remote c@near.example
Nov 23 08:00:31 gw qmail: 1795420831.1 delivery 2: success: 192.0.2.8_accepted_message./Remote_host_said:_250_OK/
Nov 23 08:00:31 gw qmail: 1795420831.1 starting delivery 3: msg 79 to remote d@far.example
Nov 23 08:01:00 gw qmail: 1795420860.1 delivery 3: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/
Nov 23 08:01:01 gw qmail: 1795420861.1 starting delivery 4: msg 80 to remote e@near.example
Nov 23 08:02:00 gw qmail: 1795420920.1 delivery 4: failure: 192.0.2.8_does_not_like_recipient./Remote_host_said:_550_5.1.1_User_unknown/Giving_up_on_192.0.2.8./
Nov 23 08:59:59 gw qmail: 1795424399.1 starting delivery 5: msg 79 to remote d@far.example
Nov 23 09:00:00 gw qmail: 1795424400.1 delivery 5: success: 192.0.2.9_accepted_message./Remote_host_said:_250_OK/
"""


def kumo(at, kind, number, recipient, code, content, peer):
    response = {"code": code, "enhanced_code": None, "content": content, "command": None}
    place = {"name": peer[0], "addr": peer[1]}
    row = {
        "type": kind,
        "id": number,
        "sender": "ann@us.example",
        "recipient": recipient,
        "queue": recipient.rpartition("@")[2],
        "size": 7,
        "response": response,
        "peer_address": place,
        "timestamp": from_iso(at) // 1000,
    }
    return json.dumps(row) + "\n"


KUMOMTA = (
    kumo("2026-11-23T08:00:30Z", "TransientFailure", "a", "b@far.example", 451, "4.4.1 connect to 192.0.2.9:25 timed out: Connection timed out", ("mx.far.example.", "192.0.2.9"))
    + kumo("2026-11-23T08:00:31Z", "Delivery", "b", "c@near.example", 250, "OK", ("mx.near.example.", "192.0.2.8"))
    + kumo("2026-11-23T08:01:00Z", "TransientFailure", "c", "d@far.example", 451, "4.4.1 connect to 192.0.2.9:25 timed out: Connection timed out", ("mx.far.example.", "192.0.2.9"))
    + kumo("2026-11-23T08:02:00Z", "Bounce", "d", "e@near.example", 550, "5.1.1 User unknown", ("mx.near.example.", "192.0.2.8"))
    + kumo("2026-11-23T09:00:00Z", "Delivery", "c", "d@far.example", 250, "OK", ("mx.far.example.", "192.0.2.9"))
)  # fmt: skip


def haraka(at, number, words):
    return f"2026-11-23T{at}.000Z [NOTICE] [6A3D5E1C-0000-4B1B-9C3E-1234567890A{number}.1] {words}\n"


TEMP_FAIL = "[outbound] Temp failing 1_1_0_1_a_0_gw for 64 seconds: Connection timed out to 192.0.2.9:25"
DONE = '[outbound] delivered file=1_1 domain={d} host=mx.{d} ip=192.0.2.8 port=25 mode=SMTP tls=N auth=N response="OK" delay=1.2 fails=0 rcpts=1/0/0'
HARAKA = (
    haraka("08:00:00", 1, '[core] sender <ann@us.example> code=CONT msg=""')
    + haraka("08:00:00", 1, '[core] recipient <b@far.example> code=OK msg="" sender="ann@us.example"')
    + haraka("08:00:30", 1, TEMP_FAIL)
    + haraka("08:00:30", 2, '[core] recipient <c@near.example> code=OK msg=""')
    + haraka("08:00:31", 2, DONE.format(d="near.example"))
    + haraka("08:00:40", 3, '[core] recipient <d@far.example> code=OK msg=""')
    + haraka("08:01:00", 3, TEMP_FAIL)
    + haraka("08:01:30", 4, '[core] recipient <e@near.example> code=OK msg=""')
    + haraka("08:02:00", 4, "[outbound] bouncing message: 550 5.1.1 User unknown")
    + haraka("09:00:00", 3, DONE.format(d="far.example"))
)
TRACKING_HEAD = "#Software: Microsoft Exchange Server\r\n#Version: 15.02.0986.005\r\n#Log-type: Message Tracking Log\r\n#Date: 2026-11-23T00:00:00.000Z\r\n#Fields: date-time,client-ip,...\r\n"


def tracked(at, event, number, recipient, status, server):
    return f"{at},10.0.0.9,gw,{server[1]},{server[0]},,to-out,SMTP,{event},{number},<{number}@us.example>,n{number},{recipient},{status},700,1,,,subject,ann@us.example,ann@us.example,\r\n"


EXCHANGE = TRACKING_HEAD + (
    tracked("2026-11-23T08:00:30.000Z", "DEFER", 1, "b@far.example", "451 4.4.0 Primary target IP address responded with: 421 4.2.1 Unable to connect. Connection timed out", ("mx.far.example", "192.0.2.9"))
    + tracked("2026-11-23T08:00:31.000Z", "SENDEXTERNAL", 2, "c@near.example", "250 2.1.5 Recipient OK", ("mx.near.example", "192.0.2.8"))
    + tracked("2026-11-23T08:01:00.000Z", "DEFER", 3, "d@far.example", "451 4.4.0 Primary target IP address responded with: 421 4.2.1 Unable to connect. Connection timed out", ("mx.far.example", "192.0.2.9"))
    + tracked("2026-11-23T08:02:00.000Z", "FAIL", 4, "e@near.example", "550 5.1.1 User unknown", ("mx.near.example", "192.0.2.8"))
    + tracked("2026-11-23T09:00:00.000Z", "SENDEXTERNAL", 3, "d@far.example", "250 2.1.5 Recipient OK", ("mx.far.example", "192.0.2.9"))
)  # fmt: skip


def ours(at, event, number, recipient, **fields):
    row = {
        "time": at,
        "level": "info",
        "event": event,
        "message_id": number,
        "recipient": recipient,
        **fields,
    }
    return json.dumps(row, separators=(",", ":")) + "\n"


TIMED_OUT = {"code": "4.4.315", "smtp": 450, "phase": "connect", "reason": "timeout", "server": "mx.far.example", "address": "192.0.2.9:25", "error": "Connection timed out"}  # fmt: skip
GATEPOST = (
    json.dumps({"time": "2026-11-23T08:00:00.000Z", "level": "info", "event": "message.accepted", "message_id": "01JAA", "sender": "ann@us.example", "recipients": ["b@far.example"]}, separators=(",", ":")) + "\n"
    + ours("2026-11-23T08:00:30.000Z", "message.deferred", "01JAA", "b@far.example", **TIMED_OUT)
    + ours("2026-11-23T08:00:31.000Z", "message.delivered", "01JAB", "c@near.example", reply="250 OK", delay=100)
    + ours("2026-11-23T08:01:00.000Z", "message.deferred", "01JAC", "d@far.example", **TIMED_OUT)
    + ours("2026-11-23T08:02:00.000Z", "message.failed", "01JAD", "e@near.example", code="5.1.1", smtp=550, phase="rcpt", error="User unknown")
    + ours("2026-11-23T09:00:00.000Z", "message.delivered", "01JAC", "d@far.example", reply="250 OK", delay=3600_000)
)  # fmt: skip
KINDS = {
    "postfix": "\n".join(line for line in POSTFIX.splitlines()[:7]) + "\n",
    "exim": EXIM,
    "sendmail": SENDMAIL,
    "opensmtpd": OPENSMTPD,
    "qmail": QMAIL,
    "kumomta": KUMOMTA,
    "haraka": HARAKA,
    "exchange": EXCHANGE,
    "gatepost": GATEPOST,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_log_gives_the_same_picture(kind):
    """The same five messages: two wait for far.example, one of which comes through; one arrives; one is returned."""
    found = summary(KINDS[kind])
    assert (found.kind, found.bad_lines) == (kind, 0)
    assert (found.stuck, found.delivered, found.returned) == (1, 2, 1)
    assert found.first <= from_iso("2026-11-23T08:00:30Z")
    assert found.last == from_iso("2026-11-23T09:00:00Z")
    far, near = found.insights
    assert far.failure_class in ("connection_timeout", "host_unreachable")
    assert (far.destination, far.code, far.attempts, far.delivered) == ("far.example", "4.4.315", 2, 1)
    assert far.since == from_iso("2026-11-23T08:00:30Z")
    assert far.last_seen == from_iso("2026-11-23T08:01:00Z")
    assert (near.destination, near.failure_class, near.returned) == ("near.example", "recipient_unknown", 1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "qmail"])
def test_sender_recipient_and_server_are_known_of_every_failure(kind):
    first = next(record for record in records(KINDS[kind]) if record.outcome == "deferred")
    assert (first.sender, first.recipient) == ("ann@us.example", "b@far.example")


def test_deliveries_of_qmail_are_joined_with_their_message():
    first = records(QMAIL)[0]
    assert (first.sender, first.recipient, first.message) == ("ann@us.example", "b@far.example", "77")


def exported(text):
    """Return the lines of a log as `journalctl -o export` prints them, the last as a binary field."""
    entries, lines = [], text.splitlines()
    for number, line in enumerate(lines):
        _, _, rest = line.partition(" gw ")
        name, _, words = rest.partition(": ")
        program, _, pid = name.rstrip("]").partition("[")
        at = from_iso(f"2026-11-{line[4:6]}T{line[7:15]}Z") * 1000
        message = b"MESSAGE=" + words.encode()
        if number == len(lines) - 1:
            message = b"MESSAGE\n" + len(words).to_bytes(8, "little") + words.encode()
        head = f"__CURSOR=s={number}\n__REALTIME_TIMESTAMP={at}\n_HOSTNAME=gw\nSYSLOG_IDENTIFIER={program}\n_PID={pid}\n"
        entries.append(head.encode() + message + b"\n\n")
    return b"".join(entries)


def as_json(text):
    rows = []
    for line in text.splitlines():
        _, _, rest = line.partition(" gw ")
        name, _, words = rest.partition(": ")
        program, _, pid = name.rstrip("]").partition("[")
        at = from_iso(f"2026-11-{line[4:6]}T{line[7:15]}Z") * 1000
        row = {
            "__CURSOR": "x",
            "__REALTIME_TIMESTAMP": str(at),
            "_HOSTNAME": "gw",
            "SYSLOG_IDENTIFIER": program,
            "_PID": pid,
        }
        rows.append(json.dumps({**row, "MESSAGE": list(words.encode()) if len(rows) == 1 else words}))
    return "\n".join(rows)


@pytest.mark.parametrize("form", [exported, as_json])
@pytest.mark.parametrize("kind", ["postfix", "sendmail", "opensmtpd"])
def test_exports_of_the_journal_are_read_as_the_log_that_they_hold(kind, form):
    found = summary(form(KINDS[kind]))
    assert (found.kind, found.stuck, found.delivered, found.returned) == (kind, 1, 2, 1)
    assert found.insights[0].since == from_iso("2026-11-23T08:00:30Z")


def test_a_packed_log_is_unpacked_and_a_damaged_one_read_as_far_as_it_goes():
    packed = gzip.compress(POSTFIX.encode() * 50)
    assert summary(packed).lines == 450
    assert 0 < summary(packed[: len(packed) - 20]).lines <= 450


def test_lines_of_multilog_have_their_time():
    text = "@400000006b03f6f80eb4c7a4 delivery 1: deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/\n"
    at = (0x6B03F6F8 - 10) * 1000 + 0x0EB4C7A4 // 1_000_000
    assert records(text * 3)[0].at == at


def test_sendmail_names_several_recipients_in_one_line():
    text = SENDMAIL.replace("to=<b@far.example>", "to=<b@far.example>,<x@far.example>")
    assert summary(text).stuck == 2


PROTOCOL = """\
#Software: Microsoft Exchange Server
#Log-type: SMTP Send Protocol Log
2026-11-23T08:00:00.000Z,to-out,08D1,0,10.0.0.9:4000,192.0.2.8:25,+,,
2026-11-23T08:00:00.100Z,to-out,08D1,1,10.0.0.9:4000,192.0.2.8:25,>,MAIL FROM:<ann@us.example> SIZE=700,
2026-11-23T08:00:00.200Z,to-out,08D1,2,10.0.0.9:4000,192.0.2.8:25,<,250 2.1.0 OK,
2026-11-23T08:00:00.300Z,to-out,08D1,3,10.0.0.9:4000,192.0.2.8:25,>,RCPT TO:<e@near.example>,
2026-11-23T08:00:00.400Z,to-out,08D1,4,10.0.0.9:4000,192.0.2.8:25,<,550 5.1.1 User unknown,
"""


def test_a_session_of_exchange_s_protocol_log_is_joined():
    found = records(PROTOCOL)
    assert [(r.sender, r.recipient, r.phase, r.outcome, r.address) for r in found] == [
        ("ann@us.example", "e@near.example", "rcpt", "failed", "192.0.2.8:25")
    ]


def test_a_connectivity_log_of_exchange_says_which_host_could_not_be_reached():
    text = (
        "#Log-type: Transport Connectivity Log\n"
        "2026-11-23T08:00:00.000Z,08D1,SMTP,far.example,+,Undefined 00000000-0000\n"
        "2026-11-23T08:00:21.000Z,08D1,SMTP,far.example,>,Failed connection to 192.0.2.9:25 (TimedOut:0000274C)[TargetHost:mx.far.example:25]\n"
    )
    assert summary(text).insights[0].failure_class == "connection_timeout"


def test_a_kind_can_be_forced():
    assert summary(POSTFIX, kind="sendmail").kind == "sendmail"


def test_what_was_before_since_is_joined_and_not_counted():
    found = summary(POSTFIX, since=from_iso("2026-11-23T08:30:00Z") // 1000)
    assert (found.stuck, found.delivered, found.refused) == (1, 1, 1)
    assert [(i.destination, i.attempts, i.stuck) for i in found.insights if not i.incoming] == [
        ("far.example", 0, 1)
    ]


def test_a_summary_can_be_of_one_destination_or_class_and_short():
    assert [i.destination for i in summary(POSTFIX, to="far.example").insights] == ["far.example"]
    assert [i.destination for i in summary(POSTFIX, to="mx.near.example").insights] == ["near.example"]
    assert [i.failure_class for i in summary(POSTFIX, failure_class="relay_denied").insights] == [
        "relay_denied"
    ]
    short = summary(POSTFIX, top=1)
    assert (len(short.insights), short.more) == (1, 2)


def test_many_domains_that_fail_at_one_server_are_one_insight_of_it():
    line = "Nov 23 08:00:30 gw postfix/smtp[3]: {n}AAAAAA: to=<b@d{n}.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx.host.example[192.0.2.9]:25: Connection refused)\n"
    found = summary("".join(line.format(n=n) for n in range(10, 20)))
    assert [(i.destination, i.destinations, i.stuck) for i in found.insights] == [("mx.host.example", 10, 10)]


def test_mail_whose_retry_time_has_not_come_waits_because_of_what_failed_before():
    lines = EXIM.splitlines(keepends=True)[:2]
    later = "2026-11-23 08:05:00 1sLABC-0001ab-Cx == z@far.example R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'far.example'\n"
    found = summary("".join([*lines, later]))
    assert [(i.failure_class, i.stuck) for i in found.insights] == [("connection_timeout", 2)]


def test_what_a_remote_server_rejected_is_no_refusal_of_ours():
    line = "2026-11-23 08:02:00 1sLABC-0001ab-Cf ** e@near.example R=dnslookup T=remote_smtp H=mx.near.example [192.0.2.8]: SMTP error from remote mail server after RCPT TO:<e@near.example>: 550 5.1.1 rejected RCPT <e@near.example>: User unknown\n"
    found = summary(line)
    assert [(i.incoming, i.destination, i.returned) for i in found.insights] == [(False, "near.example", 1)]


def test_a_trend_compares_the_last_hour_with_the_day_before():
    assert trending({10: 5}, 20) == "over"
    assert trending({20: 5}, 20) == "new"
    assert trending(dict.fromkeys(range(21), 5), 20) == "steady"
    assert trending({**dict.fromkeys(range(20), 5), 20: 50}, 20) == "rising"
    assert trending({**dict.fromkeys(range(19), 50), 19: 5}, 20) == "falling"


def test_memory_stays_bounded_however_many_messages_wait(monkeypatch):
    monkeypatch.setattr("gatepost.explain.log.tally.MAX_WAITING", 100)
    monkeypatch.setattr("gatepost.explain.log.tally.MAX_GROUPS", 50)
    line = "Nov 23 08:00:30 gw postfix/smtp[3]: {n}AAAAAA: to=<b@d{n}.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx{n}.example[192.0.2.9]:25: Connection refused)\n"
    reading = reading_of(line.encode(), "", NOW)
    reading.reader.block("".join(line.format(n=n) for n in range(1000, 2000)).encode())
    assert len(reading.tally.waiting) <= 100
    assert reading.tally.forgotten == 1000 - len(reading.tally.waiting)
    assert len(reading.tally.groups) <= 51
    assert sum(group.attempts for group in reading.tally.groups.values()) == 1000


def test_joins_forget_the_oldest_messages():
    lines = "".join(
        f"Nov 23 08:00:00 gw postfix/qmgr[2]: {n:010X}: from=<a@x.example>, size=1, nrcpt=1 (queue active)\n"
        for n in range(MAX_KNOWN + 10)
    )
    last = f"Nov 23 08:00:30 gw postfix/smtp[3]: {MAX_KNOWN + 9:010X}: to=<b@far.example>, relay=none, delay=30, dsn=4.4.1, status=deferred (timed out)\n"
    assert records(lines + last)[0].sender == "a@x.example"
