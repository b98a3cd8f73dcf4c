"""Judge a presented chain: when, by whom, how strong, for whom; every fault is told, the first one decides.

Rule 1: a name is good by the subjectAltName alone; a wildcard is a whole left-most label; an IP address is
good as an IP address only (RFC 9525 section 6).
Rule 2: the store decides about trust; sizes of keys, signatures and usages are checked here, since it does
not.
"""

import ipaddress
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import idna
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto
from service_identity import CertificateError, VerificationError, hazmat

from gatepost.model.failure import Reason, clean, iso

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL; pyOpenSSL has no name for it
_SELF_SIGNED_LEAF = 18  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
_SELF_SIGNED_ROOT = 19  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
_NO_ISSUER = (2, 20, 21)  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT and its like
_REVOKED = 23
_NOT_YET, _EXPIRED = 9, 10
_WEAK = (66, 67, 68)
_LEAST_RSA, _LEAST_EC = 2048, 224
_WEAK_HASHES = frozenset({"md5", "sha1"})
_ADDRESS = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_MANY = 10  # names shown of a certificate

Fault = tuple[Reason, str]


class _BadStore(Exception):
    """The trusted CA of a connector cannot be read."""


@dataclass(frozen=True, slots=True)
class _Trust:
    """A loaded store, once for verifying and once for explaining, and the revocations that came with it."""

    store: crypto.X509Store
    timeless: crypto.X509Store
    revocations: tuple[x509.CertificateRevocationList, ...]
    what: str


