"""The verdict over a presented chain, case by case."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.support import certificates as make
from tests.support.certificates import DAY, Authority, Issued, now

from gatepost.model.failure import Reason
from gatepost.net.tls import facts, judge

AUTHORITY = Authority()
NAME = "mail.test"


def verdict(
    issued: Issued, *names: str, ca: str = AUTHORITY.pem, at: datetime.datetime | None = None
) -> tuple[Reason | None, str]:
    return judge(issued.chain, names, ca, round((at or now()).timestamp() * 1000))


@pytest.mark.parametrize(
    ("case", "issued", "reason"),
    [
        ("good", make.good(AUTHORITY), None),
        ("expired", make.expired(AUTHORITY), Reason.CERTIFICATE_EXPIRED),
        ("not yet valid", make.not_yet_valid(AUTHORITY), Reason.CERTIFICATE_NOT_YET_VALID),
        ("wrong host", make.wrong_name(AUTHORITY), Reason.SUBJECT_MISMATCH),
        ("self-signed", make.self_signed(), Reason.SELF_SIGNED),
        ("unknown CA", make.unknown_issuer(), Reason.UNTRUSTED_ROOT),
        ("missing intermediate", make.missing_intermediate(AUTHORITY), Reason.UNTRUSTED_ROOT),
        ("CN only", make.common_name_only(AUTHORITY), Reason.SUBJECT_MISMATCH),
        ("no EKU", AUTHORITY.issue(NAME, usages=None), None),
        ("RSA-1024", make.weak_key(AUTHORITY), Reason.WEAK_KEY),
    ],
)
def test_each_of_the_ten_cases_has_its_verdict(case: str, issued: Issued, reason: Reason | None) -> None:
    """R11, fault rows 40 and 41."""
    assert verdict(issued, NAME)[0] == reason, case


def test_the_detail_names_what_was_expected_what_was_presented_and_the_dates() -> None:
    """R11: enough to repair it without another tool."""
    reason, detail = verdict(make.wrong_name(AUTHORITY), NAME)
    assert reason is Reason.SUBJECT_MISMATCH
    assert "expected mail.test" in detail
    assert "is for other.test" in detail
    assert "CN=other.test" in detail
    assert f"{now().year}-" in detail


def test_the_time_of_expiry_is_in_the_detail() -> None:
    _, detail = verdict(make.expired(AUTHORITY), NAME)
    assert "expired at " + (now() - DAY).strftime("%Y-%m-%d") in detail


def test_all_faults_are_told_and_time_comes_first() -> None:
    stranger = Authority("Stranger")
    reason, detail = verdict(make.expired(stranger, "other.test"), NAME)
    assert reason is Reason.CERTIFICATE_EXPIRED
    assert "Stranger" in detail
    assert "expected mail.test" in detail


def test_an_unknown_ca_is_named() -> None:
    _, detail = verdict(make.unknown_issuer(), NAME)
    assert "Unknown CA" in detail


def test_a_missing_intermediate_is_named() -> None:
    _, detail = verdict(make.missing_intermediate(AUTHORITY), NAME)
    assert "Intermediate CA" in detail
    assert "missing" in detail


def test_an_intermediate_completes_the_chain() -> None:
    between = Authority("Intermediate CA", parent=AUTHORITY)
    assert verdict(between.issue(NAME), NAME)[0] is None


def test_an_expired_intermediate_is_named() -> None:
    between = Authority("Old Intermediate", parent=AUTHORITY, not_after=now() - DAY)
    reason, detail = verdict(between.issue(NAME), NAME)
    assert reason is Reason.CERTIFICATE_EXPIRED
    assert "CA certificate of CN=Old Intermediate" in detail


def test_an_expired_certificate_that_is_sent_along_for_nothing_does_no_harm() -> None:
    issued = make.good(AUTHORITY)
    stray = make.expired(Authority("Stray"))
    extended = Issued(issued.certificate, issued.key, (stray.certificate,))
    assert verdict(extended, NAME)[0] is None


def test_a_server_certificate_cannot_sign_others() -> None:
    """Fault row 40, a leaf as CA."""
    leaf = AUTHORITY.issue("leaf.test")
    forged = (
        x509.CertificateBuilder()
        .subject_name(make.subject(NAME))
        .issuer_name(leaf.certificate.subject)
        .public_key(make.ec_key().public_key())
        .serial_number(7)
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(leaf.key, hashes.SHA256())
    )
    assert verdict(Issued(forged, None, (leaf.certificate,)), NAME)[0] is Reason.UNTRUSTED_ROOT


def test_a_certificate_of_clients_is_not_for_servers() -> None:
    reason, detail = verdict(AUTHORITY.issue(NAME, usages=[ExtendedKeyUsageOID.CLIENT_AUTH]), NAME)
    assert reason is Reason.UNTRUSTED_ROOT
    assert "clientAuth" in detail


def test_a_revoked_certificate_is_found_in_the_list_beside_the_ca() -> None:
    issued, other = make.good(AUTHORITY), make.good(AUTHORITY)
    ca = AUTHORITY.pem + AUTHORITY.revocation_list(issued)
    assert verdict(issued, NAME, ca=ca)[0] is Reason.REVOKED
    assert verdict(other, NAME, ca=ca)[0] is None


def test_a_revocation_list_of_somebody_else_revokes_nothing() -> None:
    issued = make.good(AUTHORITY)
    ca = AUTHORITY.pem + Authority("Test CA").revocation_list(issued)
    assert verdict(issued, NAME, ca=ca)[0] is None


def test_a_self_signed_certificate_is_good_where_it_is_the_trusted_ca_itself() -> None:
    """R11: trusting exactly this certificate is one of the repairs."""
    issued = make.self_signed()
    assert verdict(issued, NAME, ca=issued.pem)[0] is None


def test_without_names_the_name_is_not_checked() -> None:
    assert verdict(make.wrong_name(AUTHORITY))[0] is None


@pytest.mark.parametrize(
    ("presented", "expected", "good"),
    [
        ("mail.test", "mail.test", True),
        ("MAIL.Test", "mail.test.", True),
        ("*.b.test", "mail.b.test", True),
        ("*.b.test", "b.test", False),
        ("*.b.test", "x.mail.b.test", False),
        ("*.test", "mail.test", False),
        ("m*.b.test", "mail.b.test", False),
        ("mail.*.test", "mail.b.test", False),
        ("*", "mail.test", False),
        ("mail.b.test", "*.b.test", True),
        ("*.b.test", "*.b.test", True),
        ("b.test", "*.b.test", False),
        ("x.mail.b.test", "*.b.test", False),
        ("evilb.test", "*.b.test", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::7", "2001:db8:0::7", True),
        ("xn--bcher-kva.test", "bücher.test", True),
        ("xn--bcher-kva.test", "xn--bcher-kva.test", True),
        ("xn--bcher-kva.test", "bucher.test", False),
        ("mail.test", "", False),
    ],
)
def test_names_match_by_the_rules_of_rfc_9525(presented: str, expected: str, good: bool) -> None:
    """Rule 20."""
    reason, _ = verdict(AUTHORITY.issue(presented), expected)
    assert reason is (None if good else Reason.SUBJECT_MISMATCH)


def test_an_address_in_a_dns_name_counts_for_nothing() -> None:
    """Rule 20: IP by iPAddress only."""
    key = make.ec_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(make.subject("x"))
        .issuer_name(AUTHORITY.name)
        .public_key(key.public_key())
        .serial_number(9)
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("192.0.2.7")]), critical=False)
        .sign(AUTHORITY.key, hashes.SHA256())
    )
    assert verdict(Issued(certificate, key), "192.0.2.7")[0] is Reason.SUBJECT_MISMATCH


def test_a_nul_in_any_name_fails() -> None:
    """Rule 20, CVE-2009-2408."""
    reason, detail = verdict(AUTHORITY.issue("mail.test", "mail.test\0.evil.test"), NAME)
    assert reason is Reason.SUBJECT_MISMATCH
    assert "NUL" in detail


def test_one_of_several_names_is_enough() -> None:
    assert verdict(make.good(AUTHORITY), "other.test", NAME)[0] is None


def test_nothing_presented_is_not_trusted() -> None:
    assert judge([], [NAME], AUTHORITY.pem, 0)[0] is Reason.UNTRUSTED_ROOT


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x03\x02\x01\x05", b"x" * 5000])
def test_bytes_that_are_no_certificate_end_as_a_verdict(junk: bytes) -> None:
    reason, detail = judge([junk], [NAME], AUTHORITY.pem, 0)
    assert reason is Reason.UNTRUSTED_ROOT
    assert "cannot be read" in detail
    assert facts(junk).subject.startswith("(cannot be read")


def test_a_ca_that_is_no_certificate_is_named_as_the_fault_of_the_connector() -> None:
    reason, detail = verdict(make.good(AUTHORITY), NAME, ca="nonsense")
    assert reason is Reason.UNTRUSTED_ROOT
    assert "trusted CA of the connector" in detail


def test_a_verdict_that_was_good_ends_with_the_certificate() -> None:
    """What is remembered must not outlive what it is about."""
    issued = AUTHORITY.issue(NAME, not_after=now() + DAY)
    assert verdict(issued, NAME)[0] is None
    assert verdict(issued, NAME, at=now() + 2 * DAY)[0] is Reason.CERTIFICATE_EXPIRED
    assert verdict(issued, NAME, at=now() - 11 * DAY)[0] is Reason.CERTIFICATE_NOT_YET_VALID
    assert verdict(issued, NAME)[0] is None


def test_a_good_chain_is_not_verified_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand connections to one server cost one verification."""
    issued = make.good(AUTHORITY)
    assert verdict(issued, NAME)[0] is None

    def refuse(*_: object) -> None:
        raise AssertionError("verified again")

    monkeypatch.setattr("gatepost.net.verdict._verify", refuse)
    assert verdict(issued, NAME)[0] is None
    assert verdict(issued, "mail.tes")[0] is not None


def test_facts_are_those_of_the_certificate() -> None:
    issued = AUTHORITY.issue("mail.test", "192.0.2.7", key=make.rsa_key(2048))
    seen = facts(issued.chain[0])
    assert seen.subject == "CN=mail.test"
    assert seen.issuer == "CN=Test CA"
    assert seen.names == ("mail.test", "192.0.2.7")
    assert seen.key == "RSA 2048"
    assert seen.signature == "sha256"
    assert seen.not_after - seen.not_before == 100 * 86_400_000
    assert seen.fingerprint == issued.certificate.fingerprint(hashes.SHA256()).hex()
    assert facts(make.good(AUTHORITY).chain[0]).key == "EC secp256r1"
