"""Parameters of MAIL and RCPT are read strictly (rule 10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.model.mail import EIGHT_BIT, NOTIFY_DELAY, NOTIFY_NEVER, NOTIFY_SUCCESS, RET_HDRS, SMTPUTF8
from gatepost.smtp.params import BadParameter, decode_xtext, encode_xtext, parse_mail, parse_rcpt


def test_all_parameters_of_mail_are_understood() -> None:
    given_ = parse_mail(b" SIZE=1000 body=8bitmime SMTPUTF8 RET=HDRS ENVID=QQ+2B1 AUTH=<>")
    assert given_ == (1000, EIGHT_BIT | SMTPUTF8 | RET_HDRS, "QQ+2B1")


@pytest.mark.parametrize(
    "data",
    [
        b"SIZE", b"SIZE=", b"SIZE=-1", b"SIZE=+1", b"SIZE=1e3", b"SIZE=0x10", b"SIZE=" + b"9" * 21,
        "SIZE=١".encode(), b"SIZE=1 SIZE=2", b"BODY=BINARYMIME", b"BODY", b"SMTPUTF8=1", b"RET=ALL",
        b"ENVID=a+00", b"ENVID=a+0d", b"ENVID=a+0D", b"ENVID=+4", b"ENVID=" + b"a" * 101, b"X=\xff", b"=x",
        b"FOO=BAR", b"NOTIFY=NEVER", b"SIZE=1\tBODY=7BIT",
    ],
)  # fmt: skip
def test_a_malformed_parameter_of_mail_is_refused(data: bytes) -> None:
    with pytest.raises(BadParameter):
        parse_mail(data)


def test_an_unknown_parameter_is_told_from_a_malformed_one() -> None:
    with pytest.raises(BadParameter) as unknown:
        parse_mail(b"XFOO=1")
    with pytest.raises(BadParameter) as malformed:
        parse_mail(b"SIZE=x")
    assert (unknown.value.unknown, malformed.value.unknown) == (True, False)


def test_dsn_parameters_of_rcpt_are_kept_as_given() -> None:
    found = parse_rcpt(b" NOTIFY=success,DELAY ORCPT=rfc822;ann+2B1@x.example")
    assert found == (NOTIFY_SUCCESS | NOTIFY_DELAY, "rfc822;ann+2B1@x.example")
    assert parse_rcpt(b"NOTIFY=NEVER").notify == NOTIFY_NEVER
    assert parse_rcpt("ORCPT=utf-8;жук@x.example".encode()).orcpt == "utf-8;жук@x.example"


@pytest.mark.parametrize(
    "data",
    [
        b"NOTIFY=", b"NOTIFY=NEVER,SUCCESS", b"NOTIFY=SUCCESS,SUCCESS", b"NOTIFY=,", b"ORCPT=ann@x.example",
        b"ORCPT=rfc822;", b"ORCPT=;a", b"ORCPT=rfc822;a+00b", b"ORCPT=rfc822;a=b", b"SIZE=1",
        b"ORCPT=rfc822;" + b"a" * 500,
    ],
)  # fmt: skip
def test_a_malformed_parameter_of_rcpt_is_refused(data: bytes) -> None:
    with pytest.raises(BadParameter):
        parse_rcpt(data)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_xtext_survives_there_and_back(text: str) -> None:
    assert decode_xtext(encode_xtext(text)) == text
