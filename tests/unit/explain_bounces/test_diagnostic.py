"""Codes, servers and phases are taken out of what one system says that another said."""

import pytest

from gatepost.explain.bounces.diagnostic import codes, open_diagnostic, phase_of, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 5.1.1 User unknown", (550, "5.1.1")),
        ("550-5.1.1 The email account", (550, "5.1.1")),
        ("550 #5.1.0 Address rejected", (550, "5.1.0")),
        ("Sorry, no mailbox here by that name. (#5.1.1)", (0, "5.1.1")),
        ("user unknown", (0, "")),
        ("host mx.example.org [198.51.100.4]: 451 try later", (451, "")),
        ("connect to mx.example.org[198.51.100.4]:550: refused", (0, "")),
        ("Server 4.5.6.7 did not answer", (0, "")),
        ("Internet Mail Service (5.5.2653.19)", (0, "")),
        ("message 1550 of 2000 bytes", (0, "")),
        ("smtp; 5.4.1 Recipient address rejected", (0, "5.4.1")),
        ("450 4.4.316 Connection refused", (450, "4.4.316")),
    ],
)
def test_codes_are_found_and_numbers_are_not_mistaken_for_them(text, expected):
    assert codes(text) == expected


def test_wrappers_in_wrappers_are_opened():
    opened = open_diagnostic(
        "delivery temporarily suspended: host mx.example.org[192.0.2.1] said: 450 4.7.1 Remote host said: 550 5.1.1 "
        "No such user (in reply to RCPT TO command)"
    )
    assert (opened.smtp, opened.enhanced, opened.server, opened.phase) == (
        550,
        "5.1.1",
        "mx.example.org",
        "rcpt",
    )
    assert words(opened.text) == "No such user"


def test_the_reporting_server_of_exchange_2003_is_not_the_remote_one():
    opened = open_diagnostic("The account does not exist. <mail.example.com #5.5.0 smtp;554 no such account>")
    assert (opened.server, opened.smtp, opened.enhanced) == ("", 554, "5.5.0")


def test_the_last_error_grammar_names_server_and_address():
    opened = open_diagnostic(
        "450 4.4.317 Cannot connect to remote server [Message=451 5.7.3 STARTTLS is required to send mail] "
        "[LastAttemptedServerName=mx.example.org] [LastAttemptedIP=192.0.2.10:25] [fe01]"
    )
    assert (opened.smtp, opened.enhanced) == (450, "4.4.317")
    assert (opened.server, opened.address) == ("mx.example.org", "192.0.2.10:25")


def test_of_several_attempts_the_real_one_speaks_and_not_the_expiry():
    opened = open_diagnostic(
        "2/1/2021 9:59:00 AM - Server at own.example.com returned '550 5.4.316 Message expired, connection refused' "
        "2/1/2021 9:50:00 AM - Server at mx.example.org (192.0.2.1) returned '450 4.4.316 Connection refused'"
    )
    assert opened.server == "mx.example.org"
    assert opened.text == "450 4.4.316 Connection refused"


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        ("RCPT TO", "rcpt"),
        ("end of DATA", "eod"),
        ("DATA", "data"),
        ("MAIL_FROM", "mail"),
        ("EHLO", "ehlo"),
        ("", ""),
    ],
)
def test_a_command_is_a_phase(command, phase):
    assert phase_of(command) == phase


def test_qmail_tells_the_phase_in_words():
    assert (
        open_diagnostic("Connected to 192.0.2.1 but sender was rejected. Remote host said: 550 no").phase
        == "mail"
    )
    assert (
        open_diagnostic("192.0.2.1 failed after I sent the message. Remote host said: 554 spam").phase
        == "eod"
    )
