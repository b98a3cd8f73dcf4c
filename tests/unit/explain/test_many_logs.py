# ruff: noqa: E501 (a line of a log is one line)
"""Several logs read as one: rotations in any order, packed files, several systems side by side (B8)."""

import gzip
import io
import os
from itertools import permutations

import pytest

from gatepost.explain.log.many import read_all, size_of
from gatepost.explain.log.summary import Wanted, summary_of
from gatepost.model.failure import from_iso

NOW = from_iso("2026-11-23T12:00:00Z")
DEFERRED = "{at} gw postfix/smtp[3]: {id}: to=<b@far.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx.far.example[192.0.2.9]:25: Connection timed out)\n"
SENT = "{at} gw postfix/smtp[3]: {id}: to=<b@far.example>, relay=mx.far.example[192.0.2.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 OK)\n"
EXIM = "2026-11-23 07:{n:02d}:00 1rABCD-000001-{n:02d} == c@other.example R=dnslookup T=remote_smtp defer (111): Connection refused H=mx.other.example [192.0.2.7]\n"


def file(folder, name, text, written):
    path = folder / name
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    at = from_iso(written) / 1000
    os.utime(path, (at, at))
    return str(path)


def picture(*sources, kind=""):
    return summary_of(read_all(sources, io.BytesIO(), kind, NOW), Wanted())


@pytest.fixture
def rotation(tmp_path):
    return [
        file(
            tmp_path, "mail.log", SENT.format(at="Nov 23 08:00:00", id="4F2B1C3D91"), "2026-11-23T08:00:00Z"
        ),
        file(
            tmp_path,
            "mail.log.1",
            DEFERRED.format(at="Nov 22 08:00:00", id="4F2B1C3D91"),
            "2026-11-22T09:00:00Z",
        ),
        file(
            tmp_path,
            "mail.log.2.gz",
            DEFERRED.format(at="Nov 21 08:00:00", id="4F2B1C3D92"),
            "2026-11-21T09:00:00Z",
        ),
    ]


def test_a_rotation_is_one_log_in_whatever_order_it_is_named(rotation):
    for order in permutations(rotation):
        found = picture(*order)
        (insight,) = found.insights
        assert (found.kind, found.lines, found.stuck, found.delivered) == ("postfix", 3, 1, 1)
        assert (insight.delivered, insight.attempts) == (1, 2)  # what the older file deferred came later


def test_a_file_that_is_named_twice_is_read_once(rotation):
    assert picture(rotation[0], rotation[0]).lines == 1


def test_the_year_of_each_file_is_its_own(tmp_path):
    old = file(
        tmp_path, "a.log", DEFERRED.format(at="Dec 31 23:00:00", id="4F2B1C3D91"), "2024-12-31T23:00:00Z"
    )
    new = file(tmp_path, "b.log", SENT.format(at="Jan 01 08:00:00", id="4F2B1C3D91"), "2025-01-01T09:00:00Z")
    found = picture(new, old)
    assert 0 < found.last - found.first < 2 * 86_400_000
    assert (found.stuck, found.delivered) == (0, 1)


def test_logs_of_two_systems_and_a_text_stand_side_by_side(rotation, tmp_path):
    exim = file(tmp_path, "mainlog", "".join(EXIM.format(n=n) for n in range(10, 13)), "2026-11-23T08:00:00Z")
    found = picture("550 5.1.1 <d@third.example>: User unknown", exim, *rotation)
    assert (found.kind, found.lines) == ("postfix", 7)
    assert {(i.destination, i.failure_class) for i in found.insights} == {
        ("far.example", "connection_timeout"),
        ("other.example", "connection_refused"),
        ("", "recipient_unknown"),
    }


def test_a_file_that_is_not_there_is_named(rotation):
    with pytest.raises(FileNotFoundError) as caught:
        picture(*rotation, "mail.log.9")
    assert caught.value.filename == "mail.log.9"


def test_a_file_that_cannot_be_opened_is_named(rotation, monkeypatch):
    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(PermissionError) as caught:
        picture(*rotation)
    assert caught.value.filename in rotation


def test_the_size_of_all_files_is_known(rotation):
    assert size_of(["-", "550 no file", *rotation]) == sum(os.stat(path).st_size for path in rotation)
