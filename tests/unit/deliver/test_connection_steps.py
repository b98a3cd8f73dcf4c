"""The state machine of an open connection, with a transport of our own: no socket, no waiting."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from gatepost.deliver.options import Deadlines, DeliveryOptions, Result
from gatepost.deliver.session import Connection
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.mail import EIGHT_BIT, SMTPUTF8, Item, QueuedRecipient
from gatepost.smtp.client import Extensions

PIPELINING = ("mx.test", "PIPELINING", "SIZE 1000", "8BITMIME")
PLAIN = ("mx.test",)


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = ""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return bool(self.closed)

    def close(self) -> None:
        self.closed = self.closed or "close"

    def abort(self) -> None:
        self.closed = self.closed or "abort"

    def take(self) -> bytes:
        data = b"".join(self.written)
        self.written.clear()
        return data


class Bench:
    """A connection with a lane made of lists."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lines: tuple[str, ...], **options: object) -> None:
        self.queue: list[Item] = []
        self.results: list[tuple[int, list[Result]]] = []
        self.idles = 0
        self.lost: list[Failure | None] = []
        self.dots: list[int] = []
        self.on_finish: Callable[[], None] = lambda: None
        self.session = SessionFacts(1, 2, 0, server="mx.test", address="192.0.2.1", port=25)
        values = {"dot_sent": lambda item: self.dots.append(item.message_id), **options}
        self.loop = loop
        self.connection = Connection(loop, DeliveryOptions(**values), self.session)  # type: ignore[arg-type]
        self.connection.extensions = Extensions.parse(lines)
        self.transport = FakeTransport()
        self.connection.connection_made(self.transport)

    def run(self, *items: Item) -> bytes:
        self.queue.extend(items)
        self.connection.run(
            lambda: self.queue.pop(0) if self.queue else None,
            self._finish,
            lambda _connection: self._idle(),
            lambda _connection, failure: self.lost.append(failure),
        )
        return self.sent()

    def _finish(self, item: Item, results: list[Result]) -> None:
        self.results.append((item.message_id, results))
        self.on_finish()

    def _idle(self) -> None:
        self.idles += 1

    def hear(self, text: str) -> bytes:
        self.connection.received(text.replace("\n", "\r\n").encode())
        return self.sent()

    def sent(self) -> bytes:
        """Let the loop turn once: what is to leave in a moment leaves."""
        self.loop.run_until_complete(asyncio.sleep(0))
        return self.transport.take()

    def end(self, error: Exception | None = None) -> None:
        self.transport.closed = self.transport.closed or "lost"
        self.connection.connection_lost(error)

    def outcomes(self) -> list[tuple[int, str]]:
        return [(number, result.outcome) for number, results in self.results for result in results]

    def failure(self, index: int = -1, recipient: int = 0) -> Failure:
        failure = self.results[index][1][recipient].failure
        assert failure is not None
        return failure


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def message(number: int, body: bytes = b"Subject: x\r\n\r\nhello\r\n", *to: str, flags: int = 0) -> Item:
    recipients = tuple(QueuedRecipient(n, a, "", 0, 0, 0) for n, a in enumerate(to or ("ann@b.test",), 1))
    return Item(number, 2, 0, f"s{number}@a.test", len(body), flags, "", recipients, body, 0, True)


