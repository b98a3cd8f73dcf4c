"""Say what a failed attempt means: from its phase, its reason and the server's own reply, and nothing else.

Rule: silence, broken connections and wrong settings of our own are never final; a server's own 5xx to a
transaction is, and so is a fact that cannot change (a domain without connector that does not exist).
Rule: no decision reads a text of our own; a library's words are shown, never matched.
"""

from dataclasses import dataclass, replace

from gatepost.diagnose.replies import class_of, named_reason
from gatepost.model.attempt import Failure, Reply
from gatepost.model.failure import Concern, FailureClass, LastError, Phase, Reason, Verdict, clean
from gatepost.model.objects import Connector

_C = FailureClass
_TRANSACTION = frozenset({Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.EOD})
_TITLE_LIMIT = 200
_MESSAGE_LIMIT = 1024

TITLES = {
    "4.4.312": "DNS query failed",
    "4.4.315": "Connection timed out",
    "4.4.316": "Connection refused",
    "4.4.317": "Cannot connect to remote server",
    "4.4.318": "Connection was closed abruptly",
    "4.7.320": "Certificate validation failed",
}

# the tokens of Exchange for the answers of the DNS, so that parsers written for them work
_DNS_TOKENS = {
    Reason.NXDOMAIN: "InfoDomainNonexistent",
    Reason.NO_RECORDS: "InfoNoRecords",
    Reason.NULL_MX: "InfoNullMx",
    Reason.MX_INVALID: "InfoMxInvalid",
}

_CERTIFICATE_SUBS = {
    Reason.CERTIFICATE_EXPIRED: "expired",
    Reason.CERTIFICATE_NOT_YET_VALID: "not_yet_valid",
    Reason.SUBJECT_MISMATCH: "name_mismatch",
    Reason.UNTRUSTED_ROOT: "untrusted",
    Reason.SELF_SIGNED: "self_signed",
    Reason.REVOKED: "revoked",
    Reason.WEAK_KEY: "weak_key",
}


@dataclass(frozen=True, slots=True)
class _Row:
    failure_class: FailureClass
    code: str


_CONNECT = {
    Reason.TIMEOUT: _Row(_C.CONNECTION_TIMEOUT, "4.4.315"),
    Reason.UNREACHABLE: _Row(_C.HOST_UNREACHABLE, "4.4.315"),
    Reason.REFUSED: _Row(_C.CONNECTION_REFUSED, "4.4.316"),
    Reason.RESET: _Row(_C.CONNECTION_DROPPED, "4.4.318"),
    Reason.CLOSED: _Row(_C.CONNECTION_DROPPED, "4.4.318"),
}
_SESSION = {
    Reason.TIMEOUT: _Row(_C.SESSION_TIMEOUT, "4.4.318"),
    Reason.CLOSED: _Row(_C.CONNECTION_DROPPED, "4.4.318"),
    Reason.RESET: _Row(_C.CONNECTION_DROPPED, "4.4.318"),
    Reason.UNREACHABLE: _Row(_C.CONNECTION_DROPPED, "4.4.318"),
}


def classify(failure: Failure, *, connector: Connector | None, kind: str) -> Verdict:
    """Return what a failed attempt means; `kind` is that of the destination: smart, mx, mailbox or none."""
    verdict = _everywhere(failure, kind) or _by_phase(failure, connector, kind)
    if failure.in_doubt:
        # RFC 5321 section 4.5.3.2.6: the receiver may have taken the message although its reply was lost
        doubt = "the message was sent completely and may have been delivered"
        verdict = replace(verdict, message=f"{verdict.message}; {doubt}" if verdict.message else doubt)
    return verdict


def expired_verdict(last: LastError | None) -> Verdict:
    """Return the end of a message whose time is over: the class digit flips, the detail stays."""
    if last is None:
        return _expired(_C.EXPIRED, "other", "", "")
    title = TITLES.get(last.flow_code)
    failure_class = FailureClass(last.failure_class)
    if title is None:  # not one of our own codes: the remote's words stay as the message
        return _expired(failure_class, "other", "", last.message or f"{last.smtp} {last.code} {last.title}")
    return _expired(failure_class, last.flow_code, title, last.message)


def _expired(failure_class: FailureClass, flow_code: str, title: str, message: str) -> Verdict:
    lower = title if title.startswith("DNS") else title[:1].lower() + title[1:]
    return Verdict(
        failure_class=failure_class,
        sub="",
        flow_code=flow_code,
        smtp=550,
        code="5" + flow_code[1:] if title else "5.4.300",
        title=f"Message expired, {lower}" if title else "Message expired",
        message=message,
        permanent=True,
        concern=Concern.MESSAGE,
    )


