"""`gatepost report`: tables for people, CSV for spreadsheets, JSON for programs."""

import pytest


@pytest.mark.parametrize("name", ["queued", "ndr", "connectors", "domains"])
def test_every_report_comes_in_three_forms(run, name):
    assert run("report", name).code == 0
    assert run("report", name, "--json").json["report"] == name
    header, row, *_ = run("report", name, "--csv").out.splitlines()
    assert "," in header
    assert row


def test_the_table_of_what_is_queued_has_the_titles_of_the_queue(run):
    """R19, B10."""
    first = run("report", "queued").out.splitlines()[0]
    for title in (
        "Messages queued",
        "Connector",
        "Queued since",
        "Oldest expires",
        "Destination server",
        "How to fix",
    ):
        assert title in first
    assert "排队的邮件" in run("report", "queued", "--lang", "zh-CN").out


def test_nothing_to_report_is_said_so(run, gateway):
    gateway.store.queued.clear()
    assert run("report", "queued").out == "There is nothing to report.\n"


def test_a_time_that_is_none_is_refused(run):
    done = run("report", "ndr", "--since", "yesterday")
    assert done.code == 2
    assert "7d" in done.err
