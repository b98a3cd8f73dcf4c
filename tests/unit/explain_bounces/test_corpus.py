"""Bounces of many systems are read right, and what only looks like one is left alone (B8)."""

import email
import logging
import re

import pytest
from flufl.bounce import all_failures
from tests.unit.explain_bounces.corpus import BOUNCES, CASES, FOLDER, OTHERS, mail

from gatepost.explain.bounces import read_message
from gatepost.explain.judge import judge


def test_every_mail_of_the_corpus_has_its_expectation():
    assert sorted(CASES) == sorted(path.name for path in FOLDER.glob("*.eml"))
    assert len(BOUNCES) > 100
    assert len(OTHERS) > 30


@pytest.mark.parametrize("name", BOUNCES)
def test_a_bounce_names_recipient_status_and_outcome(name):
    """B8."""
    reading, case = read_message(mail(name)), CASES[name]
    assert reading.is_bounce, reading.why
    assert reading.kind == case["kind"]
    got = [(record.recipient, record.enhanced, record.outcome) for record in reading.records]
    assert got == [(each["recipient"], each["status"], each["outcome"]) for each in case["records"]]
    for record, each in zip(reading.records, case["records"], strict=True):
        assert record.kind == case["kind"]
        assert record.smtp == each["smtp"]
        if "server" in each:
            assert record.server == each["server"]


@pytest.mark.parametrize("name", BOUNCES)
def test_a_bounce_is_classed_like_an_attempt_of_our_own(name):
    """B8."""
    for record, each in zip(read_message(mail(name)).records, CASES[name]["records"], strict=True):
        if "class" in each:  # else it does not say why
            assert str(judge(record).failure_class) == each["class"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_bounce_is_not_taken_for_one(name):
    """B8."""
    reading = read_message(mail(name))
    assert not reading.is_bounce, (reading.why, reading.records)
    assert reading.kind == "not-a-bounce"
    assert reading.why
    assert reading.records == ()


# where the peer drops a recipient, ends an address at its =, or takes a source route, a quote or a file for the address
PEER_ERRS = (
    "dsn-blank-lines.eml",
    "dsn-exim-file.eml",
    "dsn-quoted-printable.eml",
    "dsn-source-route.eml",
    "form-mmdf.eml",
)


@pytest.mark.parametrize("name", [name for name in BOUNCES if name not in PEER_ERRS])
def test_where_an_independent_detector_finds_recipients_they_are_ours(name, monkeypatch):
    monkeypatch.setattr(logging.getLogger("flufl.bounce"), "disabled", True)
    temporary, permanent = all_failures(email.message_from_bytes(mail(name)))
    theirs = {address.decode().lower() for address in temporary | permanent}
    ours = {record.recipient.lower() for record in read_message(mail(name)).records}
    assert not theirs or theirs == ours


def _key(data: bytes):
    reading = read_message(data)
    return reading.kind, [(record.recipient, record.enhanced, record.outcome) for record in reading.records]


def _wrapped(data: bytes) -> bytes:
    """Put a mail's content into a multipart with a footer, as list software and gateways do."""
    head, _, body = data.partition(b"\n\n")
    content = rb"(?im)^(content-type|mime-version|content-transfer-encoding):.*(?:\n[ \t].*)*\n?"
    inner = b"".join(match[0] for match in re.finditer(content, head + b"\n"))
    outer = re.sub(content, b"", head + b"\n").rstrip(b"\n")
    parts = b"--WRAP\n" + inner + b"\n" + body + b"\n--WRAP\n\n_____\nfooter of list@example.com\n--WRAP--\n"
    return outer + b"\nContent-Type: multipart/mixed; boundary=WRAP\n\n" + parts


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: b"From MAILER-DAEMON Mon Feb  1 10:00:00 2021\n" + data,
        lambda data: b"Received: from a\n by b;\n Mon, 1 Feb 2021 10:00:00 +0000\nX-Spam-Status: No\n" + data,
        _wrapped,
    ],
    ids=["CRLF", "CR", "mbox line", "more header", "wrapped"],
)
def test_what_happens_to_mail_on_its_way_changes_nothing(change):
    changed = [name for name in CASES if _key(change(mail(name))) != _key(mail(name))]
    assert changed == []
