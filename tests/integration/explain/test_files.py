# ruff: noqa: E501 (a sample is one line)
"""Files of every kind are read from disk: texts, logs, bounces, packed or not (B8)."""

import gzip
import json

import pytest

from gatepost.cli.main import main

LOG = (
    b"Nov 23 08:00:00 gw postfix/smtpd[1]: connect from mx.example[192.0.2.4]\n"
    b"Nov 23 08:00:01 gw postfix/smtp[1]: 4F2B1C3D9A: to=<b@example.com>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, "
    b"status=deferred (connect to mx.example.com[192.0.2.9]:25: Connection timed out)\n"
    b"not a line of a log \x1b[2J\n"
    b"Nov 23 08:00:02 gw postfix/smtp[1]: 4F2B1C3D9B: to=<c@example.com>, relay=mx.example.com[192.0.2.9]:25, delay=1, "
    b"delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx.example.com[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO command))\n"
)
BOUNCE = (
    b"From: MAILER-DAEMON@example.org\r\nTo: a@example.org\r\nSubject: Undeliverable\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n\r\nno\r\n--x\r\n"
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; gw.example.org\r\n\r\n"
    b"Final-Recipient: rfc822; b@example.com\r\nAction: failed\r\nStatus: 5.2.2\r\n"
    b"Diagnostic-Code: smtp; 552 5.2.2 mailbox full\r\n\r\n--x--\r\n"
)


def explain(capsys, path):
    code = main(["explain", str(path), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_gives_its_failures(tmp_path, capsys, packed):
    path = tmp_path / "mail.log"
    path.write_bytes(gzip.compress(LOG) if packed else LOG)
    code, answers = explain(capsys, path)
    assert code == 0
    assert [(a["class"], a["recipient"], a["server"]) for a in answers] == [
        ("connection_timeout", "b@example.com", "mx.example.com"),
        ("recipient_unknown", "c@example.com", "mx.example.com"),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_a_bounce_gives_its_recipients(tmp_path, capsys, packed):
    path = tmp_path / "bounce.eml"
    path.write_bytes(gzip.compress(BOUNCE) if packed else BOUNCE)
    code, answers = explain(capsys, path)
    assert code == 0
    assert [(a["source_kind"], a["class"], a["recipient"], a["permanent"]) for a in answers] == [
        ("dsn", "mailbox_full", "b@example.com", True)
    ]


def test_a_folder_of_bounces_is_read(tmp_path, capsys):
    for folder in ("cur", "new", "tmp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "new" / "1").write_bytes(BOUNCE)
    (tmp_path / "cur" / "2").write_bytes(BOUNCE)
    assert len(explain(capsys, tmp_path)[1]) == 2


def test_a_packed_file_that_is_damaged_is_read_as_far_as_it_goes(tmp_path, capsys):
    path = tmp_path / "mail.log.gz"
    path.write_bytes(gzip.compress(LOG)[:-20])
    assert explain(capsys, path)[0] in (0, 1)


def test_a_file_that_cannot_be_read_is_said_in_a_sentence(tmp_path, capsys, monkeypatch):
    path = tmp_path / "mail.log"
    path.write_bytes(LOG)

    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert main(["explain", str(path)]) == 2
    assert "cannot be read: Permission denied" in capsys.readouterr().err
