"""Headers beyond ASCII without SMTPUTF8 (rule 10, RFC 6531 section 3.3): taken, or refused by a setting."""

import pytest
from tests.unit.smtp.talk import Talk

from gatepost.smtp.server import ServerConfig

STRICT = ServerConfig("gw.example", eight_bit_headers=False)
RAW = "Subject: Grüße\r\n\r\nhello\r\n".encode()


def talk(config: ServerConfig, body: bytes, parameters: bytes = b"", *, chunked: bool = False) -> Talk:
    found = Talk(config)
    found.say(b"EHLO c\r\nMAIL FROM:<a@x.example>%b\r\nRCPT TO:<b@y.example>\r\n" % parameters)
    if chunked:
        found.say(b"BDAT %d LAST\r\n" % len(body) + body)
    else:
        found.say(b"DATA\r\n")
        found.say(body + b".\r\n")
    found.say(b"NOOP\r\n")
    return found


@pytest.mark.parametrize("chunked", [False, True])
def test_a_header_beyond_ascii_is_refused_after_the_dot_where_the_setting_says_so(chunked: bool) -> None:
    found = talk(STRICT, RAW, chunked=chunked)
    assert found.answers[-2].startswith(b"554 5.6.7 ")
    assert found.answers[-1].startswith(b"250 ")
    assert found.messages == []


@pytest.mark.parametrize("chunked", [False, True])
def test_it_is_taken_octet_for_octet_where_the_setting_does_not(chunked: bool) -> None:
    assert talk(ServerConfig("gw.example"), RAW, chunked=chunked).messages == [RAW]


@pytest.mark.parametrize("chunked", [False, True])
def test_with_smtputf8_it_is_right(chunked: bool) -> None:
    assert talk(STRICT, RAW, b" SMTPUTF8", chunked=chunked).messages == [RAW]


def test_a_body_beyond_ascii_is_no_header() -> None:
    body = "Subject: x\r\n\r\nGrüße\r\n".encode()
    assert talk(STRICT, body, b" BODY=8BITMIME").messages == [body]


def test_content_that_is_all_header_is_looked_at_too() -> None:
    assert talk(STRICT, "Subject: Grüße\r\n".encode()).messages == []


def test_the_next_message_of_the_session_starts_afresh() -> None:
    found = talk(STRICT, RAW)
    found.say(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
    found.say(b"Subject: x\r\n\r\nhello\r\n.\r\n")
    assert len(found.messages) == 1
