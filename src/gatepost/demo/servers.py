"""Destination servers on loopback that fail in the ways that mail servers do, and one that works."""

import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FILLED = 8


@dataclass(frozen=True, slots=True)
class Manners:
    """How a server behaves; the defaults are a server in good health."""

    banner: str = "220 mail.example ESMTP"
    rcpt: str = "250 2.1.5 recipient fine"
    closes_in_data: bool = False
    certificate: Path | None = None  # PEM with key: offers STARTTLS


class _Session(socketserver.StreamRequestHandler):
    server: "MailServer"

    def handle(self) -> None:
        """Talk SMTP with one client until it, or this server's manners, end it."""
        with suppress(OSError, ValueError):
            self.say(self.server.manners.banner)
            if self.server.manners.banner.startswith("220"):
                while self.command():
                    pass

    def say(self, *lines: str) -> None:
        """Send a reply."""
        self.request.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def command(self) -> bool:
        """Answer one command; false ends the session."""
        verb = self.rfile.readline(4096)[:4].upper()
        manners = self.server.manners
        if verb == b"EHLO":
            offers = ["250-mail.example", "250-PIPELINING", "250-8BITMIME"]
            if manners.certificate is not None and not isinstance(self.request, ssl.SSLSocket):
                offers.append("250-STARTTLS")
            self.say(*offers, "250 ENHANCEDSTATUSCODES")
        elif verb == b"STAR" and manners.certificate is not None:
            self.say("220 2.0.0 ready")
            self.encrypt(manners.certificate)
        elif verb == b"RCPT":
            self.say(manners.rcpt)
        elif verb == b"DATA":
            return self.content()
        elif verb in (b"MAIL", b"RSET", b"NOOP"):
            self.say("250 2.0.0 fine")
        else:
            if verb == b"QUIT":
                self.say("221 2.0.0 bye")
            return False
        return True

    def content(self) -> bool:
        """Take the content, or close in the middle of it."""
        if not self.server.manners.rcpt.startswith("250"):
            self.say("554 5.5.1 no valid recipients")
            return True
        self.say("354 go ahead")
        while (line := self.rfile.readline(65536)) not in (b".\r\n", b""):
            if self.server.manners.closes_in_data and line == b"\r\n":
                return False
        if not line:
            return False
        self.server.count()
        self.say("250 2.0.0 taken")
        return True

    def encrypt(self, certificate: Path) -> None:
        """Go on encrypted."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.request = context.wrap_socket(self.request, server_side=True)
        self.rfile = self.request.makefile("rb")


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server with manners; counts what it has taken."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, manners: Manners) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.manners = manners
        self.taken = 0
        self._lock = threading.Lock()
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self) -> None:
        """Count a message that was taken."""
        with self._lock:
            self.taken += 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that broke off; the gateway tells why it did."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self.server_close()


class SilentAddress:
    """A port that never answers a SYN: the queue of a listener that accepts nothing is kept full.

    With its queue full, Linux drops every further SYN, so that a client meets a true connection timeout; this
    needs neither root nor a network.
    """

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._fillers = [socket.socket() for _ in range(FILLED)]
        for filler in self._fillers:
            filler.setblocking(False)  # noqa: FBT003 - the socket module's interface
            filler.connect_ex(("127.0.0.1", self.port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for filler in self._fillers:
            filler.close()
        self._listener.close()


class ClosedPort:
    """A port that refuses: it is held by a socket that does not listen, so that nobody else comes to listen there."""

    def __init__(self) -> None:
        self._holder = socket.socket()
        self._holder.bind(("127.0.0.1", 0))
        self.port: int = self._holder.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._holder.close()


def expired_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate that expired three days ago; returns (key and chain, the CA that issued it)."""
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demo Root CA")])
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), now - timedelta(days=400), now + timedelta(days=400))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    leaf = (
        _builder(subject, ca_name, key.public_key(), now - timedelta(days=93), now - timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain, trusted = folder / "expired.pem", folder / "ca.pem"
    chain.write_bytes(private + leaf.public_bytes(pem) + ca.public_bytes(pem))
    trusted.write_bytes(ca.public_bytes(pem))
    return chain, trusted


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
