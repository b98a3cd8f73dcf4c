"""Rows of hosts and addresses."""

from dataclasses import replace

from gatepost.insight.hosts import WRITE_EVERY_MS, Hosts, Sight, broken, sight
from gatepost.insight.kept import host_document, host_key, host_of, insight_document, insight_of
from gatepost.insight.words import hosts_sentence
from gatepost.model.attempt import CertificateFacts, SessionFacts, TlsFacts
from gatepost.model.failure import LastError
from gatepost.model.insight import (
    CertificateSummary,
    Episode,
    Fingerprint,
    HostRow,
    Insight,
    InsightState,
    Scope,
    Severity,
)

NOW = 1_795_420_800_000
PLACE = 7
ERROR = LastError(
    450, "4.7.320", "Certificate validation failed", "tls", "CertificateExpired", "cert_invalid", "4.7.320",
    "expired", "mx1.example", "192.0.2.7:25", NOW, "gw1.example", "01J",
)  # fmt: skip


def certificate(fingerprint="aa", verdict=""):
    return CertificateSummary("CN=mx1", "CN=ca", ("mx1.example",), NOW - 1, NOW + 1, fingerprint, verdict)


def seen(address="192.0.2.7", at=NOW, **more):
    return Sight(PLACE, "mx1.example", address, 25, at, **more)


def test_one_broken_address_of_four_is_told_from_the_others():
    """B2."""
    hosts = Hosts()
    for number in range(3):
        hosts.opened(seen(f"192.0.2.{number}"))
    hosts.failed(seen("192.0.2.9"), ERROR)
    bad, good = broken(hosts.current(PLACE))
    assert [row.address for row in bad] == ["192.0.2.9"]
    assert len(good) == 3
    assert hosts.failing(PLACE) == {"cert_invalid"}


def test_failures_are_counted_in_a_row_and_a_success_ends_them():
    hosts = Hosts()
    hosts.failed(seen(), ERROR)
    hosts.failed(seen(at=NOW + 1), ERROR)
    assert hosts.rows(PLACE)[0].failures == 2
    hosts.opened(seen(at=NOW + 1))
    row = hosts.rows(PLACE)[0]
    assert (row.failures, row.works, row.last_error) == (0, True, ERROR)


def test_a_host_that_nobody_tried_is_neither_broken_nor_well():
    assert HostRow(PLACE, "mx1.example", "192.0.2.7", 25).works is None


def test_an_address_that_the_name_no_longer_leads_to_is_history():
    hosts = Hosts()
    hosts.failed(seen("192.0.2.9"), ERROR)
    hosts.opened(seen("192.0.2.7"))
    hosts.listed(PLACE, [("mx1.example", "192.0.2.7", 25)])
    assert hosts.failing(PLACE) == set()
    assert len(hosts.rows(PLACE)) == 2


def test_an_address_that_was_never_tried_is_one_of_them_all_the_same():
    hosts = Hosts()
    hosts.listed(PLACE, [("mx1.example", f"192.0.2.{number}", 25) for number in range(4)])
    hosts.failed(seen("192.0.2.1"), ERROR)
    assert [row.works for row in hosts.current(PLACE)] == [False, None, None, None]
    assert hosts_sentence(hosts.current(PLACE)).values["all"] == 4


def test_hosts_are_named_where_all_their_addresses_fail_and_addresses_where_some_do():
    """B2."""
    hosts = Hosts()
    for server, address in (("mx1", "192.0.2.1"), ("mx1", "192.0.2.2"), ("mx2", "192.0.2.3")):
        hosts.opened(Sight(PLACE, server, address, 25, NOW))
    assert hosts_sentence(hosts.current(PLACE)) is None
    hosts.failed(Sight(PLACE, "mx1", "192.0.2.1", 25, NOW), ERROR)
    some = hosts_sentence(hosts.current(PLACE))
    assert (some.rule, some.values["names"], some.values["all"]) == (
        "addresses_broken",
        "mx1 192.0.2.1:25",
        3,
    )
    hosts.failed(Sight(PLACE, "mx1", "192.0.2.2", 25, NOW), ERROR)
    one = hosts_sentence(hosts.current(PLACE))
    assert (one.rule, one.values["names"], one.values["all"]) == ("hosts_broken", "mx1", 2)
    hosts.failed(Sight(PLACE, "mx2", "192.0.2.3", 25, NOW), ERROR)
    assert hosts_sentence(hosts.current(PLACE)) is None


