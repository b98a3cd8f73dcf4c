"""The record of an attempt: what was tried, how far it came, what was seen, what it means.

Everything later (insights, causes, notices, reports) is built from these values alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from gatepost.model.failure import LastError, Phase, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply, word for word (RFC 5321 section 4.2): the lines without code and separator."""

    code: int
    lines: tuple[str, ...]
    enhanced: str = ""  # "5.1.1" where the server gave one (RFC 2034), else ""

    @property
    def text(self) -> str:
        """Return all lines joined as one: `550 5.1.1 no such user`."""
        return f"{self.code} {' '.join(self.lines)}".rstrip()

    @property
    def status(self) -> str:
        """Return the enhanced code; a missing or contradicting one is filled from the first digit."""
        first = str(self.code)[0]
        return self.enhanced if self.enhanced.startswith(first) else f"{first}.0.0"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """One certificate of a presented chain, leaf first."""

    subject: str
    issuer: str
    names: tuple[str, ...]  # subjectAltName DNS names and IP addresses
    not_before: int  # ms since 1970
    not_after: int
    serial: str
    key: str  # "RSA 2048", "EC secp256r1", "Ed25519"
    signature: str  # "sha256"
    fingerprint: str  # SHA-256 of the DER, hex


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What the handshake gave: version, cipher, and the chain with its verdict ("" = valid)."""

    version: str = ""
    cipher: str = ""
    chain: tuple[CertificateFacts, ...] = ()
    verdict: str = ""  # a certificate token of `Reason`, or "" where the chain is good
    verdict_detail: str = ""
    pem: tuple[str, ...] = ()  # the chain itself where the verdict is bad: somebody may want to trust it


@dataclass(slots=True)
class SessionFacts:
    """One connection to a destination server, shared by all attempts made over it.

    Times are milliseconds since 1970; `timings` are milliseconds per phase. Filled while the session grows;
    whoever keeps one after the session has ended may rely on it not changing.
    """

    id: int
    destination_id: int
    started_at: int
    server: str = ""  # the name of the host
    address: str = ""  # IP address
    port: int = 0
    local_address: str = ""
    banner: str = ""
    ehlo: tuple[str, ...] = ()
    tls: TlsFacts | None = None
    tls_given_up: str = ""  # why an opportunistic session went on in clear text, in words for people
    authenticated: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    dialogue: list[tuple[str, str]] = field(default_factory=list)  # (phase, reply text) of the opening
    dns: dict[str, object] = field(default_factory=dict)  # what was asked, what was answered

    @property
    def endpoint(self) -> str:
        """Return `address:port`, with brackets around an IPv6 address; "" where nothing was tried."""
        return endpoint(self.address, self.port)

    def to_json(self) -> dict[str, object]:
        """Return the facts as JSON-able values."""
        value = asdict(self)
        value["endpoint"] = self.endpoint
        return value


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not deliver: made by whoever tried, where it happened."""

    phase: Phase
    reason: Reason
    detail: str  # the reply, or the words of the operating system or library: for people only
    session: SessionFacts
    reply: Reply | None = None
    in_doubt: bool = False  # the final dot was sent: the message may have been delivered
    bytes_sent: int = 0  # of the content, when the session ended


NO_EVIDENCE: Mapping[str, object] = MappingProxyType({})


class Attempt(NamedTuple):
    """One attempt for one recipient (or, with `message_id` 0, for the whole destination), and its end."""

    id: int
    message_id: int
    recipient: int  # number of the recipient in the message; 0 with a destination-level attempt
    destination_id: int
    at: int
    outcome: str  # "delivered" | "deferred" | "failed" | "skipped host" ...
    phase: str
    reason: str
    verdict: Verdict | None
    reply: Reply | None
    session: SessionFacts | None
    milliseconds: float = 0.0
    in_doubt: bool = False
    evidence: Mapping[str, object] = NO_EVIDENCE


def endpoint(address: str, port: int) -> str:
    """Return `192.0.2.7:25` or `[2001:db8::7]:25`; "" without an address."""
    if not address:
        return ""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def last_error(failure: Failure, verdict: Verdict, at: int, gateway: str, session: str) -> LastError:
    """Return what is shown of a failed attempt: the verdict's words with the place where it happened."""
    return LastError(
        smtp=verdict.smtp,
        code=verdict.code,
        title=verdict.title,
        phase=str(failure.phase),
        reason=str(failure.reason),
        failure_class=str(verdict.failure_class),
        flow_code=verdict.flow_code,
        message=verdict.message,
        server=failure.session.server,
        address=failure.session.endpoint,
        at=at,
        gateway=gateway,
        session=session,
    )
