"""Attacks on the ends of data and of lines (SMTP smuggling): rules 1 to 3."""

import time

import pytest
from tests.scenario.safe.conftest import LAX, World
from tests.support.peers import wait_until

FALSE_ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\n.\r\r\n", b"\r\r\n.\r\n", b"\r\n.\n\r", b"\n\r.\r\n", b"\r\n\r.\r\n", b"\r\n.\r\0\n",
]  # fmt: skip
SMUGGLED = (
    b"MAIL FROM:<evil@evil.test>\r\nRCPT TO:<x@partner.test>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
)


@pytest.mark.parametrize("end", FALSE_ENDS, ids=repr)
def test_rule_01_only_crlf_dot_crlf_ends_data_and_any_other_closes(world: World, end: bytes) -> None:
    with world.client() as client:
        answer = client.message(
            "a@client.test", "x@partner.test", b"Subject: t\r\n\r\nhello" + end + SMUGGLED
        )
        assert answer.startswith(b"550 5.5.2"), answer
        assert client.closed()
    assert not world.taken("smuggled")


@pytest.mark.parametrize(
    "line", [b"NOOP\nMAIL FROM:<a@b.test>\r\n", b"NOOP\rNOOP\r\n", b"NO\0OP\r\n"], ids=repr
)
def test_rule_01_a_bare_newline_in_a_command_closes(world: World, line: bytes) -> None:
    with world.client() as client:
        assert client.ask(line + b"NOOP\r\n").startswith(b"500 5.5.2")
        assert client.closed()


def test_rule_02_what_is_normalised_goes_on_without_bare_newlines_and_as_one_message(world: World) -> None:
    """From a source that may send them: they become CRLF, and what looked like an end is stuffed."""
    content = b"Subject: lax\r\n\r\none\ntwo\rthree\n.\nMAIL FROM:<evil@evil.test>\n.\rfour\r\n.\r\n"
    with world.client(LAX) as client:
        assert client.message("a@client.test", "x@partner.test", content).startswith(b"250")
    sent = wait_until(lambda: world.taken("Subject: lax"), 10)
    assert len(sent) == 1
    assert sent[0].replace(b"\r\n", b"").count(b"\n") == sent[0].replace(b"\r\n", b"").count(b"\r") == 0
    assert b"three\r\n..\r\nMAIL FROM:<evil@evil.test>\r\n..\r\nfour\r\n" in sent[0]


def test_rule_02_no_nul_goes_on(world: World) -> None:
    with world.client() as client:
        answer = client.message("a@client.test", "x@partner.test", b"Subject: nul\r\n\r\na\0b\r\n.\r\n")
        assert answer.startswith(b"550 5.6.0")
        assert client.ask(b"NOOP\r\n").startswith(b"250")
    assert not world.taken("Subject: nul")


def test_rule_02_a_header_that_we_add_begins_no_line_with_a_dot(world: World) -> None:
    """The name of the client is the only text of its own in it."""
    with world.client() as client:
        assert client.ask(b"EHLO " + b"." * 200 + b"\r\n").startswith(b"250")
        assert client.message("a@client.test", "x@partner.test", b"Subject: dots\r\n\r\n.\r\n").startswith(
            b"250"
        )
    header = wait_until(lambda: world.taken("Subject: dots"), 10)[0].partition(b"Subject")[0]
    assert header.startswith(b"Received: from ")
    assert not [line for line in header.split(b"\r\n") if line.startswith(b".") or len(line) > 998]


@pytest.mark.parametrize("cut", range(1, 5))
def test_rule_03_the_true_end_works_however_it_is_cut(world: World, cut: int) -> None:
    end = b"\r\n.\r\n"
    with world.client() as client:
        assert client.codes(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<x@partner.test>\r\nDATA\r\n", 3) == [
            250,
            250,
            354,
        ]
        client.send(b"Subject: cut%d\r\n\r\nhello" % cut + end[:cut])
        time.sleep(0.05)
        assert client.ask(end[cut:]).startswith(b"250")
    assert len(wait_until(lambda: world.taken(f"Subject: cut{cut}"), 10)) == 1
