# ruff: noqa: E501 (a line of a log is one line)
"""Explaining by API: texts, files, what is kept and what is not; foreign systems as insights (B8)."""

import asyncio
import gzip

import pytest
from tests.support.asgi import call
from tests.support.fake_gateway import NOW, make
from tests.unit.admin.test_api import LOCAL, app_of, ask

from gatepost.admin.auth import Caller
from gatepost.admin.errors import Forbidden
from gatepost.flow.foreign import QUIET_MS
from gatepost.insight.weigh import Load

LINE = "Nov 23 07:00:{s:02d} gw postfix/smtp[3]: 4F2B1C3D{s:02d}: to=<b@far.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx.far.example[192.0.2.9]:25: Connection refused)\n"
LOG = "".join(LINE.format(s=s) for s in range(3))
ROW = {"destination": "far.example", "class": "connection_refused", "stuck": 3, "attempts": 5, "server": "mx.far.example", "address": "192.0.2.9:25", "text": "Connection refused", "oldest_at": "2026-11-23T06:00:00Z"}  # fmt: skip


@pytest.fixture
def place():
    return make()


def post(service, path, body, **headers):
    return ask(service, "POST", f"/api/v1/{path}", body, extra=LOCAL, headers=headers)


def report(service, *rows, system="mail.example", **more):
    answer = post(
        service, "foreign", {"system": system, "source_kind": "postfix", "insights": list(rows), **more}
    )
    assert answer.status == 200, answer.json
    return answer.json


def listed(service, query=""):
    return ask(service, "GET", f"/api/v1/insights{query}", extra=LOCAL).json


def test_a_text_is_explained_as_the_command_explains_it(place):
    found = post(place[1], "explain", {"text": "550 5.1.1 <b@example.com>: User unknown"}).json
    assert [(a["class"], a["permanent"]) for a in found["answers"]] == [("recipient_unknown", True)]
    assert (found["source_kind"], found["kept"]) == ("reply", None)


def test_a_log_gets_its_picture_and_nothing_of_it_is_kept(place):
    gateway, service = place
    found = post(service, "explain", {"text": LOG}).json
    assert (found["source_kind"], found["summary"]["stuck"], found["kept"]) == ("postfix", 3, None)
    assert gateway.told == []
    assert gateway.insights.book.all() == []


def upload(service, data):
    headers = {"content-type": "application/octet-stream"}
    return call(app_of(service), "POST", "/api/v1/explain/file", data, headers, extra=LOCAL)


def test_a_file_is_the_body(place):
    found = upload(place[1], gzip.compress(LOG.encode()))
    assert (found.status, found.json["summary"]["stuck"]) == (200, 3)


@pytest.mark.parametrize(
    ("body", "status"),
    [({"text": ""}, 422), ({"text": "  "}, 422), ({"text": "x", "kind": "nonsense"}, 422), ({"text": "x" * 1_000_001}, 422)],
)  # fmt: skip
def test_what_cannot_be_explained_is_said(place, body, status):
    assert post(place[1], "explain", body).status == status


def test_a_file_that_is_too_large_is_refused(place):
    assert upload(place[1], b"x" * 4_000_001).status == 422


def test_a_log_is_kept_under_a_name_where_that_is_asked_for(place):
    gateway, service = place
    dry = post(service, "explain", {"text": LOG, "keep_as": "old", "dry_run": True}).json
    assert dry["kept"]["dry_run"]
    assert gateway.insights.book.all() == []
    kept = post(service, "explain", {"text": LOG, "keep_as": "old"}).json["kept"]
    assert kept == {"dry_run": False, "system": "old", "connector": "foreign:old", "insights": 1}
    assert [row["destination"] for row in listed(service)] == ["far.example"]


def test_who_may_only_look_keeps_nothing(place):
    asked = place[1].explain.explain(b"550 no", "", "en", Caller("eve", "read"), keep_as="x")
    with pytest.raises(Forbidden):
        asyncio.run(asked)


def test_a_foreign_system_s_failures_are_insights_that_say_so(place):
    gateway, service = place
    assert report(service, ROW)["insights"] == 1
    (row,) = listed(service)
    assert (row["scope"], row["connector"], row["foreign"]) == (
        "foreign",
        "foreign:mail.example",
        "mail.example",
    )
    assert (row["code"], row["messages"], row["attempts"], row["oldest_at"]) == (
        "4.4.316",
        3,
        5,
        "2026-11-23T06:00:00.000Z",
    )
    assert "of the foreign system mail.example to far.example" in row["sentence"]
    shown = ask(service, "GET", f"/api/v1/insights/{row['id']}", extra=LOCAL)
    assert (shown.status, shown.json["fixes"]) == (200, [])
    assert gateway.foreign.load(int(row["destination_id"])) == Load(messages=3)


