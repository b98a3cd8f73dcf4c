# ruff: noqa: E501 (a sample is one line)
"""Hostile evidence: whatever is handed in, it never crashes, takes less than a second and reaches no terminal raw (B8)."""

import io
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.cli.output import line
from gatepost.explain.judge import judge
from gatepost.explain.record import Record
from gatepost.explain.shapes import to_json
from gatepost.explain.sources import records_of
from gatepost.explain.texts import KINDS, read

PIECES = st.sampled_from(
    [
        "550 5.1.1 ", "host ", "mx.example.org", "[192.0.2.1]", ":25", " said: ", "(in reply to RCPT TO command)", "status=deferred (",
        "connect to ", "{LED=", "[Message=", "[LastAttemptedServerName=", "}]", "stat=Deferred: ", " == ", " ** ", "R=a T=b ", "H=x ",
        "2026-11-23 08:00:00 ", "Nov 23 08:00:00 gw postfix/smtp[1]: ", "returned '", "\n", "\r", "\x1b]0;x\x07", "\u202e", "_", "用户不存在",
        "{\"response\":{\"content\":", "<", ">", "@", "=", "'", '"', ",", "delivery 1: failure: ", "<<< ", "T", "0", "::",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=2000), st.lists(PIECES, max_size=60).map("".join))
PATIENCE = 5  # seconds of processor time; the promise is one, a busy machine needs room
quiet = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def whole(text: str) -> None:
    for record in read(text):
        to_json(judge(record))


@quiet
@given(TEXTS)
def test_any_text_is_judged(text):
    whole(text)


@quiet
@given(TEXTS, st.sampled_from(KINDS))
def test_any_text_is_judged_as_any_kind(text, kind):
    for record in read(text, kind):
        assert to_json(judge(record))["source_kind"] == kind


@quiet
@given(st.binary(max_size=3000))
def test_any_octets_of_standard_input_are_read(data):
    for record in records_of("-", io.BufferedReader(io.BytesIO(data))):
        to_json(judge(record))


@quiet
@given(st.binary(max_size=500))
def test_a_broken_archive_is_read_as_far_as_it_goes(data):
    list(records_of("-", io.BufferedReader(io.BytesIO(b"\x1f\x8b\x08\x00" + data))))


@quiet
@given(
    st.builds(
        Record,
        kind=st.just("reply"),
        text=TEXTS,
        smtp=st.integers(0, 999),
        enhanced=st.text(max_size=9),
        phase=st.text(max_size=9),
    )
)
def test_any_record_of_a_reader_is_judged(record):
    to_json(judge(record))


HUGE = [
    "a" * 1000, "550 5.1.1 ", "host a[1.2.3.4] said: ", "[Message=", "{LED=", "(", "<", "connect to ", "H=a [", "R=a T=b ",
    "status=deferred (", "_", "@", "a@b.c ", "::", "1.2.3.4 ", "\\", "'", " == ", "returned '", "2026-11-23 08:00:00 ", "relay=", "1:",
    "SMTP error from remote mail server after ", "from=<a> to=<", "<<< 550", "用户", "é", "{\"a\":", "not ", "mailbox ",
]  # fmt: skip


@pytest.mark.parametrize("unit", HUGE)
def test_a_megabyte_of_anything_takes_less_than_a_second(unit):
    text = unit * (1_000_000 // len(unit))
    start = time.thread_time()
    whole(text)
    assert time.thread_time() - start < PATIENCE


@pytest.mark.parametrize(
    "head",
    ["Nov 23 08:00:00 gw postfix/smtp[1]: 4F2B1C3D9A: ", "2026-11-23 08:00:00 1pXYzA-0000Ab-00 == b@x "],
)
@pytest.mark.parametrize("unit", ["to=<a>, ", "R=a ", "status=", "(", "H=a [1.2.3.4] ", "[", "<a", "stat="])
def test_a_megabyte_of_fields_takes_less_than_a_second(head, unit):
    start = time.thread_time()
    whole(head + unit * (1_000_000 // len(unit)))
    assert time.thread_time() - start < PATIENCE


def test_escapes_never_reach_the_terminal(capsys):
    """B8."""
    text = "550 5.1.1 \x1b]0;evil\x07 \x1b[2J\u202euser unknown\x9b31m"
    shape = to_json(judge(read(text)[0]))
    for value in shape.values():
        line(str(value))
        assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(str(value))
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(capsys.readouterr().out)
