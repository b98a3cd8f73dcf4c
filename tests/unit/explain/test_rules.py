"""Every rule proves itself with a sample of its own, and no two rules contradict each other on it (B8)."""

import json
import time

import pytest

from gatepost.diagnose import compile as source
from gatepost.diagnose.codes import FLOW_CODES, PHASES, flow_code, phase_of, reason_of
from gatepost.diagnose.normal import fold, normal
from gatepost.diagnose.opinion import opinion
from gatepost.diagnose.phrases import Index, needed, pattern, says
from gatepost.diagnose.rules import COMPILED, code_rules, rules
from gatepost.explain.replies import find_reply
from gatepost.model.failure import FailureClass as C

RULES = source.sources()


def said(text: str, phase: str = ""):
    reply = find_reply(text)
    return opinion(text, smtp=reply.smtp, enhanced=reply.enhanced, phase=phase)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_recognises_its_sample(name):
    assert any(says(normal(RULES[name]["sample"]), phrase) for phrase in source.lines(RULES[name]["phrases"]))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_no_rule_judges_the_sample_of_another_otherwise(rule):
    found = said(rule.sample, phase=next(iter(rule.phases), ""))
    assert found.failure_class is rule.failure_class, found
    if rule.sub:
        assert found.sub == rule.sub


@pytest.mark.parametrize("detail", code_rules())
def test_an_enhanced_code_alone_is_judged_by_its_rule(detail):
    row = code_rules()[detail]
    assert said(f"5{'50'} 5.{detail} zzz").failure_class is row.failure_class


def test_the_compiled_rules_are_those_that_are_written():
    """After a change: python -m gatepost.diagnose.compile."""
    assert json.loads(COMPILED.read_text("utf-8")) == json.loads(source.compiled())


@pytest.mark.parametrize("name", RULES)
def test_phrases_are_written_as_texts_are_read(name):
    for phrase in (*source.lines(RULES[name]["phrases"]), *source.lines(RULES[name].get("unless", ""))):
        pattern(phrase)
        assert phrase == phrase.lower(), phrase
        assert phrase.count("(") == phrase.count(")"), phrase
        assert "(" not in phrase.replace(")", "(", 0).partition("(")[2].partition(")")[0], phrase


@pytest.mark.parametrize("name", RULES)
def test_every_phrase_can_be_found_through_the_index(name):
    assert all(needed(phrase) for phrase in source.lines(RULES[name]["phrases"]))


def test_every_class_has_a_rule_a_phase_and_a_reason():
    assert {rule.failure_class for rule in rules()} == set(C)
    assert {flow_code(c) for c in C} == {*FLOW_CODES.values(), "other"}
    assert all(phase_of(c) and reason_of(c) for c in C)
    assert set(PHASES) <= set(C)


def test_an_index_finds_words_beginnings_and_letters_of_other_scripts():
    index: Index[int] = Index()
    phrases = ["user unknown", "greylist*", "用户不存在", "(mailbox|account) (is )?full", "no .. route"]
    for number, phrase in enumerate(phrases):
        index.add(phrase, number)

    def found(text):
        return {number for _, number in index.matches(normal(text))}

    assert found("550 User unknown") == {0}
    assert found("Greylisting in action") == {1}
    assert found("550 用户不存在！") == {2}
    assert found("The account is full") == {3}
    assert found("there is no such route") == {4}
    assert found("superuser unknowns") == set()


def test_what_changes_from_mail_to_mail_does_not_change_the_text():
    one = normal("550-5.1.1 <ann@example.net>: unknown from [192.0.2.1] id 1234567\r\n550 5.1.1 bye")
    two = normal("550-5.1.1 <bob@example.org>: unknown from [2001:db8::1] id 7654321 550 5.1.1 bye")
    assert one == two == "<@>: unknown from [#] id 0 bye"


def test_accents_quotes_and_underscores_do_not_matter():
    assert fold("L’utilisateur_inconnu") == "l'utilisateur inconnu"
    assert fold("Empfänger unbekannt: Größe") == "empfanger unbekannt: grosse"


def test_contradicting_evidence_is_less_sure_and_says_what_else_it_may_be():
    """A code that says one thing and words that say another."""
    sure = said("550 5.1.1 user unknown")
    unsure = said("550 5.2.1 message rejected")
    assert unsure.confidence < 0.6 < sure.confidence
    assert unsure.also
    assert C.CONNECTION_TIMEOUT in said("Tried all MXs").also


def test_the_detail_wins_over_the_code_around_it():
    """B1: certificate faults are reported under 4.4.317."""
    assert (
        said("450 4.4.317 Cannot connect to remote server [Message=CertificateExpired ...]").failure_class
        is C.CERT_INVALID
    )
    assert said("550 5.4.312 Message expired, DNS query failed").failure_class is C.DNS_QUERY_FAILED


@pytest.mark.parametrize(
    "unit",
    ["mailbox ", "user not ", "a" * 50, "(", "用户", "550-5.1.1 ", "\\", "host x[1.2.3.4] said: ", "::1:"],
)
def test_a_megabyte_of_anything_is_judged_in_less_than_a_second(unit):
    text = unit * (1_000_000 // len(unit))
    opinion(text)
    start = time.thread_time()
    opinion(text + "x")
    assert time.thread_time() - start < 1
