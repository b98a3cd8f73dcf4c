"""However the network cuts the bytes, a session sees the same (drawn from the grammar, mistakes included)."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.smtp.talk import Talk

from gatepost.smtp.events import Chunk, Event
from gatepost.smtp.server import ServerConfig
from gatepost.smtp.states import State

CONFIG = ServerConfig("gw.example", max_message_size=3000, max_hops=2, starttls=True, eight_bit_headers=False)
ADDRESS = st.sampled_from([b"a@x.example", b'"a b"@x.example', b"", b"a@@b", b"@r.example:a@x.example"])
PARAMETERS = st.sampled_from([b"", b" SIZE=10", b" SIZE=9999", b" BODY=8BITMIME", b" X=1"])
COMMAND = st.one_of(
    st.builds(b"MAIL FROM:<%b>%b\r\n".__mod__, st.tuples(ADDRESS, PARAMETERS)),
    st.builds(b"RCPT TO:<%b>\r\n".__mod__, ADDRESS),
    st.sampled_from([
        b"EHLO c\r\n", b"HELO c\r\n", b"RSET\r\n", b"NOOP\r\n", b"VRFY x\r\n", b"WHAT\r\n", b"NOOP\n",
        b"NO\rOP\r\n",
        b"NOOP " + b"x" * 3000 + b"\r\n", b"\r\n", b"EHLO \xff\r\n",
    ]),
)  # fmt: skip
PIECE = st.sampled_from([
    b"A: b\r\n", b"\r\n", b"..\r\n", b".x\r\n", b"x" * 500 + b"\r\n", b"Received: x\r\n",
    b"Message-ID: <1@x>\r\n", b"S: \xc3\xa9\r\n", b"hello", b".", b"\r", b"\n", b"\0", b"x" * 1100,
])  # fmt: skip
TIDY = st.sampled_from(
    [b"A: b\r\n", b"\r\n", b"..\r\n", b"x" * 500 + b"\r\n", b"Received: x\r\n", b"Message-ID: <1@x>\r\n"]
)
BODY = st.one_of(st.lists(PIECE, max_size=8), st.lists(TIDY, max_size=8)).map(b"".join)


def bdat(octets: bytes, last: bool) -> bytes:
    return b"BDAT %d%b\r\n%b" % (len(octets), b" LAST" if last else b"", octets)


BDAT = st.builds(bdat, BODY, st.booleans())
OPENING = b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
# a group ends where a client must wait: at DATA
GROUP = st.one_of(
    st.lists(COMMAND, max_size=5).map(b"".join).map(lambda text: [text]),
    st.lists(st.one_of(COMMAND, BDAT), max_size=4).map(b"".join).map(lambda text: [OPENING + text]),
    BODY.map(lambda body: [OPENING + b"DATA\r\n", body + b"\r\n.\r\nNOOP\r\n"]),
)
SCRIPT = st.lists(GROUP, min_size=1, max_size=4).map(
    lambda groups: [part for group in groups for part in group]
)


def merged(talk: Talk) -> list[Event]:
    """Return the events without the pieces of content: their sum is in `messages`, where it was taken."""
    return [event for event in talk.events if not isinstance(event, Chunk)]


@given(SCRIPT, st.lists(st.integers(1, 700), min_size=1, max_size=30), st.booleans())
def test_any_cut_of_the_stream_gives_the_same_events(
    script: list[bytes], cuts: list[int], bare: bool
) -> None:
    whole, pieces = Talk(CONFIG, allow_bare=bare), Talk(CONFIG, allow_bare=bare)
    turn = 0
    for part in script:
        whole.say(part)
        at = 0
        while at < len(part):
            size = cuts[turn % len(cuts)]
            turn += 1
            pieces.say(part[at : at + size])
            at += size
    assert merged(pieces) == merged(whole)
    assert pieces.answers == whole.answers
    assert pieces.messages == whole.messages
    assert pieces.session.state is whole.session.state


@given(SCRIPT, st.booleans())
def test_what_is_taken_can_be_sent_on_as_it_is(script: list[bytes], bare: bool) -> None:
    talk = Talk(CONFIG, allow_bare=bare)
    for part in script:
        talk.say(part)
    for body in talk.messages:
        wire = b"\r\n" + body + b".\r\n"
        assert wire.find(b"\r\n.\r\n") == len(wire) - 5
        assert body.count(b"\r") == body.count(b"\n") == body.count(b"\r\n")
        assert b"\0" not in body


@given(SCRIPT)
def test_every_command_gets_one_answer_and_the_state_stays_known(script: list[bytes]) -> None:
    talk = Talk(CONFIG)
    for part in script:
        talk.say(part)
    assert all(answer.endswith(b"\r\n") for answer in talk.answers)
    assert not talk.session.waiting
    assert talk.session.state in State
    assert talk.session.state is State.CLOSED or talk.session.buffered < 16384
