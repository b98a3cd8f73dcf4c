# ruff: noqa: E501 (a line of a log is one line)
"""Hostile logs and files, through every entry: nothing crashes, takes long, or reaches a terminal raw (B8).

The promise is a second of work; a busy machine needs room, so that the tests allow five of processor time.
"""

import gzip
import io
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.cli.main import main
from gatepost.explain import answer as answers
from gatepost.explain.answer import answer
from gatepost.explain.log.blocks import BLOCK, LONGEST, blocks
from gatepost.explain.log.kinds import LOG_KINDS
from gatepost.explain.log.reading import read_log
from gatepost.explain.log.summary import Wanted, summary_of
from gatepost.explain.sources import opened

NOW = 1_795_420_800_000
PATIENCE = 5
RAW = {"\x1b", "\x07", "\u202e", "\x9b", "\x00"}
PIECES = st.sampled_from(
    [
        "Nov 23 08:00:00 gw ", "2026-11-23T08:00:00Z gw ", "2026-11-23 08:00:00 ", "postfix/smtp[3]: ", "postfix/postsuper[3]: ",
        "4F2B1C3D9A: ", "removed", "to=<b@far.example>, ", "to=<", "relay=", "relay=127.0.0.1[", "delay=", "delay=1..2, ", "dsn=4.4.1, ",
        "status=", "status=deferred (", "status=sent (250", "status=expired, returned", "reject: RCPT from ", "1sLABC-0001ab-Cd ", "<= a@b ",
        "== b@c ", "** b@c ", "=> b@c ", "Completed", "sendmail[9]: ", "stat=Deferred: ", "starting delivery 1: msg 7 to remote a@b",
        "delivery 1: deferral: ", "@400000006b03f6f80eb4c7a4 ", "__REALTIME_TIMESTAMP=1", "MESSAGE\n", "MESSAGE=x", "\n\n", '{"__REALTIME_TIMESTAMP":"9","MESSAGE":',
        '{"type":"Delivery",', '"response":{"content":', '{"time":"x","level":"info","event":"message.deferred"', "}", "]", "[INFO] [a] [b] ",
        "#Log-type: ", "2026-11-23T08:00:00.000Z,a,b,1,c,d,<,550 no,", "\n", "\r", "\x1b[2J", "\x00", "\u202e", "用户", "99999999999999999999", "(", ")", "<", "[",
    ]
)  # fmt: skip
LOGS = st.one_of(
    st.binary(max_size=2000), st.lists(PIECES, max_size=60).map(lambda parts: "".join(parts).encode())
)
quiet = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def stream(data):
    return io.BufferedReader(io.BytesIO(data))


def no_raw(value):
    assert not RAW & set(json.dumps(value, ensure_ascii=False))


@quiet
@given(LOGS, st.sampled_from(["", *LOG_KINDS]))
def test_any_octets_are_read_as_any_log(data, kind):
    reading = read_log(stream(data), kind, NOW)
    found = summary_of(reading, Wanted()).to_json("zh-CN")
    assert found["bad_lines"] <= 2 * found["lines"]
    no_raw(found)


@quiet
@given(LOGS)
def test_any_file_has_an_answer(data):
    no_raw(answer(data, "", now=NOW, most=5, top=5).to_json("en"))


@quiet
@given(st.binary(max_size=300))
def test_any_export_of_the_journal_is_read(data):
    head = b"__CURSOR=a\n__REALTIME_TIMESTAMP=1\n"
    read_log(opened(stream(head + data), NOW).stream, "", NOW)


