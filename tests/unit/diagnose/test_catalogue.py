"""The catalogue: every failure explained, in both languages, with someone who can mend it (R6-R13, B10)."""

import re

import pytest

from gatepost.diagnose.catalogue import OWNERS, Text, entry, explain, owner_name, sender_advice
from gatepost.diagnose.classify import TITLES
from gatepost.diagnose.pages import CODES, pages
from gatepost.model.failure import FailureClass as C

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def texts_of(known) -> list[Text]:
    return [
        known.title,
        known.explanation,
        known.advice,
        *(cause.text for cause in known.causes),
        *(fix.text for fix in known.fixes),
        *known.subs.values(),
    ]


@pytest.mark.parametrize("failure_class", C)
def test_every_class_is_explained(failure_class):
    """R12."""
    known = entry(failure_class)
    assert 2 <= len(known.causes) <= 8
    assert 2 <= len(known.fixes) <= 8
    assert known.side in {"other", "us", "sender"}
    assert {fix.owner for fix in known.fixes} <= {*OWNERS, "destination"}
    ids = [cause.id for cause in known.causes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("failure_class", C)
def test_both_languages_say_the_same_things(failure_class):
    """B10."""
    for text in texts_of(entry(failure_class)):
        assert text.en.isascii()
        assert not CHINESE.search(text.en)
        assert CHINESE.search(text.zh)
        assert sorted(re.findall(r"\{\w+\}", text.en)) == sorted(re.findall(r"\{\w+\}", text.zh))
        assert text.en == text.en.strip()
        assert text.zh == text.zh.strip()


@pytest.mark.parametrize("failure_class", C)
def test_sentences_are_whole(failure_class):
    known = entry(failure_class)
    for text in texts_of(known)[1:]:
        assert text.en[0].isupper()
        assert text.en.endswith(".")
        assert text.zh.endswith("。")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("to", ["", "on-premises", "partner"])
@pytest.mark.parametrize("failure_class", C)
def test_nothing_is_left_unfilled(failure_class, to, lang):
    advice = explain(failure_class, lang, to=to)
    told = " ".join(
        [advice.title, advice.explanation, *(c.text for c in advice.causes), *(f.text for f in advice.fixes)]
    )
    assert "{" not in told
    assert {fix.owner for fix in advice.fixes} <= set(OWNERS)
    assert all(fix.owner_name == owner_name(fix.owner, lang) for fix in advice.fixes)


@pytest.mark.parametrize("failure_class", sorted(set(C) - {C.DELIVERED}))
def test_with_a_partner_the_advice_is_to_contact_the_partner(failure_class):
    """R13."""
    fixes = explain(failure_class, "en", to="partner").fixes
    assert fixes[0].owner == "partner"
    assert fixes[0].text.startswith("Contact the partner")
    assert "on-premises" not in {fix.owner for fix in fixes}


@pytest.mark.parametrize("failure_class", C)
def test_on_premises_it_is_ours_to_fix(failure_class):
    """R13."""
    assert not {"partner", "recipient"} & {
        fix.owner for fix in explain(failure_class, "en", to="on-premises").fixes
    }


def test_fix_now_is_offered_for_a_refused_connection_to_our_own_side_only():
    """R8, R14."""

    def actions(failure_class, to):
        return {fix.action for fix in explain(failure_class, "en", to=to).fixes} - {""}

    assert actions(C.CONNECTION_REFUSED, "on-premises") == {"fix_now"}
    assert actions(C.CONNECTION_REFUSED, "partner") == set()
    assert actions(C.CONNECTION_TIMEOUT, "on-premises") == set()


def test_names_are_filled_in_and_made_harmless():
    advice = explain(
        C.CONNECTION_REFUSED, "en", to="on-premises", server="mail\x1b.example", connector="to-office"
    )
    assert "by mail\\x1b.example:" in advice.explanation
    assert "the connector “to-office”" in advice.fixes[-1].text
    zh = explain(C.CONNECTION_TIMEOUT, "zh-CN")
    assert zh.explanation.startswith("目标服务器没有响应")


def test_a_finer_reason_is_added():
    """R11."""
    assert explain(C.CERT_INVALID, "en", sub="expired").explanation.endswith(" The certificate has expired.")
    assert explain(C.CERT_INVALID, "zh-CN", sub="expired").explanation.endswith("无效。证书已过期。")
    assert (
        explain(C.CERT_INVALID, "en", sub="unheard of").explanation
        == explain(C.CERT_INVALID, "en").explanation
    )


@pytest.mark.parametrize(
    ("failure_class", "words"),
    [
        (C.DNS_QUERY_FAILED, ["DNS servers", "expired", "changed lately"]),
        (C.CONNECTION_TIMEOUT, ["down", "smart host", "provider"]),
        (C.CONNECTION_REFUSED, ["firewall", "shut down"]),
        (C.SERVICE_UNAVAILABLE, ["overloaded"]),
        (C.TLS_NOT_OFFERED, ["certificate", "STARTTLS"]),
        (C.CONNECTION_DROPPED, ["inspects SMTP", "resources", "network"]),
        (C.CERT_INVALID, ["expired", "another name", "not trusted"]),
    ],
)
def test_the_causes_that_the_mission_names_are_named(failure_class, words):
    """R6-R11."""
    causes = " ".join(cause.text for cause in explain(failure_class, "en").causes)
    assert [word for word in words if word not in causes] == []


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("failure_class", C)
def test_the_sender_is_told_what_to_do(failure_class, lang):
    """R4."""
    told = sender_advice(failure_class, lang, server="mail.contoso.example")
    assert told.sentence
    assert told.causes
    assert told.fixes
    assert told.owner == entry(failure_class).side


def test_where_the_sender_can_mend_it_the_report_says_how():
    told = sender_advice(C.RECIPIENT_UNKNOWN, "en")
    assert told.owner == "sender"
    assert told.fixes[0].startswith("Check the address")
    assert (
        sender_advice(C.CONNECTION_REFUSED, "en").fixes[0].startswith("Nothing is wrong with your message.")
    )
    assert "mail administrators" in sender_advice(C.RELAY_DENIED, "en").fixes[0]


def test_every_code_of_ours_has_a_page():
    """R6-R11."""
    assert set(TITLES) <= set(CODES.values())
    told = pages()
    assert set(told) == {f"{failure_class}.md" for failure_class in C} | {"README.md"}
    assert "4.4.316" in told["connection_refused.md"]
    assert "连接被拒绝" in told["connection_refused.md"]
