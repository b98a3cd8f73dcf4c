"""What an administrator configures at run time: connectors, accepted domains, sources."""

from dataclasses import dataclass
from enum import StrEnum

from gatepost.model.alert import AlertPolicy, Channel


class TlsMode(StrEnum):
    """What a connector demands of TLS (Exchange's words)."""

    OPPORTUNISTIC = "opportunistic"  # STARTTLS where offered; any certificate; clear text otherwise
    ENCRYPTION_ONLY = "encryption-only"  # TLS required; any certificate
    CERTIFICATE_VALIDATION = "certificate-validation"  # TLS required; a trusted chain, valid in time
    DOMAIN_VALIDATION = "domain-validation"  # the same, and the certificate names `tls_domain` (or the host)


@dataclass(frozen=True, slots=True)
class SmartHost:
    """A next hop by name or address; `port` None means the connector's port."""

    host: str
    port: int | None = None

    def text(self) -> str:
        """Return the form that settings use: `mail.example`, `192.0.2.7:2525`, `[2001:db8::7]:25`."""
        if ":" in self.host:
            return f"[{self.host}]" if self.port is None else f"[{self.host}]:{self.port}"
        return self.host if self.port is None else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Connector:
    """How mail for certain recipient domains leaves (an outbound connector)."""

    name: str
    to: str = "on-premises"  # or "partner"
    domains: tuple[str, ...] = ()  # lower case A-labels; "*.example" is a wildcard, "*" every domain
    all_accepted_domains: bool = False
    smart_hosts: tuple[SmartHost, ...] = ()
    use_mx: bool = False
    port: int = 25
    tls: TlsMode = TlsMode.OPPORTUNISTIC
    tls_domain: str = ""
    tls_ca: str = ""  # PEM text of the trusted CA, not a path (`apply` reads the file)
    expiry: int | None = None  # seconds; None: the process's setting
    retry: tuple[int, ...] | None = None  # seconds, the last one repeats
    concurrency: int | None = None
    username: str = ""
    password: str = ""  # in memory only; encrypted at rest
    quirks: tuple[str, ...] = ()  # of QUIRKS: what its servers do not bear
    source_addresses: tuple[str, ...] = ()  # ours that it connects from, one of a family; (): any
    enabled: bool = True
    comment: str = ""


QUIRKS = ("no-pipelining", "no-8bitmime", "no-smtputf8", "no-dsn", "no-size", "no-starttls", "no-reuse")


@dataclass(frozen=True, slots=True)
class AcceptedDomain:
    """A domain of ours."""

    name: str
    type: str = "authoritative"  # or "internal-relay"
    match_subdomains: bool = False
    recipients: frozenset[str] = frozenset()  # lower-case addresses that our mailbox store knows
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Who may hand mail to the gateway (an inbound connector)."""

    name: str
    networks: tuple[str, ...] = ()
    certificate_names: tuple[str, ...] = ()
    logins: tuple[tuple[str, str], ...] = ()  # (user name, argon2 hash)
    may_relay: bool = False
    require_tls: bool = False
    allow_bare_newlines: bool = False
    enabled: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """A temporary change that lies over a connector, or over answers of the DNS, and ends by itself.

    what: "tls" (value: a TlsMode), "certificate" (the SHA-256 fingerprint, hex, of a leaf that is taken as it is),
    "expiry" (a duration), "reroute" (the name of the connector to use instead), "addresses" (value:
    `mail.example=192.0.2.7,192.0.2.8`: what the name leads to, whatever the DNS says; any connector).
    """

    name: str  # connector or host, "/", what
    connector: str  # "" with addresses
    what: str
    value: str
    until: int  # ms since 1970
    who: str = ""
    reason: str = ""


OVERRIDES = ("tls", "certificate", "expiry", "reroute", "addresses")


@dataclass(frozen=True, slots=True)
class Objects:
    """All objects of one revision; replaced as a whole when one of them changes."""

    revision: int = 0
    connectors: tuple[Connector, ...] = ()
    domains: tuple[AcceptedDomain, ...] = ()
    sources: tuple[Source, ...] = ()
    overrides: tuple[Override, ...] = ()
    policies: tuple[AlertPolicy, ...] = ()
    channels: tuple[Channel, ...] = ()
