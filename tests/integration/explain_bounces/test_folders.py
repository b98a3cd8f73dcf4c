# ruff: noqa: E501 (a sample is one line)
"""Files and folders of mails as they lie on disk."""

import gzip
from pathlib import Path

from gatepost.explain.bounces import read_container

MAIL = b"From: MAILER-DAEMON@example.com\nSubject: failure notice\n\nHi. This is the qmail-send program\n\n<%s@example.org>:\nno (#5.1.1)\n"


def found(path: Path) -> list[str]:
    return [r.recipient.partition("@")[0] for reading in read_container(path) for r in reading.records]


def test_a_maildir_is_read_without_what_is_still_being_written(tmp_path: Path):
    """B8."""
    for folder in ("new", "cur", "tmp", ".Sub/cur", ".Sub/new"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "new" / "1.a").write_bytes(MAIL % b"ann")
    (tmp_path / "cur" / "2.b:2,S").write_bytes(MAIL % b"carl")
    (tmp_path / "tmp" / "3.c").write_bytes(MAIL % b"dora")
    (tmp_path / ".Sub" / "cur" / "4.d").write_bytes(MAIL % b"emil")
    (tmp_path / "dovecot.index").write_bytes(b"\0\1\2")
    assert sorted(found(tmp_path)) == ["ann", "carl", "emil"]


def test_a_folder_of_files_is_read_in_order_gzip_and_mbox_among_them(tmp_path: Path):
    """B8."""
    (tmp_path / "1.eml").write_bytes(MAIL % b"ann")
    (tmp_path / "2.eml.gz").write_bytes(gzip.compress(MAIL % b"carl"))
    start = b"From MAILER-DAEMON Mon Feb  1 10:00:00 2021\n"
    (tmp_path / "3.mbox").write_bytes(start + MAIL % b"dora" + b"\n" + start + MAIL % b"emil")
    (tmp_path / "4.bin").write_bytes(bytes(range(256)))
    assert found(tmp_path) == ["ann", "carl", "dora", "emil"]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path):
    reading = next(read_container(tmp_path / "none.eml"))
    assert reading.why[0] == "unreadable"
    assert not reading.is_bounce
