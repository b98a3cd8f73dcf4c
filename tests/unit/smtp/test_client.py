"""Replies are read within bounds, commands hold only what was offered (rules 5 and 30)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.model.mail import (
    EIGHT_BIT,
    NOTIFY_DELAY,
    NOTIFY_FAILURE,
    RET_FULL,
    SMTPUTF8,
    Item,
    QueuedRecipient,
)
from gatepost.smtp.address import parse_path
from gatepost.smtp.client import Extensions, ProtocolError, ReplyReader, mail_command, rcpt_command

ANN = QueuedRecipient(1, "ann@x.example", "rfc822;ann@x.example", NOTIFY_FAILURE | NOTIFY_DELAY, 0, 0)
ITEM = Item(1, 2, 0, "bob@y.example", 123, EIGHT_BIT | SMTPUTF8 | RET_FULL, "QQ", (ANN,), b"", 0, last=True)


def read(data: bytes) -> list[tuple[int, tuple[str, ...], str]]:
    reader = ReplyReader()
    reader.feed(data)
    found = []
    while (reply := reader.next_reply()) is not None:
        found.append((reply.code, reply.lines, reply.enhanced))
    return found


def test_replies_of_one_and_of_many_lines_are_read() -> None:
    assert read(b"250-one\r\n250-\r\n250 2.0.0 two\r\n354\r\n220 x") == [
        (250, ("one", "", "2.0.0 two"), ""),
        (354, ("",), ""),
    ]


def test_a_contradicting_enhanced_code_is_kept_and_the_first_digit_decides() -> None:
    reader = ReplyReader()
    reader.feed(b"550 4.2.2 mailbox full\r\n")
    reply = reader.next_reply()
    assert reply is not None
    assert (reply.code, reply.enhanced, reply.status) == (550, "4.2.2", "5.0.0")


def test_eight_bit_text_is_evidence_not_an_error() -> None:
    assert read("550 почта \xff".encode() + b"\xff\r\n")[0][0] == 550


@pytest.mark.parametrize(
    "data",
    [
        b"250-one\r\n550 two\r\n", b"hello\r\n", b"\r\n", b"99 x\r\n", b"600 x\r\n", b"2500 x\r\n",
        b"250_x\r\n",
        b"HTTP/1.1 400 Bad\r\n", b"250" + b"x" * 9000, b"250-x\r\n" * 101, "２５０ x\r\n".encode(),
    ],
)  # fmt: skip
def test_what_is_no_reply_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(data)


def test_no_more_than_512_octets_of_a_line_are_kept() -> None:
    assert len(read(b"250 " + b"x" * 4000 + b"\r\n")[0][1][0]) == 508


def test_what_follows_the_220_of_starttls_shows() -> None:
    reader = ReplyReader()
    reader.feed(b"220 go\r\n250 injected")
    reader.next_reply()
    assert reader.pending


@given(st.lists(st.integers(1, 40), max_size=30))
def test_any_cut_of_the_stream_gives_the_same_replies(cuts: list[int]) -> None:
    data = b"220 hello\r\n250-x.example\r\n250-SIZE 10\r\n250 DSN\r\n550 5.1.1 no such user\r\n354\r\n"
    reader, found, at = ReplyReader(), [], 0
    for cut in [*cuts, len(data)]:
        reader.feed(data[at : at + cut])
        at += cut
        while (reply := reader.next_reply()) is not None:
            found.append((reply.code, reply.lines, reply.enhanced))
    assert found == read(data)


def test_extensions_are_read_off_the_answer_to_ehlo() -> None:
    found = Extensions.parse(
        ("x.example", "PIPELINING", "size 1000", "8bitmime", "SMTPUTF8", "DSN", "STARTTLS", "CHUNKING",
         "AUTH PLAIN login", "AUTH=CRAM-MD5", "", "ENHANCEDSTATUSCODES")
    )  # fmt: skip
    assert found == Extensions(
        True, 1000, True, True, True, True, True, True, frozenset({"PLAIN", "LOGIN", "CRAM-MD5"})
    )
    assert Extensions.parse(("DSN",)) == Extensions()
    assert Extensions.parse(("x", "SIZE")).size == 0
    assert Extensions.parse(("x", "SIZE -5")).size == 0


def test_commands_hold_only_what_was_offered() -> None:
    everything = Extensions(size=0, eight_bit_mime=True, smtputf8=True, dsn=True)
    assert mail_command(ITEM, Extensions()) == b"MAIL FROM:<bob@y.example>\r\n"
    assert mail_command(ITEM, everything) == (
        b"MAIL FROM:<bob@y.example> SIZE=123 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=QQ\r\n"
    )
    assert rcpt_command(ANN, Extensions()) == b"RCPT TO:<ann@x.example>\r\n"
    assert rcpt_command(ANN, everything) == (
        b"RCPT TO:<ann@x.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ann@x.example\r\n"
    )


def test_a_line_break_never_enters_a_command() -> None:
    with pytest.raises(ValueError, match="line break"):
        mail_command(ITEM._replace(sender="a@b\r\nRCPT TO:<c@d>"), Extensions())


def test_what_we_parsed_is_what_we_send() -> None:
    """What is checked is byte for byte what is sent on (rule 12)."""
    path = b'<"a@b>"@x.example>'
    ann = ANN._replace(address=parse_path(path, utf8=False).address)
    assert rcpt_command(ann, Extensions()) == b"RCPT TO:" + path + b"\r\n"
