"""The parts of the store that need no disk."""

import zlib
from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.model import ids
from gatepost.model.attempt import Attempt, CertificateFacts, Reply, SessionFacts, TlsFacts
from gatepost.model.mail import BodyMissing, Settlement
from gatepost.model.waiting import BUCKET_MS
from gatepost.storage import spool
from gatepost.storage.counters import IDS_OF_A_BUCKET, Counters
from gatepost.storage.interface import (
    AttemptView,
    Event,
    MessageView,
    RecipientView,
    StoreBroken,
    StoreFull,
    StoreUnusable,
)
from gatepost.storage.leases import Leases
from gatepost.storage.migrations import runner
from gatepost.storage.queries import LARGEST, Queries, padded
from gatepost.storage.sqlite import faults, rows, views

NOW = 1_764_000_000_000


@given(st.integers(1, LARGEST))
def test_rows_are_filled_up_to_few_kinds_of_statements(count: int) -> None:
    assert count <= padded(count) < 2 * count
    assert padded(count) in {1, 2, 4, 8, 16, 32}


def test_a_statement_for_many_rows_repeats_its_own_row_only() -> None:
    queries = Queries("sqlite", "write")
    assert queries.rows("find_rows", 2).endswith("IN (VALUES (?, ?, ?), (?, ?, ?))")
    assert queries.rows("accept_body", 3).endswith("VALUES (?, ?), (?, ?), (?, ?)")


def checked(pieces: list[bytes], message_id: int, size: int, crc: int) -> Iterator[bytes]:
    check = spool.Check(message_id, size, crc)
    yield from (before for piece in (*pieces, b"") if (before := check.take(piece)))


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_whole_body_passes_the_check_unchanged(data: bytes, piece: int) -> None:
    pieces = [data[i : i + piece] for i in range(0, len(data), piece)]
    assert b"".join(checked(pieces, 1, len(data), zlib.crc32(data))) == data