class _Memory:
    """Good verdicts with the time in which they hold; bounded."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._good: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def good_until(self, key: bytes, now_ms: int) -> bool:
        """Return whether the same chain was found good, and is in time now."""
        window = self._good.get(key)
        return window is not None and window[0] <= now_ms < window[1]

    def keep(self, key: bytes, window: tuple[int, int]) -> None:
        """Remember a good chain."""
        self._good[key] = window
        while len(self._good) > self._size:
            self._good.popitem(last=False)


_memory = _Memory(2048)
_REMEMBER_FOR = 600_000  # a store or revocation list may have been replaced meanwhile


def judge(
    chain: Sequence[bytes], names: Sequence[str], ca_pem: str, now_ms: int
) -> tuple[Reason | None, str]:
    """Return what is wrong with a presented chain (DER, leaf first), or None with what is right.

    One of `names` must be named by the certificate: hosts, addresses, or patterns like `*.example`; none: the
    name is not checked. `ca_pem` is the only CA to be trusted; "": those of the system.
    """
    if not chain:
        return Reason.UNTRUSTED_ROOT, "the server presented no certificate"
    key = _key_of(chain, names, ca_pem)
    try:
        certificates = [_parse(der) for der in chain]
        leaf = certificates[0]
        if _memory.good_until(key, now_ms):
            return None, _good_words(leaf)
        trust = _trust(ca_pem)
        faults, verified = _faults_of_chain(certificates, trust, now_ms)
        faults += _faults_of_strength(verified or certificates[:1])
        faults += _faults_of_usage(leaf)
        faults += _faults_of_name(leaf, names)
    except _BadStore as problem:
        return Reason.UNTRUSTED_ROOT, str(problem)
    except Exception as error:  # a stranger's bytes may break a parser in any way
        return Reason.UNTRUSTED_ROOT, clean(f"the certificate cannot be read: {error!r}", 300)
    if faults:
        return faults[0][0], _words(faults, leaf)
    _memory.keep(key, _window(verified, now_ms))
    return None, _good_words(leaf)


def _key_of(chain: Sequence[bytes], names: Sequence[str], ca_pem: str) -> bytes:
    digest = blake2b(digest_size=16)
    for part in (*chain, *(name.encode() for name in names), ca_pem.encode()):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()


@lru_cache(maxsize=2048)
def _parse(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def _window(verified: Sequence[x509.Certificate], now_ms: int) -> tuple[int, int]:
    first = max((_ms(one.not_valid_before_utc) for one in verified), default=now_ms)
    last = min((_ms(one.not_valid_after_utc) for one in verified), default=now_ms)
    return first, min(last, now_ms + _REMEMBER_FOR)


# ---------------------------------------------------------------- trust


def _trust(ca_pem: str) -> _Trust:
    if ca_pem.strip():
        return _own_trust(ca_pem)
    paths = ssl.get_default_verify_paths()
    file, folder = paths.cafile or "", paths.capath or ""
    stamp = Path(file).stat().st_mtime_ns if file else 0
    return _system_trust(file, folder, stamp)


@lru_cache(maxsize=2)
def _system_trust(file: str, folder: str, _stamp: int) -> _Trust:
    """Load the roots of the system; again where the file was replaced."""
    stores = []
    for flags in (0, _NO_CHECK_TIME):
        store = crypto.X509Store()
        if file or folder:
            store.load_locations(file or None, None if file else folder)
        if flags:
            store.set_flags(flags)
        stores.append(store)
    return _Trust(stores[0], stores[1], (), "the system's list of CAs")


@lru_cache(maxsize=128)
def _own_trust(ca_pem: str) -> _Trust:
    try:
        anchors = x509.load_pem_x509_certificates(ca_pem.encode())
        revocations = _revocation_lists(ca_pem)
    except Exception as error:
        raise _BadStore(clean(f"the trusted CA of the connector cannot be read: {error}", 300)) from error
    stores = []
    for flags in (0, _NO_CHECK_TIME):
        store = crypto.X509Store()
        for anchor in anchors:
            store.add_cert(crypto.X509.from_cryptography(anchor))
        # what the administrator named is trusted as it is: an intermediate, even the server's own certificate
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN | flags)
        stores.append(store)
    return _Trust(stores[0], stores[1], revocations, "the CA of the connector")


def _revocation_lists(pem: str) -> tuple[x509.CertificateRevocationList, ...]:
    """Return the revocation lists that stand beside the certificates of a trusted CA."""
    begin, end = "-----BEGIN X509 CRL-----", "-----END X509 CRL-----"
    parts = [part.partition(end)[0] for part in pem.split(begin)[1:]]
    return tuple(x509.load_pem_x509_crl(f"{begin}{part}{end}\n".encode()) for part in parts)


def _faults_of_chain(
    certificates: Sequence[x509.Certificate], trust: _Trust, now_ms: int
) -> tuple[list[Fault], list[x509.Certificate]]:
    """Return what is wrong in time and trust, and the chain that leads to a trusted CA where there is one."""
    trust.store.set_time(datetime.fromtimestamp(now_ms // 1000, UTC))
    verified, strict = _verify(trust.store, certificates)
    problem = strict
    if problem is not None:
        # which of its faults OpenSSL names is a matter of its order; look again, without the clock
        verified, problem = _verify(trust.timeless, certificates)
    faults = _faults_of_time(verified or certificates[:1], certificates[0], now_ms)
    if problem is not None:
        faults.append(_fault_of_trust(problem, certificates[0], trust))
    elif strict is not None and not faults:
        faults.append(_fault_of_trust(strict, certificates[0], trust))
    return faults + _faults_of_revocation(verified, trust), verified


def _verify(
    store: crypto.X509Store, certificates: Sequence[x509.Certificate]
) -> tuple[list[x509.Certificate], crypto.X509StoreContextError | None]:
    leaf, *others = (_openssl(certificate) for certificate in certificates)
    try:
        verified = crypto.X509StoreContext(store, leaf, others).get_verified_chain()
    except crypto.X509StoreContextError as problem:
        return [], problem
    return [one.to_cryptography() for one in verified], None


@lru_cache(maxsize=512)
def _openssl(certificate: x509.Certificate) -> crypto.X509:
    return crypto.X509.from_cryptography(certificate)


def _fault_of_trust(problem: crypto.X509StoreContextError, leaf: x509.Certificate, trust: _Trust) -> Fault:
    code, depth = problem.errors[0], problem.errors[1]
    words = f"{problem} (OpenSSL {code} at depth {depth})"
    at = problem.certificate.to_cryptography()
    if code == _SELF_SIGNED_LEAF:
        return Reason.SELF_SIGNED, f"the certificate of {_subject(leaf)} is signed by itself, not by a CA"
    if code == _SELF_SIGNED_ROOT:
        return Reason.UNTRUSTED_ROOT, f"the CA {_subject(at)} is not in {trust.what}"
    if code in _NO_ISSUER:
        return Reason.UNTRUSTED_ROOT, (
            f"the issuer {_issuer(at)} of {_subject(at)} is neither presented nor in {trust.what}: "
            "an unknown CA, or an intermediate certificate is missing"
        )
    if code == _REVOKED:
        return Reason.REVOKED, f"{_subject(at)}: {words}"
    if code in (_NOT_YET, _EXPIRED):
        reason = Reason.CERTIFICATE_EXPIRED if code == _EXPIRED else Reason.CERTIFICATE_NOT_YET_VALID
        return reason, f"{_subject(at)}: {words}"
    if code in _WEAK:
        return Reason.WEAK_KEY, f"{_subject(at)}: {words}"
    return Reason.UNTRUSTED_ROOT, f"{_subject(at)}: {words}"


def _faults_of_revocation(verified: Sequence[x509.Certificate], trust: _Trust) -> list[Fault]:
    faults: list[Fault] = []
    for certificate, issuer in pairwise(verified):
        for revocations in trust.revocations:
            if revocations.issuer != issuer.subject:
                continue
            if not revocations.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
                continue
            entry = revocations.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                when = iso(_ms(entry.revocation_date_utc))
                faults.append((Reason.REVOKED, f"{_subject(certificate)} was revoked at {when}"))
    return faults


# ---------------------------------------------------------------- time, strength, usage


def _faults_of_time(
    certificates: Sequence[x509.Certificate], leaf: x509.Certificate, now_ms: int
) -> list[Fault]:
    faults: list[Fault] = []
    for certificate in certificates:
        first, last = _ms(certificate.not_valid_before_utc), _ms(certificate.not_valid_after_utc)
        who = "the certificate" if certificate == leaf else "the CA certificate"
        if now_ms > last:
            words = f"{who} of {_subject(certificate)} expired at {iso(last)}"
            faults.append((Reason.CERTIFICATE_EXPIRED, words))
        elif now_ms < first:
            words = f"{who} of {_subject(certificate)} is not valid before {iso(first)}"
            faults.append((Reason.CERTIFICATE_NOT_YET_VALID, words))
    return faults


def _faults_of_strength(certificates: Sequence[x509.Certificate]) -> list[Fault]:
    faults: list[Fault] = []
    for certificate in certificates:
        weak = _weak_key(certificate)
        signature = certificate.signature_hash_algorithm
        # a root's own signature proves nothing, so its hash does not matter
        itself = certificate.issuer == certificate.subject
        if not weak and not itself and signature is not None and signature.name in _WEAK_HASHES:
            weak = f"a signature with {signature.name}"
        if weak:
            faults.append((Reason.WEAK_KEY, f"{_subject(certificate)} has {weak}, which is too weak"))
    return faults


def _weak_key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA:
        return f"an RSA key of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < _LEAST_EC:
        return f"an EC key of {key.curve.key_size} bits"
    if isinstance(key, dsa.DSAPublicKey):
        return f"a DSA key of {key.key_size} bits"
    return ""


def _faults_of_usage(leaf: x509.Certificate) -> list[Fault]:
    """Check what the certificate is for (RFC 5280 section 4.2.1.12); private CAs often say nothing."""
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    if ExtendedKeyUsageOID.SERVER_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages:
        return []
    shown = ", ".join(usage._name for usage in usages)  # noqa: SLF001  (the only name that there is)
    words = (
        f"the certificate of {_subject(leaf)} is not for servers (extended key usage: {clean(shown, 200)})"
    )
    return [(Reason.UNTRUSTED_ROOT, words)]


# ---------------------------------------------------------------- names


def _faults_of_name(leaf: x509.Certificate, names: Sequence[str]) -> list[Fault]:
    if not names:
        return []
    expected = " or ".join(clean(name, 255) for name in names)
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        words = f"expected {expected}, but the certificate of {_subject(leaf)} has no subjectAltName"
        return [(Reason.SUBJECT_MISMATCH, words)]
    hosts = alternatives.get_values_for_type(x509.DNSName)
    addresses = [one for one in alternatives.get_values_for_type(x509.IPAddress) if isinstance(one, _ADDRESS)]
    if any("\0" in host for host in hosts):
        # CVE-2009-2408: a name that ends early for one reader and later for another
        return [(Reason.SUBJECT_MISMATCH, f"the certificate of {_subject(leaf)} has a NUL in a name")]
    patterns = _patterns(hosts)
    patterns += [hazmat.IPAddressPattern(address) for address in addresses]
    if any(_matches(name, patterns) for name in names):
        return []
    every = [*hosts, *(str(address) for address in addresses)]
    shown = ", ".join(clean(host, 255) for host in every[:_MANY]) or "no host at all"
    more = f" and {len(every) - _MANY} more" if len(every) > _MANY else ""
    words = f"expected {expected}, but the certificate is for {shown}{more} (subject {_subject(leaf)})"
    return [(Reason.SUBJECT_MISMATCH, words)]


def _patterns(hosts: Sequence[str]) -> list[hazmat.CertificatePattern]:
    """Return the names that can count; a wildcard in the wrong place (`*.test`, `m*.a.test`) does not."""
    patterns: list[hazmat.CertificatePattern] = []
    for host in hosts:
        if "*" in host and not host.startswith("*."):
            continue
        try:
            patterns.append(hazmat.DNSPattern.from_bytes(host.encode()))
        except CertificateError:
            continue
    return patterns


def _matches(name: str, patterns: list[hazmat.CertificatePattern]) -> bool:
    lower = name.strip().rstrip(".").lower()
    if lower.startswith("*."):
        return _matches_pattern(lower, patterns)
    try:
        identity = _identity(lower)
        return bool(hazmat.verify_service_identity(patterns, [identity], []))
    except (ValueError, UnicodeError, VerificationError, CertificateError):
        return False


def _identity(name: str) -> hazmat.ServiceID:
    try:
        return hazmat.IPAddress_ID(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return hazmat.DNS_ID(_ascii(name))


def _matches_pattern(wanted: str, patterns: list[hazmat.CertificatePattern]) -> bool:
    """Return whether a name of the certificate is the pattern itself, or one label below it."""
    try:
        base = _ascii(wanted[2:])
    except (ValueError, UnicodeError):
        return False
    for pattern in patterns:
        if isinstance(pattern, hazmat.DNSPattern):
            _, _, rest = pattern.pattern.decode("ascii", "replace").rstrip(".").partition(".")
            if rest == base and "." in base:
                return True
    return False


def _ascii(name: str) -> str:
    return name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")


# ---------------------------------------------------------------- words


def _words(faults: Sequence[Fault], leaf: x509.Certificate) -> str:
    first, *others = dict.fromkeys(words for _, words in faults)
    also = f"; also: {'; '.join(others)}" if others else ""
    return clean(f"{first}{also} (presented: {_dates(leaf)})", 900)


def _good_words(leaf: x509.Certificate) -> str:
    return clean(f"{_subject(leaf)}, issued by {_issuer(leaf)}, {_dates(leaf)}", 600)


def _dates(leaf: x509.Certificate) -> str:
    return f"valid {iso(_ms(leaf.not_valid_before_utc))} to {iso(_ms(leaf.not_valid_after_utc))}"


def _subject(certificate: x509.Certificate) -> str:
    return clean(certificate.subject.rfc4514_string(), 200) or "(no subject)"


def _issuer(certificate: x509.Certificate) -> str:
    return clean(certificate.issuer.rfc4514_string(), 200) or "(no issuer)"


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)
