"""Finding one sender, recipient or Message-ID among millions of messages, without an index on the path of a message.

Messages are covered by blocks, oldest first: sorted hashes of what a message is found by, and its id. A search asks
every block that it has to (a look at some kilobytes each), and looks at the candidates; what no block covers yet is
looked through. Blocks are made beside the mail (`interface.Store.index`), 2048 messages in some milliseconds.

Guarantee: a message with an id that blocks cover already (a clock that went back, an upload that took its time) takes
the block out before it is written, in the order of writing: no search misses it.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast
from zlib import crc32

import apsw

from gatepost.model.mail import NewMessage
from gatepost.storage.interface import TraceFilter
from gatepost.storage.queries import Queries

READ = Queries("sqlite", "read")
WRITE = Queries("sqlite", "write")
BLOCK = 2048  # messages
RECIPIENT, SENDER, HEADER_ID = 1, 2, 3


class Span(NamedTuple):
    """Part of the past, both ends included; `ids` are the candidates in it, None where all have to be looked at."""

    first: int
    last: int
    ids: tuple[int, ...] | None = None


class Block(NamedTuple):
    """What one block is to hold: for each kind sorted hashes, and the message of each."""

    first: int
    last: int
    kinds: dict[int, tuple[bytes, bytes]]


def hashed(text: str) -> int:
    """Return the key of a text, without regard to case."""
    return crc32(text.lower().encode("utf-8", "surrogatepass"))


def key_of(which: TraceFilter) -> tuple[int, int] | None:
    """Return kind and key of the most telling thing that is searched for; None where nothing of it has a key."""
    if which.header_id:
        return HEADER_ID, hashed(which.header_id)
    if which.recipient:
        return RECIPIENT, hashed(which.recipient)
    if which.sender is not None:
        return SENDER, hashed(which.sender)
    return None


def spans(connection: apsw.Connection, key: tuple[int, int], first: int, last: int) -> Iterator[Span]:
    """Yield what has to be looked at between two ids, the newest first."""
    kind, wanted = key
    upper = last
    blocks = connection.execute(READ["trace_blocks"], (kind, first, last))
    for low, high, keys in cast("Iterable[tuple[int, int, bytes]]", blocks):
        if high < upper:
            yield Span(high + 1, upper)
        if found := _places(keys, wanted):
            ids = _ids(connection, kind, low, found)
            chosen = tuple(number for number in reversed(ids) if first <= number <= upper)
            if chosen:
                yield Span(low, high, chosen)
        upper = low - 1
    if upper >= first:
        yield Span(first, upper)


def _places(keys: bytes, wanted: int) -> range:
    """Return where a key stands in a block; empty where it does not."""
    found = memoryview(keys).cast("I")
    begin = bisect_left(found, wanted)
    return range(begin, bisect_right(found, wanted, begin))


def _ids(connection: apsw.Connection, kind: int, first: int, places: range) -> list[int]:
    row = connection.execute(READ["trace_ids"], (kind, first)).fetchall()
    ids = memoryview(cast("bytes", row[0][0])).cast("q") if row else memoryview(b"").cast("q")
    return list(ids[places.start : places.stop])


# ---------------------------------------------------------------------- making blocks


class Coverage:
    """What is covered; known in memory, so that a message that comes late costs one comparison to recognise."""

    def __init__(self, connection: apsw.Connection) -> None:
        found = connection.execute(READ["trace_covered"], (RECIPIENT,)).fetchall()
        self._blocks = {cast("int", first): cast("int", last) for first, last in found}
        self._last = max(self._blocks.values(), default=-1)
        self._missed = False

    def late(self, messages: Sequence[NewMessage]) -> list[int]:
        """Return the blocks that cover messages which are only coming now, and count them as gone."""
        for message in messages:  # on the path of every message: a loop is the quickest
            if message.id <= self._last:
                break
        else:
            return []
        numbers = [message.id for message in messages if message.id <= self._last]
        self._missed = True
        return self._gone(
            [f for f, last in self._blocks.items() if any(f <= number <= last for number in numbers)]
        )

    def begin(self, newest: int) -> None:
        """Note that a block up to an id is about to be read: what comes late from now on may not be in it."""
        self._last = max(self._last, newest)
        self._missed = False

    def add(self, block: Block) -> bool:
        """Note that a block is about to be written; False where something came late since it was begun."""
        if not self._missed:
            self._blocks[block.first] = block.last
        return not self._missed

    def gap(self, oldest: int, newest: int) -> tuple[int, int, bool]:
        """Return the first stretch that nothing covers (both ends included), and whether blocks follow it."""
        begin = oldest
        for first, last in sorted(self._blocks.items()):
            if begin < first:
                return begin, first - 1, True
            begin = max(begin, last + 1)
        return begin, newest, False

    def forget(self, oldest: int) -> list[int]:
        """Return the blocks of messages that are all forgotten, and count them as gone."""
        return self._gone([first for first, last in self._blocks.items() if last < oldest])

    def _gone(self, firsts: list[int]) -> list[int]:
        for first in firsts:
            del self._blocks[first]
        return firsts


def read_block(
    connection: apsw.Connection, coverage: Coverage, places: str, newest: int
) -> tuple[int, Block | None]:
    """Return the oldest message's id, and the next block up to an id; None while there are too few for one.

    `places` is a JSON list of the destinations where anything waits.
    """
    with (
        connection
    ):  # all of one moment: a recipient that ends meanwhile is in the queue or among the attempts
        found = cast("int | None", connection.execute(READ["trace_oldest"]).fetchall()[0][0])
        oldest = newest + 1 if found is None else found
        begin, end, inner = coverage.gap(oldest, newest)
        rows = connection.execute(READ["trace_heads"], (begin, end, BLOCK)).fetchall()
        heads = cast("list[tuple[int, str, str]]", rows)
        if not heads and inner:
            return oldest, Block(begin, end, dict.fromkeys((RECIPIENT, SENDER, HEADER_ID), (b"", b"")))
        if len(heads) < BLOCK and not inner:
            return oldest, None
        last = heads[-1][0] if len(heads) == BLOCK else end
        span = {"places": places, "first": begin, "last": last}
        people = cast("list[tuple[int, str]]", connection.execute(READ["trace_people"], span).fetchall())
    kinds = {
        RECIPIENT: _packed(_addresses(people)),
        SENDER: _packed(_addresses((number, sender) for number, sender, _ in heads)),
        HEADER_ID: _packed((hashed(text), number) for number, _, text in heads if text),
    }
    return oldest, Block(begin, last, kinds)


def _addresses(rows: Iterable[tuple[int, str]]) -> Iterator[tuple[int, int]]:
    """Yield the keys of addresses: each is found whole, and by `@domain`."""
    for number, address in rows:
        yield hashed(address), number
        if domain := address.rpartition("@")[2]:
            yield hashed(f"@{domain}"), number


def _packed(pairs: Iterable[tuple[int, int]]) -> tuple[bytes, bytes]:
    ordered = sorted(set(pairs))
    keys, ids = array("I", (key for key, _ in ordered)), array("q", (number for _, number in ordered))
    return keys.tobytes(), ids.tobytes()


def write_block(connection: apsw.Connection, block: Block) -> None:
    """Write a block."""
    rows = [(kind, block.first, block.last, keys, ids) for kind, (keys, ids) in block.kinds.items()]
    connection.executemany(WRITE["add_trace_block"], rows)


def take_out(connection: apsw.Connection, firsts: Iterable[int]) -> None:
    """Take blocks out."""
    connection.executemany(WRITE["drop_trace_block"], [(first,) for first in firsts])
