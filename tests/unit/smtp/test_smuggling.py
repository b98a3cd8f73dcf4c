"""Attacks on the ends of data and of lines: no byte is content to us and a command to others."""

import pytest
from tests.unit.smtp.talk import Talk

from gatepost.smtp.events import Bad, Chunk, EndOfData, Mail
from gatepost.smtp.server import ServerConfig, ServerSession
from gatepost.smtp.states import State

HEAD = b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
ENDS = [
    end
    for first in (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\0\n", b"\r\0\n")
    for last in (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\0\n", b"\r\0\n")
    if (end := first + b"." + last) != b"\r\n.\r\n"
]
EVIL = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nevil"


def test_the_corpus_holds_every_pair_but_the_true_end() -> None:
    assert len(ENDS) == 48


@pytest.mark.parametrize("end", ENDS)
def test_rule_1_only_crlf_dot_crlf_ends_data(end: bytes) -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"Subject: x\r\n\r\nhello" + end + EVIL + b"\r\n.\r\nQUIT\r\n")
    assert talk.count(Mail) == 1
    assert talk.messages == []
    assert talk.codes[-1] == 550 or (talk.codes[-1] == 221 and 550 in talk.codes)


@pytest.mark.parametrize("end", ENDS)
def test_rule_2_what_is_normalised_holds_no_bare_newline_and_no_end(end: bytes) -> None:
    talk = Talk(allow_bare=True)
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"Subject: x\r\n\r\nhello" + end + EVIL + b"\r\n.\r\nQUIT\r\n")
    # a CR before a true end is content to whoever allows bare newlines
    assert talk.count(Mail) == 1 + (b"\r\n.\r\n" in end)
    for body in talk.messages:
        assert b"\r\n.\r\n" not in body
        assert b"\0" not in body
        assert body.count(b"\r") == body.count(b"\n") == body.count(b"\r\n")
        assert body.endswith(b"\r\n")
    assert bool(talk.messages) == (b"\0" not in end)


def test_rule_2_a_dot_before_a_bare_newline_does_not_become_an_end() -> None:
    talk = Talk(allow_bare=True)
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b".\nx\r\n.\n" + EVIL + b"\r\n.\rz\n.\r\n.\r\n")
    (body,) = talk.messages
    assert not body.startswith(b".\r\n")
    assert b"\r\n.\r\n" not in body


@pytest.mark.parametrize("cut", range(1, 5))
def test_rule_3_the_true_end_works_however_it_is_cut(cut: int) -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"A: b\r\n\r\nx" + b"\r\n.\r\n"[:cut])
    talk.say(b"\r\n.\r\n"[cut:])
    assert talk.messages == [b"A: b\r\n\r\nx\r\n"]


@pytest.mark.parametrize(
    "line", [b"NOOP\nMAIL FROM:<a@b.example>\r\n", b"NOOP\rNOOP\r\n", b"NO\0OP\r\n", b"NOOP\n"]
)
def test_rule_1_a_bare_newline_in_a_command_ends_the_session(line: bytes) -> None:
    talk = Talk()
    talk.say(b"EHLO c\r\n" + line + b"NOOP\r\n")
    assert talk.codes[-1] == 500
    assert talk.session.state is State.CLOSED


def test_rule_4_what_came_before_the_handshake_is_dropped() -> None:
    talk = Talk(ServerConfig("gw.example", starttls=True))
    talk.say(b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@x.example>\r\n")
    talk.say(b"RCPT TO:<evil@x.example>\r\n")
    talk.session.tls_started()
    talk.say(b"MAIL FROM:<a@x.example>\r\nEHLO c\r\n")
    assert talk.codes == [250, 220, 503, 250]
    assert b"STARTTLS" not in talk.answers[-1]


def test_rule_6_after_a_refusal_at_the_dot_nothing_is_left() -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"x\0y\r\n.\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
    assert talk.codes[-3:] == [550, 503, 503]


def test_rule_6_after_a_refusal_by_the_gateway_nothing_is_left() -> None:
    talk = Talk(end=451)
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"x\r\n.\r\nRCPT TO:<b@y.example>\r\nDATA\r\nBDAT 1 LAST\r\nx")
    assert talk.codes[-4:] == [451, 503, 503, 503]


def test_rule_7_the_octets_of_a_refused_bdat_are_never_commands() -> None:
    talk = Talk()
    evil = b"MAIL FROM:<evil@x.example>\r\n"
    talk.say(b"EHLO c\r\nBDAT %d LAST\r\n" % len(evil) + evil + b"NOOP\r\n")
    assert talk.codes == [250, 503, 250]
    assert talk.count(Mail) == 0


@pytest.mark.parametrize(
    "size", [b"-1", b"+1", b"1x", b"", b" 1", b"0x1", b"9" * 20, b"1 LAST LAST", b"1 FIRST"]
)
def test_rule_7_a_bdat_of_unclear_size_ends_the_session(size: bytes) -> None:
    talk = Talk()
    talk.say(HEAD + b"BDAT " + size + b"\r\nNOOP\r\n")
    assert talk.codes[-1] == 501
    assert talk.session.state is State.CLOSED


