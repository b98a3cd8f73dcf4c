"""The log: one event, one line, whatever the fields hold."""

import asyncio
import json
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.telemetry.log import MAX_LINES, Log, LoggingBridge

NOON = 1_795_435_200_123_000_000


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def lines(reading):
    try:
        return os.read(reading, 1 << 20).decode().splitlines()
    except BlockingIOError:
        return []


def test_an_event_is_one_line_with_time_level_and_fields(pipe):
    log = Log(pipe[1], clock=lambda: NOON)
    log.say("message.accepted", message_id="01JABCDEFGHJK", size=3)
    log.close()
    assert [json.loads(line) for line in lines(pipe[0])] == [
        {
            "time": "2026-11-23T12:00:00.123Z",
            "level": "info",
            "event": "message.accepted",
            "message_id": "01JABCDEFGHJK",
            "size": 3,
        }
    ]


def test_an_event_without_fields_is_a_line_too(pipe):
    log = Log(pipe[1], clock=lambda: NOON)
    log.say("gateway.stopped")
    log.close()
    assert json.loads(lines(pipe[0])[0])["event"] == "gateway.stopped"


def test_what_is_less_important_than_the_level_is_not_written(pipe):
    log = Log(pipe[1], "warning")
    log.say("quiet")
    log.say("loud", level="warning")
    log.level = "info"
    log.say("now heard")
    log.close()
    assert [json.loads(line)["event"] for line in lines(pipe[0])] == ["loud", "now heard"]


@given(st.text(), st.text())
def test_remote_text_cannot_start_a_line_of_its_own(value, other):
    """Rule 27 of the security checklist: log injection."""
    reading, writing = os.pipe()
    try:
        log = Log(writing, clock=lambda: NOON)
        log.say("receive.refused", reply=value, more=[other])
        log.close()
        raw = os.read(reading, 1 << 20)
    finally:
        os.close(reading)
        os.close(writing)
    assert raw.endswith(b"\n")
    assert all(32 <= c < 127 for c in raw[:-1])
    assert json.loads(raw)["reply"] == value


def test_a_field_named_event_does_not_hide_the_event(pipe):
    log = Log(pipe[1])
    log.say("receive.error", event="Auth")
    log.close()
    assert json.loads(lines(pipe[0])[0])["event"] == "receive.error"
    assert log.lost == 0


def test_in_a_loop_lines_are_written_together_on_its_next_turn(pipe):
    async def story():
        log = Log(pipe[1])
        log.say("one")
        log.say("two")
        before = lines(pipe[0])
        await asyncio.sleep(0)
        log.close()
        return before

    assert asyncio.run(story()) == []
    assert [json.loads(line)["event"] for line in lines(pipe[0])] == ["one", "two"]


def test_many_lines_do_not_wait_for_the_loop(pipe):
    async def story():
        log = Log(pipe[1])
        for _ in range(MAX_LINES):
            log.say("busy")
        found = lines(pipe[0])
        log.close()
        return found

    assert len(asyncio.run(story())) == MAX_LINES


def test_a_log_that_cannot_be_written_counts_what_it_lost():
    reading, writing = os.pipe()
    os.close(reading)
    log = Log(writing)
    log.say("into the void")
    os.close(writing)
    assert log.lost == 1
    log.close()


def test_what_libraries_log_becomes_an_event():
    said = []
    handler = LoggingBridge(lambda event, **fields: said.append((event, fields)))
    handler.handle(logging.LogRecord("uvicorn", logging.ERROR, "", 1, "bad %s", ("thing\n",), None))
    assert said == [("library", {"level": "error", "logger": "uvicorn", "text": "bad thing ", "error": ""})]


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return b""


def test_what_every_message_says_waits_for_company_and_anything_else_takes_it_along(pipe, monkeypatch):
    monkeypatch.setattr("gatepost.telemetry.log.LINGER", 3600.0)
    reading, writing = pipe

    async def story() -> bytes:
        log = Log(writing)
        log.tell("message.accepted", '"n":1')
        for _ in range(3):
            await asyncio.sleep(0)
        waiting = read(reading)
        log.say("gateway.stopping")
        for _ in range(3):
            await asyncio.sleep(0)
        return waiting

    assert asyncio.run(story()) == b""
    events = [json.loads(line)["event"] for line in read(reading).splitlines()]
    assert events == ["message.accepted", "gateway.stopping"]


def test_what_waited_for_company_is_written_without_any(pipe):
    reading, writing = pipe

    async def story() -> bytes:
        log = Log(writing)
        log.tell("message.accepted", '"n":1')
        async with asyncio.timeout(60):
            while not (found := read(reading)):
                await asyncio.sleep(0.01)
        return found

    assert b"message.accepted" in asyncio.run(story())
