"""Live changes: told to whoever listens, bounded, and gone with them."""

import asyncio
import json

import pytest
from tests.support.fake_gateway import make
from tests.unit.admin.test_api import ask

from gatepost.admin import events as module
from gatepost.admin.errors import Unavailable


def play(story):
    gateway, service = make()
    asyncio.run(asyncio.wait_for(story(gateway, service.events), 10))


def parsed(event):
    lines = dict(
        line.split(": ", 1) for line in event.decode().strip().splitlines() if not line.startswith(":")
    )
    return lines["event"], json.loads(lines["data"])


async def begin(events):
    """Return a stream behind what every listener hears first."""
    stream = events.stream()
    assert await anext(stream) == b"retry: 3000\n\n"
    return stream, parsed(await anext(stream))


def test_a_listener_hears_what_waits_at_first():
    async def story(_, events):
        stream, (kind, data) = await begin(events)
        assert (kind, data["messages"], data["destinations"]) == ("queue", 3, 2)
        assert data["rows"][0]["connector"] == "to-office"
        await stream.aclose()

    play(story)


def test_an_insight_that_changes_is_told_at_once():
    """R19."""

    async def story(gateway, events):
        stream, _ = await begin(events)
        insight = gateway.break_office()
        for callback in gateway.subscribers:
            callback(insight, None)
        kind, data = parsed(await anext(stream))
        assert (kind, data["id"], data["state"], data["state_before"]) == (
            "insight",
            insight.fingerprint.text,
            "new",
            None,
        )
        await stream.aclose()

    play(story)


def test_the_queue_is_told_again_where_it_changed_only(monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0.01)

    async def story(gateway, events):
        stream, _ = await begin(events)
        first = parsed(await anext(stream))
        gateway.store.queued.clear()
        second = parsed(await anext(stream))
        assert (first[1]["messages"], second[1]["messages"]) == (3, 0)
        await stream.aclose()

    play(story)


def test_a_listener_that_does_not_read_loses_events_and_is_told_so():
    async def story(_, events):
        stream, _first = await begin(events)
        for number in range(module.WAITING + 5):
            events.publish("test", {"n": number})
        heard = await anext(stream)
        assert b"event: lost" in heard
        assert heard.count(b"event: test") == 1
        await stream.aclose()

    play(story)


def test_a_quiet_connection_shows_that_it_lives(monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)

    async def story(_, events):
        stream, _first = await begin(events)
        assert await anext(stream) == b": still here\n\n"
        await stream.aclose()

    play(story)


def test_nobody_is_counted_for_and_nothing_runs_when_the_last_one_has_gone():
    async def story(gateway, events):
        before = asyncio.all_tasks()
        stream, _ = await begin(events)
        assert (events.listeners, len(gateway.subscribers)) == (1, 1)
        await stream.aclose()
        assert (events.listeners, len(gateway.subscribers)) == (0, 0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    play(story)


def test_too_many_listeners_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_LISTENERS", 1)

    async def story(_, events):
        stream, _first = await begin(events)
        with pytest.raises(Unavailable):
            events.check()
        with pytest.raises(Unavailable):
            await anext(events.stream())
        await stream.aclose()
        events.check()

    play(story)


def test_listeners_go_when_the_gateway_stops():
    async def story(_, events):
        stream, _first = await begin(events)
        events.publish("test", {})
        events.close()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        with pytest.raises(Unavailable):
            events.check()

    play(story)


def test_strangers_hear_nothing():
    _, service = make()
    assert ask(service, "GET", "/api/v1/events").status == 401