def _everywhere(failure: Failure, kind: str) -> Verdict | None:
    """Judge the reasons that mean the same in every phase."""
    reason = failure.reason
    if reason in _CERTIFICATE_SUBS:
        return _own(failure, _C.CERT_INVALID, "4.7.320", sub=_CERTIFICATE_SUBS[reason], token=str(reason))
    if reason is Reason.LOCAL:
        return _other(failure, _C.SYSTEM_ERROR, 451, "4.3.0", "Local error in processing")
    if reason is Reason.EXPIRED:
        return _other(
            failure, _C.EXPIRED, 550, "5.4.300", "Message expired", permanent=True, concern=Concern.MESSAGE
        )
    if reason is Reason.CANCELLED:
        return _other(failure, _C.QUEUED_RETRY, 450, "4.4.0", "Delivery was put off")
    if reason is Reason.LOOP and kind == "smart":
        # A wrong setting of ours, to be mended while the mail waits: a smart host never ends anything at once.
        return _other(failure, _C.MAIL_LOOP, 450, "4.4.6", "Mail loop detected")
    if reason is Reason.LOOP:
        # RFC 5321 section 6.3: a message that would come back to us is not tried again
        return _other(failure, _C.MAIL_LOOP, 554, "5.4.6", "Mail loop detected", permanent=True)
    return None


def _by_phase(failure: Failure, connector: Connector | None, kind: str) -> Verdict:
    phase = failure.phase
    if phase is Phase.ROUTE:
        return _other(failure, _C.ROUTING_ERROR, 450, "4.4.4", "No route to the destination")
    if phase is Phase.DNS:
        return _dns(failure, connector, kind)
    if phase is Phase.CONNECT:
        row = _CONNECT.get(failure.reason, _Row(_C.HOST_UNREACHABLE, "4.4.315"))
        return _own(failure, row.failure_class, row.code)
    if phase in (Phase.BANNER, Phase.EHLO):
        return _opening(failure)
    if phase in (Phase.STARTTLS, Phase.TLS):
        return _tls(failure)
    if phase is Phase.AUTH:
        return _auth(failure)
    return _transaction(failure)


def _dns(failure: Failure, connector: Connector | None, kind: str) -> Verdict:
    reason = failure.reason
    ours = connector is not None or kind == "smart"
    if reason is Reason.NULL_MX and kind != "smart":
        # RFC 7505 section 4.2: the domain says for good that it takes no mail
        return _other(
            failure,
            _C.DNS_PERMANENT,
            556,
            "5.1.10",
            "Recipient address has null MX",
            permanent=True,
            sub="null_mx",
        )
    if reason is Reason.NXDOMAIN and not ours:
        verdict = _other(
            failure,
            _C.DNS_PERMANENT,
            550,
            "5.4.310",
            "DNS domain does not exist",
            permanent=True,
            sub="nxdomain",
        )
        return replace(verdict, message=_with_token(_DNS_TOKENS[reason], failure.detail))
    token = _DNS_TOKENS.get(reason, "ErrorRetry")
    return _own(failure, _C.DNS_QUERY_FAILED, "4.4.312", sub=str(reason), token=token)


def _opening(failure: Failure) -> Verdict:
    row = _SESSION.get(failure.reason)
    if row is not None:
        return _own(failure, row.failure_class, row.code)
    if failure.reason is Reason.NOT_OFFERED:
        return _tls(failure)
    failure_class, sub = _C.SERVICE_UNAVAILABLE, ""
    if failure.reply is not None and failure.reason is Reason.REPLY:
        failure_class, sub = named_reason(failure.reply) or (failure_class, sub)
    # RFC 5321 section 3.1 lets a server say 554 at once; the connector may be repaired, so it is never final
    return _own(failure, failure_class, "4.4.317", sub=sub)


def _tls(failure: Failure) -> Verdict:
    if failure.reason in (Reason.NOT_OFFERED, Reason.REPLY):
        return _own(failure, _C.TLS_NOT_OFFERED, "4.4.317")
    return _own(failure, _C.TLS_HANDSHAKE_FAILED, "4.4.317")


