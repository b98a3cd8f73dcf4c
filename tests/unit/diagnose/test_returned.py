"""What mailbox providers, old servers and servers of other languages say in returned mail gets its class (B8)."""

import json
import random
import tomllib
from pathlib import Path

import pytest

import gatepost.diagnose
from gatepost.diagnose.opinion import Evidence, opinion, weigh
from gatepost.diagnose.phrases import Index, says
from gatepost.explain.judge import judge
from gatepost.explain.record import Record
from gatepost.model.failure import FailureClass

DATA = Path(__file__).parents[2] / "data" / "returned-texts.jsonl"
TEXTS = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
RULES = tomllib.loads(
    (Path(gatepost.diagnose.__file__).parent / "rules" / "returned.toml").read_text("utf-8")
)


def judged(text: str, **facts: str) -> FailureClass:
    return judge(Record("bounce", text, **facts)).failure_class


@pytest.mark.parametrize("row", TEXTS, ids=[row["text"][:60] for row in TEXTS])
def test_a_sentence_of_returned_mail_gets_its_class_or_an_accepted_neighbour(row):
    """B8."""
    assert str(judged(row["text"], outcome="failed")) in (row["class"], *row["also"])


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_returned_mail_decides_its_own_sample(name):
    said = judge(Record("bounce", RULES[name]["sample"]))
    assert (str(said.failure_class), name in said.why) == (RULES[name]["class"], True)


def test_a_phrase_of_returned_mail_that_is_plain_words_speaks_for_its_class():
    phrases = [(name, line) for name in RULES for line in RULES[name]["phrases"].splitlines() if line]
    plain = [(name, line) for name, line in phrases if not set(line) & set("()|*~?^$") and " .. " not in line]
    assert len(plain) > 100
    wrong = []
    for name, line in plain:
        said = opinion(line)
        if RULES[name]["class"] not in (str(said.failure_class), *map(str, said.also)):
            wrong.append((name, line, said.failure_class))
    assert wrong == []


@pytest.mark.parametrize(
    ("outcome", "meant"),
    [
        ("deferred", FailureClass.SERVER_TEMP_ERROR),
        ("expired", FailureClass.EXPIRED),
        ("failed", FailureClass.RECIPIENT_UNKNOWN),
    ],
)
def test_where_nothing_says_why_it_is_what_became_of_the_message(outcome, meant):
    said = judge(Record("bounce", "Your message:", outcome=outcome))
    assert (said.failure_class, said.confidence) == (meant, 0.05)


def test_a_host_called_mx_or_dns_that_does_not_answer_is_no_fault_of_name_servers():
    """R6."""
    for host in ("mx.example.org", "dns.example.org", "gmx.example.org"):
        text = f"connect to {host}[192.0.2.1]:25: Connection timed out"
        assert judged(text) is FailureClass.CONNECTION_TIMEOUT
    assert judged("MX lookup for example.org: connection timed out") is FailureClass.DNS_QUERY_FAILED


@pytest.mark.parametrize(
    ("text", "phrase", "said"),
    [
        ("did not accept. [timed out]", "accept .. timed out", True),
        ("收件人地址不存在", "收件人 .. 不存在", True),
        ("mail bounced: looping", "mail .. looping", True),
        ("mailbox looping", "mail .. looping", False),
        ("mail unlooping", "mail .. looping", False),
    ],
)
def test_between_words_anything_may_stand_but_the_rest_of_a_word(text, phrase, said):
    assert says(text, phrase) is said


def test_of_equal_weights_the_same_wins_every_time(monkeypatch):
    text, matches, winners = "message rejected: email address is not verified", Index.matches, set()
    for seed in range(20):

        def shuffled(index, said, seed=seed):
            found = list(matches(index, said))
            assert len(found) > 2
            random.Random(seed).shuffle(found)
            return iter(found)

        monkeypatch.setattr(Index, "matches", shuffled)
        winners.add(weigh.__wrapped__(Evidence(text)).failure_class)
    assert len(winners) == 1
