"""What a failed attempt means, by phase and reason (R5-R13, B1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.diagnose.classify import classify, expired_verdict
from gatepost.model.attempt import Failure, Reply, SessionFacts, last_error
from gatepost.model.failure import Concern, FailureClass, Phase, Reason
from gatepost.model.objects import Connector

SESSION = SessionFacts(1, 1, 0, server="mail.contoso.example", address="192.0.2.7", port=25)
OFFICE = Connector("to-office")
C = FailureClass


def fail(phase, reason, *, reply=None, detail="words", in_doubt=False):
    return Failure(Phase(phase), Reason(reason), detail, SESSION, reply, in_doubt=in_doubt)


def judge(phase, reason, *, reply=None, connector=OFFICE, kind="smart", **more):
    return classify(fail(phase, reason, reply=reply, **more), connector=connector, kind=kind)


TABLE = [
    ("dns", "servfail", C.DNS_QUERY_FAILED, "4.4.312"),
    ("dns", "timeout", C.DNS_QUERY_FAILED, "4.4.312"),
    ("dns", "refused", C.DNS_QUERY_FAILED, "4.4.312"),
    ("dns", "bad_answer", C.DNS_QUERY_FAILED, "4.4.312"),
    ("dns", "nxdomain", C.DNS_QUERY_FAILED, "4.4.312"),
    ("dns", "no_records", C.DNS_QUERY_FAILED, "4.4.312"),
    ("dns", "mx_invalid", C.DNS_QUERY_FAILED, "4.4.312"),
    ("dns", "null_mx", C.DNS_QUERY_FAILED, "4.4.312"),
    ("connect", "timeout", C.CONNECTION_TIMEOUT, "4.4.315"),
    ("connect", "unreachable", C.HOST_UNREACHABLE, "4.4.315"),
    ("connect", "refused", C.CONNECTION_REFUSED, "4.4.316"),
    ("connect", "reset", C.CONNECTION_DROPPED, "4.4.318"),
    ("connect", "closed", C.CONNECTION_DROPPED, "4.4.318"),
    ("banner", "protocol", C.SERVICE_UNAVAILABLE, "4.4.317"),
    ("ehlo", "protocol", C.SERVICE_UNAVAILABLE, "4.4.317"),
    ("starttls", "not_offered", C.TLS_NOT_OFFERED, "4.4.317"),
    ("starttls", "reply", C.TLS_NOT_OFFERED, "4.4.317"),
    ("starttls", "protocol", C.TLS_HANDSHAKE_FAILED, "4.4.317"),
    ("starttls", "closed", C.TLS_HANDSHAKE_FAILED, "4.4.317"),
    ("starttls", "timeout", C.TLS_HANDSHAKE_FAILED, "4.4.317"),
    ("tls", "handshake", C.TLS_HANDSHAKE_FAILED, "4.4.317"),
    ("tls", "closed", C.TLS_HANDSHAKE_FAILED, "4.4.317"),
    ("tls", "timeout", C.TLS_HANDSHAKE_FAILED, "4.4.317"),
    *[(p, r, C.CONNECTION_DROPPED, "4.4.318")
      for p in ("banner", "ehlo", "auth", "mail", "rcpt", "data", "eod") for r in ("closed", "reset")],
    *[(p, "timeout", C.SESSION_TIMEOUT, "4.4.318")
      for p in ("banner", "ehlo", "auth", "mail", "rcpt", "data", "eod")],
]  # fmt: skip


@pytest.mark.parametrize(("phase", "reason", "failure_class", "code"), TABLE)
def test_phase_and_reason_decide_class_and_code(phase, reason, failure_class, code):
    """R6-R10, B1."""
    verdict = judge(phase, reason)
    assert (verdict.failure_class, verdict.smtp, verdict.code, verdict.flow_code) == (
        failure_class,
        450,
        code,
        code,
    )
    assert not verdict.permanent


@pytest.mark.parametrize(
    ("reason", "sub"),
    [
        ("CertificateExpired", "expired"),
        ("CertificateNotYetValid", "not_yet_valid"),
        ("SubjectMismatch", "name_mismatch"),
        ("UntrustedRoot", "untrusted"),
        ("SelfSigned", "self_signed"),
        ("Revoked", "revoked"),
        ("WeakKey", "weak_key"),
    ],
)
def test_a_bad_certificate_is_named_by_its_token(reason, sub):
    """R11."""
    verdict = judge("tls", reason, detail="expired on 2026-01-01")
    assert (verdict.failure_class, verdict.sub) == (C.CERT_INVALID, sub)
    assert (verdict.smtp, verdict.code, verdict.flow_code) == (450, "4.7.320", "4.7.320")
    assert verdict.message == f"{reason} expired on 2026-01-01"
    assert judge("tls", reason, detail=f"{reason} said once").message == f"{reason} said once"


def test_the_titles_are_those_of_the_field():
    """R6-R11."""
    assert judge("dns", "servfail").title == "DNS query failed"
    assert judge("connect", "timeout").title == "Connection timed out"
    assert judge("connect", "refused").title == "Connection refused"
    assert judge("banner", "protocol").title == "Cannot connect to remote server"
    assert judge("mail", "closed").title == "Connection was closed abruptly"
    assert judge("tls", "Revoked").title == "Certificate validation failed"


def test_a_domain_that_does_not_exist_ends_at_once_without_connector_only():
    """R12: a connector's name never ends anything at once (R6)."""
    verdict = judge("dns", "nxdomain", connector=None, kind="mx")
    assert (verdict.smtp, verdict.code, verdict.title) == (550, "5.4.310", "DNS domain does not exist")
    assert verdict.permanent
    assert (verdict.failure_class, verdict.sub, verdict.flow_code) == (C.DNS_PERMANENT, "nxdomain", "other")
    assert not judge("dns", "nxdomain", kind="mx").permanent
    assert not judge("dns", "nxdomain", kind="smart").permanent


