"""The trace header: true, one header, and silent about other recipients (RFC 5321 section 4.4)."""

import pytest

from gatepost.receive.trace import origin, protocol, received


def test_the_header_says_how_the_message_came() -> None:
    start = origin("client.example", "192.0.2.1", "gw.example")
    assert received(
        start, "ESMTPS", "01J0000000000", "TLSv1.3 with cipher X (256/256 bits)", "a@x.example", 0
    ) == (
        b"Received: from client.example ([192.0.2.1])\r\n\tby gw.example (Gatepost) with ESMTPS\r\n"
        b"\tid 01J0000000000\r\n\t(using TLSv1.3 with cipher X (256/256 bits))\r\n\tfor <a@x.example>; "
        b"Thu, 01 Jan 1970 00:00:00 -0000\r\n"
    )
    assert b"for" not in received(start, "SMTP", "01J0000000000", "", "", 0)


@pytest.mark.parametrize("name", ["a(b", "a\x1bb", "жук", "x;y", '"'])
def test_a_strange_name_of_the_client_is_not_repeated(name: str) -> None:
    assert origin(name, "2001:db8::7", "gw").startswith("Received: from unknown ([IPv6:2001:db8::7])\r\n")


@pytest.mark.parametrize(
    ("word", "extended", "tls", "login", "utf8"),
    [
        ("SMTP", False, False, False, False),
        ("ESMTP", True, False, False, False),
        ("ESMTPSA", True, True, True, False),
        ("UTF8SMTPS", True, True, False, True),
    ],
)
def test_the_protocol_is_named_by_what_was_used(
    word: str, extended: bool, tls: bool, login: bool, utf8: bool
) -> None:
    assert protocol(extended=extended, tls=tls, login=login, utf8=utf8) == word