def test_a_name_that_leads_nowhere_is_a_row_until_it_leads_somewhere():
    hosts = Hosts()
    hosts.failed(Sight(PLACE, "mx1.example", "", 0, NOW), replace(ERROR, failure_class="dns_query_failed"))
    assert hosts.failing(PLACE) == {"dns_query_failed"}
    hosts.listed(PLACE, [("mx2.example", "192.0.2.8", 25)])
    assert hosts.failing(PLACE) == {"dns_query_failed"}
    hosts.listed(PLACE, [("mx1.example", "192.0.2.7", 25)])
    assert hosts.failing(PLACE) == set()
    assert hosts.gone() == [(PLACE, "mx1.example", "", 0)]


def test_a_new_certificate_keeps_the_one_that_worked_before():
    """B7."""
    hosts = Hosts()
    hosts.opened(seen(certificate=certificate("aa")))
    hosts.failed(seen(at=NOW + 1, certificate=certificate("bb", "SubjectMismatch")), ERROR)
    hosts.failed(seen(at=NOW + 2, certificate=certificate("cc", "SubjectMismatch")), ERROR)
    row = hosts.rows(PLACE)[0]
    assert row.certificate.fingerprint == "cc"
    assert row.certificate_before.fingerprint == "aa"
    assert row.certificate_changed_at == NOW + 2


def test_latency_is_smoothed():
    hosts = Hosts()
    hosts.opened(seen(latency_ms=100.0))
    hosts.opened(seen(at=NOW + 1, latency_ms=200.0))
    assert hosts.rows(PLACE)[0].latency_ms == 130.0


def test_a_host_that_goes_on_working_is_written_down_now_and_then_only():
    hosts = Hosts()
    hosts.opened(seen())
    assert len(hosts.changes()) == 1
    hosts.opened(seen(at=NOW + 1000))
    assert hosts.changes() == []
    hosts.opened(seen(at=NOW + WRITE_EVERY_MS))
    assert len(hosts.changes()) == 1
    hosts.failed(seen(at=NOW + WRITE_EVERY_MS + 1), ERROR)
    assert len(hosts.changes()) == 1


def test_old_rows_are_forgotten():
    hosts = Hosts()
    hosts.opened(seen())
    hosts.prune(NOW - 1)
    assert hosts.rows(PLACE)
    hosts.prune(NOW)
    assert not hosts.rows(PLACE)


def test_a_session_shows_what_a_row_keeps():
    leaf = CertificateFacts("CN=mx1", "CN=ca", ("mx1.example",), 1, 2, "01", "RSA 2048", "sha256", "aa")
    session = SessionFacts(1, PLACE, NOW, "mx1.example", "192.0.2.7", 25)
    session.timings = {"connect": 10.0, "banner": 5.0, "mail": 100.0}
    session.tls = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", (leaf,), "CertificateExpired")
    found = sight(session, NOW)
    assert found.latency_ms == 15.0
    assert found.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384"
    assert found.certificate == CertificateSummary(
        "CN=mx1", "CN=ca", ("mx1.example",), 1, 2, "aa", "CertificateExpired"
    )


def test_a_row_is_read_back_as_it_was_written():
    row = HostRow(
        PLACE,
        "mx1.example",
        "2001:db8::7",
        25,
        NOW,
        NOW,
        1,
        ERROR,
        1.5,
        "TLSv1.3",
        certificate(),
        certificate("bb"),
        NOW,
    )
    document = host_document(row)
    assert document.key == host_key(PLACE, "mx1.example", "2001:db8::7", 25)
    assert host_of(document.data) == row
    assert host_of({**document.data, "of_a_later_version": 1}) == row
    assert host_of({}) is None


def test_an_insight_is_read_back_as_it_was_written():
    insight = Insight(
        1, Fingerprint(Scope.GATEWAY, "", 0, "host_unreachable"), "", "4.4.315", InsightState.REGRESSED,
        Severity.CRITICAL, NOW, NOW, NOW, attempts=3, last_error=ERROR, trend=((NOW, 3),), note="n",
        past=(Episode(1, 2, 3, 4, 5, "recovered"),), grouping=(("failing", 12),), members=("v1:1",),
    )  # fmt: skip
    document = insight_document(insight, NOW)
    assert document.key == insight.fingerprint.text
    assert insight_of(document.data) == insight
    assert insight_of({"state": "strange"}) is None