def test_an_envelope_is_one_write_where_pipelining_is_offered(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    sent = bench.run(message(1))
    assert sent == b"MAIL FROM:<s1@a.test> SIZE=21\r\nRCPT TO:<ann@b.test>\r\nDATA\r\n"


def test_the_next_envelope_travels_with_the_content_before_it(loop: asyncio.AbstractEventLoop) -> None:
    """RFC 2920 section 3.1."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    sent = bench.hear("250 ok\n250 ok\n354 go\n")
    assert sent.startswith(b"Subject: x\r\n\r\nhello\r\n.\r\nMAIL FROM:<s2@a.test>")
    assert sent.endswith(b"\r\nDATA\r\n")
    assert bench.dots == [1]
    bench.hear("250 taken\n250 ok\n250 ok\n354 go\n")
    assert bench.outcomes() == [(1, "delivered")]
    bench.hear("250 taken\n")
    assert bench.outcomes() == [(1, "delivered"), (2, "delivered")]
    assert bench.idles == 1
    phases = [phase for phase, _ in bench.results[0][1][0].replies]
    assert phases == ["mail", "rcpt", "data", "eod"]


def test_what_many_connections_send_in_one_turn_is_all_sent(loop: asyncio.AbstractEventLoop) -> None:
    benches = [Bench(loop, PIPELINING) for _ in range(10)]

    async def start() -> None:
        for number, bench in enumerate(benches):
            bench.queue.append(message(number))
            bench.connection.run(
                lambda bench=bench: bench.queue.pop(), lambda *_: None, lambda _: None, lambda *_: None
            )  # type: ignore[misc]

    loop.run_until_complete(start())
    for number, bench in enumerate(benches):
        assert bench.sent().startswith(b"MAIL FROM:<s%d@a.test>" % number)


def test_replies_cut_anywhere_mean_the_same(loop: asyncio.AbstractEventLoop) -> None:
    stream = "250-two\n250 lines\n250 ok\n354 go\n250 taken\n250 ok\n250 ok\n354 go\n250-taken\n250 too\n"
    for size in (1, 2, 3, 5, 7):
        bench = Bench(loop, PIPELINING)
        bench.run(message(1), message(2))
        data = stream.replace("\n", "\r\n")
        for start in range(0, len(data), size):
            bench.connection.received(data[start : start + size].encode())
        assert bench.outcomes() == [(1, "delivered"), (2, "delivered")], size


def test_without_pipelining_one_command_goes_at_a_time(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PLAIN)
    assert bench.run(message(1, b"x\r\n", "a@b.test", "c@b.test"), message(2)) == b"MAIL FROM:<s1@a.test>\r\n"
    assert bench.hear("250 ok\n") == b"RCPT TO:<a@b.test>\r\n"
    assert bench.hear("250 ok\n") == b"RCPT TO:<c@b.test>\r\n"
    assert bench.hear("250 ok\n") == b"DATA\r\n"
    assert bench.hear("354 ok\n") == b"x\r\n.\r\n"
    assert bench.hear("250 ok\n") == b"MAIL FROM:<s2@a.test>\r\n"
    assert bench.outcomes() == [(1, "delivered"), (1, "delivered")]


def test_each_recipient_gets_the_reply_that_was_meant_for_it(loop: asyncio.AbstractEventLoop) -> None:
    """Fault row 42: 250, 450, 550 and 452 in one envelope."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1, b"x\r\n", "a@b.test", "b@b.test", "c@b.test", "d@b.test"))
    sent = bench.hear("250 ok\n250 ok\n450 later\n550 5.1.1 nobody\n452 full\n354 go\n")
    assert sent == b"x\r\n.\r\n"
    bench.hear("250 taken\n")
    results = bench.results[0][1]
    assert [r.outcome for r in results] == ["delivered", "deferred", "failed", "deferred"]
    assert [r.n for r in results] == [1, 2, 3, 4]
    assert results[2].failure is not None
    assert (results[2].failure.phase, results[2].failure.reason) == (Phase.RCPT, Reason.REPLY)
    assert results[2].reply is not None
    assert results[2].reply.text == "550 5.1.1 nobody"


def test_nothing_is_delivered_where_all_recipients_are_refused_and_data_is_answered_354(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """RFC 2920 section 3.1: a lone dot, and its reply changes nothing."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    assert bench.hear("250 ok\n550 no\n354 go\n") == b".\r\n"
    assert bench.dots == []
    sent = bench.hear("250 took nothing\n")
    assert bench.outcomes() == [(1, "failed")]
    assert sent.startswith(b"MAIL FROM:<s2@a.test>")


def test_a_transaction_refused_half_way_is_reset_before_the_next(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    sent = bench.hear("250 ok\n550 no\n554 no valid recipients\n")
    assert sent.startswith(b"RSET\r\nMAIL FROM:<s2@a.test>")
    bench.hear("250 reset\n250 ok\n250 ok\n354 go\n250 taken\n")
    assert bench.outcomes() == [(1, "failed"), (2, "delivered")]


def test_a_reset_is_awaited_without_pipelining(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PLAIN)
    bench.run(message(1), message(2))
    bench.hear("250 ok\n")
    assert bench.hear("450 later\n") == b"RSET\r\n"
    assert bench.hear("250 reset\n") == b"MAIL FROM:<s2@a.test>\r\n"


@pytest.mark.parametrize(
    ("replies", "phase", "outcome"),
    [
        ("451 later\n503 what\n503 what\n", Phase.MAIL, "deferred"),
        ("553 never\n503 what\n503 what\n", Phase.MAIL, "failed"),
        ("250 ok\n250 ok\n451 later\n", Phase.DATA, "deferred"),
        ("250 ok\n250 ok\n554 never\n", Phase.DATA, "failed"),
        ("250 ok\n250 ok\n354 go\n451 later\n", Phase.EOD, "deferred"),
        ("250 ok\n250 ok\n354 go\n554 never\n", Phase.EOD, "failed"),
    ],
)
def test_only_the_servers_own_5xx_is_final(
    loop: asyncio.AbstractEventLoop, replies: str, phase: Phase, outcome: str
) -> None:
    """B1: the phase is where it happened."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1))
    bench.hear(replies)
    assert bench.outcomes() == [(1, outcome)]
    assert (bench.failure().phase, bench.failure().reason) == (phase, Reason.REPLY)
    assert not bench.lost


@pytest.mark.parametrize(
    ("heard", "phase", "in_doubt"),
    [
        ("", Phase.MAIL, False),
        ("250 ok\n", Phase.RCPT, False),
        ("250 ok\n250 ok\n", Phase.DATA, False),
        ("250 ok\n250 ok\n354 go\n", Phase.EOD, True),
    ],
)
def test_a_break_defers_the_message_in_its_phase_and_leaves_the_next_untouched(
    loop: asyncio.AbstractEventLoop, heard: str, phase: Phase, in_doubt: bool
) -> None:
    """Fault rows 33 to 36: only after the final dot is a message in doubt."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    bench.hear(heard)
    bench.end()
    started = bench.results[0]
    assert started[0] == 1
    failure = bench.failure(0)
    assert (failure.phase, failure.reason, failure.in_doubt) == (phase, Reason.CLOSED, in_doubt)
    assert failure.bytes_sent == (21 if in_doubt else 0)
    assert [outcome for number, outcome in bench.outcomes() if number == 2] in ([], ["untouched"])
    assert len(bench.queue) + len(bench.results) == 2
    assert bench.lost == [failure]


def test_a_refused_recipient_stays_refused_when_the_connection_breaks(
    loop: asyncio.AbstractEventLoop,
) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1, b"x\r\n", "a@b.test", "b@b.test"))
    bench.hear("250 ok\n550 no\n250 ok\n354 go\n")
    bench.end(ConnectionResetError(104, "reset"))
    assert bench.outcomes() == [(1, "failed"), (1, "deferred")]
    assert bench.failure(0, 1).reason is Reason.RESET


def test_a_421_after_some_messages_blames_nobody(loop: asyncio.AbstractEventLoop) -> None:
    """Fault row 43: a limit per connection causes no collateral failures."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    bench.hear("250 ok\n250 ok\n354 go\n250 taken\n421 4.7.0 enough\n")
    assert bench.outcomes() == [(1, "delivered"), (2, "untouched")]
    assert bench.lost == [None]
    assert bench.transport.closed


def test_a_421_to_the_first_mail_is_a_failure(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1))
    bench.hear("421 4.3.2 shutting down\n")
    assert bench.outcomes() == [(1, "deferred")]
    assert bench.failure().reason is Reason.REPLY
    assert bench.lost == [bench.failure()]


def test_a_421_to_the_dot_leaves_no_doubt(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    bench.hear("250 ok\n250 ok\n354 go\n421 4.3.2 shutting down\n")
    assert bench.outcomes() == [(1, "deferred"), (2, "untouched")]
    assert not bench.failure(0).in_doubt


@pytest.mark.parametrize("evil", ["garbage\n", "250-a\n550 b\n", "999 what\n", "250\0ok\x1b[31m\n" * 2])
def test_nonsense_is_never_taken_for_success(loop: asyncio.AbstractEventLoop, evil: str) -> None:
    """Fault row 44, rule 30."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1))
    bench.hear("250 ok\n250 ok\n354 go\n" + evil)
    assert bench.outcomes() == [(1, "deferred")]
    assert bench.failure().reason is Reason.PROTOCOL


def test_a_success_code_where_354_is_due_is_no_success(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1))
    assert bench.hear("250 ok\n250 ok\n250 ok\n") == b""
    assert bench.outcomes() == [(1, "deferred")]
    assert bench.failure().reason is Reason.PROTOCOL
    assert bench.dots == []


def test_silence_is_never_final(loop: asyncio.AbstractEventLoop) -> None:
    """R2: a time-out defers, whatever the phase."""
    bench = Bench(loop, PIPELINING)
    bench.run(message(1))
    bench.hear("250 ok\n250 ok\n354 go\n")
    bench.connection.expire()
    failure = bench.failure()
    assert bench.outcomes() == [(1, "deferred")]
    assert (failure.phase, failure.reason, failure.in_doubt) == (Phase.EOD, Reason.TIMEOUT, True)


def test_what_the_server_announced_is_not_tried_against_its_will(loop: asyncio.AbstractEventLoop) -> None:
    """RFC 1870, RFC 6531: no octet is sent for a message that the server cannot take."""
    bench = Bench(loop, PIPELINING)
    large = message(1)._replace(size=1001)
    sent = bench.run(large, message(2, flags=SMTPUTF8), message(3))
    assert [r for r in bench.outcomes() if r[0] < 3] == [(1, "failed"), (2, "failed")]
    assert bench.failure(0).reason is Reason.TOO_LARGE
    assert bench.failure(1).reason is Reason.NOT_OFFERED
    assert sent.startswith(b"MAIL FROM:<s3@a.test>")


def test_eight_bit_content_goes_to_a_server_without_8bitmime_and_is_noted(
    loop: asyncio.AbstractEventLoop,
) -> None:
    bench = Bench(loop, ("mx.test", "PIPELINING"))
    assert b"BODY" not in bench.run(message(1, flags=EIGHT_BIT), message(2, flags=EIGHT_BIT))
    assert [text for _, text in bench.session.dialogue if "8BITMIME" in text] == [
        "8BITMIME is not offered: 8-bit content is sent as it is"
    ]


@pytest.mark.parametrize("address", ["a@b.test\r\nDATA", "a\n@b.test", "a\0@b.test"])
@pytest.mark.parametrize("lines", [PIPELINING, PLAIN])
def test_no_line_is_smuggled_into_a_command(
    loop: asyncio.AbstractEventLoop, address: str, lines: tuple[str, ...]
) -> None:
    """Rule 2."""
    bench = Bench(loop, lines)
    assert bench.run(message(1, b"x\r\n", "good@b.test", address)) == b""
    assert bench.outcomes() == [(1, "deferred"), (1, "deferred")]
    assert bench.failure().reason is Reason.LOCAL


def test_a_content_without_a_last_line_end_gets_one(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1, b"no end"), message(2, b""))
    assert bench.hear("250 ok\n250 ok\n354 go\n").startswith(b"no end\r\n.\r\nMAIL")
    assert bench.hear("250 taken\n250 ok\n250 ok\n354 go\n") == b".\r\n"


def test_lmtp_takes_one_reply_for_each_accepted_recipient(loop: asyncio.AbstractEventLoop) -> None:
    """RFC 2033 section 4.2."""
    bench = Bench(loop, PIPELINING, lmtp=True)
    bench.run(message(1, b"x\r\n", "a@b.test", "b@b.test", "c@b.test"))
    bench.hear("250 ok\n250 ok\n550 no\n250 ok\n354 go\n250 taken\n")
    assert bench.results == []
    bench.hear("452 full\n")
    assert bench.outcomes() == [(1, "delivered"), (1, "failed"), (1, "deferred")]


def test_lmtp_keeps_the_replies_that_came_before_a_break(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING, lmtp=True)
    bench.run(message(1, b"x\r\n", "a@b.test", "b@b.test"))
    bench.hear("250 ok\n250 ok\n250 ok\n354 go\n250 taken\n")
    bench.end()
    assert bench.outcomes() == [(1, "delivered"), (1, "deferred")]
    assert bench.failure(0, 1).in_doubt


def test_an_idle_connection_takes_what_it_is_woken_for(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    assert bench.run() == b""
    assert (bench.idles, bench.connection.busy) == (1, False)
    bench.queue.append(message(1))
    bench.connection.wake()
    assert bench.sent().startswith(b"MAIL FROM:<s1@a.test>")
    assert bench.connection.busy


def test_a_lane_that_wakes_while_it_is_asked_starts_nothing_twice(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.on_finish = bench.connection.wake
    bench.run(message(1), message(2)._replace(size=9999), message(3))
    sent = bench.hear("250 ok\n250 ok\n354 go\n")
    assert sent.startswith(b"Subject")
    assert sent.count(b"MAIL") == 1
    bench.hear("250 taken\n250 ok\n250 ok\n354 go\n250 taken\n")
    assert sorted(bench.outcomes()) == [(1, "delivered"), (2, "failed"), (3, "delivered")]


def test_an_idle_connection_says_quit_when_its_time_is_over(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING, deadlines=Deadlines(idle=3))
    bench.run()
    assert bench.connection.deadline <= loop.time() + 3
    bench.connection.expire()
    assert bench.sent() == b"QUIT\r\n"
    assert bench.lost == [None]
    bench.hear("221 bye\n")
    assert bench.transport.closed == "close"


def test_a_connection_ends_after_its_share_of_messages(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING, max_messages=1)
    bench.run(message(1), message(2))
    assert bench.hear("250 ok\n250 ok\n354 go\n").endswith(b"\r\n.\r\n")
    assert bench.hear("250 taken\n") == b"QUIT\r\n"
    assert bench.lost == [None]
    assert len(bench.queue) == 1


def test_a_graceful_close_lets_what_is_under_way_end(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    bench.connection.close()
    bench.hear("250 ok\n250 ok\n354 go\n")
    assert bench.hear("250 taken\n") == b"QUIT\r\n"
    assert bench.outcomes() == [(1, "delivered")]
    assert bench.lost == [None]


def test_a_close_at_once_gives_back_what_is_not_in_doubt(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run(message(1), message(2))
    bench.hear("250 ok\n250 ok\n")
    bench.connection.close(graceful=False)
    assert bench.outcomes() == [(1, "untouched")]
    other = Bench(loop, PIPELINING)
    other.run(message(1), message(2))
    other.hear("250 ok\n250 ok\n354 go\n")
    other.connection.close(graceful=False)
    assert other.outcomes() == [(1, "deferred"), (2, "untouched")]
    assert other.failure(0).in_doubt
    assert (bench.lost, other.lost) == ([None], [None])


def test_a_server_that_speaks_unasked_is_left(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.run()
    bench.hear("250 surprise\n")
    assert bench.transport.closed
    assert bench.lost[0] is not None
    assert bench.lost[0].reason is Reason.PROTOCOL


def test_a_connection_that_never_did_anything_says_why_it_ended(loop: asyncio.AbstractEventLoop) -> None:
    bench = Bench(loop, PIPELINING)
    bench.end()
    bench.run(message(1))
    assert bench.results == []
    assert bench.lost[0] is not None
    assert (bench.lost[0].phase, bench.lost[0].reason) == (Phase.MAIL, Reason.CLOSED)
