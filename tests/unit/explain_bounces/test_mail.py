# ruff: noqa: E501 (a sample is one line)
"""A message's structure is read within limits, and slightly broken ones are read all the same."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.explain.bounces import charset, read_message
from gatepost.explain.bounces.address import addresses, clean_address, reported_address
from gatepost.explain.bounces.mail import MAX_DEPTH, MAX_PARTS, media_type, read

HEAD = b"From: MAILER-DAEMON@mail.example.com\nSubject: failure notice\n"
PATIENCE = 5  # seconds of processor time; the promise is one, a busy machine needs room


def kinds(data: bytes) -> list[str]:
    return [part.kind for part in read(data).parts]


def test_parts_are_found_in_order_with_their_fields():
    data = (
        b'Content-Type: multipart/mixed; boundary="x y"\r\n\r\npreamble\r\n--x y\r\nContent-Type: text/html\r\n\r\n<p>a\r\n'
        b"--x y\r\n\r\nb\r\n--x y--\r\nepilogue"
    )
    message = read(data)
    assert [part.kind for part in message.parts] == ["text/html", "text/plain", "text/x-preamble"]
    assert [part.text.strip() for part in message.parts] == ["a", "b", "preamble"]


def test_a_boundary_that_begins_like_another_is_not_taken_for_it():
    data = (
        b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\n1\n--ab--\n"
        b"--a\n\n2\n--a--\n"
    )
    assert [part.text.strip() for part in read(data).parts] == ["1", "2"]


def test_a_boundary_that_the_header_forgot_is_guessed():
    assert kinds(b"\n--abcdef\nContent-Type: text/html\n\nx\n--abcdef--\n") == ["text/html"]


def test_a_multipart_without_parts_is_text():
    assert kinds(b"Content-Type: multipart/report; boundary=x\n\nno parts here\n") == ["text/plain"]


def test_a_body_without_a_blank_line_before_it_is_read():
    message = read(b"Subject: x\nthis is no field\nSecond line\n")
    assert message.parts[0].text.startswith("this is no field")


def test_the_line_of_an_mbox_is_passed_over():
    assert read(b"From a@b Mon Feb  1 10:00:00 2021\nSubject: x\n\ny").fields.get("subject") == "x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('multipart/report; report-type="delivery-status"; boundary=a=b', ("multipart/report", "a=b")),
        ("multipart/report boundary=x", ("multipart/report", "x")),
        ("", ("text/plain", None)),
        ("garbage", ("text/plain", None)),
    ],
)
def test_media_types_are_read_as_they_come(value, expected):
    kind, parameters = media_type(value)
    assert (kind, parameters.get("boundary")) == expected


def test_texts_are_decoded_as_declared_or_as_they_seem():
    assert charset.decode("退信".encode("gb2312"), "gb2312") == "退信"
    assert charset.decode("退信".encode(), "x-unknown") == "退信"
    assert charset.decode("配信".encode("iso2022_jp"), "us-ascii") == "配信"
    assert charset.decode(b"caf\xe9", "utf-8") == "café"
    assert charset.decode(b"=E9=80=80", "utf-8", "Quoted-Printable") == "退"
    assert charset.header_text("=?utf-8?q?Non_remis=C2=A0:?= =?utf-8?b?5L2g5aW9?=") == "Non remis\xa0:你好"
    assert charset.html_text("<style>p{}</style><p>a&lt;b@c&gt;<br>d<script>x</script>") == "\na<b@c>\nd"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("<ann@example.org>: no", ("ann@example.org",)),
        ("'o'brien@example.org' on Monday", ("o'brien@example.org",)),
        ("c=US;a= ;p=x;SMTP=ann@example.org; on", ("ann@example.org",)),
        ("see http://user@example.org/x", ()),
        ('"ann lee"@example.org.', ('"ann lee"@example.org',)),
        ("收件人邮件地址（ann@example.org）不存在", ("ann@example.org",)),
        ("bounce+a=b.example@list.example.org,", ("bounce+a=b.example@list.example.org",)),
        ("a@[192.0.2.1] x", ("a@[192.0.2.1]",)),
        ("ann@ example @x", ()),
    ],
)
def test_addresses_are_found_in_any_line(line, expected):
    assert addresses(line) == expected


def test_the_address_field_of_a_report_is_cleaned():
    assert reported_address("rfc822; <ann@example.org> (Ann)") == "ann@example.org"
    assert reported_address(r"utf-8; \x{E4}@example.org") == "ä@example.org"
    assert reported_address("rfc822;ann+40example.org") == "ann@example.org"
    assert reported_address("X-Unix; |/bin/filter") == ""
    assert clean_address("@relay.example:ann@example.org") == "ann@example.org"


def _nested(levels: int) -> bytes:
    heads = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return HEAD + b"".join(heads) + b"Content-Type: text/plain\n\nhi\n"


HOSTILE = {
    "3,000 levels": _nested(3000),
    "300,000 parts": HEAD + b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n\nx\n" * 300_000,
    "a line of megabytes": HEAD + b"\n" + b"A" * 4_000_000,
    "a line of signs": HEAD + b"\n" + b"a@" * 2_000_000,
    "many recipients": HEAD + b"\nthis is the qmail-send program\n" + b"<ann@example.org>: x\n" * 200_000,
    "long local parts": HEAD + b"\nfailed addresses follow:\n" + (b"a" * 1990 + b"@b.cc\n") * 2000,
    "a header only": b"X: y\n" * 800_000,
    "a folded header": b"Subject: a\n" + b" a\n" * 1_000_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?" * 400_000 + b"\n\n",
    "parameters": b"Content-Type: multipart/report" + b"; a=b" * 500_000 + b"\n\nx",
    "open tags": HEAD + b"Content-Type: text/html\n\n" + b"<style>" * 500_000,
    "tags": HEAD + b"Content-Type: text/html\n\n" + b"<a>" * 1_000_000,
    "many pages": HEAD
    + b"Content-Type: multipart/mixed; boundary=b\n\n"
    + (b"--b\nContent-Type: text/html\n\n" + b"<a>" * 2000 + b"\n") * 600,
    "fields": HEAD
    + b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@b.cc\nAction: failed\n\n" * 80_000,
    "spaces": HEAD + b"\n" + (b" " * 1900 + b"x\n") * 2000,
    "hosts": HEAD + b"\nthe postfix program\n<a@b.cc>: " + b"\n   host x[1.2.3.4] said: " * 200_000,
    "transcripts": HEAD + b"\n   ----- Transcript of session follows -----\n" + b">>> RCPT\n<<< 550 x\n550 <a@b.cc>... no\n" * 60_000,
    "utf-7": HEAD + b"Content-Type: text/plain; charset=utf-7\n\n" + b"+" * 1_000_000,
    "json": HEAD + b'\n{"notificationType":' + b"[" * 2_000_000,
    "zeros": b"\0" * 4_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_mail_is_read_quickly(name):
    started = time.process_time()
    read_message(HOSTILE[name])
    assert time.process_time() - started < PATIENCE


def test_depth_and_parts_are_bounded():
    assert max(part.depth for part in read(_nested(3000)).parts) <= MAX_DEPTH
    assert len(read(HOSTILE["300,000 parts"]).parts) == MAX_PARTS


_PIECES = st.sampled_from(
    [
        b"From: MAILER-DAEMON@example.org\n", b"Subject: failure notice\n", b"X-Failed-Recipients: a@b.cc, c\n", b"\n", b"\r\n",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n", b"--b\n", b"--b--\n", b"\x1b$B", b"\xff",
        b"Content-Type: message/delivery-status\n", b"Content-Type: message/rfc822\n", b"Content-Type: text/html\n", b"<td>",
        b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"=?utf-8?b?AAA?=", b"\x1b[31m",
        b"Final-Recipient: rfc822; a@b.cc\n", b"Original-Recipient: utf-8; \\x{110000}@b\n", b"Action: failed\n", b"Status: 5.1.1\n",
        b"Diagnostic-Code: smtp; 550 5.1.1 ", b"host x[1.2.3.4] said: ", b"<a@b.cc>: ", b"@", b"Remote-MTA: dns; [1\n",
        b"   ----- Transcript of session follows -----\n", b"... while talking to x.:\n", b">>> RCPT\n", b"<<< 550 no\n",
        b"did not reach the following recipient(s):\n", b"Hi. This is the qmail-send program\n", "退信".encode(), b"=\n", b"&#x110000;",
        b"Date: Mon, 99 Foo 99999 99:99:99 +9999\n", b'{"notificationType":"Bounce","bounce":{"bouncedRecipients":[1]}}',
    ]
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.one_of(_PIECES, st.binary(max_size=30)), max_size=40))
def test_whatever_comes_is_read_without_an_exception_and_nothing_raw_comes_out(pieces):
    """B8."""
    reading = read_message(b"".join(pieces))
    assert reading.is_bounce == bool(reading.records)
    for record in reading.records:
        texts = [value for value in record if isinstance(value, str)]
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for text in texts for char in text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_random_octets_are_no_bounce(data):
    assert not read_message(data).is_bounce
