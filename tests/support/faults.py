"""Every way in which a next hop, its names or its certificate can fail, with what has to be said about it.

Each fault is a connector of its own, so that one gateway meets them all at once.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import certificates
from tests.support.dns_server import DROP, NXDOMAIN, REFUSED, SERVFAIL, DnsServer
from tests.support.peers import free_port
from tests.support.smtp_server import CLOSE, RESET, SILENCE, FaultServer

from gatepost.demo.servers import SilentAddress

LOOPBACK = "127.0.0.1"


# What the name server does with the host of a fault.
NAMES: dict[str, Any] = {
    "nxdomain": NXDOMAIN,
    "servfail": SERVFAIL,
    "empty": {"TXT": ['"no address here"']},
    "refused": REFUSED,
    "silent": DROP,
}


@dataclass(frozen=True)
class Fault:
    """One way to fail, and what has to be said about it."""

    name: str
    code: str  # the code of mail flow intelligence, or "other"
    failure_class: str
    phase: str  # or several, as "connect|banner"
    server: dict[str, Any] | None = None  # arguments of a FaultServer
    special: str = ""  # "closed", "silent", or what the names say
    certificate: Callable[[certificates.Authority, str], certificates.Issued] | None = None
    tls: str = ""
    token: str = ""  # which has to be in the message
    remote: str = ""  # the enhanced code shown, where it is the remote's own
    lines: int = 1  # of the message's body
    final: bool = False  # a server's own 5xx: the sender hears of it at once

    @property
    def domain(self) -> str:
        """Return the recipients' domain."""
        return f"{self.name}.test"

    @property
    def host(self) -> str:
        """Return the name of the smart host."""
        return f"mail.{self.name}.test"

    @property
    def sender(self) -> str:
        """Return who sends to it, and gets the report."""
        return f"{self.name}@home.test"


REQUIRED = "encryption-only"
VALID = "certificate-validation"
NAMED = "domain-validation"


def self_signed(_authority: certificates.Authority, name: str) -> certificates.Issued:
    """Return a certificate signed by its own key."""
    return certificates.self_signed(name)


def unknown_issuer(_authority: certificates.Authority, name: str) -> certificates.Issued:
    """Return a certificate of an unknown CA."""
    return certificates.unknown_issuer(name)


def wrong_name(authority: certificates.Authority, _name: str) -> certificates.Issued:
    """Return a certificate for another host."""
    return certificates.wrong_name(authority)


def leaf_as_ca(authority: certificates.Authority, name: str) -> certificates.Issued:
    """Return a certificate that an ordinary server's certificate has signed."""
    return certificates.signed_by_a_leaf(authority, name)


def whole_wildcard(authority: certificates.Authority, _name: str) -> certificates.Issued:
    """Return a certificate for `*.test`, which covers no name of two labels more."""
    return authority.issue("*.test")


