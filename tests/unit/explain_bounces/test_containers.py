"""Streams of mails: one, an mbox of any form, gzip around them; each is found once, whole and in order."""

import gzip
import io
import tracemalloc

import pytest

from gatepost.explain.bounces import read_container
from gatepost.explain.bounces.mail import MAX_BYTES


def bounce(name: str, extra: str = "", more: str = "") -> bytes:
    return (
        f"From: MAILER-DAEMON@example.com\nSubject: failure notice\n{extra}\nHi. This is the qmail-send program\n\n"
        f"<{name}@example.org>:\nUser unknown (#5.1.1)\n{more}\n"
    ).encode()


def found(data: bytes) -> list[str]:
    return [
        r.recipient.partition("@")[0] for reading in read_container(io.BytesIO(data)) for r in reading.records
    ]


FROM = b"From MAILER-DAEMON Mon Feb  1 10:00:00 2021\n"


def test_one_mail_is_one_reading():
    assert found(bounce("ann")) == ["ann"]
    assert found(bounce("ann").replace(b"\n", b"\r\n")) == ["ann"]


def test_an_mbox_is_parted_at_its_from_lines():
    assert found(FROM + bounce("ann") + b"\n" + FROM + bounce("carl") + b"\n") == ["ann", "carl"]


def test_from_at_the_beginning_of_a_sentence_parts_nothing():
    data = FROM + bounce("ann", more="\nFrom here on all is well.\n") + b"\n" + FROM + bounce("carl")
    assert found(data) == ["ann", "carl"]


@pytest.mark.parametrize(
    "quoted", ["\n>From MAILER Mon Feb  1 10:00:00 2021\n", "\n>>From x Mon Feb  1 10:00:00 2021\n"]
)
def test_quoted_from_lines_belong_to_the_mail(quoted):
    assert found(FROM + bounce("ann", more=quoted) + b"\n" + FROM + bounce("carl")) == ["ann", "carl"]


def test_a_declared_length_is_believed_where_the_next_entry_follows_it():
    body = bounce("ann", more="\n" + FROM.decode() + "not an entry\n").split(b"\n\n", 1)[1]
    head = b"From: MAILER-DAEMON@example.com\nSubject: failure notice\nContent-Length: %d\n\n" % len(body)
    assert found(FROM + head + body + b"\n" + FROM + bounce("carl")) == ["ann", "carl"]


def test_a_wrong_length_is_not_believed():
    head = bounce("ann").replace(b"\n\n", b"\nContent-Length: 17\n\n", 1)
    assert found(FROM + head + b"\n" + FROM + bounce("carl")) == ["ann", "carl"]


def test_gzip_is_taken_off_and_damage_ends_it_quietly():
    packed = gzip.compress(FROM + bounce("ann") + b"\n" + FROM + bounce("carl"))
    assert found(packed) == ["ann", "carl"]
    list(read_container(io.BytesIO(packed[:-20])))
    assert found(b"\x1f\x8bnonsense") == []


def test_readings_say_which_mail_they_are_of():
    stream = io.BytesIO(FROM + bounce("ann") + b"\n" + FROM + bounce("carl"))
    stream.name = "bounces.mbox"  # type: ignore[attr-defined]
    assert [reading.where for reading in read_container(stream)] == ["bounces.mbox:1", "bounces.mbox:2"]


class Endless(io.RawIOBase):
    """An mbox with one huge mail, made while it is read."""

    def __init__(self, size: int) -> None:
        self.left, self.started = size, False

    def read(self, size: int = -1) -> bytes:
        if not self.started:
            self.started = True
            return FROM + bounce("ann")
        piece = b"x" * 99 + b"\n"
        take = min(self.left, 64 * 1024)
        self.left -= take
        return (piece * 656)[:take]


def test_memory_is_bounded_by_one_mail_however_large():
    """B8."""
    tracemalloc.start()
    try:
        readings = list(read_container(Endless(60_000_000)))  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [r.recipient for r in readings[0].records] == ["ann@example.org"]
    assert peak < 10 * MAX_BYTES