@pytest.mark.parametrize("reason", ["no_records", "mx_invalid", "servfail", "timeout"])
def test_a_doubtful_answer_of_the_dns_is_retried_even_without_connector(reason):
    verdict = judge("dns", reason, connector=None, kind="mx")
    assert (verdict.code, verdict.permanent, verdict.sub) == ("4.4.312", False, reason)


def test_a_domain_that_takes_no_mail_ends_at_once():
    """RFC 7505 section 4.2."""
    verdict = judge("dns", "null_mx", connector=None, kind="mx")
    assert (verdict.smtp, verdict.code, verdict.permanent, verdict.sub) == (556, "5.1.10", True, "null_mx")


def test_the_answer_of_the_dns_is_named_by_its_token():
    assert judge("dns", "no_records").message == "InfoNoRecords words"
    assert judge("dns", "servfail").message == "ErrorRetry words"


@pytest.mark.parametrize("phase", ["banner", "ehlo"])
@pytest.mark.parametrize("code", [421, 450, 554])
def test_a_refusal_at_the_door_is_never_final(phase, code):
    """R9."""
    verdict = judge(phase, "reply", reply=Reply(code, ("no service here",)))
    assert (verdict.failure_class, verdict.code, verdict.smtp) == (C.SERVICE_UNAVAILABLE, "4.4.317", 450)
    assert not verdict.permanent
    assert verdict.message == f"{code} no service here"


def test_a_refusal_at_the_door_that_names_its_reason_has_that_class():
    """R9, R12: the code stays, the cause is named."""
    verdict = judge("banner", "reply", reply=Reply(554, ("Bad DNS PTR resource record.",)))
    assert (verdict.failure_class, verdict.code, verdict.permanent) == (C.RDNS_HELO, "4.4.317", False)


