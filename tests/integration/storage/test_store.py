"""The conformance suite: what every backend of the store promises."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.integration.storage import conformance as c
from tests.integration.storage.conformance import HOUR, NOW, OFFICE, PARTNER, Maker, accept, put, settle

from gatepost.model.attempt import TlsFacts
from gatepost.model.document import Document
from gatepost.model.mail import BodyMissing, NewMessage
from gatepost.storage import spool
from gatepost.storage.interface import (
    Change,
    ChangeRejected,
    DestinationState,
    Event,
    MessageFilter,
    Move,
    ObjectsChange,
    RevisionConflict,
    RowUpdate,
    Store,
    StoreBroken,
    StoredObject,
    StoreUnusable,
    TraceFilter,
)
from gatepost.storage.opening import open_store
from gatepost.storage.sqlite.store import open_sqlite

BACKENDS = ["sqlite:"]


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(url: str, folder: Path, story: Callable[[Store, Maker], Awaitable[None]]) -> None:
    async def main() -> None:
        store = await open_store(url, folder)
        try:
            await story(store, Maker())
            audit = await store.audit()
            assert audit["balanced"], audit
            assert audit["bodies_without_rows"] == audit["rows_without_bodies"] == 0, audit
            assert audit["counters_differ"] == 0, audit
        finally:
            await store.close()

    asyncio.run(main())


def test_an_accepted_message_is_there_after_a_new_start_with_every_octet(url: str, tmp_path: Path) -> None:
    """R2."""
    make = Maker()
    message = make.message("bob@contoso.example", "eve@contoso.example", body=b"\x00\xff" * 5000)

    async def first(store: Store, _: Maker) -> None:
        await put(store, Change(accepts=(message,), destinations=(c.known(),)))

    async def second(store: Store, _: Maker) -> None:
        assert await c.waiting(store) == (1, 2, 10_000)
        (item,) = await store.claim(OFFICE.id, 10, 1 << 20, NOW)
        assert item.body == message.body
        assert [(r.n, r.address) for r in item.recipients] == [
            (1, "bob@contoso.example"),
            (2, "eve@contoso.example"),
        ]
        assert (item.sender, item.accepted_at, item.crc, item.last) == (
            message.sender,
            NOW,
            message.crc,
            True,
        )

    run(url, tmp_path, first)
    run(url, tmp_path, second)


def test_done_is_called_on_the_loop_once_for_each_change(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        results: list[object] = []
        everything = asyncio.Event()

        def done(error: BaseException | None) -> None:
            results.append(error)
            if len(results) == 50:
                everything.set()

        for _ in range(50):
            store.write(Change(accepts=(make.message(),)), done)
        await everything.wait()
        assert results == [None] * 50

    run(url, tmp_path, story)


def test_one_bad_change_fails_alone(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        good, other = make.message(), make.message()
        bad = good._replace(body=b"another")
        outcomes = await asyncio.gather(
            *(put(store, Change(accepts=(m,))) for m in (good, bad, other)), return_exceptions=True
        )
        assert [type(o) for o in outcomes] == [type(None), ChangeRejected, type(None)]
        assert (await c.waiting(store))[:2] == (2, 2)
        assert await c.body_of(store, good.id) == good.body

    run(url, tmp_path, story)


def test_a_change_is_all_or_nothing(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        first = make.message()
        await accept(store, first)
        with pytest.raises(ChangeRejected):
            await put(store, Change(settles=(settle(first),), accepts=(make.message(), first), events=(
                Event(first.id, make.ids(), "note", {}),)))  # fmt: skip
        assert (await c.waiting(store))[:2] == (1, 1)
        assert await store.events(first.id) == []

    run(url, tmp_path, story)


def test_a_recipient_ends_once_and_its_report_exists_once(url: str, tmp_path: Path) -> None:
    """R4: the second return changes nothing and makes no second NDR."""

    async def story(store: Store, make: Maker) -> None:
        message = make.message()
        await accept(store, message)
        for _ in range(2):
            report = make.message("ann@sender.example", destination=PARTNER.id, sender="")
            await put(
                store, Change(settles=(settle(message, "returned"),), accepts=(report,), only_if_settled=True)
            )
        audit = await store.audit()
        assert (audit["accepted"], audit["returned"], audit["queued"]) == (2, 1, 1)
        assert (await c.waiting(store, PARTNER.id))[0] == 1

    run(url, tmp_path, story)


def test_two_ends_of_one_recipient_in_one_batch_count_one(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        message = make.message()
        await accept(store, message)
        changes = [Change(settles=(settle(message, o),)) for o in ("delivered", "delivered", "cancelled")]
        await asyncio.gather(*(put(store, change) for change in changes))
        audit = await store.audit()
        assert audit["delivered"] + audit["cancelled"] == 1  # type: ignore[operator]
        assert await c.waiting(store) == (0, 0, 0)

    run(url, tmp_path, story)


@pytest.mark.parametrize("looked_up", [False, True])
def test_a_delivery_that_ends_its_message_is_kept_the_same_looked_up_or_not(
    url: str, tmp_path: Path, looked_up: bool
) -> None:
    async def story(store: Store, make: Maker) -> None:
        kept, moved, ended = (make.message(claimed=True) for _ in range(3))
        await accept(store, kept, moved, ended)

        def end(message: NewMessage) -> Change:
            size = 0 if looked_up else message.size
            return Change(settles=(settle(message, attempt=make.attempt(message), size=size),))

        await put(store, Change(settles=(settle(moved, "cancelled"),)))
        await asyncio.gather(*(put(store, end(message)) for message in (kept, moved, ended, ended)))
        audit = await store.audit()
        assert (audit["delivered"], audit["cancelled"], audit["queued"]) == (2, 1, 0)
        assert (audit["balanced"], audit["counters_differ"]) == (True, 0)
        assert await c.waiting(store) == (0, 0, 0)
        (attempt,) = await store.attempts(kept.id)
        assert (attempt.address, attempt.outcome, attempt.ended) == (
            "bob@contoso.example",
            "delivered",
            "delivered",
        )
        assert len(await store.attempts(moved.id)) == len(await store.attempts(ended.id)) == 1
        for message in (kept, ended):
            with pytest.raises(BodyMissing):
                await c.body_of(store, message.id)

    run(url, tmp_path, story)


async def ages(store: Store, destination: int) -> list[tuple[int, int]]:
    """Return the messages at a destination by hours since NOW."""
    summaries = {s.state.id: s for s in await store.destinations(lambda _: 24 * HOUR)}
    return [((start - NOW) // HOUR, n) for start, n in summaries[destination].ages]


def test_messages_are_counted_by_age_wherever_they_go(url: str, tmp_path: Path) -> None:
    """R19: how much expires when is known without looking at the queue."""

    async def story(store: Store, make: Maker) -> None:
        old = make.message("bob@contoso.example", "eve@contoso.example")
        make.now += 2 * HOUR
        new = [make.message() for _ in range(3)]
        await accept(store, old, *new)
        assert await ages(store, OFFICE.id) == [(0, 1), (2, 3)]
        await put(store, Change(settles=(settle(old, n=1), settle(new[0]))))
        assert await ages(store, OFFICE.id) == [(0, 1), (2, 2)]
        await store.move(Move(make.ids(), OFFICE.id, PARTNER.id, message_id=new[1].id))
        assert await ages(store, OFFICE.id) == [(0, 1), (2, 1)]
        assert await ages(store, PARTNER.id) == [(2, 1)]

    run(url, tmp_path, story)

    async def again(store: Store, _: Maker) -> None:
        assert await ages(store, OFFICE.id) == [(0, 1), (2, 1)]
        assert await ages(store, PARTNER.id) == [(2, 1)]

    run(url, tmp_path, again)


def test_whose_mail_waits_is_told_from_the_oldest_rows(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        await accept(
            store,
            make.message("bob@contoso.example", "eve@contoso.example"),
            make.message("cy@sub.contoso.example", sender=""),
            make.message("bob@contoso.example", sender="zoe@Sender.example"),
        )
        found = await store.facets(OFFICE.id, 100)
        assert found.recipient_domains == (("contoso.example", 3), ("sub.contoso.example", 1))
        assert found.sender_domains == (("sender.example", 2), ("", 1))
        assert (found.messages, found.recipients, found.sampled) == (3, 4, False)
        assert (await store.facets(OFFICE.id, 2)).sampled
        assert (await store.facets(PARTNER.id, 2)).recipients == 0

    run(url, tmp_path, story)


def test_messages_with_an_expiry_of_their_own_are_counted_by_it(url: str, tmp_path: Path) -> None:
    """B5: extended or shortened expiry."""

    async def story(store: Store, make: Maker) -> None:
        messages = [make.message("bob@contoso.example", "eve@contoso.example") for _ in range(3)]
        await accept(store, *messages)
        until = NOW + 5 * HOUR
        updates = tuple(RowUpdate(OFFICE.id, m.id, expires_at=until) for m in messages[:2])
        await put(store, Change(updates=updates))
        assert await store.dated(OFFICE.id, 100) == [(NOW, until, 2)]
        assert await store.dated(PARTNER.id, 100) == []

    run(url, tmp_path, story)


def test_what_was_not_delivered_is_counted_by_day_and_code(url: str, tmp_path: Path) -> None:
    """R4: for the report of returned messages."""

    async def story(store: Store, make: Maker) -> None:
        messages = [make.message("a@x.example", "b@x.example") for _ in range(4)]
        await accept(store, *messages)
        ends = []
        for number, message in enumerate(messages):
            outcome = ("returned", "returned", "failed", "delivered")[number]
            ends += [settle(message, outcome, n, attempt=make.attempt(message, outcome, n)) for n in (1, 2)]
        await put(store, Change(settles=tuple(ends)))
        (row,) = await store.ended_counts(NOW - HOUR, NOW + HOUR, 100)
        assert (row.day, row.code, row.failure_class) == ("2025-11-24", "4.4.316", "connection_refused")
        assert (row.recipients, row.returned, row.destination_id) == (6, 4, OFFICE.id)
        assert set(row.samples) <= {m.id for m in messages[:3]}
        assert row.samples
        assert await store.ended_counts(NOW + HOUR, NOW + 2 * HOUR, 100) == []
        (few,) = await store.ended_counts(NOW - HOUR, NOW + HOUR, 2)
        assert few.recipients == 2

    run(url, tmp_path, story)


def test_traffic_is_told_by_destination_and_tls_version(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        messages = [make.message() for _ in range(3)]
        await accept(store, *messages)
        secured = make.session()
        secured.tls = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384")
        ends = [
            settle(messages[0], attempt=make.attempt(messages[0], session=secured)),
            settle(messages[1], attempt=make.attempt(messages[1], session=secured)),
            settle(messages[2], "deferred", attempt=make.attempt(messages[2], "deferred")),
        ]
        await put(store, Change(settles=tuple(ends)))
        rows, more = await store.traffic(0, 100)
        clear, tls = rows
        assert not more
        assert (tls.tls, tls.connections, tls.attempts, tls.delivered) == ("TLSv1.3", 1, 2, 2)
        assert (tls.milliseconds, tls.last_success) == (7.0, NOW)
        assert (clear.tls, clear.attempts, clear.delivered, clear.deferred) == ("", 1, 0, 1)
        assert (await store.traffic(NOW + HOUR, 100))[0] == []
        assert (await store.traffic(0, 2))[1]
        attempt = make.destination_attempt(OFFICE.id)
        await put(store, Change(destinations=(c.known(),), attempts=(attempt,)))
        assert await store.held_back(0) == {OFFICE.id: 1}

    run(url, tmp_path, story)


def test_the_audit_finds_a_counter_that_is_wrong(tmp_path: Path) -> None:
    async def story() -> None:
        store = await open_sqlite(tmp_path)
        await accept(store, Maker().message())
        assert (await store.audit())["counters_differ"] == 0
        store._counters.add({(OFFICE.id, 1): [1, 1, 1]})
        assert (await store.audit())["counters_differ"] == 1
        await store.close()

    asyncio.run(story())


def test_the_body_goes_with_the_last_recipient_and_not_before(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        message = make.message("a@x.example", "b@x.example", "c@x.example")
        await accept(store, message)
        await put(store, Change(settles=(settle(message, n=1), settle(message, "failed", n=2))))
        assert await c.body_of(store, message.id) == message.body
        assert (await c.waiting(store))[:2] == (1, 1)
        await put(store, Change(settles=(settle(message, n=3),)))
        with pytest.raises(BodyMissing):
            await store.open_body(message.id)

    run(url, tmp_path, story)


def test_a_large_body_is_a_file_that_goes_with_its_message(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        body = bytes(range(256)) * 5000
        message = make.message(body=body, spool=True)
        path = spool.file_of(store.spool, message.id)
        path.write_bytes(body)
        await accept(store, message)
        (item,) = await store.claim(OFFICE.id, 1, 1, NOW)
        assert item.body is None
        assert await c.body_of(store, message.id) == body
        await put(store, Change(settles=(settle(message),)))
        await store.audit()
        assert not path.exists()

    run(url, tmp_path, story)


def test_files_of_messages_that_were_never_accepted_are_removed_at_the_start(
    url: str, tmp_path: Path
) -> None:
    make = Maker()
    kept, lost = make.message(spool=True), make.message(spool=True)

    async def first(store: Store, _: Maker) -> None:
        for message in (kept, lost):
            spool.file_of(store.spool, message.id).write_bytes(b"Subject: x\r\n\r\nhello\r\n")
        await accept(store, kept)

    async def second(store: Store, _: Maker) -> None:
        assert [p.name for p in store.spool.iterdir()] == [spool.file_of(store.spool, kept.id).name]

    run(url, tmp_path, first)
    run(url, tmp_path, second)


@pytest.mark.parametrize("damage", ["flip", "cut", "grown", "gone"])
def test_no_last_piece_of_a_damaged_body_is_ever_given(url: str, tmp_path: Path, damage: str) -> None:
    async def story(store: Store, make: Maker) -> None:
        body = b"x" * (2 * spool.CHUNK + 100)
        message = make.message(body=body, spool=True)
        path = spool.file_of(store.spool, message.id)
        path.write_bytes(body)
        await accept(store, message)
        hurt = {"flip": b"y" + body[1:], "cut": body[:-1], "grown": body + b"z"}.get(damage)
        path.unlink() if hurt is None else path.write_bytes(hurt)
        given: list[bytes] = []
        with pytest.raises(BodyMissing):
            await c.read_into(given, store, message.id)
        assert sum(map(len, given)) <= 2 * spool.CHUNK
        await put(store, Change(settles=(settle(message, "failed"),)))

    run(url, tmp_path, story)


def test_claims_are_first_in_first_out_and_given_once(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        messages = [make.message() for _ in range(10)]
        await accept(store, *messages)
        numbers = [m.id for m in messages]
        assert await c.claimed(store, limit=4) == numbers[:4]
        assert await c.claimed(store, limit=4) == numbers[4:8]
        store.release([(OFFICE.id, numbers[1])])
        assert await c.claimed(store) == [numbers[1], *numbers[8:]]
        assert await c.claimed(store) == []

    run(url, tmp_path, story)


def test_what_the_acceptor_delivers_itself_is_not_claimed_by_anyone(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        message = make.message(claimed=True)
        await accept(store, message)
        assert await c.claimed(store) == []
        store.release([(OFFICE.id, message.id)])
        assert await c.claimed(store) == [message.id]

    run(url, tmp_path, story)


def test_a_claim_brings_no_more_octets_than_asked_but_always_one_message(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        await accept(store, *(make.message(body=b"x" * 1000) for _ in range(5)))
        assert len(await store.claim(OFFICE.id, 10, 2500, NOW)) == 2
        assert len(await store.claim(OFFICE.id, 10, 1, NOW)) == 1

    run(url, tmp_path, story)


def test_bodies_that_are_claimed_together_are_those_that_were_kept(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        bodies = [b"", b"\0\xff\xfe", b"\xc3", b"x" * 300_000, "é\r\n".encode(), b"\0", b"last"]
        kept = [make.message(body=body) for body in bodies]
        wrong = make.message(body=b"changed on the disk")._replace(crc=1)
        await accept(store, *kept, wrong)
        items = await store.claim(OFFICE.id, 100, 1 << 20, NOW)
        assert [item.body for item in items] == [*bodies, None]

    run(url, tmp_path, story)


def test_many_recipients_of_one_message_are_claimed_together_and_once(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        addresses = [f"r{n}@contoso.example" for n in range(300)]
        large, small, other = (
            make.message(*addresses),
            make.message("a@x.example", "b@x.example"),
            make.message(),
        )
        await accept(store, large, small, other)
        (first,) = await store.claim(OFFICE.id, 1, 1 << 20, NOW)
        assert (first.message_id, [r.address for r in first.recipients]) == (large.id, addresses)
        (second,) = await store.claim(OFFICE.id, 1, 1 << 20, NOW)
        assert (second.message_id, len(second.recipients)) == (small.id, 2)
        assert await c.claimed(store) == [other.id]

    run(url, tmp_path, story)


def test_a_deferred_recipient_waits_for_its_time_and_keeps_its_attempts(url: str, tmp_path: Path) -> None:
    """R3, B2."""

    async def story(store: Store, make: Maker) -> None:
        message = make.message("a@x.example", "b@x.example", claimed=True)
        await accept(store, message)
        attempt = make.attempt(message, "deferred", n=2)
        later = settle(message, "deferred", n=2, attempt=attempt, not_before=NOW + 60_000)
        await put(store, Change(settles=(settle(message, n=1), later)))
        assert await c.claimed(store) == []
        assert await store.next_due(OFFICE.id) == NOW + 60_000
        (item,) = await store.claim(OFFICE.id, 10, 1 << 20, NOW + 60_000)
        assert [(r.n, r.attempts) for r in item.recipients] == [(2, 1)]
        kept = {a.recipient: a for a in await store.attempts(message.id)}
        assert (kept[1].ended, kept[2].ended, kept[2].address) == ("delivered", "", "b@x.example")
        assert (kept[2].code, kept[2].failure_class, kept[2].server) == (
            "4.4.316", "connection_refused", "mail.contoso.example")  # fmt: skip
        facts = await store.session(kept[2].session_id)
        assert facts is not None
        assert facts["endpoint"] == "192.0.2.7:25"

    run(url, tmp_path, story)


def test_what_is_deferred_further_than_any_retry_is_due_now(url: str, tmp_path: Path) -> None:
    """Fault matrix 25: a clock that was wrong when a retry was planned does not stall it."""

    async def story(store: Store, make: Maker) -> None:
        wrong, right = make.message(), make.message()
        await accept(store, wrong, right)
        day, minute = NOW + 86_400_000, NOW + 60_000
        await put(store, Change(settles=(settle(wrong, "deferred", not_before=day),)))
        await put(store, Change(settles=(settle(right, "deferred", not_before=minute),)))
        beyond = NOW + 600_000
        found = await store.claim(OFFICE.id, 10, 1 << 20, NOW, horizon=beyond)
        assert [item.message_id for item in found] == [wrong.id]
        assert not await store.claim(OFFICE.id, 10, 1 << 20, NOW, horizon=beyond)
        found = await store.claim(OFFICE.id, 10, 1 << 20, NOW + 61_000, horizon=beyond + 61_000)
        assert [item.message_id for item in found] == [right.id]

    run(url, tmp_path, story)


def test_due_messages_do_not_starve_new_ones_nor_the_other_way_round(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        old = [make.message() for _ in range(20)]
        await accept(store, *old)
        await put(store, Change(settles=tuple(settle(m, "deferred", not_before=NOW + 1) for m in old)))
        new = [make.message() for _ in range(20)]
        await accept(store, *new)
        taken = await c.claimed(store, limit=10, now=NOW + 5)
        assert len([t for t in taken if t <= old[-1].id]) == 5
        assert len(taken) == 10

    run(url, tmp_path, story)


def test_suspended_recipients_are_not_claimed_and_come_back(url: str, tmp_path: Path) -> None:
    """B5."""

    async def story(store: Store, make: Maker) -> None:
        message = make.message()
        await accept(store, message)
        await put(store, Change(updates=(RowUpdate(OFFICE.id, message.id, suspended=True),)))
        assert await c.claimed(store) == []
        assert [m.message_id for m in await store.messages(MessageFilter(suspended=True), 10)] == [message.id]
        await put(store, Change(updates=(RowUpdate(OFFICE.id, message.id, suspended=False),)))
        assert await c.claimed(store) == [message.id]

    run(url, tmp_path, story)


def test_expiry_is_by_the_clock_and_claimed_mail_expires_too(url: str, tmp_path: Path) -> None:
    """R4, B5: an explicit date wins over the destination's default."""

    async def story(store: Store, make: Maker) -> None:
        old, kept, hurried = make.message(claimed=True), make.message(), make.message()
        await accept(store, old, kept, hurried)
        make.now += 23 * HOUR
        young = make.message()
        await accept(store, young)
        await put(store, Change(updates=(
            RowUpdate(OFFICE.id, kept.id, expires_at=NOW + 48 * HOUR),
            RowUpdate(OFFICE.id, hurried.id, expires_at=NOW + HOUR),
        )))  # fmt: skip

        async def gone(hours: int) -> set[int]:
            return {i.message_id for i in await store.expired(OFFICE.id, NOW + hours * HOUR, 24 * HOUR, 10)}

        assert await gone(2) == {hurried.id}
        assert await gone(24) == {hurried.id, old.id}
        assert await gone(48) == {hurried.id, old.id, kept.id, young.id}
        (summary,) = await store.destinations(lambda _: 24 * HOUR)
        assert (summary.oldest_at, summary.oldest_expires_at) == (NOW, NOW + HOUR)
        await put(store, Change(updates=(RowUpdate(OFFICE.id, hurried.id, expires_at=0),)))
        assert await gone(2) == set()

    run(url, tmp_path, story)


