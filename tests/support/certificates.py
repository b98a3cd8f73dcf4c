"""Certificates for tests, each with one fault: expired, too early, for another host, by nobody, weak ...

    authority = Authority()
    chain_path, key_path = expired(authority, "mail.test").write(folder)
    judge(issued.chain, ["mail.test"], authority.pem, now_ms)

Keys are made once per size, since RSA keys take time.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
NAME = "mail.test"


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """Return the RSA key of that size (one for all)."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a new EC key."""
    return ec.generate_private_key(ec.SECP256R1())


def now() -> datetime.datetime:
    """Return the time, to the second."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def subject(common_name: str) -> x509.Name:
    """Return a subject with a common name only."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def general_name(name: str) -> x509.GeneralName:
    """Return an entry of a subjectAltName: an address where it is one."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key and the intermediates that are presented with it."""

    certificate: x509.Certificate
    key: Any
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> list[bytes]:
        """Return what a server presents, as DER."""
        return [one.public_bytes(Encoding.DER) for one in (self.certificate, *self.intermediates)]

    @property
    def pem(self) -> str:
        """Return the certificate alone, as PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def write(self, folder: Path, stem: str = "server") -> tuple[Path, Path]:
        """Write chain and key as PEM files, and return their paths."""
        chain, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        parts = (self.certificate, *self.intermediates)
        chain.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in parts))
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return chain, key


class Authority:
    """A CA, or with `parent` an intermediate of one."""

    def __init__(
        self,
        name: str = "Test CA",
        *,
        parent: "Authority | None" = None,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
    ) -> None:
        self.key = ec_key()
        self.parent = parent
        issuer = parent or self
        self.name = subject(name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now() - 100 * DAY)
            .not_valid_after(not_after or now() + 1000 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        self.certificate = builder.sign(issuer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """Return the CA's certificate as PEM text, as a connector's `tls_ca` takes it."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def revocation_list(self, *revoked: Issued) -> str:
        """Return a signed list of revoked certificates as PEM text."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now() - DAY)
            .next_update(now() + DAY)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now() - DAY).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def issue(
        self,
        *names: str,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        key: Any = None,
        usages: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.SERVER_AUTH,),
        common_name: str | None = None,
        with_intermediate: bool = True,
    ) -> Issued:
        """Return a server certificate for these names; without names it has a common name only."""
        key = key or ec_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject(common_name or (names[0][:60] if names else NAME)))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now() - 10 * DAY)
            .not_valid_after(not_after or now() + 90 * DAY)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([general_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        presented = (self.certificate,) if self.parent is not None and with_intermediate else ()
        return Issued(certificate, key, presented)


def good(authority: Authority, name: str = NAME) -> Issued:
    """Return a certificate without fault."""
    return authority.issue(name)


def expired(authority: Authority, name: str = NAME) -> Issued:
    """Return a certificate that ended yesterday."""
    return authority.issue(name, not_before=now() - 50 * DAY, not_after=now() - DAY)


def not_yet_valid(authority: Authority, name: str = NAME) -> Issued:
    """Return a certificate that begins tomorrow."""
    return authority.issue(name, not_before=now() + DAY)


def wrong_name(authority: Authority, name: str = "other.test") -> Issued:
    """Return a certificate for another host."""
    return authority.issue(name)


def weak_key(authority: Authority, name: str = NAME) -> Issued:
    """Return a certificate over an RSA key of 1024 bits (to serve it takes OpenSSL's security level 0)."""
    return authority.issue(name, key=rsa_key(1024))


def common_name_only(authority: Authority, name: str = NAME) -> Issued:
    """Return a certificate without subjectAltName."""
    return authority.issue(common_name=name)


def unknown_issuer(name: str = NAME) -> Issued:
    """Return a certificate by a CA that nobody knows, presented with the CA itself."""
    stranger = Authority("Unknown CA")
    issued = stranger.issue(name)
    return Issued(issued.certificate, issued.key, (stranger.certificate,))


def missing_intermediate(authority: Authority, name: str = NAME) -> Issued:
    """Return a certificate whose intermediate is not presented."""
    return Authority("Intermediate CA", parent=authority).issue(name, with_intermediate=False)


def signed_by_a_leaf(authority: Authority, name: str = NAME) -> Issued:
    """Return a certificate issued by one that is for servers and signs nobody, presented with it."""
    leaf = authority.issue("leaf.test")
    key = ec_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(leaf.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(leaf.key, hashes.SHA256())
    )
    return Issued(certificate, key, (leaf.certificate,))


def self_signed(name: str = NAME) -> Issued:
    """Return a certificate that is signed by its own key."""
    key = ec_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(subject(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + 30 * DAY)
        .add_extension(x509.SubjectAlternativeName([general_name(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issued(certificate, key)
