"""TLS contexts, what a handshake gave, and the verdict over the presented certificates.

Rule 1: the handshake comes first and accepts anything; the chain is judged afterwards, so that reason and
chain are both evidence.
Rule 2: TLS 1.2 at least, in both directions (RFC 8996, RFC 9325).
"""

import ssl
from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import sha256
from typing import Protocol, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost.model.attempt import CertificateFacts, TlsFacts
from gatepost.model.failure import Reason, clean
from gatepost.net.verdict import judge

__all__ = ["client_context", "facts", "judge", "peer_chain", "server_context", "tls_facts"]

_DER = 2  # _ssl.ENCODING_DER
_LONGEST_CHAIN = 20  # certificates that are looked at; a server may send any number
# level 1: a server with a weak certificate must come as far as our own verdict about it
_CLIENT_CIPHERS = "DEFAULT:!aNULL:!eNULL:!MD5:!3DES:!RC4:@SECLEVEL=1"


class _PrivateCertificate(Protocol):
    def public_bytes(self, encoding: int) -> bytes: ...


class _PrivateSession(Protocol):
    def get_unverified_chain(self) -> Sequence[_PrivateCertificate] | None: ...


@cache
def client_context() -> ssl.SSLContext:
    """Return the context of all outgoing connections: any certificate, judged after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CLIENT_CIPHERS)
    return context


def server_context(certificate_path: str, key_path: str, *, client_ca: str | None = None) -> ssl.SSLContext:
    """Return the context of a listener; with the file `client_ca`, clients may show certificates of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # an encrypted key must end in an error, not in a question on the terminal
    context.load_cert_chain(certificate_path, key_path, password=lambda: "")
    if client_ca is not None:
        context.load_verify_locations(cafile=client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def peer_chain(ssl_object: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the other side presented, as DER, its own first; empty where it has none.

    Python offers this publicly from 3.13 on; before, only the object inside has it.
    """
    public = getattr(ssl_object, "get_unverified_chain", None)
    if public is not None:
        return list(public())[:_LONGEST_CHAIN]
    inside = cast("_PrivateSession | None", getattr(ssl_object, "_sslobj"))  # noqa: B009  (private name)
    if inside is None:
        return []
    chain = inside.get_unverified_chain() or ()
    return [certificate.public_bytes(_DER) for certificate in chain][:_LONGEST_CHAIN]


def tls_facts(ssl_object: ssl.SSLObject | ssl.SSLSocket, verdict: Reason | None, detail: str) -> TlsFacts:
    """Return what a handshake gave, with the verdict over its chain."""
    cipher, chain = ssl_object.cipher(), peer_chain(ssl_object)
    return TlsFacts(
        version=ssl_object.version() or "",
        cipher=cipher[0] if cipher else "",
        chain=tuple(facts(der) for der in chain),
        verdict=str(verdict) if verdict is not None else "",
        verdict_detail=detail,
        pem=tuple(ssl.DER_cert_to_PEM_cert(der) for der in chain) if verdict is not None else (),
    )


@lru_cache(maxsize=2048)
def facts(der: bytes) -> CertificateFacts:
    """Return what a certificate says of itself; what cannot be read is left empty."""
    try:
        return _facts(x509.load_der_x509_certificate(der))
    except Exception as error:  # a stranger's bytes may break a parser in any way
        return CertificateFacts(
            subject=clean(f"(cannot be read: {error})", 200),
            issuer="",
            names=(),
            not_before=0,
            not_after=0,
            serial="",
            key="",
            signature="",
            fingerprint=_fingerprint(der),
        )


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    signature = certificate.signature_hash_algorithm
    return CertificateFacts(
        subject=clean(certificate.subject.rfc4514_string(), 512),
        issuer=clean(certificate.issuer.rfc4514_string(), 512),
        names=_names(certificate),
        not_before=round(certificate.not_valid_before_utc.timestamp() * 1000),
        not_after=round(certificate.not_valid_after_utc.timestamp() * 1000),
        serial=f"{certificate.serial_number:x}",
        key=_key(certificate),
        signature=signature.name if signature is not None else "",
        fingerprint=certificate.fingerprint(SHA256()).hex(),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the names of the subjectAltName, at most 100."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()
    names = [clean(name, 255) for name in extension.get_values_for_type(x509.DNSName)]
    names += [str(address) for address in extension.get_values_for_type(x509.IPAddress)]
    return tuple(names[:100])


def _key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except Exception:  # an algorithm that the library does not know
        return "unknown"
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey():
            return f"EC {key.curve.name}"
        case dsa.DSAPublicKey():
            return f"DSA {key.key_size}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
        case _:
            return type(key).__name__.removesuffix("PublicKey")


def _fingerprint(der: bytes) -> str:
    return sha256(der).hexdigest()