def test_a_delay_notice_is_due_until_it_is_settled(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        message = make.message()
        await accept(store, message)
        assert await store.notices_due(OFFICE.id, NOW + HOUR, 4 * HOUR, 10) == []
        (item,) = await store.notices_due(OFFICE.id, NOW + 4 * HOUR, 4 * HOUR, 10)
        assert item.message_id == message.id
        await put(store, Change(updates=(RowUpdate(OFFICE.id, message.id, noticed_at=NOW + 4 * HOUR),)))
        assert await store.notices_due(OFFICE.id, NOW + 5 * HOUR, 4 * HOUR, 10) == []

    run(url, tmp_path, story)


def test_the_state_of_a_destination_survives_a_new_start(url: str, tmp_path: Path) -> None:
    """R19."""
    state = DestinationState(
        OFFICE.id,
        "smart",
        "to-office",
        "",
        "retry",
        3,
        NOW + 60_000,
        c.error(),
        NOW,
        "ann",
        NOW + 1,
        "moving",
        NOW,
    )

    async def first(store: Store, _: Maker) -> None:
        await put(store, Change(destinations=(c.known(),)))
        await put(store, Change(destinations=(state,)))

    async def second(store: Store, _: Maker) -> None:
        (summary,) = await store.destinations(lambda _: HOUR)
        assert summary.state == state

    run(url, tmp_path, first)
    run(url, tmp_path, second)


def test_attempts_of_a_destination_are_shown_with_what_waited_there_then(url: str, tmp_path: Path) -> None:
    """B2: one row for any number of messages, and none that was made before or after the wait."""

    async def story(store: Store, make: Maker) -> None:
        before = make.destination_attempt(OFFICE.id)
        make.now += 1000
        message = make.message()
        await accept(store, message)
        make.now += 1000
        during = make.destination_attempt(OFFICE.id)
        make.now += 1000
        await put(store, Change(attempts=(before, during)))
        assert await store.move(Move(make.ids(), OFFICE.id, PARTNER.id)) == 1
        make.now += 1000
        after, there = make.destination_attempt(OFFICE.id), make.destination_attempt(PARTNER.id)
        await put(store, Change(attempts=(after, there)))
        make.now += 1000
        end = make.attempt(message, destination_id=PARTNER.id)
        done = settle(message, attempt=end)._replace(destination_id=PARTNER.id)
        await put(store, Change(settles=(done,)))
        make.now += 1000
        await put(store, Change(attempts=(make.destination_attempt(PARTNER.id),)))
        assert [a.id for a in await store.attempts(message.id)] == [during.id, there.id, end.id]
        assert [a.id for a in await store.destination_attempts(OFFICE.id, 1)] == [after.id]

    run(url, tmp_path, story)


def test_moved_mail_is_claimed_at_the_new_destination_and_claimed_mail_stays(
    url: str, tmp_path: Path
) -> None:
    """B5: reroute by domain and by address."""

    async def story(store: Store, make: Maker) -> None:
        ours = make.message("bob@contoso.example", "eve@other.example")
        theirs = make.message("eve@other.example")
        busy = make.message("kim@contoso.example", claimed=True)
        await accept(store, ours, theirs, busy)
        assert await store.groups(OFFICE.id) == [("contoso.example", 2), ("other.example", 2)]
        assert await store.queued_addresses(OFFICE.id, "contoso.example", "", 10) == [
            ("bob@contoso.example", 1), ("kim@contoso.example", 1)]  # fmt: skip
        assert await store.move(Move(make.ids(), OFFICE.id, PARTNER.id, domain="contoso.example")) == 1
        size = ours.size
        assert await c.waiting(store) == (3, 3, 3 * size)
        assert await c.waiting(store, PARTNER.id) == (1, 1, size)
        assert await c.claimed(store, PARTNER.id) == [ours.id]
        await put(
            store, Change(moves=(Move(make.ids(), OFFICE.id, PARTNER.id, address="eve@other.example"),))
        )
        assert await c.waiting(store) == (1, 1, size)
        assert await c.waiting(store, PARTNER.id) == (2, 3, 2 * size)
        view = await store.message(ours.id)
        assert view is not None
        assert [r.destination_id for r in view.recipients] == [PARTNER.id] * 2
        assert [e.kind for e in view.events] == ["moved", "moved"]

    run(url, tmp_path, story)


def test_the_queue_is_listed_page_by_page(url: str, tmp_path: Path) -> None:
    """R19."""

    async def story(store: Store, make: Maker) -> None:
        messages = [make.message("a@x.example", "b@y.example") for _ in range(7)]
        await accept(store, *messages, make.message(destination=PARTNER.id))
        seen, after = [], (0, 0)
        while page := await store.messages(
            MessageFilter(destination_id=OFFICE.id, domain="x.example"), 3, after
        ):
            seen += [m.message_id for m in page]
            after = (page[-1].destination_id, page[-1].message_id)
            assert [r.address for r in page[0].recipients] == ["a@x.example", "b@y.example"]
        assert seen == [m.id for m in messages]
        assert len(await store.messages(MessageFilter(), 100)) == 8
        assert await store.messages(MessageFilter(sender="nobody@x.example"), 100) == []
        shouted = MessageFilter(
            destination_id=OFFICE.id, address="A@X.EXAMPLE", sender=messages[0].sender.upper()
        )
        assert len(await store.messages(shouted, 100)) == 7, (
            "whoever filters by an address types it in any case"
        )

    run(url, tmp_path, story)


def test_a_finished_message_is_found_by_sender_recipient_state_and_time(url: str, tmp_path: Path) -> None:
    """R20."""

    async def story(store: Store, make: Maker) -> None:
        done, queued = make.message("bob@x.example"), make.message("eve@x.example", sender="Kim@y.example")
        await accept(store, done, queued)
        await put(store, Change(settles=(settle(done, attempt=make.attempt(done)),)))

        async def found(which: TraceFilter) -> list[int]:
            return [view.id for view in (await store.trace(which, 10)).messages]

        assert await found(TraceFilter()) == [queued.id, done.id]
        assert await found(TraceFilter(recipient="BOB@x.example")) == [done.id]
        assert await found(TraceFilter(recipient="eve@x.example", state="queued")) == [queued.id]
        assert await found(TraceFilter(sender="kim@y.example")) == [queued.id]
        assert await found(TraceFilter(state="delivered", destination_id=OFFICE.id)) == [done.id]
        assert await found(TraceFilter(since=NOW + 1)) == await found(TraceFilter(until=NOW)) == []
        assert await found(TraceFilter(before=queued.id)) == [done.id]
        (view,) = (await store.trace(TraceFilter(recipient="bob@x.example"), 10)).messages
        assert [(r.state, r.ended_at) for r in view.recipients] == [("delivered", NOW)]

    run(url, tmp_path, story)


def test_objects_have_revisions_and_the_slower_of_two_writers_is_told(url: str, tmp_path: Path) -> None:
    """R15, B4."""

    async def story(store: Store, make: Maker) -> None:
        one = StoredObject("connector", "to-office", {"enabled": True})
        assert await store.save_objects(ObjectsChange(0, NOW, "ann", "made", (one,))) == 1
        two = one._replace(data={"enabled": False})
        change = ObjectsChange(1, NOW + 1, "ann", "disabled", (two,))
        await put(store, Change(objects=change, accepts=(make.message(),)))
        with pytest.raises(RevisionConflict):
            await store.save_objects(change)
        with pytest.raises(RevisionConflict):
            await put(store, Change(objects=change, accepts=(make.message(),)))
        assert (await c.waiting(store))[0] == 1
        objects = await store.objects()
        assert (objects.revision, objects.kinds) == (2, {"connector": {"to-office": {"enabled": False}}})
        assert await store.save_objects(ObjectsChange(2, NOW, "eve", "gone", (one._replace(data=None),))) == 3
        assert (await store.objects()).kinds == {}
        newest = (await store.history(10))[0]
        assert (newest.who, newest.before, newest.after) == ("eve", {"enabled": False}, None)
        assert [h.revision for h in await store.history(10, before=3)] == [2, 1]

    run(url, tmp_path, story)


def test_pruning_forgets_what_has_ended_and_nothing_else(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        ended, queued = make.message(), make.message()
        await accept(store, ended, queued)
        attempt = make.attempt(ended)
        await put(store, Change(settles=(settle(ended, attempt=attempt),)))
        make.now += HOUR
        young = make.message()
        await accept(store, young)
        await put(store, Change(settles=(settle(young),)))
        assert await store.prune(NOW + HOUR) == 1
        assert await store.message(ended.id) is None
        assert await store.attempts(ended.id) == []
        assert await store.message(queued.id) is not None
        assert await store.message(young.id) is not None

    run(url, tmp_path, story)


def test_old_changes_are_forgotten_and_the_objects_and_their_revision_stay(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        one = StoredObject("connector", "to-office", {"enabled": True})
        await store.save_objects(ObjectsChange(0, NOW, "ann", "made", (one,)))
        two = one._replace(data={"enabled": False})
        await store.save_objects(ObjectsChange(1, NOW + HOUR, "eve", "disabled", (two,)))
        await store.prune_history(NOW + 1)
        assert [h.revision for h in await store.history(10)] == [2]
        await store.prune_history(NOW + 2 * HOUR)
        assert await store.history(10) == []
        objects = await store.objects()
        assert (objects.revision, objects.kinds) == (2, {"connector": {"to-office": {"enabled": False}}})

    run(url, tmp_path, story)


def test_a_store_address_names_the_file(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'queue' / 'mail.db'}"
    make = Maker()
    message = make.message()
    run(url, tmp_path, lambda store, _: accept(store, message))

    async def again(store: Store, _: Maker) -> None:
        assert await c.claimed(store) == [message.id]

    run(url, tmp_path, again)
    assert (tmp_path / "queue" / "mail.db").exists()
    assert not list(tmp_path.rglob("gatepost.db"))


def test_a_store_address_that_names_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="is a folder"):
        asyncio.run(open_store(f"sqlite:{tmp_path}", tmp_path))


def test_a_backup_is_a_store_of_its_own(url: str, tmp_path: Path) -> None:
    if not url.startswith("sqlite"):
        raise AssertionError("give this backend a way to open its backup")
    make = Maker()
    small, large = make.message(), make.message(spool=True)

    async def first(store: Store, _: Maker) -> None:
        body = b"Subject: x\r\n\r\nhello\r\n"
        spool.file_of(store.spool, large.id).write_bytes(body)
        await accept(store, small, large)
        await store.backup(tmp_path / "copy.db")
        await put(store, Change(settles=(settle(small), settle(large))))

    async def second(store: Store, _: Maker) -> None:
        assert await c.claimed(store) == [small.id, large.id]
        assert await c.body_of(store, large.id) == small.body

    run(url, tmp_path / "a", first)
    (tmp_path / "b").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "b" / "gatepost.db")
    (tmp_path / "copy.db.spool").rename(tmp_path / "b" / "spool")
    run(url, tmp_path / "b", second)


def test_an_unknown_store_address_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="use sqlite:"):
        asyncio.run(open_store("mysql://x", tmp_path))


