"""Attacks on the state of a session: what was sent too early, refused, chunked or too long (rules 4, 6 to 10, 16)."""

import time

import pytest
from tests.scenario.safe.conftest import World
from tests.support.peers import wait_until
from tests.support.raw_smtp import HELLO

ENVELOPE = b"MAIL FROM:<a@client.test>\r\nRCPT TO:<x@partner.test>\r\n"
MEGABYTE = 1 << 20


def test_rule_04_nothing_sent_before_the_handshake_counts_after_it(world: World) -> None:
    with world.client() as client:
        client.start_tls(b"EHLO evil.test\r\nMAIL FROM:<evil@evil.test>\r\nNOOP\r\n")
        assert client.ask(b"RCPT TO:<x@partner.test>\r\n").startswith(b"503"), (
            "what came with STARTTLS was dropped"
        )
        assert b"STARTTLS" not in client.ask(HELLO)
        assert client.ask(b"STARTTLS\r\n").startswith(b"503")
        assert client.message("a@client.test", "x@partner.test", b"Subject: tls\r\n\r\n.\r\n").startswith(
            b"250"
        )
    assert b"with ESMTPS" in wait_until(lambda: world.taken("Subject: tls"), 10)[0]


def test_rule_04_starttls_takes_no_argument(world: World) -> None:
    with world.client() as client:
        assert client.ask(b"STARTTLS now\r\n").startswith(b"501")
        assert client.ask(b"NOOP\r\n").startswith(b"250")


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (b"RCPT TO:<x@partner.test>\r\nDATA\r\nNOOP\r\n", [503, 503, 250]),
        (b"MAIL FROM:<a@client.test>\r\nDATA\r\nRSET\r\nRCPT TO:<x@partner.test>\r\n", [250, 554, 250, 503]),
        (b"MAIL FROM:<a@client.test>\r\nRCPT TO:<nobody@home.test>\r\nDATA\r\n", [250, 550, 554]),
        (ENVELOPE + b"EHLO again.test\r\nDATA\r\n", [250, 250, 250, 503]),
        (ENVELOPE + b"MAIL FROM:<b@client.test>\r\n", [250, 250, 503]),
        (b"MAIL FROM:<a@client.test\r\nRCPT TO:<x@partner.test>\r\n", [501, 503]),
    ],
    ids=repr,
)
def test_rule_06_a_refused_step_leaves_nothing_to_go_on_from(
    world: World, said: bytes, codes: list[int]
) -> None:
    with world.client() as client:
        assert client.codes(said, len(codes)) == codes


def test_rule_06_after_a_refusal_at_the_dot_nothing_is_left(world: World) -> None:
    hops = b"Received: x\r\n" * 40
    with world.client() as client:
        assert client.message("a@client.test", "x@partner.test", hops + b"\r\n.\r\n").startswith(
            b"554 5.4.14"
        )
        assert client.codes(b"RCPT TO:<x@partner.test>\r\nDATA\r\nBDAT 1 LAST\r\nx", 3) == [503, 503, 503]


def test_rule_06_after_a_failed_chunk_nothing_is_left(world: World) -> None:
    with world.client() as client:
        assert client.codes(ENVELOPE + b"BDAT 3 LAST\r\na\nb", 3) == [250, 250, 550]
        assert client.codes(b"RCPT TO:<x@partner.test>\r\nDATA\r\n", 2) == [503, 503]


def test_rule_07_the_octets_of_a_refused_chunk_are_never_commands(world: World) -> None:
    evil = b"MAIL FROM:<evil@evil.test>\r\nRCPT TO:<x@partner.test>\r\n"
    with world.client() as client:
        assert client.codes(b"BDAT %d LAST\r\n" % len(evil) + evil + b"DATA\r\n", 2) == [503, 503]


@pytest.mark.parametrize(
    "size", [b"-1", b"+1", b"18446744073709551616", b"0x10", b"", b"1 LAST LAST"], ids=repr
)
def test_rule_07_a_chunk_of_unclear_size_closes(world: World, size: bytes) -> None:
    with world.client() as client:
        assert client.codes(ENVELOPE + b"BDAT " + size + b"\r\n", 3) == [250, 250, 501]
        assert client.closed()


def test_rule_07_chunks_are_bounded_in_number_and_data_has_no_place_among_them(world: World) -> None:
    with world.client() as client:
        assert client.codes(ENVELOPE + b"BDAT 1\r\nx" + b"DATA\r\n", 4) == [250, 250, 250, 503]
        client.send(b"BDAT 1\r\nx" * 2000)
        assert client.replies()[-1].startswith(b"421 4.7.0")


def test_rule_07_chunks_that_are_too_much_together_are_refused(world: World) -> None:
    with world.client() as client:
        assert client.codes(ENVELOPE, 2) == [250, 250]
        text = b"\r\n" + (b"y" * 78 + b"\r\n") * 5000
        piece = b"BDAT %d\r\n" % len(text) + text
        assert client.codes(piece + piece, 2) == [250, 250]
        assert client.codes(piece, 1) == [552]
        assert client.codes(b"BDAT 1 LAST\r\nx" + b"RSET\r\n", 2) == [503, 250]


