"""`gatepost insight`: the answer first, in words and in JSON."""

import pytest
from tests.support.fake_gateway import NOW, OFFICE, REFUSED

from gatepost.insight.hosts import Sight
from gatepost.model.evidence import Because, RankedCause, Ranking


@pytest.fixture
def text(gateway):
    gateway.insights.hosts.failed(Sight(OFFICE.id, "mail.contoso.example", "192.0.2.7", 25, NOW), REFUSED)
    return gateway.break_office().fingerprint.text


def test_nothing_broken_is_said_so(run):
    assert run("insight", "list").out == "Nothing is broken.\n"
    assert run("insight", "list", "--state", "resolved").out == "There is no such insight.\n"


def test_the_list_has_a_sentence_for_each(run, text):
    done = run("insight", "list")
    first, second = done.out.splitlines()
    assert first == f"{text}  high  new  to-office"
    assert second.startswith("  Connection refused: for 2 h 0 min no mail reaches mail.contoso.example")
    assert done.code == 0


def test_the_list_speaks_chinese(run, text):
    """B10."""
    assert "连接被拒绝" in run("insight", "list", "--lang", "zh-CN").out


def test_the_answer_comes_first(run, text):
    done = run("insight", "show", text[3:8])
    lines = done.out.splitlines()
    assert lines[0].startswith("Connection refused: for 2 h 0 min no mail reaches")
    assert "Messages queued: 2 (2.5 KB)" in lines
    assert any(line.startswith("Last error: 450 4.4.316 Connection refused") for line in lines)
    assert any("gatepost fix apply" in line for line in lines)
    assert "Possible causes:" in lines


def test_ranked_causes_are_shown_with_their_because(run, gateway, text):
    because = Because("x", "the host answered yesterday", {})
    gateway.ranked = Ranking(
        (RankedCause("server_down", 0.5, "on-premises", (because,)),),
        decided=False,
        owner="on-premises",
        next_check=Because("y", "a probe of port {port}", {"port": 25}),
    )
    out = run("insight", "show", text).out
    assert "Undecided between these causes:" in out
    assert "because the host answered yesterday" in out
    assert "What would decide it: a probe of port 25" in out


def test_acknowledging_says_what_it_would_do_first(run, text, gateway):
    assert run("insight", "ack", text, "--dry-run").out == f"Would do: {text} is looked after.\n"
    assert gateway.insights.book.get(text).acknowledged_by == ""
    assert run("insight", "ack", text).out == f"{text} is looked after.\n"
    assert "looked after by administrator" in run("insight", "list").out
    assert run("insight", "unack", text).out == f"Nobody looks after {text}.\n"


def test_a_note_and_an_end(run, text):
    assert run("insight", "note", text, "firewall").out == f"{text} has your note.\n"
    assert "Note: firewall" in run("insight", "show", text).out
    assert run("insight", "resolve", text).out == f"{text} is over.\n"
    again = run("insight", "resolve", text)
    assert (again.code, again.err) == (1, "This insight is over already.\n")


def test_why_and_history(run, text):
    assert "class: connection_refused" in run("insight", "why", text).out
    assert run("insight", "history", text, "--json").json["episodes"] == 1


def test_an_unknown_insight_is_a_negative_answer(run):
    done = run("insight", "show", "zzzz")
    assert done.code == 1
    assert "gatepost insight list" in done.err
