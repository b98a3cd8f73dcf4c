"""What the commands print and return, for people and for programs."""

import io
import json
import sys
from dataclasses import replace

import pytest
from tests.support.fake_gateway import FIRST, NOW, OFFICE, PARTNER, SECOND

from gatepost.cli.frame import Refusal
from gatepost.cli.output import Progress, table, when, width
from gatepost.i18n import translator
from gatepost.model.ids import to_text

FIRST_ID, SECOND_ID = to_text(FIRST), to_text(SECOND)


def test_the_queue_for_programs_is_the_documented_list(run):
    """R19."""
    answer = run("queue", "list", "--json")
    assert answer.code == 0
    assert [row["connector"] for row in answer.json] == ["to-office", "to-partner"]
    assert answer.json[0]["last_error"]["code"] == "4.4.316"


def test_the_queue_for_people_names_destination_and_error(run):
    """R19, R20."""
    answer = run("queue", "list")
    assert "mail.contoso.example" in answer.out
    assert "4.4.316 Connection refused @ mail.contoso.example 192.0.2.7:25" in answer.out
    assert "(2026-11-23 06:00:00 UTC)" in answer.out


def test_options_of_every_command_stand_before_and_after_its_name(run):
    assert run("--json", "queue", "list").out == run("queue", "--json", "list").out
    assert run("queue", "list", "--json").out == run("--json", "queue", "list").out


def test_an_empty_queue_is_no_failure(run, gateway):
    gateway.store.queued.clear()
    assert run("queue", "list") == (0, "Nothing waits.\n", "")
    assert run("queue", "list", "--json").json == []


@pytest.mark.parametrize("verb", ["retry", "suspend", "resume"])
def test_a_dry_run_of_the_queue_says_counts_and_does_nothing(run, gateway, verb):
    if verb == "resume":
        run("queue", "suspend", "--connector", "to-office")
        gateway.done.clear()
    answer = run("queue", verb, "--connector", "to-office", "--dry-run")
    assert answer.code == 0
    assert answer.out.splitlines()[-1].startswith(
        f"Would {verb.replace('retry', 'try')} 1 destinations with 2"
    )
    assert gateway.done == []


def test_suspending_passes_reason_and_time_on(run, gateway):
    answer = run("queue", "suspend", "--connector", "to-office", "--reason", "firewall", "--until", "4h")
    assert answer.code == 0
    assert gateway.done == [("suspend", OFFICE.id, "administrator", "firewall", NOW + 4 * 3_600_000)]


def test_nothing_found_is_a_negative_answer(run):
    assert run("queue", "retry", "--connector", "nobody").code == 1
    assert run("queue", "resume").code == 1
    assert run("message", "cancel", "--recipient", "x@y.example").code == 1


def test_an_audit_that_finds_a_difference_is_a_negative_answer(run, gateway):
    assert run("queue", "audit").code == 0
    gateway.store.audited = {"balanced": False}
    assert run("queue", "audit", "--json").code == 1


def test_messages_are_listed_by_filter(run):
    answer = run("message", "list", "--code", "4.4.316", "--json")
    assert [row["id"] for row in answer.json["messages"]] == [FIRST_ID, SECOND_ID]
    assert [row["id"] for row in run("message", "list", "--sender", "<>", "--json").json["messages"]] == [
        SECOND_ID
    ]
    page = run("message", "list", "--limit", "1")
    assert "There is more: --after " in page.out


def test_a_message_is_shown_with_its_error_line(run):
    """R20."""
    answer = run("message", "show", FIRST_ID)
    assert "bob@contoso.example: queued  mail.contoso.example" in answer.out
    assert "450 4.4.316 Connection refused [Message=Connection refused (ECONNREFUSED)]" in answer.out
    assert run("message", "show", FIRST_ID, "--json").json["id"] == FIRST_ID


def test_messages_are_ended_with_or_without_a_report(run, gateway):
    """B5."""
    assert run("message", "cancel", FIRST_ID, "--connector", "to-partner", "--no-ndr").code == 0
    assert gateway.done == [("cancel", PARTNER.id, FIRST, (1,), "administrator", False)]
    answer = run("message", "cancel", SECOND_ID, "--json")
    assert (answer.json["ended"], answer.json["ndr"]) == (1, True)


def test_what_is_under_way_is_said(run, gateway):
    async def busy(*_, **__):
        return 0

    gateway.cancel = busy
    assert "1 were under way just now" in run("message", "cancel", SECOND_ID).out


def test_long_work_shows_how_far_it_is_to_whoever_watches(monkeypatch):
    """One line that is written again and again on standard error, and gone at the end; nothing in a pipe."""
    steps = [{"progress": {"done": 200, "of": 450}}, {"result": {"ended": 450}}]
    for watched, wanted in ((True, "\r\x1b[K200 of 450 ...\r\x1b[K"), (False, "")):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda watched=watched: watched)
        monkeypatch.setattr(sys, "stderr", stream)
        with Progress(translator("en")) as progress:
            assert progress.result(steps) == {"ended": 450}
        assert stream.getvalue() == wanted


def test_long_work_that_stops_half_way_is_said():
    with Progress(translator("en")) as progress, pytest.raises(Refusal, match="before all was done"):
        progress.result([{"progress": {"done": 200, "of": 450}}])


def test_a_message_is_saved_as_it_was_sent(run):
    answer = run("message", "export", FIRST_ID)
    assert answer.out == "Subject: hi\r\n\r\n.dots\r\n"


