"""Random changes against a model that fits on a page: the audit balances, nothing is lost or doubled."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.storage.conformance import NOW, OFFICE, PARTNER, Maker, put

from gatepost.model import ids
from gatepost.model.mail import Settlement
from gatepost.model.route import DestinationKey
from gatepost.model.waiting import BUCKET_MS
from gatepost.storage.interface import Change, Move, Store
from gatepost.storage.opening import open_store

PLACES = [OFFICE.id, PARTNER.id, DestinationKey("mailbox", "", "").id]

accepting = st.tuples(st.just("accept"), st.integers(1, 4), st.integers(0, 2), st.booleans())
ending = st.tuples(
    st.just("settle"),
    st.integers(0, 30),
    st.booleans(),
    st.sampled_from(["delivered", "returned", "cancelled", "failed", "deferred"]),
    st.booleans(),
)
moving = st.tuples(st.just("move"), st.integers(0, 2), st.integers(0, 2))
claiming = st.tuples(st.just("claim"), st.integers(0, 2), st.integers(1, 5))
starting = st.tuples(st.just("restart"))
steps = st.lists(st.one_of(accepting, ending, ending, moving, claiming, starting), min_size=10, max_size=40)


class Model:
    """What the store should hold."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], int] = {}  # (message, n): destination
        self.ended: dict[tuple[int, int], str] = {}
        self.claimed: set[tuple[int, int, int]] = set()  # (destination, message, n)

    def busy(self, place: int) -> set[int]:
        return {message for destination, message, _ in self.claimed if destination == place}


async def act(store: Store, model: Model, make: Maker, step: tuple) -> None:
    make.now += 70_000  # so that messages are of different ages
    if step[0] == "accept":
        message = make.message(*(f"u{n}@x.example" for n in range(step[1])), claimed=step[3])
        spread = tuple(
            r._replace(destination_id=PLACES[(step[2] + i) % 3]) for i, r in enumerate(message.recipients)
        )
        await put(store, Change(accepts=(message._replace(recipients=spread),)))
        for r in spread:
            model.rows[message.id, r.n] = r.destination_id
            if step[3]:
                model.claimed.add((r.destination_id, message.id, r.n))
    elif step[0] == "settle" and (model.rows or model.ended):
        await settle(store, model, make, step)
    elif step[0] == "move":
        source, target = PLACES[step[1]], PLACES[step[2]]
        moved = await store.move(Move(make.ids(), source, target))
        free = [k for k, d in model.rows.items() if d == source and k[0] not in model.busy(source)]
        assert moved == (0 if source == target else len(free))
        model.rows |= dict.fromkeys(free, target)
    elif step[0] == "claim":
        place = PLACES[step[1]]
        items = await store.claim(place, step[2], 1 << 20, NOW)
        for item in items:
            assert item.message_id not in model.busy(place)
            assert item.body is not None
            model.claimed |= {(place, item.message_id, r.n) for r in item.recipients}


async def settle(store: Store, model: Model, make: Maker, step: tuple) -> None:
    live, gone, outcome = list(model.rows), list(model.ended), step[3]
    choice = (gone or live) if step[2] and not step[1] % 4 else (live or gone)
    message, n = choice[step[1] % len(choice)]
    place = model.rows.get((message, n), PLACES[0])
    change = Change(settles=(Settlement(message, n, place, outcome, not_before=NOW),))
    report = make.message("ann@sender.example", destination=PLACES[1])
    if step[4]:
        change = change._replace(accepts=(report,), only_if_settled=True)
    await put(store, change)
    if (message, n) not in model.rows:
        return
    model.claimed.discard((place, message, n))
    if outcome != "deferred":
        del model.rows[message, n]
        model.ended[message, n] = outcome
    if step[4]:
        model.rows[report.id, 1] = PLACES[1]


async def compare(store: Store, model: Model) -> None:
    audit = await store.audit()
    assert audit["balanced"], audit
    assert audit["bodies_without_rows"] == audit["rows_without_bodies"] == audit["rows_without_message"] == 0
    assert audit["queued"] == len(model.rows)
    assert audit["counters_differ"] == 0
    for outcome in ("delivered", "returned", "cancelled", "failed"):
        assert audit[outcome] == list(model.ended.values()).count(outcome)
    summaries = {s.state.id: s for s in await store.destinations(lambda _: 1000)}
    for place in PLACES:
        here = [key for key, destination in model.rows.items() if destination == place]
        counted = (summaries[place].messages, summaries[place].recipients) if place in summaries else (0, 0)
        assert counted == (len({message for message, _ in here}), len(here))
        ages = summaries[place].ages if place in summaries else ()
        assert ages == by_age({message for message, _ in here})


def by_age(messages: set[int]) -> tuple[tuple[int, int], ...]:
    """Count messages by the five minutes of their birth, as the store should."""
    buckets = [ids.born(message) // BUCKET_MS * BUCKET_MS for message in messages]
    return tuple((bucket, buckets.count(bucket)) for bucket in sorted(set(buckets)))


async def story(folder: Path, todo: list[tuple]) -> None:
    model, make = Model(), Maker()
    store = await open_store("sqlite:", folder)
    for step in todo:
        if step[0] == "restart":
            await store.close()
            store = await open_store("sqlite:", folder)
            model.claimed.clear()
        else:
            await act(store, model, make, step)
            await compare(store, model)
    await compare(store, model)
    await store.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_any_order_of_changes_balances(todo: list[tuple]) -> None:
    """R2, R4."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder), todo))
