"""What follows from a class: the code of mail flow intelligence; phase and reason where nothing else says them."""

from gatepost.model.failure import FailureClass as C

OTHER = "other"
FLOW_CODES = {
    C.DNS_QUERY_FAILED: "4.4.312",
    C.CONNECTION_TIMEOUT: "4.4.315",
    C.HOST_UNREACHABLE: "4.4.315",
    C.CONNECTION_REFUSED: "4.4.316",
    C.SERVICE_UNAVAILABLE: "4.4.317",
    C.TLS_NOT_OFFERED: "4.4.317",
    C.TLS_HANDSHAKE_FAILED: "4.4.317",
    C.CONNECTION_DROPPED: "4.4.318",
    C.SESSION_TIMEOUT: "4.4.318",
    C.CERT_INVALID: "4.7.320",
    C.EXPIRED: "5.4.300",
    C.DELIVERED: "none",
}
PHASES = {
    C.DNS_QUERY_FAILED: "dns",
    C.DNS_PERMANENT: "dns",
    C.CONNECTION_TIMEOUT: "connect",
    C.HOST_UNREACHABLE: "connect",
    C.CONNECTION_REFUSED: "connect",
    C.SERVICE_UNAVAILABLE: "banner",
    C.TLS_NOT_OFFERED: "starttls",
    C.TLS_HANDSHAKE_FAILED: "tls",
    C.CONNECTION_DROPPED: "data",
    C.SESSION_TIMEOUT: "data",
    C.CERT_INVALID: "tls",
    C.DANE_MTASTS: "tls",
    C.EXPIRED: "queue",
    C.QUEUED_RETRY: "queue",
    C.SPAM_CONTENT: "eod",
    C.POLICY_REJECT: "policy",
    C.SENDER_AUTH_FAILED: "mail",
    C.SENDER_REJECTED: "mail",
    C.RDNS_HELO: "connect",
    C.CONTENT_VIRUS: "eod",
    C.RATE_LIMITED: "mail",
    C.AUTH_REQUIRED: "mail",
    C.AUTH_FAILED: "auth",
    C.MESSAGE_TOO_LARGE: "mail",
    C.MAIL_LOOP: "policy",
    C.SYSTEM_FULL: "mail",
    C.SYSTEM_ERROR: "data",
    C.SERVER_TEMP_ERROR: "data",
    C.ROUTING_ERROR: "route",
    C.PROTOCOL_ERROR: "data",
    C.DELIVERED: "eod",
}
REASONS = {
    C.DNS_QUERY_FAILED: "servfail",
    C.CONNECTION_TIMEOUT: "timeout",
    C.HOST_UNREACHABLE: "unreachable",
    C.CONNECTION_REFUSED: "refused",
    C.TLS_NOT_OFFERED: "not_offered",
    C.TLS_HANDSHAKE_FAILED: "handshake",
    C.CONNECTION_DROPPED: "closed",
    C.SESSION_TIMEOUT: "timeout",
    C.EXPIRED: "expired",
    C.QUEUED_RETRY: "cancelled",
    C.ROUTING_ERROR: "no_connector",
    C.MAIL_LOOP: "loop",
}


def flow_code(failure_class: C) -> str:
    """Return one of the six codes, that of expiry, "none" for no failure, or "other"."""
    return FLOW_CODES.get(failure_class, OTHER)


def phase_of(failure_class: C) -> str:
    """Return where such a failure is seen mostly; recipients are the most common case."""
    return PHASES.get(failure_class, "rcpt")


def reason_of(failure_class: C) -> str:
    """Return what ends an attempt of such a class; mostly the server's own reply."""
    return REASONS.get(failure_class, "reply")