HUGE = {
    "one line": b"Nov 23 08:00:00 gw " + b"x" * 3_000_000,
    "no line at all": b"\x00" * 3_000_000,
    "a status and no end": b"Nov 23 08:00:00 gw postfix/smtp[3]: 4F2B1C3D9A: to=<b@x.example>, status=" + b"a" * 1_000_000,
    "a recipient without an end": b"Nov 23 08:00:00 gw postfix/smtp[3]: 4F2B1C3D9A: to=<" + b"a" * 1_000_000 + b" status=deferred (",
    "words and signs": b"Nov 23 08:00:00 gw postfix/smtp[3]: 4F2B1C3D9A: to=<b@x.example>, relay=none, delay=1, dsn=4.0.0, status=deferred (" + b"a=" * 400_000,
    "many words of a status": b"Nov 23 08:00:00 gw postfix/smtp[3]: 4F2B1C3D9A:" + b" status=" * 100_000,
    "statuses in lines of their own": b"Nov 23 08:00:00 gw postfix/smtp[3]: x status=\n" * 2_000,
    "refusals": b"Nov 23 08:00:00 gw postfix/smtpd[3]: NOQUEUE: reject: RCPT from " + b"reject: " * 100_000,
    "lines of blanks": b"Nov 23 08:00:00 gw exim[1]: 1sLABC-0001ab-Cd == x R=y\n" + b" \n" * 400_000,
    "a column of commas": b"2026-11-23T08:00:00.000Z," + b"," * 1_000_000,
    "quotes": b"2026-11-23T08:00:00.000Z," + b'","' * 300_000,
    "nested JSON": b'{"type":"Delivery","response":' + b'{"a":' * 200_000,
    "a journal without an end": b"__CURSOR=a\n__REALTIME_TIMESTAMP=1\n" + b"".join(b"F%d=x\n" % n for n in range(60_000)),
    "a journal that lies about a length": b"__CURSOR=a\n__REALTIME_TIMESTAMP=1\nMESSAGE\n" + b"\xff" * 8 + b"x" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_megabytes_of_anything_are_read_quickly(name):
    start = time.thread_time()
    no_raw(answer(HUGE[name], "", now=NOW, most=5, top=5).to_json("en"))
    assert time.thread_time() - start < PATIENCE


@pytest.mark.parametrize("kind", LOG_KINDS)
def test_a_megabyte_in_one_line_is_read_quickly_as_any_kind(kind):
    start = time.thread_time()
    for unit in (b"to=<a>, ", b" == a@b ", b"stat=Deferred: ", b"delivery 1: ", b'"a":', b","):
        read_log(stream(b"Nov 23 08:00:00 gw x[1]: " + unit * (1_000_000 // len(unit))), kind, NOW)
    assert time.thread_time() - start < PATIENCE


@quiet
@given(st.lists(st.sampled_from([0, 9, LONGEST - 1, LONGEST, LONGEST + 1, 3 * LONGEST]), max_size=4))
def test_blocks_hold_whole_lines_and_are_bounded(lengths):
    lines = [b"x" * length for length in lengths]
    found = list(blocks(io.BytesIO(b"\n".join([*lines, b""]))))
    assert all(block.endswith(b"\n") and len(block) <= BLOCK + LONGEST for block in found)
    kept = b"".join(found).split(b"\n")[:-1]
    assert [line for line in kept if len(line) < LONGEST] == [line for line in lines if len(line) < LONGEST]


def test_an_archive_that_grows_without_end_is_read_to_a_limit(monkeypatch):
    monkeypatch.setattr(answers, "MAX_UNPACKED", 300_000)
    line = b"Nov 23 08:00:00 gw postfix/smtpd[1]: connect from x[10.0.0.1]\n"
    found = answer(gzip.compress(line * 10_000), "", now=NOW, most=5, top=5)
    assert found.cut
    assert found.summary.lines <= 300_000 // len(line) + 1


def test_nothing_raw_reaches_the_terminal(tmp_path, capsys):
    evil = "\x1b]0;evil\x07\u202e\x9b31m"
    path = tmp_path / "mail.log"
    path.write_text(
        f"Nov 23 08:00:00 gw postfix/smtp[3]: 4F2B1C3D9A: to=<b{evil}@{evil}.example>, relay=mx{evil}[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn=4.0.0, status=deferred (host {evil} said: 450 {evil})\n{evil}\n"
    )
    for words in (["--summary"], ["--summary", "--json"], [], ["--json"]):
        assert main(["explain", *words, str(path)]) == 0
        printed = capsys.readouterr()
        assert not RAW & set(printed.out + printed.err)