FAULTS = [
    # names
    Fault("nxdomain", "4.4.312", "dns_query_failed", "dns", special="nxdomain"),
    Fault("servfail", "4.4.312", "dns_query_failed", "dns", special="servfail"),
    Fault("empty", "4.4.312", "dns_query_failed", "dns", special="empty"),
    Fault("refused-dns", "4.4.312", "dns_query_failed", "dns", special="refused"),
    Fault("silent-dns", "4.4.312", "dns_query_failed", "dns", special="silent"),
    # the connection
    Fault("closed-port", "4.4.316", "connection_refused", "connect", special="closed-port"),
    Fault("filtered", "4.4.315", "connection_timeout", "connect", special="filtered"),
    # the greeting
    Fault("banner-421", "4.4.317", "service_unavailable", "banner", {"banner": "421 4.3.2 too busy"}),
    Fault("banner-554", "4.4.317", "service_unavailable", "banner", {"banner": "554 no service here"}),
    Fault("banner-garbage", "4.4.317", "service_unavailable", "banner", {"banner": "SSH-2.0-OpenSSH_9.2"}),
    Fault("banner-silence", "4.4.318", "session_timeout", "banner", {"banner": SILENCE}),
    Fault("close-at-connect", "4.4.318", "connection_dropped", "banner", {"connect": CLOSE}),
    # The operating system tells of a reset as soon as it knows: within connect(), or at the first read.
    Fault("reset-at-connect", "4.4.318", "connection_dropped", "connect|banner", {"connect": RESET}),
    Fault("close-at-ehlo", "4.4.318", "connection_dropped", "ehlo", {"ehlo": CLOSE}),
    Fault("ehlo-421", "4.4.317", "service_unavailable", "ehlo", {"ehlo": "421 4.3.2 shutting down"}),
    Fault("stall-at-ehlo", "4.4.318", "session_timeout", "ehlo", {"ehlo": SILENCE}),
    # TLS
    Fault("no-starttls", "4.4.317", "tls_not_offered", "starttls", {}, tls=REQUIRED),
    Fault(
        "starttls-454",
        "4.4.317",
        "tls_not_offered",
        "starttls",
        {"offer_starttls": True, "starttls": "454 4.7.0 TLS not available"},
        tls=REQUIRED,
    ),
    Fault(
        "starttls-502",
        "4.4.317",
        "tls_not_offered",
        "starttls",
        {"offer_starttls": True, "starttls": "502 5.5.1 what"},
        tls=REQUIRED,
    ),
    *(
        Fault(
            name,
            "4.4.317",
            "tls_handshake_failed",
            "tls|starttls",
            server,
            certificate=certificates.good,
            tls=REQUIRED,
        )
        for name, server in (
            ("starttls-close", {"starttls": CLOSE}),
            ("handshake-stall", {"handshake": SILENCE}),
            ("tls-too-old", {"tls_maximum": ssl.TLSVersion.TLSv1_1}),
            ("injected", {"inject": b"250-fault.test\r\n250 PIPELINING\r\n"}),
        )
    ),
    Fault(
        "handshake-garbage",
        "4.4.317",
        "tls_handshake_failed",
        "tls",
        {"handshake": b"this is not TLS at all\r\n"},
        certificate=certificates.good,
        tls=REQUIRED,
    ),
    Fault(
        "handshake-close",
        "4.4.317",
        "tls_handshake_failed",
        "tls",
        {"handshake": CLOSE},
        certificate=certificates.good,
        tls=REQUIRED,
    ),
    # certificates
    *(
        Fault(name, "4.7.320", "cert_invalid", "tls", {}, certificate=make, tls=mode, token=token)
        for name, make, mode, token in (
            ("cert-expired", certificates.expired, VALID, "CertificateExpired"),
            ("cert-not-yet", certificates.not_yet_valid, VALID, "CertificateNotYetValid"),
            ("cert-wrong-name", wrong_name, NAMED, "SubjectMismatch"),
            ("cert-unknown-issuer", unknown_issuer, VALID, "UntrustedRoot"),
            ("cert-self-signed", self_signed, VALID, "SelfSigned"),
            ("cert-chain-missing", certificates.missing_intermediate, VALID, "UntrustedRoot"),
            ("cert-leaf-as-ca", leaf_as_ca, VALID, "UntrustedRoot"),
            ("cert-name-in-subject", certificates.common_name_only, NAMED, "SubjectMismatch"),
            ("cert-whole-wildcard", whole_wildcard, NAMED, "SubjectMismatch"),
        )
    ),
    # the session
    Fault("close-at-mail", "4.4.318", "connection_dropped", "mail", {"mail": CLOSE}),
    Fault("close-at-rcpt", "4.4.318", "connection_dropped", "rcpt", {"rcpt": CLOSE}),
    Fault("close-at-data", "4.4.318", "connection_dropped", "data", {"data": CLOSE}),
    Fault(
        "close-in-body",
        "4.4.318",
        "connection_dropped",
        "data",
        {"body": CLOSE, "body_after": 10},
        lines=400_000,  # 10 MB: more than the kernel's buffers hold, so that the dot cannot have been sent
    ),
    Fault("close-after-dot", "4.4.318", "connection_dropped", "eod", {"eod": CLOSE, "take": False}),
    Fault("reset-after-dot", "4.4.318", "connection_dropped", "eod", {"eod": RESET, "take": False}),
    # replies
    Fault("rcpt-451", "other", "greylisted", "rcpt", {"rcpt": "451 4.7.1 Greylisted"}, remote="4.7.1"),
    Fault("eod-452", "other", "system_full", "eod", {"eod": "452 4.3.1 disk full"}, remote="4.3.1"),
    Fault(
        "rcpt-550",
        "other",
        "recipient_unknown",
        "rcpt",
        {"rcpt": "550 5.1.1 No such user"},
        remote="5.1.1",
        final=True,
    ),
    Fault(
        "eod-554",
        "other",
        "spam_content",
        "eod",
        {"eod": "554 5.7.1 Message refused as spam"},
        remote="5.7.1",
        final=True,
    ),
]

CONNECTOR = """
[[connector]]
name = "{name}"
to = "partner"
domains = ["{domain}"]
smart_hosts = ["{host}:{port}"]
"""


@dataclass
class FaultyWorld:
    """Every fault, running."""

    names: DnsServer
    objects: str
    ports: dict[str, int]
    servers: dict[str, FaultServer]


@contextmanager
def faulty_world(folder: Path) -> Iterator[FaultyWorld]:
    """Run a server for each fault; yields the objects that lead to them."""
    authority = certificates.Authority()
    (folder / "ca.pem").write_text(authority.pem)
    zones = {f.host: NAMES.get(f.special, {"A": [LOOPBACK]}) for f in FAULTS}
    recipients = ", ".join(f'"{f.sender}"' for f in FAULTS)
    objects = f'[[accepted_domain]]\nname = "home.test"\nrecipients = [{recipients}]\n'
    ports: dict[str, int] = {}
    servers: dict[str, FaultServer] = {}
    with ExitStack() as running:
        names = running.enter_context(DnsServer(zones))
        silent = running.enter_context(SilentAddress())
        for fault in FAULTS:
            port = silent.port if fault.special == "filtered" else free_port()
            if fault.server is not None:
                extra: dict[str, Any] = {}
                if fault.certificate is not None:
                    place = folder / fault.name
                    place.mkdir()
                    extra["certificate"] = fault.certificate(authority, fault.host).write(place)
                server = FaultServer(**fault.server, **extra)
                servers[fault.name] = running.enter_context(server)
                port = server.port
            ports[fault.name] = port
            objects += CONNECTOR.format(name=fault.name, domain=fault.domain, host=fault.host, port=port)
            if fault.tls:
                objects += f'tls = "{fault.tls}"\ntls_ca = "{folder / "ca.pem"}"\n'
                objects += f'tls_domain = "{fault.host}"\n' if fault.tls == NAMED else ""
        yield FaultyWorld(names, objects, ports, servers)
