"""Messages over real connections: faults in the middle, large contents, and what is left to the lane."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme
from tests.support.smtp_server import CLOSE, RESET, SILENCE, Action, FaultServer

from gatepost.deliver.connection import Connection, open_connection
from gatepost.deliver.options import Deadlines, DeliveryOptions, Result
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.mail import BodyMissing, Item, QueuedRecipient

SMALL = b"Subject: x\r\n\r\n..dots and all\r\n"


def message(number: int, body: bytes | None = SMALL, to: Sequence[str] = (), size: int = 0) -> Item:
    addresses = to or (f"u{number}@b.test",)
    recipients = tuple(QueuedRecipient(n, a, "", 0, 0, 0) for n, a in enumerate(addresses, 1))
    octets = size or len(body or b"")
    return Item(number, 2, 0, f"s{number}@a.test", octets, 0, "", recipients, body, 0, True)


class Lane:
    """A lane that opens one connection after the other until everything was tried."""

    def __init__(self, port: int, items: Sequence[Item], **options: object) -> None:
        self.port = port
        self.waiting = deque(items)
        self.results: dict[int, list[Result]] = {}
        self.dots: list[int] = []
        self.lost: list[Failure | None] = []
        self.connections = 0
        values = {"dot_sent": lambda item: self.dots.append(item.message_id), **options}
        self.options = DeliveryOptions(hostname="gw.test", **values)  # type: ignore[arg-type]

    async def drain(self, connections: int = 5) -> "Lane":
        while self.waiting and self.connections < connections:
            self.connections += 1
            facts = SessionFacts(self.connections, 2, 0)
            target = SimpleNamespace(host="localhost", address="127.0.0.1", port=self.port)
            connection = await open_connection(target, self.options, facts)
            assert isinstance(connection, Connection), connection
            over = asyncio.Event()

            def finish(item: Item, results: list[Result]) -> None:
                if results[0].outcome == "untouched":
                    self.waiting.appendleft(item)
                else:
                    self.results[item.message_id] = results

            def lost(_connection: Connection, failure: Failure | None, over: asyncio.Event = over) -> None:
                self.lost.append(failure)
                over.set()

            def take() -> Item | None:
                return self.waiting.popleft() if self.waiting else None

            connection.run(take, finish, lambda idle: idle.close(), lost)
            await over.wait()
            await connection.wait_closed()
        return self

    def outcome(self, number: int) -> str:
        return self.results[number][0].outcome

    def failure(self, number: int) -> Failure:
        failure = self.results[number][0].failure
        assert failure is not None
        return failure


def drained(port: int, items: Sequence[Item], connections: int = 5, **options: object) -> Lane:
    return asyncio.run(Lane(port, items, **options).drain(connections))


@pytest.mark.parametrize("extensions", [("PIPELINING", "SIZE"), ()])
def test_many_messages_go_over_one_connection_unchanged(extensions: tuple[str, ...]) -> None:
    items = [message(n, b"Subject: %d\r\n\r\n..x\r\n" % n) for n in range(50)]
    with FaultServer(extensions=extensions) as server:
        lane = drained(server.port, items)
        assert len(server.connections) == 1
        assert [m.content for m in server.messages] == [item.body for item in items]
        assert [m.sender for m in server.messages] == [item.sender for item in items]
        assert all(lane.outcome(n) == "delivered" for n in range(50))
        assert lane.lost == [None]
        assert server.connections[0].commands[-1] == "QUIT"


@pytest.mark.parametrize(
    ("script", "phase", "reason"),
    [
        ({"mail": CLOSE}, Phase.MAIL, Reason.CLOSED),
        ({"mail": RESET}, Phase.MAIL, Reason.RESET),
        ({"mail": SILENCE}, Phase.MAIL, Reason.TIMEOUT),
        ({"rcpt": CLOSE}, Phase.RCPT, Reason.CLOSED),
        ({"rcpt": RESET}, Phase.RCPT, Reason.RESET),
        ({"rcpt": SILENCE}, Phase.RCPT, Reason.TIMEOUT),
        ({"data": CLOSE}, Phase.DATA, Reason.CLOSED),
        ({"data": SILENCE}, Phase.DATA, Reason.TIMEOUT),
        ({"eod": CLOSE}, Phase.EOD, Reason.CLOSED),
        ({"eod": RESET}, Phase.EOD, Reason.RESET),
        ({"eod": SILENCE}, Phase.EOD, Reason.TIMEOUT),
        ({"eod": b"250-ok\r\n451 no\r\n"}, Phase.EOD, Reason.PROTOCOL),
    ],
)
def test_a_broken_session_defers_its_message(script: dict[str, Action], phase: Phase, reason: Reason) -> None:
    """R10, B1, fault rows 33 to 37: never final, in doubt only after the dot."""
    # early where silence is the fault; elsewhere a busy machine may take its time
    limits = Deadlines(**{phase.value: 0.3}) if reason is Reason.TIMEOUT else Deadlines()  # type: ignore[arg-type]
    # without PIPELINING, so that each reply is out before the fault
    with FaultServer(extensions=(), **script) as server:  # type: ignore[arg-type]
        lane = drained(server.port, [message(1)], 1, deadlines=limits)
    failure = lane.failure(1)
    assert (lane.outcome(1), failure.phase, failure.reason) == ("deferred", phase, reason)
    assert failure.in_doubt == (phase is Phase.EOD)
    assert lane.dots == ([1] if phase is Phase.EOD else [])
    assert lane.lost == [failure]


@pytest.mark.parametrize("take", [True, False])
def test_a_loss_after_the_dot_is_said_to_be_in_doubt(take: bool) -> None:
    """Fault rows 35 and 36: whether the message was taken cannot be seen from here."""
    with FaultServer(eod=[CLOSE, None], take=take) as server:
        lane = drained(server.port, [message(1), message(2)])
        assert lane.failure(1).in_doubt
        assert lane.outcome(2) == "delivered"
        expected = ["s1@a.test", "s2@a.test"] if take else ["s2@a.test"]
        assert [m.sender for m in server.messages] == expected


@pytest.mark.parametrize("fault", [CLOSE, RESET])
@pytest.mark.parametrize("in_memory", [True, False])
def test_a_loss_in_the_content_is_in_no_doubt(fault: Action, in_memory: bool) -> None:
    """Fault row 34: nobody can have taken half a message."""
    body = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * 16 * 4096 * 8 + b"\r\n"

    async def blocks(_item: Item) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 512 * 1024):
            yield body[start : start + 512 * 1024]

    item = message(1, body if in_memory else None, size=len(body))
    with FaultServer(body=fault, body_after=100_000) as server:
        lane = drained(server.port, [item], 1, open_body=blocks)
        assert server.messages == []
    failure = lane.failure(1)
    assert (lane.outcome(1), failure.phase) == ("deferred", Phase.DATA)
    assert failure.reason in (Reason.CLOSED, Reason.RESET)
    assert not failure.in_doubt
    assert 0 < failure.bytes_sent < len(body)
    assert lane.dots == []


@pytest.mark.parametrize("ending", [b"\r\n", b""])
def test_a_large_content_is_sent_in_blocks_and_followed_at_once(ending: bytes) -> None:
    body = b"Subject: big\r\n\r\n" + b"x" * 60 + b"\r\n" + b"0123456789abcde\n"[:-1] * 300_000 + ending

    async def blocks(_item: Item) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 99_999):
            yield body[start : start + 99_999]

    items = [message(1, None, size=len(body)), message(2), message(3, body), message(4)]
    with FaultServer() as server:
        lane = drained(server.port, items, open_body=blocks)
        assert [lane.outcome(n) for n in (1, 2, 3, 4)] == ["delivered"] * 4
        whole = body if ending else body + b"\r\n"
        assert [m.content for m in server.messages] == [whole, SMALL, whole, SMALL]
        assert len(server.connections) == 1


def test_a_slow_reader_holds_no_more_than_a_block_in_memory() -> None:
    """Flow control: the next block is asked for when the last one has left."""
    asked = 0

    async def blocks(_item: Item) -> AsyncIterator[bytes]:
        nonlocal asked
        for _ in range(400):
            asked += 1
            yield b"0123456789abcde\n"[:14] * 18_000 + b"\r\n"

    with FaultServer(body=SILENCE, body_after=1) as server:
        limits = Deadlines(block=0.6)
        lane = drained(server.port, [message(1, None, size=1)], 1, open_body=blocks, deadlines=limits)
    assert (lane.failure(1).phase, lane.failure(1).reason) == (Phase.DATA, Reason.TIMEOUT)
    assert 0 < asked < 100


def test_an_answer_in_the_middle_of_the_content_is_heard() -> None:
    """A server that hangs up with its reason: the reason counts, not the broken pipe."""

    async def blocks(_item: Item) -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"y" * 100_000 + b"\r\n"

    with FaultServer(body=["552 5.3.4 too much", CLOSE], body_after=1000) as server:
        lane = drained(server.port, [message(1, None, size=1)], 1, open_body=blocks)
    assert lane.outcome(1) == "failed"
    assert lane.failure(1).detail == "552 5.3.4 too much"
    with FaultServer(body="421 4.3.2 going down", body_after=1000) as server:
        lane = drained(server.port, [message(1, None, size=1)], 1, open_body=blocks)
    assert lane.outcome(1) == "deferred"
    assert lane.failure(1).detail == "421 4.3.2 going down"


@pytest.mark.parametrize("problem", [BodyMissing("row 7 is damaged"), OSError(5, "Input/output error")])
def test_half_a_message_is_never_ended_with_a_dot(problem: Exception) -> None:
    """Fault row 23: a content that cannot be read to its end is not delivered at all."""

    async def blocks(_item: Item) -> AsyncIterator[bytes]:
        yield b"Subject: half\r\n\r\n"
        raise problem

    with FaultServer() as server:
        lane = drained(server.port, [message(1, None, size=99), message(2)], open_body=blocks)
        assert (lane.outcome(1), lane.failure(1).reason) == ("deferred", Reason.LOCAL)
        assert lane.outcome(2) == "delivered"
        assert [m.sender for m in server.messages] == ["s2@a.test"]
    assert lane.lost[0] is None


def test_each_recipient_ends_on_its_own() -> None:
    """Fault row 42."""
    to = ("good@b.test", "later@b.test", "nobody@b.test", "full@b.test")
    script = {
        "later@b.test": "450 4.2.0 later",
        "nobody@b.test": "550 5.1.1 who",
        "full@b.test": "452 4.2.2 full",
    }
    for extensions in (("PIPELINING",), ()):
        with FaultServer(rcpt=script, extensions=extensions) as server:
            lane = drained(server.port, [message(1, SMALL, to), message(2)])
            assert [r.outcome for r in lane.results[1]] == ["delivered", "deferred", "failed", "deferred"]
            assert lane.outcome(2) == "delivered"
            assert server.messages[0].recipients == ["good@b.test"]


@pytest.mark.parametrize("data", [None, "354 go ahead all the same"])
def test_a_message_whose_recipients_are_all_refused_is_delivered_to_nobody(data: Action) -> None:
    with FaultServer(rcpt={"u1@b.test": "550 5.1.1 who"}, data=data) as server:
        lane = drained(server.port, [message(1), message(2)])
        assert (lane.outcome(1), lane.outcome(2)) == ("failed", "delivered")
        assert [m.content for m in server.messages] == [SMALL]
        assert len(server.connections) == 1


def test_a_limit_of_messages_per_connection_costs_nothing() -> None:
    """Fault row 43: 421 after two messages, no collateral failures."""
    with FaultServer(max_messages=2) as server:
        lane = drained(server.port, [message(n) for n in range(1, 7)])
        assert [lane.outcome(n) for n in range(1, 7)] == ["delivered"] * 6
        assert len(server.messages) == 6
        assert len(server.connections) == 3
    assert lane.lost == [None, None, None]


def test_a_server_that_sends_everybody_away_is_a_failure_each_time() -> None:
    with FaultServer(mail="421 4.3.2 not now") as server:
        lane = drained(server.port, [message(1), message(2)])
        assert (lane.outcome(1), lane.outcome(2)) == ("deferred", "deferred")
        assert len(server.connections) == 2


def test_lmtp_tells_of_each_recipient() -> None:
    to = ("a@b.test", "b@b.test")
    with FaultServer(lmtp=True, eod=[None, "452 4.2.2 full"]) as server:
        lane = drained(server.port, [message(1, SMALL, to)], lmtp=True)
        assert [r.outcome for r in lane.results[1]] == ["delivered", "deferred"]
        assert server.connections[0].commands[0].startswith("LHLO")


def test_mail_goes_under_tls_like_in_clear(tmp_path: Path) -> None:
    leaf = trustme.CA().issue_cert("localhost")
    chain, key = tmp_path / "c.pem", tmp_path / "k.pem"
    chain.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    big = b"z" * 900_000 + b"\r\n"
    with FaultServer(certificate=(chain, key)) as server:
        lane = drained(server.port, [message(1), message(2, big), message(3)])
        assert [lane.outcome(n) for n in (1, 2, 3)] == ["delivered"] * 3
        assert all(m.tls for m in server.messages)
        assert server.messages[1].content == big


def test_silence_in_one_connection_does_not_hold_another() -> None:
    """B6, fault row 45."""

    async def both(silent: int, good: int) -> tuple[Lane, Lane]:
        slow = Lane(silent, [message(1)], deadlines=Deadlines(mail=4.0))
        quick = Lane(good, [message(n) for n in range(20)])
        waiting = asyncio.create_task(slow.drain(1))
        await quick.drain()
        assert not waiting.done()
        return await waiting, quick

    with FaultServer(mail=SILENCE) as silent, FaultServer() as good:
        slow, quick = asyncio.run(both(silent.port, good.port))
    assert slow.failure(1).reason is Reason.TIMEOUT
    assert len(quick.results) == 20


class Sink(asyncio.Protocol):
    """Takes everything as fast as it comes, and counts the reads that it took."""

    reads = 0
    messages = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        Sink.reads += 1
        replies = []
        if b"EHLO" in data:
            replies.append(b"250-sink\r\n250 PIPELINING\r\n")
        if b"\r\n.\r\n" in data:
            Sink.messages += 1
            replies.append(b"250 2.0.0 taken\r\n")
        if b"DATA\r\n" in data:
            replies.append(b"250 2.1.0 fine\r\n250 2.1.5 fine\r\n354 go\r\n")
        self.transport.write(b"".join(replies))


def test_a_full_lane_costs_one_write_a_message() -> None:
    """The speed of a drain: next envelope and content in one packet, and nothing slow on the path."""
    number = 5000

    async def drain() -> Lane:
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            lane = Lane(port, [message(n) for n in range(number)], max_messages=0)
            lane.options = replace(lane.options, deadlines=Deadlines(quit=0.1))
            return await lane.drain(1)

    started = time.process_time()
    lane = asyncio.run(drain())
    assert sum(results[0].outcome == "delivered" for results in lane.results.values()) == number
    assert Sink.messages == number
    assert Sink.reads <= number + 5
    assert (time.process_time() - started) / number < 500e-6