def test_refused_credentials_are_ours_to_mend():
    verdict = judge("auth", "reply", reply=Reply(535, ("5.7.8 no",), "5.7.8"))
    assert (verdict.failure_class, verdict.permanent, verdict.concern) == (
        C.AUTH_FAILED,
        False,
        Concern.DESTINATION,
    )
    assert judge("auth", "not_offered").sub == "not_offered"
    assert judge("auth", "reply", reply=Reply(421, ("bye",))).code == "4.4.317"


def test_no_connector_waits_and_a_loop_ends():
    """RFC 5321 section 6.3."""
    none = judge("route", "no_connector", connector=None, kind="none")
    assert (none.failure_class, none.permanent) == (C.ROUTING_ERROR, False)
    loop = judge("route", "loop", kind="mx")
    assert (loop.failure_class, loop.smtp, loop.code, loop.permanent) == (C.MAIL_LOOP, 554, "5.4.6", True)


def test_a_smart_host_that_is_ourselves_ends_nothing_at_once():
    """A connector's wrong setting is mended while the mail waits."""
    loop = judge("route", "loop", kind="smart")
    assert (loop.failure_class, loop.smtp, loop.code, loop.permanent) == (C.MAIL_LOOP, 450, "4.4.6", False)


def test_a_servers_own_words_are_kept():
    """R12, R20."""
    reply = Reply(550, ("5.1.1 <x@example.org>: User unknown", "5.1.1 see our page"), "5.1.1")
    verdict = judge("rcpt", "reply", reply=reply)
    assert (verdict.smtp, verdict.code, verdict.title) == (550, "5.1.1", "<x@example.org>: User unknown")
    assert verdict.message == reply.text
    assert (verdict.permanent, verdict.flow_code) == (True, "other")


def test_a_reply_without_words_has_a_title():
    assert judge("eod", "reply", reply=Reply(550, ("",))).title == "Remote server returned an error"
    assert (
        judge("eod", "reply", reply=Reply(550, ("5.0.0",), "5.0.0")).title
        == "Remote server returned an error"
    )


def test_a_reply_without_enhanced_code_gets_one_of_its_class():
    assert judge("eod", "reply", reply=Reply(451, ("later",))).code == "4.0.0"


@pytest.mark.parametrize(
    ("phase", "reply", "concern"),
    [
        ("mail", Reply(450, ("4.1.8 x",), "4.1.8"), Concern.MESSAGE),
        ("mail", Reply(451, ("4.3.2 x",), "4.3.2"), Concern.DESTINATION),
        ("mail", Reply(451, ("4.4.2 x",), "4.4.2"), Concern.DESTINATION),
        ("mail", Reply(452, ("4.3.4 x",), "4.3.4"), Concern.MESSAGE),
        ("mail", Reply(550, ("5.3.2 x",), "5.3.2"), Concern.MESSAGE),
        ("mail", Reply(421, ("bye",)), Concern.DESTINATION),
        ("rcpt", Reply(450, ("later",)), Concern.RECIPIENT),
        ("rcpt", Reply(421, ("bye",)), Concern.DESTINATION),
        ("data", Reply(451, ("later",)), Concern.MESSAGE),
        ("eod", Reply(451, ("4.3.0 later",), "4.3.0"), Concern.MESSAGE),
        ("eod", Reply(421, ("bye",)), Concern.DESTINATION),
    ],
)
def test_the_reply_says_how_much_mail_it_holds_back(phase, reply, concern):
    assert judge(phase, "reply", reply=reply).concern is concern


def test_before_the_transaction_everything_concerns_the_destination():
    for phase in ("route", "dns", "connect", "banner", "ehlo", "starttls", "tls", "auth"):
        assert judge(phase, "timeout").concern is Concern.DESTINATION


def test_a_broken_transaction_concerns_the_message():
    for phase in ("mail", "rcpt", "data", "eod"):
        for reason in ("timeout", "closed", "reset", "protocol"):
            assert judge(phase, reason).concern is Concern.MESSAGE


