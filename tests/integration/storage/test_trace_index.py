"""The trace finds the same with blocks, without them, and with some of them: late messages, restarts, pruning."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.integration.storage.conformance import NOW, OFFICE, PARTNER, Maker, accept, put, settle

from gatepost.model.mail import NewMessage
from gatepost.storage.interface import Change, Store, TraceFilter
from gatepost.storage.sqlite import trace_index, views
from gatepost.storage.sqlite.store import SqliteStore, open_sqlite

PEOPLE = [f"{name}@{domain}" for name in ("ann", "Bob", "eve_1") for domain in ("a.example", "B.example")]
WANTED = [
    *PEOPLE,
    "BOB@A.EXAMPLE",
    "@a.example",
    "@b.EXAMPLE",
    "@example",
    "@_.example",
    "nobody@a.example",
    "eve%@a.example",
]
LATER = NOW + 1000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few messages in a block, few looks in a search: the edges of both are met often."""
    monkeypatch.setattr(trace_index, "BLOCK", 8)
    monkeypatch.setattr(views, "_STEP", 5)
    monkeypatch.setattr(views, "_STEP_LOOKS", 4)
    monkeypatch.setattr(views, "_HEAD_LOOKS", 3)
    monkeypatch.setattr(views, "_LOOKS", 10)


def run(folder: Path, story: Callable[[Store], Awaitable[None]]) -> None:
    async def told() -> None:
        store = await open_sqlite(folder)
        try:
            await story(store)
        finally:
            await store.close()

    asyncio.run(told())


def make_some(count: int, maker: Maker, chance: Random) -> list[NewMessage]:
    made = []
    for number in range(count):
        maker.now += 1
        message = maker.message(
            *chance.sample(PEOPLE, chance.randint(1, 3)),
            sender=chance.choice([*PEOPLE, ""]),
            destination=chance.choice([OFFICE.id, PARTNER.id]),
        )
        made.append(message._replace(header_id=f"<{number}@{maker.now}>"))
    return made


def test_what_ended_in_a_way_is_found_by_it(tmp_path: Path) -> None:
    """States, alone and with other filters; a message of two recipients can be in two states."""
    chance, maker = Random(3), Maker()
    messages = make_some(40, maker, chance)
    ends = {
        (m.id, r.n): chance.choice(["delivered", "returned", "failed", "cancelled", ""])
        for m in messages
        for r in m.recipients
    }

    async def story(store: Store) -> None:
        await accept(store, *messages)
        settles = [
            settle(m, ends[m.id, r.n], r.n, attempt=maker.attempt(m, ends[m.id, r.n], r.n))
            for m in messages
            for r in m.recipients
            if ends[m.id, r.n]
        ]
        await put(store, Change(settles=tuple(settles)))
        for state in ("delivered", "returned", "failed", "cancelled", "queued"):
            wanted = "" if state == "queued" else state
            for more in (
                TraceFilter(),
                TraceFilter(destination_id=PARTNER.id),
                TraceFilter(sender=PEOPLE[1]),
            ):
                expected = [
                    m.id
                    for m in sorted(messages, key=lambda m: -m.id)
                    if meant(m, more)
                    and any(ends[m.id, r.n] == wanted for r in m.recipients)
                    and more.destination_id in (0, m.recipients[0].destination_id)
                ]
                assert await found(store, more._replace(state=state), 1000) == expected, (state, more)

    run(tmp_path, story)


def meant(message: NewMessage, which: TraceFilter) -> bool:
    """Tell in plain words whether a filter means a message."""

    def fits(address: str, wanted: str) -> bool:
        return (
            address.lower().endswith(wanted.lower())
            if wanted[:1] == "@"
            else address.lower() == wanted.lower()
        )

    return (
        (not which.recipient or any(fits(r.address, which.recipient) for r in message.recipients))
        and (which.sender is None or fits(message.sender, which.sender))
        and which.header_id in ("", message.header_id)
        and (not which.before or message.id < which.before)
        and which.since <= message.accepted_at
    )


async def index_all(store: Store) -> None:
    while await store.index(LATER):
        pass