def _auth(failure: Failure) -> Verdict:
    row = _SESSION.get(failure.reason)
    if row is not None:
        return _own(failure, row.failure_class, row.code)
    if failure.reply is not None and failure.reply.code == 421:
        return _own(failure, _C.SERVICE_UNAVAILABLE, "4.4.317")
    sub = "not_offered" if failure.reason is Reason.NOT_OFFERED else ""
    return _other(failure, _C.AUTH_FAILED, 450, "4.7.8", "Authentication failed", sub=sub)


def _transaction(failure: Failure) -> Verdict:
    row = _SESSION.get(failure.reason)
    if row is not None:
        return replace(_own(failure, row.failure_class, row.code), concern=Concern.MESSAGE)
    reply = failure.reply
    if failure.reason is Reason.REPLY and reply is not None and 400 <= reply.code <= 599:
        return _remote(failure, reply)
    if failure.reason is Reason.TOO_LARGE:
        # RFC 1870 section 6.1: the server would answer 552; its limit is a fact before the first octet
        return _other(
            failure,
            _C.MESSAGE_TOO_LARGE,
            552,
            "5.3.4",
            "Message size exceeds the limit of the server",
            permanent=True,
            concern=Concern.MESSAGE,
        )
    if failure.reason is Reason.NOT_OFFERED:
        # RFC 6531 section 3.2: without SMTPUTF8 at the next hop such a message is returned
        return _other(
            failure,
            _C.PROTOCOL_ERROR,
            550,
            "5.6.7",
            "The server does not support internationalized mail",
            permanent=True,
            sub="smtputf8",
            concern=Concern.MESSAGE,
        )
    return _other(failure, _C.PROTOCOL_ERROR, 451, "4.5.0", "Protocol error", concern=Concern.MESSAGE)


def _remote(failure: Failure, reply: Reply) -> Verdict:
    """Keep a server's own words: its three digits, its enhanced code, its first line as the title."""
    failure_class, sub = class_of(reply, failure.phase)
    return Verdict(
        failure_class=failure_class,
        sub=sub,
        flow_code="other",
        smtp=reply.code,
        code=reply.status,
        title=_first_line(reply),
        message=clean(reply.text, _MESSAGE_LIMIT),
        permanent=reply.code >= 500,
        concern=_concern_of_reply(failure.phase, reply),
    )


def _first_line(reply: Reply) -> str:
    """Return the first line that says something, without the enhanced code."""
    for line in reply.lines:
        text = line.strip()
        if reply.enhanced and text.startswith(reply.enhanced):
            text = text[len(reply.enhanced) :].strip()
        if text:
            return clean(text, _TITLE_LIMIT)
    return "Remote server returned an error"


def _concern_of_reply(phase: Phase, reply: Reply) -> Concern:
    """Decide how much mail a reply holds back."""
    if reply.code == 421:  # RFC 5321 section 3.8: the server closes the channel whatever was asked
        return Concern.DESTINATION
    if phase is Phase.RCPT:
        return Concern.RECIPIENT
    detail = reply.status.partition(".")[2]
    system = detail.startswith(("3.", "4.")) and detail not in ("3.4", "4.6", "4.14")
    if phase is Phase.MAIL and reply.code < 500 and system:
        return Concern.DESTINATION
    return Concern.MESSAGE


def _own(
    failure: Failure, failure_class: FailureClass, code: str, *, sub: str = "", token: str = ""
) -> Verdict:
    """Make a verdict under one of the six codes: always 450, never final."""
    return Verdict(
        failure_class=failure_class,
        sub=sub,
        flow_code=code,
        smtp=450,
        code=code,
        title=TITLES[code],
        message=_with_token(token, _words(failure)),
        permanent=False,
        concern=Concern.DESTINATION,
    )


def _other(
    failure: Failure,
    failure_class: FailureClass,
    smtp: int,
    code: str,
    title: str,
    *,
    permanent: bool = False,
    sub: str = "",
    concern: Concern | None = None,
) -> Verdict:
    """Make a verdict with words of ours that is none of the six codes."""
    where = Concern.MESSAGE if failure.phase in _TRANSACTION else Concern.DESTINATION
    return Verdict(
        failure_class=failure_class,
        sub=sub,
        flow_code="other",
        smtp=smtp,
        code=code,
        title=title,
        message=_words(failure),
        permanent=permanent,
        concern=concern or where,
    )


def _words(failure: Failure) -> str:
    return clean(failure.reply.text if failure.reply is not None else failure.detail, _MESSAGE_LIMIT)


def _with_token(token: str, words: str) -> str:
    words = clean(words, _MESSAGE_LIMIT)
    return words if not token or words.startswith(token) else f"{token} {words}".rstrip()
