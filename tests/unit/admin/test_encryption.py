"""How much mail travels under TLS: counted by way and version, with sums and a course; nothing has no share."""

from tests.support.fake_gateway import NOW, OFFICE, make
from tests.unit.admin.test_api import LOCAL, ask
from tests.unit.admin.test_reports import get

from gatepost.telemetry.flows import ACCEPTED, CLEAR, RECEIVED, SENT

TLS = "TLSv1.3"


def travelled(gateway):
    gateway.flows.accepted_domain = lambda domain: domain if domain == "contoso.example" else ""
    for outcome in (RECEIVED + TLS, RECEIVED + TLS, RECEIVED + CLEAR):
        gateway.flows.count("cloud", "ann@contoso.example", 0, outcome)
    for outcome in (SENT + TLS, SENT + "TLSv1.2", SENT + "TLSv1.2", SENT + CLEAR):
        gateway.flows.count("", "bob@elsewhere.example", OFFICE.id, outcome)
    gateway.flows.count("cloud", "ann@contoso.example", OFFICE.id, ACCEPTED)


def test_ways_are_told_by_version_with_their_share():
    gateway, service = make()
    travelled(gateway)
    found = get(service, "tls").json
    told = [
        (
            r["direction"],
            r["source"] or r["connector"],
            r["domain"],
            r["version"],
            r["recipients"],
            r["share"],
        )
        for r in found["rows"]
    ]
    assert told == [
        ("received", "cloud", "contoso.example", TLS, 2, 0.6667),
        ("received", "cloud", "contoso.example", CLEAR, 1, 0.3333),
        ("sent", "to-office", "", "TLSv1.2", 2, 0.5),
        ("sent", "to-office", "", TLS, 1, 0.25),
        ("sent", "to-office", "", CLEAR, 1, 0.25),
    ]
    assert found["shares"]["received"] == {"recipients": 3, "encrypted": 2, "share": 0.6667}
    assert found["shares"]["sent"] == {"recipients": 4, "encrypted": 3, "share": 0.75}
    assert found["course"] == [
        {"at": "2026-11-23T08:00:00.000Z", "received": 3, "received_tls": 2, "sent": 4, "sent_tls": 3}
    ]
    assert service.encryption.lately() == found["shares"]


def test_nothing_has_no_share_and_no_row():
    _gateway, service = make()
    found = get(service, "tls?window=7d").json
    assert (found["rows"], found["course"]) == ([], [])
    assert found["shares"]["sent"] == {"recipients": 0, "encrypted": 0, "share": None}
    assert NOW


def test_how_mail_travelled_does_not_show_on_the_map():
    gateway, service = make()
    travelled(gateway)
    rows = ask(service, "GET", "/api/v1/flow", extra=LOCAL).json["rows"]
    assert {row["outcome"] for row in rows} == {"waiting"}


def test_a_window_that_is_not_kept_is_refused():
    _gateway, service = make()
    assert ask(service, "GET", "/api/v1/reports/tls?window=90d", extra=LOCAL).status == 422