def test_a_move_leaves_alone_what_was_accepted_and_claimed_beside_it(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        ours, other = make.message(claimed=True), make.message()
        await asyncio.gather(
            put(store, Change(accepts=(ours,))),
            put(store, Change(accepts=(other,))),
            put(store, Change(moves=(Move(make.ids(), OFFICE.id, PARTNER.id),))),
        )
        assert await c.waiting(store) == (1, 1, ours.size)
        assert await c.claimed(store, PARTNER.id) == [other.id]

    run(url, tmp_path, story)


def test_what_one_listener_does_wrong_keeps_no_news_from_the_others(url: str, tmp_path: Path) -> None:
    async def story(store: Store, make: Maker) -> None:
        loop, seen = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
        message = make.message()
        store.write(Change(accepts=(message,)), lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
        await accept(store, make.message())
        assert [type(e) for e in seen] == [ZeroDivisionError]
        assert (await c.waiting(store))[0] == 2

    run(url, tmp_path, story)


def test_a_closed_store_says_so(url: str, tmp_path: Path) -> None:
    async def main() -> None:
        store = await open_store(url, tmp_path)
        await store.close()
        with pytest.raises(StoreBroken):
            await accept(store, Maker().message())

    asyncio.run(main())


def test_documents_are_replaced_listed_newest_first_and_forgotten(url: str, tmp_path: Path) -> None:
    """B2, B3: what is known of insights and hosts outlives the process."""

    async def story(store: Store, _: Maker) -> None:
        made = [Document("host", f"{n % 2}/{n}", NOW + n % 3, {"n": n}) for n in range(6)]
        await put(store, Change(documents=(*made, Document("insight", "a", NOW, {"a": 1}))))
        await put(store, Change(documents=(Document("host", "1/5", NOW + 9, {"n": "again"}),)))
        keys = [d.key for d in await store.documents("host")]
        assert keys == ["1/5", "0/2", "0/4", "1/1", "0/0", "1/3"]
        page = await store.documents("host", limit=2)
        rest = await store.documents("host", before=(page[-1].at, page[-1].key))
        assert [d.key for d in page + rest] == keys
        assert [d.key for d in await store.documents("host", prefix="1/")] == ["1/5", "1/1", "1/3"]
        assert [d.key for d in await store.documents("host", since=NOW + 2)] == ["1/5", "0/2"]
        found = await store.document("host", "1/5")
        assert found is not None
        assert found.data == {"n": "again"}
        assert await store.document("host", "none") is None
        assert await store.forget("host", NOW + 1) == 2
        await put(store, Change(documents=(Document("host", "1/5", 0, None),)))
        assert [d.key for d in await store.documents("host")] == ["0/2", "0/4", "1/1"]
        assert [d.key for d in await store.documents("insight")] == ["a"]

    run(url, tmp_path, story)


def test_documents_ride_with_a_change_of_objects_or_are_not_written(url: str, tmp_path: Path) -> None:
    """B4: a fix and what it changed become true together."""

    async def story(store: Store, _: Maker) -> None:
        one = StoredObject("connector", "to-office", {"port": 25})
        fix = Document("fix", "1", NOW, {"action": "fix_now"})
        assert await store.save_objects(ObjectsChange(0, NOW, "ann", "fixed", (one,)), (fix,)) == 1
        assert await store.document("fix", "1") == fix
        late = Document("fix", "2", NOW, {"action": "retry"})
        with pytest.raises(RevisionConflict):
            await store.save_objects(ObjectsChange(0, NOW, "eve", "late", (one,)), (late,))
        assert await store.document("fix", "2") is None

    run(url, tmp_path, story)
