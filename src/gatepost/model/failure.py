"""The vocabulary of failure: phases, reasons, classes, and the one-line form of an error."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Phase(StrEnum):
    """How far an attempt came (the order is the order of a session)."""

    ROUTE = "route"
    DNS = "dns"
    CONNECT = "connect"
    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    EOD = "eod"


class Reason(StrEnum):
    """What ended an attempt in its phase; decided where it happened, never read out of a text."""

    # route
    NO_CONNECTOR = "no_connector"
    LOOP = "loop"
    # dns
    NXDOMAIN = "nxdomain"
    NO_RECORDS = "no_records"
    SERVFAIL = "servfail"
    REFUSED = "refused"  # DNS: the server refuses us; connect: ECONNREFUSED
    BAD_ANSWER = "bad_answer"
    NULL_MX = "null_mx"
    MX_INVALID = "mx_invalid"
    # network, in any phase
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"
    RESET = "reset"
    # the other side speaks
    REPLY = "reply"  # the server's own 4xx or 5xx
    PROTOCOL = "protocol"  # what it said is not SMTP
    NOT_OFFERED = "not_offered"  # STARTTLS, AUTH, SMTPUTF8 is required and not offered
    HANDSHAKE = "handshake"
    TOO_LARGE = "too_large"  # larger than the SIZE that the server announced
    # certificates, by the tokens of Exchange
    CERTIFICATE_EXPIRED = "CertificateExpired"
    CERTIFICATE_NOT_YET_VALID = "CertificateNotYetValid"
    SUBJECT_MISMATCH = "SubjectMismatch"
    UNTRUSTED_ROOT = "UntrustedRoot"
    SELF_SIGNED = "SelfSigned"
    REVOKED = "Revoked"
    WEAK_KEY = "WeakKey"
    # ourselves
    LOCAL = "local"  # our own disk, store or mailbox
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class FailureClass(StrEnum):
    """The classes of shared vocabulary: one for everything that can go wrong."""

    DNS_QUERY_FAILED = "dns_query_failed"
    DNS_PERMANENT = "dns_permanent"
    CONNECTION_TIMEOUT = "connection_timeout"
    HOST_UNREACHABLE = "host_unreachable"
    CONNECTION_REFUSED = "connection_refused"
    SERVICE_UNAVAILABLE = "service_unavailable"
    TLS_NOT_OFFERED = "tls_not_offered"
    TLS_HANDSHAKE_FAILED = "tls_handshake_failed"
    CONNECTION_DROPPED = "connection_dropped"
    SESSION_TIMEOUT = "session_timeout"
    CERT_INVALID = "cert_invalid"
    DANE_MTASTS = "dane_mtasts"
    EXPIRED = "expired"
    QUEUED_RETRY = "queued_retry"
    RECIPIENT_UNKNOWN = "recipient_unknown"
    MAILBOX_DISABLED = "mailbox_disabled"
    MAILBOX_FULL = "mailbox_full"
    BAD_ADDRESS = "bad_address"
    MOVED = "moved"
    RECIPIENT_RESTRICTED = "recipient_restricted"
    IP_BLOCKED = "ip_blocked"
    SPAM_CONTENT = "spam_content"
    POLICY_REJECT = "policy_reject"
    SENDER_AUTH_FAILED = "sender_auth_failed"
    SENDER_REJECTED = "sender_rejected"
    RDNS_HELO = "rdns_helo"
    CONTENT_VIRUS = "content_virus"
    RATE_LIMITED = "rate_limited"
    GREYLISTED = "greylisted"
    RELAY_DENIED = "relay_denied"
    AUTH_REQUIRED = "auth_required"
    AUTH_FAILED = "auth_failed"
    MESSAGE_TOO_LARGE = "message_too_large"
    MAIL_LOOP = "mail_loop"
    SYSTEM_FULL = "system_full"
    SYSTEM_ERROR = "system_error"
    SERVER_TEMP_ERROR = "server_temp_error"
    ROUTING_ERROR = "routing_error"
    PROTOCOL_ERROR = "protocol_error"
    DELIVERED = "delivered"


class Concern(StrEnum):
    """Whom a failure concerns; decides how much mail is held back."""

    DESTINATION = "destination"
    MESSAGE = "message"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `diagnose.classify` says of a failed attempt.

    `code` is the enhanced status code that is shown ("4.4.316", or the remote's own "4.2.0"); `smtp` the three
    digits; `title` the field's standard English title; `flow_code` one of the six codes of mail flow
    intelligence or "other"; `permanent` is true only for a server's own 5xx (or a fact that can never change).
    """

    failure_class: FailureClass
    sub: str
    flow_code: str
    smtp: int
    code: str
    title: str
    message: str
    permanent: bool
    concern: Concern


@dataclass(frozen=True, slots=True)
class LastError:
    """The error of an attempt as it is shown everywhere (`last_error` of the JSON surfaces)."""

    smtp: int
    code: str
    title: str
    phase: str
    reason: str
    failure_class: str
    flow_code: str
    message: str
    server: str
    address: str  # "192.0.2.7:25", "[2001:db8::7]:25" or ""
    at: int  # milliseconds since 1970
    gateway: str
    session: str

    def text(self) -> str:
        """Return the one-line form: `450 4.4.316 Connection refused [Message=...] [...]`."""
        parts = [f"{self.smtp} {self.code} {self.title}".strip()]
        if self.message:
            parts.append(f"[Message={clean(self.message, 512)}]")
        if self.server:
            parts.append(f"[LastAttemptedServerName={clean(self.server, 255)}]")
        if self.address:
            parts.append(f"[LastAttemptedIP={self.address}]")
        parts.append(f"[{self.gateway} {iso(self.at)} {self.session}]")
        return clean(" ".join(parts), 1200)

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON object (`class` and `flow_code` are added to the contract's keys)."""
        return {
            "smtp": self.smtp,
            "code": self.code,
            "title": self.title,
            "class": self.failure_class,
            "flow_code": self.flow_code,
            "phase": self.phase,
            "reason": self.reason,
            "message": self.message,
            "server": self.server,
            "address": self.address,
            "at": iso(self.at),
            "text": self.text(),
        }


def iso(milliseconds: int) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds; years outside 1-9999 are clamped."""
    seconds, ms = divmod(max(-62135596800000, min(milliseconds, 253402300799999)), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def from_iso(text: str) -> int:
    """Return the milliseconds since 1970 of an RFC 3339 time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


_CONTROL = {c: f"\\x{c:02x}" for c in [*range(32), *range(127, 160)]} | {9: " ", 10: " ", 13: ""}
_BIDI = {c: f"\\u{c:04x}" for c in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)}
_BREAKS = {c: f"\\u{c:04x}" for c in (0x2028, 0x2029)}  # line ends to some programs
_CLEAN = _CONTROL | _BIDI | _BREAKS


def clean(text: str, limit: int = 1024) -> str:
    """Return remote text made harmless for one line: control and bidi characters shown escaped, length cut."""
    text = text.translate(_CLEAN)
    return text if len(text) <= limit else text[: limit - 1] + "…"