def test_a_trace_shows_what_became_of_a_message(run, gateway):
    answer = run("trace", "--recipient", "ann@contoso.example", "--since", "2d", "--state", "delivered")
    assert "delivered" in answer.out
    assert gateway.store.traced.recipient == "ann@contoso.example"
    assert gateway.store.traced.since == NOW - 2 * 86_400_000


def test_a_route_without_a_way_out_is_a_negative_answer(run):
    """R1."""
    assert run("route", "explain", "ann@contoso.example").code == 0
    answer = run("route", "explain", "x@nowhere.example")
    assert answer.code == 1
    assert "no pattern of it matches" in answer.out


def test_a_connector_is_added_changed_disabled_and_deleted(run, gateway):
    """R15."""
    words = ["--domain", "new.example", "--smart-host", "192.0.2.9:2525"]
    assert run("connector", "add", "new", *words, "--dry-run").out.endswith(
        "Would add 1, change 0, delete 0; nothing was changed.\n"
    )
    assert gateway.saved == []
    assert run("connector", "add", "new", *words).code == 0
    assert "port: 25 -> 26" in run("connector", "set", "new", "--port", "26").out
    assert "enabled: yes -> no" in run("connector", "disable", "new").out
    assert "enabled: no -> yes" in run("connector", "enable", "new").out
    assert "192.0.2.9:2525" in run("connector", "list").out
    assert run("connector", "show", "new", "--json").json["port"] == 26
    assert run("connector", "delete", "new", "--json").json["counts"]["remove"] == 1


def test_changing_to_mx_takes_the_smart_hosts_away(run):
    """R15."""
    answer = run("connector", "set", "to-office", "--use-mx", "--json")
    assert set(answer.json["changes"][0]["fields"]) == {"use_mx", "smart_hosts"}


def test_a_domain_becomes_authoritative(run, gateway):
    """R14, R15: the second of the two steps of the fix, by hand."""
    assert run("domain", "set", "contoso.example", "--type", "authoritative").code == 0
    assert gateway.objects.domains[0].type == "authoritative"
    assert run("domain", "recipients", "add", "contoso.example", "bob@contoso.example").code == 0
    assert gateway.objects.domains[0].recipients == {"ann@contoso.example", "bob@contoso.example"}
    assert run("domain", "recipients", "remove", "contoso.example", "bob@contoso.example").code == 0
    assert gateway.objects.domains[0].recipients == {"ann@contoso.example"}


def test_a_source_is_changed(run, gateway):
    assert run("source", "set", "cloud", "--no-may-relay", "--require-tls").code == 0
    assert (gateway.objects.sources[0].may_relay, gateway.objects.sources[0].require_tls) == (False, True)


def test_an_export_is_what_apply_reads(run, monkeypatch):
    written = run("export").out
    monkeypatch.setattr("sys.stdin", type("In", (), {"read": staticmethod(lambda: written)}))
    assert run("apply", "-", "--prune").out == "Nothing to change.\n"


def test_a_token_is_shown_once(run):
    made = run("token", "create", "watch", "--scope", "operate", "--expires", "90d")
    assert made.out.startswith("gp_")
    assert "watch" in run("token", "list").out
    assert made.out.strip() not in run("token", "list", "--json").out
    assert run("token", "delete", "watch", "--dry-run").code == 0
    assert run("token", "delete", "watch").code == 0
    assert run("token", "list").out == "There is none yet.\n"


def test_chinese_is_spoken_where_it_is_asked_for(run, monkeypatch):
    """B10."""
    assert run("queue", "list", "--lang", "zh-CN").out.split()[0] != "Connector"
    assert "用法" in run("queue", "list", "--help", "--lang", "zh-CN").out
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "没有" in run("connector", "show", "nope").err
    assert "用法" in run("--help").out


def test_remote_text_cannot_steer_the_terminal(run, gateway):
    """Security rule 22: no escape sequences, no bidi controls."""
    error = gateway.store.states[OFFICE.id].last_error
    evil = "\x1b[2Jgone\u202e\x9b31m"
    gateway.store.states[OFFICE.id] = gateway.store.states[OFFICE.id]._replace(
        last_error=replace(error, title=evil)
    )
    for words in (["queue", "list"], ["queue", "list", "--json"], ["message", "list"]):
        out = run(*words).out
        assert "gone" in out
        assert not any(c in out for c in ("\x1b", "\u202e", "\x9b"))


def test_times_are_relative_and_absolute():
    assert when("2026-11-23T08:00:00.000Z", str, NOW / 1000 + 180) == "3 min ago (2026-11-23 08:00:00 UTC)"
    assert when("2026-11-24T08:00:00.000Z", str, NOW / 1000) == "in 1 d (2026-11-24 08:00:00 UTC)"
    assert when(None, str) == "-"


def test_chinese_titles_keep_the_columns_straight(capsys):
    table(["连接器", "B"], [["x", "y"], ["长长长长", "z"]])
    lines = capsys.readouterr().out.splitlines()
    assert len({width(line[: line.rindex(line[-1])]) for line in lines}) == 1


def test_json_has_nothing_but_ascii(run, gateway):
    gateway.store.states[OFFICE.id] = gateway.store.states[OFFICE.id]._replace(suspended_reason="防火墙")
    out = run("queue", "list", "--json").out
    assert out.isascii()
    assert json.loads(out)[0]["suspended_reason"] == "防火墙"