def test_rule_08_content_that_does_not_wait_for_the_354_closes(world: World) -> None:
    with world.client() as client:
        answers = client.codes(ENVELOPE + b"DATA\r\nSubject: early\r\n\r\n.\r\n", 3)
        assert answers == [250, 250, 554]
        assert client.closed()
    assert not world.taken("Subject: early")


def test_rule_08_commands_after_quit_are_ignored(world: World) -> None:
    with world.client() as client:
        client.send(b"QUIT\r\n" + ENVELOPE)
        assert [reply[:3] for reply in client.replies()] == [b"221"]


def test_rule_09_a_command_line_is_bounded(world: World) -> None:
    with world.client() as client:
        assert client.ask(b"NOOP " + b"x" * 4000 + b"\r\n").startswith(b"500 5.5.6")
        assert client.closed()


def test_rule_09_a_line_without_end_is_not_kept(world: World) -> None:
    """Forty megabytes of it leave no trace in memory, as command and as content."""
    before = resident(world)
    for start in (b"", ENVELOPE + b"DATA\r\n"):
        with world.client() as client:
            if start:
                assert client.codes(start, 3) == [250, 250, 354]
            for _ in range(20):
                client.send(b"z" * MEGABYTE)
            client.send(b"\r\n.\r\n")
            assert client.reply()[:1] == b"5"
    assert resident(world) - before < 20 * MEGABYTE


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"Subject: x\r\n\r\n" + b"w" * 999 + b"\r\n.\r\n", b"550 5.6.0"),
        (b"Subject: x\r\n\r\n" + b"w" * 998 + b"\r\n.\r\n", b"250 2.0.0"),
        (b"X-Long: y\r\n" * 30_000 + b"\r\n.\r\n", b"552 5.3.4"),
    ],
    ids=["999", "998", "header"],
)
def test_rule_09_text_lines_and_headers_are_bounded(world: World, content: bytes, answer: bytes) -> None:
    with world.client() as client:
        assert client.message("a@client.test", "x@partner.test", content).startswith(answer)
        assert client.ask(b"NOOP\r\n").startswith(b"250")


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (b"MAIL FROM:<a\0b@client.test>\r\n", {500}),
        (b"MAIL FROM:<a\x01b@client.test>\r\n", {501, 553}),
        (b"MAIL FROM:<a\x7fb@client.test>\r\n", {501, 553}),
        (b"MAIL FROM:<a\tb@client.test>\r\n", {501, 553}),
        ("MAIL FROM:<ä@client.test>\r\n".encode(), {553}),
        (b"MAIL FROM:<a@client.test> ENVID=x+00y\r\n", {501}),
        (b"MAIL FROM:<\xff@client.test> SMTPUTF8\r\n", {501, 553}),
    ],
    ids=repr,
)
def test_rule_10_control_characters_and_raw_octets_have_no_place_in_an_envelope(
    world: World, line: bytes, codes: set[int]
) -> None:
    with world.client() as client:
        assert client.codes(line, 1)[0] in codes


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (b"RCPT TO:<a\x1bb@partner.test>\r\n", {501, 553}),
        ("RCPT TO:<ä@partner.test>\r\n".encode(), {553}),
        (b"RCPT TO:<x@partner.test> ORCPT=rfc822;x+00y\r\n", {501}),
    ],
    ids=repr,
)
def test_rule_10_nor_in_a_recipient(world: World, line: bytes, codes: set[int]) -> None:
    with world.client() as client:
        assert client.ask(b"MAIL FROM:<a@client.test>\r\n").startswith(b"250")
        assert client.codes(line, 1)[0] in codes


def test_rule_10_a_header_beyond_ascii_is_taken_as_scripts_send_it(world: World) -> None:
    """The default deviates from the rule on purpose; `smtp.eight_bit_headers` refuses."""
    subject = "Subject: Grüße".encode()
    with world.client() as client:
        assert client.message("a@client.test", "x@partner.test", subject + b"\r\n\r\n.\r\n").startswith(
            b"250"
        )
    assert wait_until(lambda: world.taken("Subject: Grüße"), 10)


def test_rule_16_the_size_that_is_announced_is_the_size_that_holds(world: World) -> None:
    with world.client() as client:
        assert b"SIZE 1048576\r\n" in client.ask(HELLO)
        assert client.ask(b"MAIL FROM:<a@client.test> SIZE=1048577\r\n").startswith(b"552 5.3.4")
        large = b"Subject: large\r\n\r\n" + (b"x" * 78 + b"\r\n") * (MEGABYTE // 80 + 1) + b".\r\n"
        assert client.message("a@client.test", "x@partner.test", large).startswith(b"552 5.3.4")
        assert client.message("a@client.test", "x@partner.test", b"Subject: small\r\n\r\n.\r\n").startswith(
            b"250"
        )
    assert wait_until(lambda: world.taken("Subject: small"), 10)
    assert not world.taken("Subject: large")


def resident(world: World) -> int:
    """Return the memory of the gateway, in octets, once it has come to rest."""
    assert world.gateway.process is not None
    time.sleep(0.3)
    with open(f"/proc/{world.gateway.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))
