"""Notices in words: complete, in both languages, and harmless whatever a remote host said (R18-R20, B10)."""

from email import message_from_bytes
from email.policy import default

import pytest

from gatepost.alert.notices import lines, mail, sentence, subject
from gatepost.i18n import translator
from gatepost.net.webhook import internal, signature

NOW = 1_764_000_000_000
ABOUT = {
    "connector": "to-office",
    "destination": "mail.contoso.example",
    "title": "Connection refused",
    "code": "4.4.316",
    "since": "2026-11-23T08:00:00.000Z",
    "messages": 63,
    "queued_since": "2026-11-23T08:00:00.000Z",
    "oldest_expires_at": "2026-11-24T08:00:00.000Z",
    "server": "mail.contoso.example",
    "address": "192.0.2.7:25",
    "last_error": "450 4.4.316 Connection refused [Message=x]",
    "causes": [{"text": "The service is stopped.", "because": ["It answered an hour ago."]}],
    "fixes": [{"title": "Try again now", "command": "gatepost fix apply X retry --dry-run"}],
}


def payload(about=ABOUT, kind="firing", number=1):
    entry = {"policy": "mail-stuck", "severity": "high", "about": about}
    return {
        "version": 1, "kind": kind, "gateway": "gw.test", "url": "http://127.0.0.1:8025",
        "at": "2026-11-23T08:00:05.000Z", "alerts": [entry] * number,
    }  # fmt: skip


def test_a_notice_holds_the_sentence_the_eight_fields_the_causes_and_the_fixes():
    """R18, R19, R20."""
    text = "\n".join(lines(payload(), translator("en")))
    for wanted in ("to-office", "63", "mail.contoso.example", "192.0.2.7:25", "4.4.316", "It answered an hour ago.",
                   "gatepost fix apply X retry", "2026-11-24 08:00 UTC", "http://127.0.0.1:8025"):  # fmt: skip
        assert wanted in text


def test_a_notice_speaks_the_language_of_its_channel():
    """B10."""
    assert "封邮件在等待" in sentence(payload()["alerts"][0], translator("zh-CN"))
    assert "已恢复" in subject(payload(kind="resolved"), translator("zh-CN"))
    assert "and 2 more" in subject(payload(number=3), translator("en"))


@pytest.mark.parametrize(("number", "said"), [(1, "1 message waits,"), (2, "2 messages wait,")])
def test_one_message_is_not_messages(number, said):
    """R18: the default policies speak from one message on."""
    (entry,) = payload(ABOUT | {"messages": number})["alerts"]
    assert said in sentence(entry, translator("en"))


def test_a_notice_is_a_message_that_the_standard_library_reads():
    data = mail(payload(), translator("zh-CN"), "gw@gw.test", "ann@contoso.example", "<1@gw.test>", NOW)
    read = message_from_bytes(data, policy=default)
    assert read["auto-submitted"] == "auto-generated"
    assert "to-office" in str(read["subject"])
    assert read.get_body(("plain",)) is not None
    assert read.get_body(("html",)) is not None
    assert max(len(line) for line in data.split(b"\r\n")) <= 998


@pytest.mark.parametrize(
    "evil",
    ["x\r\nBcc: eve@evil.example", "\x00\x1b[31m", "<script>alert(1)</script>", "\u202eabc", "a" * 5000],
)
def test_nothing_that_a_remote_host_says_makes_a_header_or_markup(evil):
    """Rules 13 and 22."""
    about = {**ABOUT, "last_error": evil, "title": evil, "server": evil, "destination": evil}
    data = mail(payload(about), translator("en"), "gw@gw.test", "ann@contoso.example", "<1@gw.test>", NOW)
    read = message_from_bytes(data, policy=default)
    assert read["bcc"] is None
    assert sorted(read.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version",
         "Content-Type"]
    )  # fmt: skip
    html = read.get_body(("html",)).get_content()
    assert "<script>" not in html
    assert b"\x00" not in data
    assert b"\x1b" not in data


def test_a_webhook_is_signed_over_its_time_and_body():
    assert signature("k", "1", b"{}") != signature("k", "2", b"{}") != signature("j", "2", b"{}")
    assert signature("k", "1", b"{}").startswith("sha256=")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("10.1.2.3", True), ("169.254.169.254", True), ("::1", True), ("fe80::1%lo", True),
     ("::ffff:127.0.0.1", True), ("8.8.8.8", False), ("2606:4700::1111", False)],
)  # fmt: skip
def test_internal_addresses_are_known_as_such(address, expected):
    """Rule 24."""
    assert internal(address) is expected