@given(st.binary(min_size=1, max_size=300), st.integers(1, 50), st.data())
def test_a_body_with_one_wrong_bit_never_gives_its_last_piece(
    data: bytes, piece: int, draw: st.DataObject
) -> None:
    bit = draw.draw(st.integers(0, len(data) * 8 - 1))
    hurt = bytearray(data)
    hurt[bit // 8] ^= 1 << bit % 8
    pieces = [bytes(hurt[i : i + piece]) for i in range(0, len(hurt), piece)]
    given_: list[bytes] = []
    with pytest.raises(BodyMissing):
        drain(checked(pieces, 1, len(data), zlib.crc32(data)), given_)
    assert len(given_) < len(pieces)


def drain(pieces: Iterator[bytes], into: list[bytes]) -> None:
    for piece in pieces:
        into += [piece]


def test_a_lease_ends_with_the_last_of_its_recipients() -> None:
    leases = Leases()
    leases.take(1, 10, (1, 2))
    leases.drop([(1, 10, 1), (1, 99, 1), (2, 10, 1)])
    assert leases.held(1) == {10: (2,)}
    leases.drop([(1, 10, 2)])
    assert leases.held(1) == {}
    leases.take(1, 11, (1, 2))
    leases.release([(1, 11), (3, 11)])
    assert leases.held(1) == {}


def test_a_destination_where_nothing_waits_is_not_counted_any_more() -> None:
    counters = Counters({(1, 7): (1, 2, 30)})
    assert counters.ages(1) == ((7 * BUCKET_MS, 1),)
    counters.add({(1, 7): [-1, -2, -30], (2, 7): [1, 1, 5]})
    assert counters.known() == [2]
    assert counters.get(1) == (0, 0, 0)
    assert counters.ages(1) == ()
    assert counters.places() == {(2, 7): 1}


def test_ages_are_made_once_for_each_state() -> None:
    """The queue is asked about every second; a destination that stands still costs nothing."""
    counters = Counters({(1, 9): (3, 3, 30), (1, 7): (1, 1, 10)})
    first = counters.ages(1)
    assert first == ((7 * BUCKET_MS, 1), (9 * BUCKET_MS, 3))
    assert counters.ages(1) is first
    counters.add({(1, 9): [-3, -3, -30]})
    assert counters.ages(1) == ((7 * BUCKET_MS, 1),)


@given(st.integers(0, (1 << 42) - 1), st.integers(0, (1 << 21) - 1))
def test_the_age_of_a_message_stands_in_its_id(born: int, rest: int) -> None:
    assert (ids.first_of(born) | rest) // IDS_OF_A_BUCKET == born // BUCKET_MS


def test_migrations_are_numbered_one_after_another() -> None:
    """Two of one number come of two changes at once, and would stop every start."""
    numbers = [migration.number for migration in runner.known("sqlite")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_migrations_only_go_forward() -> None:
    first, second = (runner.Migration(n, f"000{n}_x.sql", "", f"sum{n}") for n in (1, 2))
    assert runner.pending([first, second], {1: "sum1"}) == [second]
    assert runner.pending([first], {1: "sum1"}) == []
    with pytest.raises(StoreUnusable, match="newer"):
        runner.pending([first], {1: "sum1", 2: "sum2"})
    with pytest.raises(StoreUnusable, match="changed"):
        runner.pending([first, second], {1: "other"})
    with pytest.raises(StoreUnusable, match="forward"):
        runner.pending([first, second], {2: "sum2"})


def test_errors_of_the_database_are_told_apart_by_code_not_by_text() -> None:
    sync, full = apsw.exception_for(apsw.SQLITE_IOERR_FSYNC), apsw.exception_for(apsw.SQLITE_FULL)
    assert isinstance(faults.meaning(sync), StoreBroken)
    assert isinstance(faults.meaning(full), StoreFull)
    assert faults.concerns_batch(faults.meaning(apsw.exception_for(apsw.SQLITE_IOERR_WRITE)))
    assert not faults.concerns_batch(faults.meaning(apsw.exception_for(apsw.SQLITE_CONSTRAINT)))
    assert not faults.concerns_batch(faults.meaning(ValueError("x")))


def test_an_end_without_an_attempt_leaves_a_row_that_says_when() -> None:
    number = ids.first_of(NOW)
    row = rows.settled_row(Settlement(5, 1, 7, "cancelled"), "a@x.example", "cancelled", lambda: number)
    with_attempt = rows.settled_row(
        Settlement(5, 1, 7, "delivered", plain_attempt()), "a@x.example", "delivered", number
    )
    assert len(row) == len(with_attempt) == len(fields_of_attempt())
    assert row[5] == NOW


def fields_of_attempt() -> tuple[str, ...]:
    return AttemptView._fields  # what is written is what is read


def plain_attempt() -> Attempt:
    reply = Reply(250, ("ok" * 9000,), "")
    return Attempt(9, 5, 1, 7, NOW, "delivered", "eod", "reply", None, reply, None)


def test_a_talkative_server_does_not_fill_the_disk() -> None:
    assert max(len(str(value)) for value in rows.attempt_columns(plain_attempt())) <= 4096


def test_the_facts_of_a_connection_are_kept_with_the_chain() -> None:
    leaf = CertificateFacts("CN=a", "CN=ca", ("a.example",), 1, 2, "3", "RSA 2048", "sha256", "ff")
    session = SessionFacts(4, 7, NOW, "a.example", "2001:db8::7", 25, tls=TlsFacts("TLSv1.3", "x", (leaf,)))
    kept = rows.decode(rows.session_json(session))
    assert kept is not None
    assert kept["endpoint"] == "[2001:db8::7]:25"
    assert kept["tls"]["chain"][0]["fingerprint"] == "ff"  # type: ignore[index]


def view(*recipients: RecipientView, events: tuple[Event, ...] = ()) -> MessageView:
    return MessageView(1, NOW, "", 1, 0, "", "", "", "", spool=False, recipients=recipients, events=events)


def recipient(destination: int, state: str = "queued") -> RecipientView:
    return RecipientView(1, "a@x.example", destination, state, 0, 0, 0, suspended=False, ended_at=0)


def attempt(destination: int, at: int) -> AttemptView:
    return AttemptView(
        1, 1, 1, destination, "", at, "delivered", "delivered", "", "", "", "", "", "", 0, "", "", "", "", "",
        0, 0.0, in_doubt=False, evidence={},
    )  # fmt: skip


def moved(source: int, target: int, at: int) -> Event:
    return Event(1, ids.first_of(at), "moved", {"source": source, "target": target})


def test_a_message_waits_where_it_was_routed_until_it_ends() -> None:
    assert views.waits(view(recipient(7)), []) == [(7, NOW, 0)]
    assert views.waits(view(recipient(7, "delivered")), [attempt(7, NOW + 5)]) == [(7, NOW, NOW + 6)]


def test_a_moved_message_waited_at_both_places_one_after_the_other() -> None:
    """B5."""
    found = views.waits(view(recipient(8), events=(moved(7, 8, NOW + 100),)), [])
    assert sorted(found) == [(7, NOW, NOW + 101), (8, NOW + 100, 0)]


def test_a_message_that_was_moved_and_came_back_waits_there_since_its_acceptance() -> None:
    events = (moved(7, 8, NOW + 100), moved(8, 7, NOW + 200))
    found = {w[0]: w[1:] for w in views.waits(view(recipient(7), events=events), [])}
    assert found == {7: (NOW, 0), 8: (NOW + 100, NOW + 201)}
