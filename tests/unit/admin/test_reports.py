"""Reports: JSON for programs, CSV for spreadsheets, neither of them dangerous."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_gateway import HOUR, NOW, OFFICE, REFUSED, make
from tests.unit.admin.test_api import LOCAL, ask

from gatepost.admin.reports import FORMULA, Report, cell
from gatepost.insight.hosts import Sight


def get(service, path):
    answer = ask(service, "GET", f"/api/v1/reports/{path}", extra=LOCAL)
    assert answer.status == 200, answer.body
    return answer


def test_the_report_of_what_is_queued_has_the_eight_fields():
    """R19."""
    gateway, service = make()
    insight = gateway.break_office()
    first, second = get(service, "queued").json["rows"]
    assert (first["messages"], first["connector"]) == (2, "to-office")
    assert first["queued_since"] == "2026-11-23T06:00:00.000Z"
    assert first["oldest_expires_at"] == "2026-11-24T06:00:00.000Z"
    assert (first["destination_server"], first["last_address"]) == ("mail.contoso.example", "192.0.2.7:25")
    assert first["last_error"] == REFUSED.text()
    assert first["how_to_fix"]
    assert first["insight"] == insight.fingerprint.text
    assert (second["connector"], second["last_error"], second["how_to_fix"]) == ("to-partner", "", "")


def test_returned_messages_are_reported_by_day_and_code_with_samples():
    """R4."""
    gateway, service = make()
    found = get(service, "ndr?since=2d").json
    (row,) = found["rows"]
    assert (row["date"], row["code"], row["recipients"], row["returned"]) == ("2026-11-23", "5.1.1", 7, 6)
    assert (row["connector"], row["destination"]) == ("to-office", "mail.contoso.example")
    assert len(row["samples"][0]) == 13
    assert gateway.store.asked == (NOW - 48 * HOUR, NOW)


def test_a_report_is_about_ninety_days_at_most_and_not_about_none():
    gateway, service = make()
    get(service, "ndr?since=300d")
    assert gateway.store.asked[0] == NOW - 90 * 24 * HOUR
    assert ask(service, "GET", "/api/v1/reports/ndr?since=1h&until=2h", extra=LOCAL).status == 422
    assert ask(service, "GET", "/api/v1/reports/ndr?since=yesterday", extra=LOCAL).status == 422


def test_connectors_are_reported_with_attempts_tls_latency_and_last_success():
    gateway, service = make()
    gateway.break_office()
    office, partner = get(service, "connectors").json["rows"]
    assert (office["attempts"], office["delivered"], office["deferred"]) == (12, 10, 2)
    assert office["failed_connections"] == 4
    assert office["tls"] == ["TLSv1.3=8", "none=2"]
    assert (office["average_ms"], office["delivered_share"]) == (10.0, 0.8333)
    assert office["last_success"] == "2026-11-23T07:00:00.000Z"
    assert (office["queued"], len(office["insights"])) == (2, 1)
    assert (partner["attempts"], partner["average_ms"], partner["last_success"]) == (0, None, None)


def test_domains_are_reported_with_their_health():
    gateway, service = make()
    (unknown,) = get(service, "domains").json["rows"]
    assert (unknown["domain"], unknown["status"]) == ("contoso.example", "unknown")
    assert unknown["connector"] == "to-office"
    assert (unknown["mx_before"], unknown["mx_now"]) == (["10 old.example"], ["10 new.example"])
    gateway.insights.hosts.opened(Sight(OFFICE.id, "mail.contoso.example", "192.0.2.7", 25, NOW))
    assert get(service, "domains").json["rows"][0]["status"] == "healthy"
    gateway.break_office(scope="hosts")
    assert get(service, "domains").json["rows"][0]["status"] == "warning"
    gateway.break_office()
    (broken,) = get(service, "domains").json["rows"]
    assert broken["status"] == "error"
    assert broken["reason"].startswith("Connection refused: ")


def test_csv_has_a_header_and_no_formula():
    """RFC 4180; a cell that a spreadsheet would run is text."""
    _, service = make()
    answer = get(service, "ndr?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    header, row = answer.body.decode().split("\r\n")[:2]
    assert header == "date,code,smtp,class,title,connector,destination,recipients,returned,samples"
    assert "'=no such user" in row
    assert ask(service, "GET", "/api/v1/reports/ndr?format=xls", extra=LOCAL).status == 422


@given(st.text(max_size=50))
def test_no_text_becomes_a_formula_and_every_cell_is_read_back(text):
    """RFC 4180 section 2."""
    report = Report("x", ("a", "b"), [{"a": text, "b": 1}])
    header, row = csv.reader(io.StringIO(report.to_csv(), newline=""))
    assert header == ["a", "b"]
    assert row == [cell(text), "1"]
    assert not row[0].startswith(FORMULA)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""), (True, "true"), (-3, "-3"), (1.5, "1.5"), (["a", "b"], "a b"), ("-1+cmd", "'-1+cmd"),
        ({"text": "@x"}, "'@x"),
    ],
)  # fmt: skip
def test_cells(value, expected):
    assert cell(value) == expected


@pytest.mark.parametrize("name", ["queued", "ndr", "connectors", "domains"])
def test_reports_need_a_token_that_may_read(name):
    _, service = make()
    assert ask(service, "GET", f"/api/v1/reports/{name}").status == 401