def test_what_can_never_fit_ends_at_once():
    """RFC 1870 section 6.1, RFC 6531 section 3.2."""
    large = judge("mail", "too_large")
    assert (large.smtp, large.code, large.permanent, large.concern) == (552, "5.3.4", True, Concern.MESSAGE)
    utf8 = judge("mail", "not_offered")
    assert (utf8.smtp, utf8.code, utf8.permanent) == (550, "5.6.7", True)


def test_a_lost_reply_to_the_dot_is_said_to_be_in_doubt():
    verdict = judge("eod", "closed", detail="lost connection", in_doubt=True)
    assert verdict.message == "lost connection; the message was sent completely and may have been delivered"
    assert not verdict.permanent


ANY_REPLY = st.builds(Reply, st.integers(200, 599), st.lists(st.text(), min_size=1, max_size=3).map(tuple))
FINAL = {Reason.LOOP, Reason.EXPIRED, Reason.TOO_LARGE, Reason.NOT_OFFERED, Reason.NXDOMAIN, Reason.NULL_MX}


@given(
    st.sampled_from(Phase),
    st.sampled_from(Reason),
    st.none() | ANY_REPLY,
    st.sampled_from([None, OFFICE]),
    st.sampled_from(["smart", "mx", "mailbox", "none"]),
    st.text(),
    st.booleans(),
)
def test_silence_is_never_final(phase, reason, reply, connector, kind, detail, in_doubt):
    """R3, B1: whatever happens is judged, and only a 5xx or a lasting fact ends a message."""
    failure = Failure(phase, reason, detail, SESSION, reply, in_doubt=in_doubt)
    verdict = classify(failure, connector=connector, kind=kind)
    if verdict.permanent and reason not in FINAL:
        assert reason is Reason.REPLY
        assert reply is not None
        assert reply.code >= 500
        assert phase in (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.EOD)
    assert verdict.code[0] == str(verdict.smtp)[0] == ("5" if verdict.permanent else "4")
    assert not set(verdict.title + verdict.message) & set("\r\n\0\x1b")
    assert len(verdict.title) <= 200
    shown = last_error(failure, verdict, 0, "gw1.example", "01J").text()
    assert "\n" not in shown


def as_last(phase, reason, **more):
    failure = fail(phase, reason, **more)
    return last_error(failure, classify(failure, connector=OFFICE, kind="smart"), 0, "gw1.example", "01J")


def test_at_expiry_the_class_digit_flips_and_the_detail_stays():
    """R4."""
    verdict = expired_verdict(as_last("connect", "refused", detail="Connection refused (ECONNREFUSED)"))
    assert (verdict.smtp, verdict.code, verdict.title) == (
        550,
        "5.4.316",
        "Message expired, connection refused",
    )
    assert verdict.message == "Connection refused (ECONNREFUSED)"
    assert (verdict.failure_class, verdict.flow_code, verdict.permanent) == (
        C.CONNECTION_REFUSED,
        "4.4.316",
        True,
    )
    assert expired_verdict(as_last("dns", "servfail")).title == "Message expired, DNS query failed"
    assert expired_verdict(as_last("tls", "Revoked")).code == "5.7.320"


def test_an_error_without_code_of_its_own_ends_under_the_general_one():
    """R4, R12: the remote's words stay."""
    verdict = expired_verdict(as_last("rcpt", "reply", reply=Reply(450, ("4.2.0 Greylisted",), "4.2.0")))
    assert (verdict.smtp, verdict.code, verdict.title) == (550, "5.4.300", "Message expired")
    assert verdict.message == "450 4.2.0 Greylisted"
    assert verdict.failure_class is C.GREYLISTED


def test_a_remote_that_uses_one_of_our_codes_is_not_taken_for_us():
    verdict = expired_verdict(as_last("rcpt", "reply", reply=Reply(450, ("4.4.316 no",), "4.4.316")))
    assert verdict.code == "5.4.300"


def test_a_message_that_was_never_tried_simply_expires():
    """R4."""
    verdict = expired_verdict(None)
    assert (verdict.failure_class, verdict.code, verdict.title) == (C.EXPIRED, "5.4.300", "Message expired")
