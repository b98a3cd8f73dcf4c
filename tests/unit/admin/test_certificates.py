"""Every certificate that was seen: one row each, those that end first at the top, judged."""

import pytest
from tests.support import certificates
from tests.support.fake_gateway import NOW, OFFICE, PARTNER, REFUSED, make
from tests.unit.admin.test_reports import get

from gatepost.admin.certificates import own
from gatepost.insight.book import Trouble
from gatepost.insight.hosts import Sight
from gatepost.model.insight import CertificateSummary
from gatepost.storage.interface import DestinationState

DAY = 86_400_000


def summary(days, fingerprint="f1", verdict=""):
    return CertificateSummary(
        "CN=mail.contoso.example", "CN=Some CA", ("mail.contoso.example",), NOW - 300 * DAY, NOW + days * DAY,
        fingerprint, verdict,
    )  # fmt: skip


def seen(gateway, key, server, address, certificate, at=NOW):
    gateway.lanes[key.id] = DestinationState.of(key)
    gateway.insights.hosts.opened(
        Sight(key.id, server, address, 25, at, 5.0, "TLSv1.3 TLS_AES_256_GCM_SHA384", certificate)
    )


def rows(service, query=""):
    return get(service, f"certificates{query}").json["rows"]


def test_a_certificate_that_two_addresses_show_is_one_row_with_both():
    """B7."""
    gateway, service = make()
    seen(gateway, OFFICE, "mail.contoso.example", "192.0.2.8", summary(100), NOW - 1000)
    seen(gateway, OFFICE, "mail.contoso.example", "192.0.2.7", summary(100))
    (row,) = rows(service)
    assert row["addresses"] == ["192.0.2.7:25", "192.0.2.8:25"]
    assert (row["host"], row["connector"], row["side"]) == ("mail.contoso.example", "to-office", "server")
    assert (row["days_left"], row["ended"], row["verdict"]) == (100, False, "")
    assert (row["tls"], row["last_seen"]) == ("TLSv1.3 TLS_AES_256_GCM_SHA384", "2026-11-23T08:00:00.000Z")


def test_what_ends_first_stands_first_and_a_span_keeps_what_ends_in_it():
    gateway, service = make()
    seen(gateway, OFFICE, "mail.contoso.example", "192.0.2.7", summary(100))
    seen(gateway, PARTNER, "mx.fabrikam.example", "192.0.2.9", summary(-3, "f2", "CertificateExpired"))
    seen(gateway, PARTNER, "mx2.fabrikam.example", "192.0.2.10", summary(20, "f3"))
    assert [row["days_left"] for row in rows(service)] == [-3, 20, 100]
    assert [row["host"] for row in rows(service, "?within=30d")] == [
        "mx.fabrikam.example",
        "mx2.fabrikam.example",
    ]
    assert [row["ended"] for row in rows(service, "?within=1s")] == [True]


def test_a_span_that_is_none_is_refused_with_an_example():
    _gateway, service = make()
    with pytest.raises(AssertionError, match="30d or 12h"):
        rows(service, "?within=soon")


def test_an_open_insight_about_certificates_is_named_and_no_other():
    gateway, service = make()
    seen(gateway, OFFICE, "mail.contoso.example", "192.0.2.7", summary(100))
    gateway.break_office()
    assert rows(service)[0]["insight"] == ""
    trouble = Trouble("destination", "to-office", OFFICE.id, "cert_invalid", REFUSED, "mail.contoso.example")
    insight = gateway.insights.book.failed(trouble, NOW)
    assert rows(service)[0]["insight"] == insight.fingerprint.text


def test_our_own_certificate_is_judged_as_a_client_would(tmp_path):
    gateway, service = make()
    files = certificates.unknown_issuer("gw1.example").write(tmp_path)
    gateway.settings.smtp.tls_certificate = gateway.settings.admin.tls_certificate = files[0]
    (row,) = rows(service)
    assert (row["side"], row["host"]) == ("own", "gw1.example")
    assert row["addresses"] == ["smtp 127.0.0.1:2525", "admin 127.0.0.1:8025"]
    assert row["names"] == ["gw1.example"]
    assert row["verdict"]


@pytest.mark.parametrize("text", ["", "no certificate", "-----END CERTIFICATE-----"])
def test_a_file_without_a_certificate_is_no_row(tmp_path, text):
    gateway, _service = make()
    gateway.settings.smtp.tls_certificate = tmp_path / "own.pem"
    (tmp_path / "own.pem").write_text(text)
    assert own(gateway.settings, NOW) == []
