# ruff: noqa: E501 (a sample is one line)
"""Replies of real servers are understood (R12, B1); the rules prove themselves in tests/unit/explain."""

import pytest

from gatepost.diagnose.replies import class_of, named_reason
from gatepost.model.attempt import Reply
from gatepost.model.failure import FailureClass as C
from gatepost.model.failure import Phase


def reply_of(text: str) -> Reply:
    code, rest = int(text[:3]), text[4:]
    first = rest.split(" ", 1)[0]
    enhanced = first if first.count(".") == 2 and first.replace(".", "").isdigit() else ""
    return Reply(code, (rest,), enhanced)


REAL = [
    (
        "554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using ee.countries.nerd.dk; Your IP is in ee",
        C.IP_BLOCKED,
    ),
    (
        "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]",
        C.RECIPIENT_UNKNOWN,
    ),
    (
        "554 IP=11.22.33.44 - A problem occurred. (Ask your postmaster for help or to contact user8@example.net to clarify.) (BL)",
        C.IP_BLOCKED,
    ),
    (
        "550 5.7.1 --- SAATKE SEE TEADE OMA IT-MEHELE! --- TEIE server 1.2.3.4 on BLACKLISTIS dnsbl.sorbs.net",
        C.IP_BLOCKED,
    ),
    (
        "454 4.7.1 Service unavailable; Client host [1.2.3.4] blocked using dnsbl.sorbs.net; Currently Sending Spam",
        C.IP_BLOCKED,
    ),
    ("550 5.7.1 Email quota exceeded.", C.RATE_LIMITED),
    ("554 5.4.6 Hop count exceeded - possible mail loop", C.MAIL_LOOP),
    ("451 4.2.0 Internal error occurred. Refer to server log", C.SERVER_TEMP_ERROR),
    (
        "550 SC-001 (SNT004-MC2F12) Unfortunately, messages from 78.46.68.61 weren't sent. Please contact your Internet service provider since part of their network is on our block list.",
        C.IP_BLOCKED,
    ),
    ("450 <user21@example.org>: Recipient address rejected: Greylisted for 180 seconds", C.GREYLISTED),
    ("550 5.2.1 Message deleted by the transport rules agent", C.POLICY_REJECT),
    ("451 4.3.2 Please try again later", C.SERVER_TEMP_ERROR),
    ("451 qqt failure (#4.3.0)", C.SERVER_TEMP_ERROR),
    ("432 4.3.2 STOREDRV.Deliver - dynamic mailbox database throttling limit exceeded", C.RATE_LIMITED),
    ("550 5.7.1 Unable to relay", C.RELAY_DENIED),
    ("550 5.7.1 <user17@example.net>... Relaying denied. Proper authentication required.", C.RELAY_DENIED),
    ("550 Unknown", C.RECIPIENT_UNKNOWN),
    ("550 User unknown.", C.RECIPIENT_UNKNOWN),
    ("550 5.7.1 <user18@example.org>... Rejected recent spam source [mailout-de.gmx.net]", C.IP_BLOCKED),
    ("550 5.4.1 Recipient address rejected: Access denied", C.RECIPIENT_UNKNOWN),
    (
        "451 4.7.23 Message deferred - unable to verify SPF policy for example.com. IB305",
        C.SENDER_AUTH_FAILED,
    ),
    ("451 4.0.0 Error processing message: Unable to retrieve the data:smdksmlk", C.SERVER_TEMP_ERROR),
]


@pytest.mark.parametrize(("text", "expected"), REAL)
def test_real_replies_are_recognised(text, expected):
    assert class_of(reply_of(text), Phase.RCPT)[0] is expected


@pytest.mark.parametrize(
    ("text", "phase", "expected"),
    [
        ("550 no", Phase.RCPT, C.RECIPIENT_UNKNOWN),
        ("550 no", Phase.MAIL, C.SENDER_REJECTED),
        ("550 no", Phase.EOD, C.POLICY_REJECT),
        ("552 no", Phase.RCPT, C.MAILBOX_FULL),
        ("552 no", Phase.EOD, C.MESSAGE_TOO_LARGE),
        ("554 no", Phase.EOD, C.POLICY_REJECT),
        ("450 no", Phase.RCPT, C.SERVER_TEMP_ERROR),
        ("535 no", Phase.AUTH, C.AUTH_FAILED),
    ],
)
def test_where_nothing_is_said_the_digits_and_the_phase_decide(text, phase, expected):
    assert class_of(reply_of(text), phase)[0] is expected


def test_a_greeting_names_its_reason_or_none():
    assert named_reason(reply_of("554 Blocked - see https://ipcheck.proofpoint.com/?ip=11.22.33.44")) == (
        C.IP_BLOCKED,
        "",
    )
    assert named_reason(reply_of("421 imp06 charter.net connection refused from [75.176.32.193] E1210")) == (
        C.IP_BLOCKED,
        "",
    )
    assert named_reason(reply_of("554- (RTR:DU)  http://postmaster.info.aol.com/errors/554rtrdu.html")) == (
        C.IP_BLOCKED,
        "",
    )
    assert named_reason(reply_of("421 4.3.2 All screening ports are busy")) is None
    assert named_reason(reply_of("554 No SMTP service here")) is None


def test_a_code_of_the_wrong_class_is_read_by_the_first_digit():
    """The reply 550 with 4.1.1 is final, and its code is not believed."""
    assert Reply(550, ("4.1.1 no such thing",), "4.1.1").status == "5.0.0"


def test_a_long_hostile_reply_is_judged_quickly():
    assert class_of(Reply(550, ("a " * 200_000,)), Phase.EOD)[0] is C.POLICY_REJECT
