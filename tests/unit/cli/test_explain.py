# ruff: noqa: E501 (a sample is one line)
"""`gatepost explain` for people and for programs, in both languages, without a gateway (B8, B10)."""

import io
import json

import pytest

from gatepost.cli.main import main

REFUSED = "450 4.4.316 Connection refused [Message=Socket error code 10061] [LastAttemptedServerName=mx.example.org] [LastAttemptedIP=192.0.2.10:25] [fe01]"
KEYS = {
    "source_kind",
    "smtp",
    "code",
    "class",
    "phase",
    "reason",
    "server",
    "address",
    "recipient",
    "permanent",
    "confidence",
    "causes",
    "fixes",
}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def explain(capsys, *words):
    code = main(["explain", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def stdin(monkeypatch, data: bytes):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


def test_an_error_for_programs_is_the_documented_list(capsys):
    """B8."""
    code, out, _ = explain(capsys, REFUSED, "--json")
    (answer,) = json.loads(out)
    assert code == 0
    assert answer.keys() >= KEYS
    assert {key: answer[key] for key in ("source_kind", "smtp", "enhanced", "code", "class", "phase", "reason", "server", "address")} == {
        "source_kind": "exchange", "smtp": 450, "enhanced": "4.4.316", "code": "4.4.316", "class": "connection_refused",
        "phase": "connect", "reason": "refused", "server": "mx.example.org", "address": "192.0.2.10:25",
    }  # fmt: skip
    assert answer["recipient"] is None
    assert answer["permanent"] is False
    assert {"firewall_rejects", "shut_down"} <= {cause["id"] for cause in answer["causes"]}
    assert all(fix["text"] for fix in answer["fixes"])


def test_an_error_for_people_says_what_where_whose_why_and_what_to_do(capsys):
    """B8."""
    code, out, _ = explain(capsys, REFUSED)
    assert code == 0
    for words in (
        "Connection refused",
        "mx.example.org (192.0.2.10:25)",
        "connecting (TCP)",
        "the destination's side",
        "firewall",
        "What to do",
    ):
        assert words in out


def test_the_same_in_chinese(capsys):
    """B8, B10."""
    code, out, _ = explain(capsys, REFUSED, "--lang", "zh-CN")
    assert code == 0
    for words in ("连接被拒绝", "怎么办", "防火墙", "阶段", "服务器"):
        assert words in out
    assert "Phase" not in out


def test_the_advice_for_programs_is_in_the_language_that_is_asked_for(capsys):
    _, out, _ = explain(capsys, "550 5.1.1 user unknown", "--json", "--lang", "zh-CN")
    assert json.loads(out)[0]["title"] == "收件人不存在"


def test_words_without_quotes_are_one_text(capsys):
    _, out, _ = explain(capsys, "--json", "550", "5.1.1", "user", "unknown")
    assert [answer["class"] for answer in json.loads(out)] == ["recipient_unknown"]


def test_several_texts_are_explained_one_by_one(capsys):
    _, out, _ = explain(capsys, "--json", "550 5.1.1 user unknown", "452 4.2.2 mailbox full")
    assert [answer["class"] for answer in json.loads(out)] == ["recipient_unknown", "mailbox_full"]


def test_what_the_text_does_not_decide_is_said_to_be_so(capsys):
    """Rule 7 of the failure classes."""
    _, out, _ = explain(capsys, "554 5.7.1 Message refused")
    assert "could also be" in out


def test_nothing_that_is_known_is_a_negative_answer(capsys):
    code, out, err = explain(capsys, "the weather is nice")
    assert (code, out) == (1, "")
    assert "Nothing" in err
    code, out, _ = explain(capsys, "--json", "the weather is nice")
    assert (code, json.loads(out)) == (1, [])


def test_standard_input_is_read(capsys, monkeypatch):
    stdin(monkeypatch, b"550 5.1.1 user unknown\n")
    _, out, _ = explain(capsys, "--json", "-")
    assert json.loads(out)[0]["class"] == "recipient_unknown"
    stdin(monkeypatch, b"550 5.1.1 user unknown\n")
    assert json.loads(explain(capsys, "--json")[1])[0]["class"] == "recipient_unknown"


def test_equal_failures_are_counted_and_shown_once(capsys, monkeypatch):
    lines = b"".join(
        b"Nov 23 08:00:0%d gw postfix/smtp[1]: 4F2B1C3D%d: to=<u%d@x.example>, relay=none, status=deferred "
        b"(connect to mx.example[192.0.2.1]:25: Connection refused)\n" % (n, n, n)
        for n in range(5)
    )
    stdin(monkeypatch, lines)
    _, out, _ = explain(capsys, "-")
    assert out.count("Connection refused  connection_refused  x5") == 1


def test_escapes_in_the_input_are_shown_not_obeyed(capsys):
    """B8."""
    _, out, _ = explain(capsys, "550 5.1.1 \x1b[2Juser unknown")
    assert "\x1b" not in out
    assert "\\x1b[2J" in out


def test_the_kind_can_be_forced_and_must_be_one_that_is_known(capsys):
    _, out, _ = explain(capsys, "--json", "--kind", "sendmail", "550 5.1.1 user unknown")
    assert json.loads(out)[0]["source_kind"] == "sendmail"
    code, _, err = explain(capsys, "--kind", "carrier-pigeon", "x")
    assert code == 2
    assert "--kind" in err