def test_a_later_report_counts_only_what_is_new_and_ends_what_it_does_not_name(place):
    _, service = place
    report(service, ROW)
    report(service, {**ROW, "attempts": 7, "stuck": 4})
    assert [(r["attempts"], r["messages"]) for r in listed(service)] == [(7, 4)]
    report(service, {**ROW, "attempts": 2})  # the log was begun anew
    assert [r["attempts"] for r in listed(service)] == [9]
    report(service)
    assert listed(service) == []
    assert [r["resolved_why"] for r in listed(service, "?state=all")] == ["recovered"]


def test_what_is_over_and_holds_nothing_back_opens_nothing(place):
    report(place[1], {**ROW, "stuck": 0, "over": True})
    assert listed(place[1]) == []


def test_a_system_that_tells_nothing_more_is_over_after_a_while(place):
    gateway, service = place
    report(service, ROW)
    gateway.insights.book.tick(NOW + QUIET_MS - 1, gateway.foreign.load)
    assert len(listed(service)) == 1
    gateway.insights.book.tick(NOW + QUIET_MS, gateway.foreign.load)
    assert listed(service) == []


def test_foreign_systems_are_listed_and_forgotten(place):
    _, service = place
    report(service, ROW, system="one")
    report(service, ROW, system="two", dry_run=True)
    (one,) = ask(service, "GET", "/api/v1/foreign", extra=LOCAL).json
    assert (one["system"], one["source_kind"], one["stuck"], one["heard_at"]) == (
        "one",
        "postfix",
        3,
        "2026-11-23T08:00:00.000Z",
    )
    assert ask(service, "DELETE", "/api/v1/foreign/one", extra=LOCAL).status == 200
    assert ask(service, "DELETE", "/api/v1/foreign/one", extra=LOCAL).status == 404
    assert listed(service) == []


@pytest.mark.parametrize(
    "body",
    [
        {"system": " ", "insights": []},
        {"system": "a\nb", "insights": []},
        {"system": "x", "insights": [{**ROW, "class": "nonsense"}]},
        {"system": "x", "insights": [{**ROW, "class": ""}]},
        {"system": "x", "insights": [{**ROW, "oldest_at": "soon"}]},
        {"system": "x", "insights": [ROW] * 201},
        {"system": "x", "insights": [{**ROW, "stuck": -1}]},
    ],
)
def test_a_report_that_cannot_be_used_is_refused_as_a_whole(place, body):
    gateway, service = place
    assert post(service, "foreign", body).status == 422
    assert gateway.told == []


def test_no_more_than_a_hundred_systems_are_kept(place):
    _, service = place
    for number in range(100):
        report(service, ROW, system=f"s{number}")
    assert post(service, "foreign", {"system": "one more", "insights": [ROW]}).status == 409
    assert report(service, ROW, system="s7")["insights"] == 1


# ---------------------------------------------------------------------- the page

EVIL = "550 5.1.1 <script>alert(1)</script>\x1b[2J: User unknown"


def form(service, fields, file=b"", lang="en"):
    """Send the page's form as a browser without scripts does; as if signed in."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="mail.log"\r\nContent-Type: application/octet-stream\r\n\r\n'
    body = b"".join([*parts, head, file, b"\r\n--x--\r\n"])
    headers = {
        "content-type": "multipart/form-data; boundary=x",
        "accept": "text/html",
        "accept-language": lang,
    }
    return call(app_of(service), "POST", "/explain", body, headers, extra=LOCAL)


def test_the_page_explains_what_is_pasted_and_escapes_it(place):
    found = form(place[1], {"text": EVIL})
    text = found.body.decode()
    assert (found.status, 'data-class="recipient_unknown"' in text) == (200, True)
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "'unsafe" not in found.headers["content-security-policy"]


def test_the_page_explains_a_file_and_keeps_nothing_of_it(place):
    gateway, service = place
    text = form(service, {"text": ""}, gzip.compress(LOG.encode())).body.decode()
    assert "3 stuck now" in text
    assert "far.example" in text
    assert gateway.told == []


def test_the_page_keeps_insights_under_a_name(place):
    _, service = place
    text = form(service, {"text": LOG, "keep_as": "old <b>"}).body.decode()
    assert "Kept as insights of old &lt;b&gt;: 1." in text
    assert [row["foreign"] for row in listed(service)] == ["old <b>"]


def test_the_page_says_what_is_wrong_and_speaks_chinese(place):
    found = form(place[1], {"text": " "}, lang="zh-CN")
    assert (found.status, "没有可解释的内容" in found.body.decode()) == (422, True)
    shown = call(
        app_of(place[1]), "GET", "/explain", b"", {"accept-language": "zh-CN"}, extra=LOCAL
    ).body.decode()
    assert "除非您填写名称" in shown
    assert "Nothing of what" not in shown


def test_the_list_of_insights_marks_those_of_foreign_systems(place):
    _, service = place
    report(service, ROW)
    headers = {"accept": "text/html"}
    text = call(app_of(service), "GET", "/insights", b"", headers, extra=LOCAL).body.decode()
    assert "a foreign mail system, by its log" in text
    assert ">foreign:mail.example</option>" in text