async def found(store: Store, which: TraceFilter, limit: int) -> list[int]:
    """Return what a search finds, by as many looks as it takes."""
    numbers: list[int] = []
    more = True
    while more and len(numbers) < limit:
        page = await store.trace(which, limit - len(numbers))
        numbers += [view.id for view in page.messages]
        assert not page.before or not which.before or page.before < which.before, "every look goes on"
        which, more = which._replace(before=page.before), bool(page.before)
    return numbers


async def agrees(store: Store, messages: list[NewMessage]) -> None:
    """Compare every search with what it should find, page by page."""
    newest = sorted(messages, key=lambda m: -m.id)
    filters = [TraceFilter(recipient=wanted) for wanted in WANTED]
    filters += [TraceFilter(sender=wanted) for wanted in (*WANTED, "")]
    filters += [TraceFilter(header_id=m.header_id) for m in messages[::7]]
    filters += [TraceFilter(recipient=w, sender=PEOPLE[0], since=NOW + 20) for w in WANTED]
    for which in filters:
        expected = [m.id for m in newest if meant(m, which)]
        assert await found(store, which, 1000) == expected, which
        first = await found(store, which, 3)
        assert first == expected[:3], which
        if len(first) == 3:
            assert await found(store, which._replace(before=first[-1]), 1000) == expected[3:], which


def blocks(store: Store) -> list[tuple[int, int]]:
    assert isinstance(store, SqliteStore)
    found = store._writing.execute(
        "SELECT first, last FROM trace_block WHERE kind = 1 ORDER BY first"
    ).fetchall()
    return [(int(first), int(last)) for first, last in found]  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_every_search_finds_the_same_at_every_stage(tmp_path: Path, seed: int) -> None:
    """R20: before, while and after blocks are made; with ends, late messages, forgotten ones, after a restart."""
    chance, maker = Random(seed), Maker()
    messages = make_some(50, maker, chance)
    late, newer = messages[5:9], make_some(7, maker, chance)
    early = [m for m in messages if m not in late]

    async def story(store: Store) -> None:
        await accept(store, *early)
        await agrees(store, early)
        assert await store.index(LATER)
        await agrees(store, early)
        await index_all(store)
        assert len(blocks(store)) == 5
        await agrees(store, early)
        ended = chance.sample(early, 10)
        settles = [settle(m, n=r.n, attempt=maker.attempt(m, n=r.n)) for m in ended for r in m.recipients]
        await put(store, Change(settles=tuple(settles)))
        await agrees(store, early)
        await accept(store, *late)
        assert len(blocks(store)) < 5, "the block that they belong to is gone"
        await agrees(store, messages)
        await index_all(store)
        await accept(store, *newer)
        await agrees(store, [*messages, *newer])

    async def after_a_restart(store: Store) -> None:
        await agrees(store, [*messages, *newer])
        await index_all(store)
        await agrees(store, [*messages, *newer])

    run(tmp_path, story)
    run(tmp_path, after_a_restart)


def test_a_message_that_comes_while_a_block_is_read_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that took its time: its id lies among those that are just being covered."""
    maker = Maker()
    messages = make_some(20, maker, Random(1))
    late = messages.pop(3)
    was_read, go_on = threading.Event(), threading.Event()
    read_block = trace_index.read_block

    def slowly(*given: Any) -> Any:
        found = read_block(*given)
        was_read.set()
        assert go_on.wait(120)
        return found

    monkeypatch.setattr(trace_index, "read_block", slowly)

    async def story(store: Store) -> None:
        await accept(store, *messages)
        making = asyncio.ensure_future(store.index(LATER))
        assert await asyncio.to_thread(was_read.wait, 120)
        await accept(store, late)
        go_on.set()
        await making
        await agrees(store, [*messages, late])
        await index_all(store)
        await agrees(store, [*messages, late])

    run(tmp_path, story)


def test_blocks_of_forgotten_messages_go(tmp_path: Path) -> None:
    maker = Maker()
    messages = make_some(32, maker, Random(2))

    async def story(store: Store) -> None:
        await accept(store, *messages)
        settles = [settle(m, n=r.n, attempt=maker.attempt(m, n=r.n)) for m in messages for r in m.recipients]
        await put(store, Change(settles=tuple(settles)))
        await index_all(store)
        before = len(blocks(store))
        await store.prune(messages[20].accepted_at)
        await index_all(store)
        assert len(blocks(store)) < before
        await agrees(store, messages[20:])

    run(tmp_path, story)
