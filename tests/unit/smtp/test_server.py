"""The session as a table: what follows what, and what is said."""

import base64

import pytest
from tests.unit.smtp.talk import Talk

from gatepost.model.mail import EIGHT_BIT, SMTPUTF8
from gatepost.smtp.events import Auth, EndOfData, Mail, Rcpt
from gatepost.smtp.server import ServerConfig
from gatepost.smtp.states import KNOWN, MOVES, State

OPENING = b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"


def test_every_state_of_the_table_can_be_reached_and_left() -> None:
    reached = {state for moves in MOVES.values() for state in moves.values()}
    # AUTH is entered by the exchange inside the AUTH command; START is where a session begins
    assert reached | {State.START, State.AUTH} == set(State)
    assert all(MOVES[state] for state in State if state is not State.CLOSED)
    assert {"MAIL", "RCPT", "DATA", "BDAT", "STARTTLS", "AUTH"} <= KNOWN


def test_ehlo_offers_what_is_there() -> None:
    talk = Talk(ServerConfig("gw.example", max_message_size=1000, starttls=True, auth=True))
    talk.say(b"EHLO c\r\n")
    assert talk.answers[0] == (
        b"250-gw.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
        b"250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-CHUNKING\r\n250 STARTTLS\r\n"
    )
    talk.say(b"STARTTLS\r\n")
    talk.session.tls_started()
    talk.say(b"EHLO c\r\n")
    assert talk.answers[-1].endswith(b"250-CHUNKING\r\n250 AUTH PLAIN LOGIN\r\n")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"MAIL FROM:<a@x.example>\r\n", 503), (b"EHLO c\r\nRCPT TO:<a@x.example>\r\n", 503),
        (b"EHLO c\r\nDATA\r\n", 503), (b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nDATA\r\n", 554),
        (OPENING + b"MAIL FROM:<a@x.example>\r\n", 503), (OPENING + b"DATA now\r\n", 501), (b"EHLO\r\n", 501),
        (b"EHLO c\r\nMAIL <a@x.example>\r\n", 501), (b"EHLO c\r\nMAIL FROM:a@x.example\r\n", 501),
        (b"EHLO c\r\nMAIL FROM:<postmaster>\r\n", 501), (OPENING + b"RCPT TO:<>\r\n", 553),
        (b"EHLO c\r\nMAIL FROM:<a@x.example>SIZE=1\r\n", 501),
        (b"EHLO c\r\nMAIL FROM:<a@x.example> X=1\r\n", 555),
        (b"EHLO c\r\nSTARTTLS\r\n", 503), (b"EHLO c\r\nAUTH PLAIN\r\n", 500),
        (b"WHAT\r\n", 500), (b"\r\n", 500),
        ("EHLO c\r\nMAIL FROM:<жук@x.example>\r\n".encode(), 553),
        (OPENING + b"RCPT TO:<\xff@x.example>\r\n", 553),
        (OPENING + "RCPT TO:<жук@x.example>\r\n".encode(), 553), (b"VRFY a\r\n", 252), (b"HELP\r\n", 214),
        (b"EHLO c\r\nmail from: <a@x.example>\r\n", 250), (OPENING + b"rcpt TO:<Postmaster>\r\n", 250),
        (OPENING + b"RSET\r\nRCPT TO:<b@y.example>\r\n", 503), (OPENING + b"EHLO c\r\nDATA\r\n", 503),
        (b"EHLO c\r\nNOOP\x0b\r\n", 500),
    ],
)  # fmt: skip
def test_each_command_has_its_place(text: bytes, code: int) -> None:
    talk = Talk()
    talk.say(text)
    assert talk.codes[-1] == code


def test_parameters_reach_the_events() -> None:
    talk = Talk()
    talk.say("EHLO c\r\nMAIL FROM:<жук@x.example> SMTPUTF8 BODY=8BITMIME SIZE=5\r\n".encode())
    talk.say("RCPT TO:<ж@пример.example> NOTIFY=NEVER\r\n".encode())
    mail = next(event for event in talk.events if isinstance(event, Mail))
    rcpt = next(event for event in talk.events if isinstance(event, Rcpt))
    assert mail.parameters == (5, SMTPUTF8 | EIGHT_BIT, "")
    assert (rcpt.path.address, rcpt.parameters.notify) == ("ж@пример.example", 1)


def test_several_messages_go_through_one_session_pipelined() -> None:
    talk = Talk()
    talk.say(b"EHLO c\r\n")
    for number in range(3):
        talk.say(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\n")
        talk.say(b"Message-ID: <%d@x>\r\n\r\nhi\r\n..dot\r\n.\r\n" % number)
    assert len(talk.messages) == 3
    assert talk.messages[0] == b"Message-ID: <0@x>\r\n\r\nhi\r\n..dot\r\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"Subject: x\r\nmessage-id:\r\n <7@x.example>\r\n\r\nbody", "<7@x.example>"),
        (b"Message-ID: <7@x.example>", "<7@x.example>"),
        (b"A: b\r\n\r\nMessage-ID: <8@x.example>\r\n", ""),
        (b"", ""),
    ],
)
def test_the_message_id_is_found_in_the_header_only(content: bytes, found: str) -> None:
    talk = Talk()
    talk.say(OPENING + b"BDAT %d LAST\r\n%b" % (len(content), content))
    event = talk.events[-1]
    assert isinstance(event, EndOfData)
    assert event.header_id == found


@pytest.mark.parametrize("inline", [True, False])
def test_plain_and_login_give_user_and_password(inline: bool) -> None:
    talk = Talk(ServerConfig("gw.example", auth=True))
    talk.session.tls_started()
    talk.say(b"EHLO c\r\n")
    plain = base64.b64encode(b"\0ann\0secret")
    if inline:
        talk.say(b"AUTH PLAIN " + plain + b"\r\n")
    else:
        talk.say(b"AUTH LOGIN\r\n")
        talk.say(base64.b64encode(b"ann") + b"\r\n")
        talk.say(base64.b64encode(b"secret") + b"\r\n")
        assert talk.answers[1:3] == [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"]
    event = talk.events[-1]
    assert isinstance(event, Auth)
    assert (event.user, event.password) == ("ann", "secret")
    talk.session.login = "ann"
    talk.say(b"AUTH PLAIN " + plain + b"\r\n")
    assert talk.codes[-1] == 503


@pytest.mark.parametrize("step", [b"*", b"!!", b"AGFubg==", b"", b"eABhAGI=", b"AGEAYgBj", b"AP8AYg=="])
def test_a_malformed_login_is_refused_and_the_session_goes_on(step: bytes) -> None:
    talk = Talk(ServerConfig("gw.example", auth=True))
    talk.session.tls_started()
    talk.say(b"EHLO c\r\nAUTH PLAIN\r\n")
    talk.say(step + b"\r\n")
    talk.say(b"NOOP\r\n")
    assert talk.codes[-2:] == [501, 250]
    talk.say(b"AUTH CRAM-MD5\r\n")
    assert talk.codes[-1] == 504