def test_rule_7_bdat_content_is_stuffed_and_must_be_crlf_clean() -> None:
    talk = Talk()
    talk.say(HEAD + b"BDAT 9\r\nA: b\r\n\r\n.BDAT 4 LAST\r\n\r\n.x")
    assert talk.messages == [b"A: b\r\n\r\n..\r\n..x\r\n"]
    talk.say(HEAD + b"BDAT 5 LAST\r\na\n.\nbNOOP\r\n")
    assert talk.codes[-2:] == [550, 250]
    assert len(talk.messages) == 1


def test_rule_7_data_inside_bdat_is_out_of_place() -> None:
    talk = Talk()
    talk.say(HEAD + b"BDAT 1\r\nxDATA\r\nRSET\r\nNOOP\r\n")
    assert talk.codes[-3:] == [503, 250, 250]


def test_rule_7_after_a_failed_chunk_all_others_fail() -> None:
    talk = Talk(ServerConfig("gw.example", max_message_size=10))
    talk.say(HEAD + b"BDAT 11\r\n" + b"x" * 11 + b"BDAT 1 LAST\r\nyRSET\r\n")
    assert talk.codes[-3:] == [552, 503, 250]


def test_rule_8_content_before_the_354_ends_the_session() -> None:
    talk = Talk()
    talk.say(HEAD + b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
    assert talk.codes[-1] == 554
    assert talk.session.state is State.CLOSED
    assert talk.messages == []


def test_rule_8_commands_after_quit_are_ignored() -> None:
    talk = Talk()
    talk.say(b"EHLO c\r\nQUIT\r\nNOOP\r\n")
    assert talk.codes == [250, 221]


def test_rule_9_a_long_command_line_ends_the_session() -> None:
    session = ServerSession(ServerConfig("gw.example"))
    session.feed(b"NOOP " + b"x" * 5000)
    event = session.next_event()
    assert isinstance(event, Bad)
    assert event.close
    assert session.buffered == 0


@pytest.mark.parametrize(("octets", "code"), [(998, 250), (999, 550)])
@pytest.mark.parametrize("before", [0, 1, 100, 997])
def test_rule_9_a_text_line_holds_998_octets(octets: int, code: int, before: int) -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"A: b\r\n\r\n" + b"y" * before)
    talk.say(b"\r\n" + b"x" * octets + b"\r\nz\r\n.\r\n")
    assert talk.codes[-1] == code


def test_rule_9_a_stuffed_dot_does_not_count() -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"A: b\r\n\r\n." + b"." * 998 + b"\r\n.\r\n")
    assert talk.codes[-1] == 250


def test_rule_9_a_header_is_bounded() -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"A: b\r\n" * 50_000 + b"\r\nx\r\n.\r\n")
    assert talk.codes[-1] == 552


def test_rule_10_nul_in_content_is_refused_at_the_dot() -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"A: b\r\n\r\nx\0y\r\n.\r\nNOOP\r\n")
    assert talk.codes[-2:] == [550, 250]


def test_rule_15_too_many_hops_are_a_loop() -> None:
    talk = Talk(ServerConfig("gw.example", max_hops=3))
    for hops, code in ((3, 250), (4, 554)):
        talk.say(HEAD)
        talk.say(b"DATA\r\n")
        talk.say(b"received: x\r\n" * hops + b"\r\nReceived: in the body\r\n.\r\n")
        assert talk.codes[-1] == code
    assert b"5.4.14" in talk.answers[-1]


def test_rule_16_the_session_stays_in_step_after_552() -> None:
    talk = Talk(ServerConfig("gw.example", max_message_size=100))
    talk.say(b"EHLO c\r\nMAIL FROM:<a@x.example> SIZE=101\r\n")
    assert talk.codes[-1] == 552
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b"xxxxxxxx\r\n" * 11 + b".\r\nNOOP\r\n")
    assert talk.codes[-2:] == [552, 250]


def test_rule_18_no_login_without_tls_and_none_pipelined() -> None:
    config = ServerConfig("gw.example", auth=True)
    talk = Talk(config)
    talk.say(b"EHLO c\r\nAUTH PLAIN AGEAYg==\r\n")
    assert b"AUTH" not in talk.answers[0]
    assert talk.codes[-1] == 538
    talk.session.tls_started()
    talk.say(b"EHLO c\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@x.example>\r\n")
    assert talk.codes[-1] == 554


def test_empty_content_is_a_message() -> None:
    talk = Talk()
    talk.say(HEAD)
    talk.say(b"DATA\r\n")
    talk.say(b".\r\n")
    assert talk.messages == [b""]
    assert (talk.count(Chunk), talk.count(EndOfData)) == (0, 1)
