# ruff: noqa: E501 (a row of a table is one line)
"""What the replies of mail servers mean: a table of enhanced codes, and of words where codes are silent or lie.

Rule: each row carries a real sample that it must recognise; the tests try every one.
"""

import re
from dataclasses import dataclass

from gatepost.model.attempt import Reply
from gatepost.model.failure import FailureClass as C
from gatepost.model.failure import Phase


@dataclass(frozen=True, slots=True)
class CodeRow:
    """Enhanced codes (without the class digit) whose meaning can be trusted."""

    codes: tuple[str, ...]
    failure_class: C
    sample: str
    sub: str = ""


@dataclass(frozen=True, slots=True)
class WordRow:
    """Words that name a cause more surely than the code beside them."""

    words: re.Pattern[str]
    failure_class: C
    sample: str
    sub: str = ""


def _row(words: str, failure_class: C, sample: str, sub: str = "") -> WordRow:
    return WordRow(re.compile(words, re.IGNORECASE), failure_class, sample, sub)


# RFC 3463, RFC 7372, RFC 7505 and the registry of enhanced codes; the 4.7.x and 5.7.x above 100 are Exchange Online's
CODES = (
    CodeRow(("1.1", "1.10", "1.351"), C.RECIPIENT_UNKNOWN, "550 5.1.1 The email account that you tried to reach does not exist."),
    CodeRow(("1.2",), C.RECIPIENT_UNKNOWN, "550 5.1.2 Bad destination host", "domain"),
    CodeRow(("1.3", "1.4"), C.BAD_ADDRESS, "501 5.1.3 Bad recipient address syntax"),
    CodeRow(("1.6",), C.MOVED, "551 5.1.6 User has moved"),
    CodeRow(("1.7", "1.8", "7.27"), C.SENDER_REJECTED, "450 4.1.8 <user43@example.com>: Sender address rejected: Domain not found"),
    CodeRow(("1.20",), C.PROTOCOL_ERROR, "550 5.1.20 Multiple From addresses are not allowed without Sender address"),
    CodeRow(("1.90", "2.121", "2.122", "5.3"), C.RATE_LIMITED, "550 5.5.3 RESOLVER.ADR.RecipLimit; too many recipients ##"),
    CodeRow(("2.1",), C.MAILBOX_DISABLED, "550 5.2.1 The email account that you tried to reach is disabled."),
    CodeRow(("2.2",), C.MAILBOX_FULL, "452-4.2.2 The email account that you tried to reach is over quota."),
    CodeRow(("2.3", "3.4"), C.MESSAGE_TOO_LARGE, "552 5.3.4 Message size exceeds fixed limit"),
    CodeRow(("2.4",), C.RECIPIENT_RESTRICTED, "550 5.2.4 Mailing list expansion problem"),
    CodeRow(("3.1",), C.SYSTEM_FULL, "452 4.3.1 Insufficient system storage"),
    CodeRow(("3.5",), C.SYSTEM_ERROR, "451 4.3.5 Server configuration problem"),
    CodeRow(("4.6", "4.14"), C.MAIL_LOOP, "554 5.4.6 Hop count exceeded - possible mail loop"),
    CodeRow(("4.8",), C.DANE_MTASTS, "550 5.4.8 MX hosts of example.org failed MTA-STS validation", "mta_sts"),
    CodeRow(("5.1", "5.2", "5.4", "5.5"), C.PROTOCOL_ERROR, "503 5.5.1 Error: need RCPT command"),
    CodeRow(("6.0", "6.1", "6.3", "6.5", "6.6", "6.7", "6.9", "6.11"), C.PROTOCOL_ERROR, "550 5.6.11 Message contains bare linefeeds"),
    CodeRow(("7.2", "7.124", "7.133", "7.134", "7.135", "7.136"), C.RECIPIENT_RESTRICTED, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required"),
    CodeRow(("7.3", "7.8"), C.AUTH_FAILED, "535 5.7.3 Authentication unsuccessful [AM6P195CA0081.EURP195.PROD.OUTLOOK.COM]"),
    CodeRow(("7.5",), C.DANE_MTASTS, "550 5.7.5 Remote certificate failed MTA-STS validation. Reason: expired", "mta_sts"),
    CodeRow(("7.9", "7.57"), C.AUTH_REQUIRED, "530 5.7.57 Client not authenticated to send mail"),
    CodeRow(("7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.29", "7.509"), C.SENDER_AUTH_FAILED, "550 5.7.23 The message was rejected because of Sender Policy Framework violation"),
    CodeRow(("7.25",), C.RDNS_HELO, "450 4.7.25 Client host rejected: cannot find your hostname, [93.184.216.34]"),
    CodeRow(("7.28", "7.230"), C.RATE_LIMITED, "421 4.7.28 Our system has detected an unusual rate of unsolicited mail"),
    CodeRow(("7.64", "7.367"), C.RELAY_DENIED, "550 5.7.64 TenantAttribution; Relay Access Denied"),
    CodeRow(("7.321",), C.DANE_MTASTS, "450 4.7.321 starttls-not-supported: Destination mail server must support TLS to receive mail.", "tls_not_offered"),
    CodeRow(("7.322",), C.DANE_MTASTS, "450 4.7.322 certificate-expired: The certificate has expired", "expired"),
    CodeRow(("7.323",), C.DANE_MTASTS, "450 4.7.323 tlsa-invalid: The domain failed DANE validation", "tlsa"),
    CodeRow(("7.324",), C.DANE_MTASTS, "450 4.7.324 dnssec-invalid: Destination domain returned invalid DNSSEC records", "dnssec"),
    CodeRow(("7.325",), C.DANE_MTASTS, "450 4.7.325 certificate-host-mismatch: Remote certificate MUST have a common name that matches", "name_mismatch"),
    CodeRow(("7.500",), C.RATE_LIMITED, "451 4.7.500 Server busy. Please try again later from [134.119.1.64]. (S77719)"),
    CodeRow(("7.504",), C.RECIPIENT_UNKNOWN, "550 5.7.504 [user38@example.net]: Recipient address rejected: Access denied"),
    CodeRow(("7.750",), C.POLICY_REJECT, "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains"),
)  # fmt: skip

BY_CODE = {code: row for row in CODES for code in row.codes}

# codes that say no more than the first digit, or that senders of replies use for anything
SILENT = frozenset(
    {
        "0.0",
        "1.0",
        "2.0",
        "2.1",
        "3.0",
        "3.2",
        "3.5",
        "4.0",
        "4.1",
        "4.2",
        "5.0",
        "6.0",
        "7.0",
        "7.1",
        "7.9",
        "7.57",
    }
)

# the order counts: the surer words come first
WORDS = (
    _row(r"gr[ae]y-?list", C.GREYLISTED, "451 4.7.1 Greylisting in action, please come back later"),
    _row(r"\bspf\b|sender policy framework|\bdkim\b|\bdmarc\b", C.SENDER_AUTH_FAILED, "550 5.7.1 Message rejected due to SPF"),
    _row(r"\bptr\b|reverse dns|reverse hostname|cannot find your (?:host|reverse)|\b(?:helo|ehlo)\b.{0,40}(?:rejected|invalid|not found|resolve|fqdn)|(?:invalid|bad).{0,20}\bhelo\b", C.RDNS_HELO, "554 gmx.net (mxgmx008) Nemesis ESMTP Service not available No SMTP service Bad DNS PTR resource record."),
    _row(r"\brelay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:allowed|permitted)|prohibited)|(?:unable|not permitted|not allowed) to relay|do(?:es)? not relay", C.RELAY_DENIED, "554 5.7.1 <user15@example.org>: Relay access denied"),
    _row(r"\bvirus\b|malware|infected|dangerous attachment|(?:attachment|file).{0,40}not (?:allowed|accepted|permitted)", C.CONTENT_VIRUS, "554 5.7.1 Message rejected: virus found (Eicar-Test-Signature)"),
    _row(r"\brbl\b|dnsbl|black-?list|block-?list|block list|spamhaus|\bsorbs\b|barracudacentral|spamcop|senderscore|recent spam source|blocked using|poor reputation|bad reputation|ip reputation|\bblocked - see\b|your (?:ip|host|network|server).{0,60}(?:block|list|banned)|^\s*554 ip=.*\(bl\)|\(rtr:|connection refused from \[|banned sending ip", C.IP_BLOCKED, "554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using ee.countries.nerd.dk; Your IP is in ee, rejected based on geographical location"),
    _row(r"\bspam\b|spamassassin|\bucep?\b|unsolicited|\bjunk ?mail|message (?:looks|content) like", C.SPAM_CONTENT, "550 5.7.1 Blocked by SpamAssassin"),
    _row(r"sender (?:address )?(?:rejected|verif|unknown|denied|not allowed)|(?:verify|unknown|bad|invalid) sender|sender domain|address rejected: domain not found|banned sender", C.SENDER_REJECTED, "421 unable to verify sender domain"),
    _row(r"too many (?:connections|messages|recipients|mails|errors|concurrent)|rate.?limit|throttl|limit exceeded|exceeded (?:a|the|your).{0,30}limit|exceeded a limit|email quota exceeded|sending (?:limit|quota)|too (?:fast|frequent)|unusual rate|server busy", C.RATE_LIMITED, "421 4.3.2 The maximum number of concurrent connections per resource forest has exceeded a limit, closing transmission channel. PRX8 []"),
    _row(r"mailbox (?:is )?full|over ?quota|quota (?:is )?exceeded|exceeded.{0,20}quota|mailbox.{0,20}(?:exceeded|too large)|not enough (?:mailbox )?space|(?:mailbox|user).{0,30}storage", C.MAILBOX_FULL, "554 5.2.0 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionQuotaExceeded"),
    _row(r"insufficient (?:system )?(?:storage|resources|disk)|no space left|disk (?:is )?full|out of (?:disk|storage)", C.SYSTEM_FULL, "452 Insufficient system storage"),
    _row(r"(?:message|mail|e-?mail|content).{0,30}(?:too (?:large|big|long)|size.{0,20}exceed|exceeds.{0,30}(?:size|limit|maximum))|size limit", C.MESSAGE_TOO_LARGE, "552 Message size exceeds fixed maximum message size"),
    _row(r"mail.?loop|loops? back|hop count|too many hops|too many received", C.MAIL_LOOP, "554 Too many hops 26 (25 max)"),
    _row(r"(?:mailbox|account|user|address|recipient).{0,30}(?:disabled|suspended|inactive|deactivated|locked|closed|expired)|bad mailbox database", C.MAILBOX_DISABLED, "532 5.3.2 STOREDRV.Deliver; Missing or bad mailbox Database property"),
    _row(r"only accepts? (?:mail|messages) from|(?:not|isn't) (?:allowed|authori[sz]ed|permitted) to send to|restricted (?:recipient|address)|SenderNotAuthenticated", C.RECIPIENT_RESTRICTED, "550 5.7.1 You are not allowed to send to this recipient"),
    _row(r"bad(?:ly)? (?:formed )?(?:destination |recipient )?address(?: syntax)?|syntax error in (?:address|mailbox)|malformed address|missing or invalid$|address is missing or invalid", C.BAD_ADDRESS, "550 5.2.0 RESOLVER.ADR.BadPrimary; recipient primary SMTP address is missing or invalid"),
    _row(r"(?:user|recipient|mailbox|account|address|addressee|alias|destinataire).{0,40}(?:unknown|not (?:found|exist)|does ?n.t exist|does not exist|no longer|invalid|unavailable|not (?:listed|known))|(?:no such|unknown|invalid|non-?existent) (?:user|recipient|mailbox|account|address|person|local)|^\s*55\d(?:\s+5\.\d\.\d+)?\s+unknown\s*$|no mailbox here|recipient address rejected: access denied|用户不存在|收件人不存在|邮箱不存在", C.RECIPIENT_UNKNOWN, "550 5.1.0 <user29@example.net>: Recipient address rejected: User unknown in virtual mailbox table"),
    _row(r"moved|please (?:try|use) (?:the )?(?:new|forward)", C.MOVED, "551 User not local; user has moved, please try <ann@example.net>"),
    _row(r"must issue a starttls|starttls (?:is )?(?:required|first)|encryption required|tls (?:is )?required", C.TLS_NOT_OFFERED, "530 5.7.0 Must issue a STARTTLS command first"),
    _row(r"authentication (?:is )?required|must authenticate|not authenticated|please log ?in|auth.{0,10}required", C.AUTH_REQUIRED, "530 5.7.0 Authentication required"),
    _row(r"authentication (?:failed|unsuccessful|failure)|(?:bad|invalid|incorrect) (?:user ?name|password|credentials|login)", C.AUTH_FAILED, "535 Authentication failed"),
    _row(r"\bpolic(?:y|ies)\b|transport ?\.?rules?|administrative(?:ly)? (?:prohibited|denied)|prohibited by", C.POLICY_REJECT, "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy"),
    _row(r"cannot write|input/output error|configuration (?:error|problem)|local (?:configuration )?error|software error", C.SYSTEM_ERROR, "421 4.3.0 collect: Cannot write ./dfp964f1qe026392 (sm_io_flush||sm_io_error, uid=0, gid=129): Input/output error"),
    _row(r"temporar|try again|later|internal error|processing message|qqt failure", C.SERVER_TEMP_ERROR, "451 4.7.0 Temporary server error. Please try again later. PRX5"),
)  # fmt: skip

# RFC 5321 section 4.2.3: what the three digits alone mean; the phase decides where one code has two meanings
_DIGITS = {
    500: C.PROTOCOL_ERROR,
    501: C.PROTOCOL_ERROR,
    502: C.PROTOCOL_ERROR,
    503: C.PROTOCOL_ERROR,
    504: C.PROTOCOL_ERROR,
    530: C.AUTH_REQUIRED,
    534: C.AUTH_FAILED,
    535: C.AUTH_FAILED,
    551: C.MOVED,
    552: C.MESSAGE_TOO_LARGE,
    553: C.BAD_ADDRESS,
    555: C.PROTOCOL_ERROR,
}
_DIGITS_AT_RCPT = {550: C.RECIPIENT_UNKNOWN, 552: C.MAILBOX_FULL, 556: C.RECIPIENT_UNKNOWN}
_DIGITS_AT_MAIL = {550: C.SENDER_REJECTED, 553: C.SENDER_REJECTED}
_READ = 1024  # characters of a reply that are looked at


def by_words(text: str) -> WordRow | None:
    """Return the first row whose words a reply contains."""
    text = text[:_READ]
    return next((row for row in WORDS if row.words.search(text)), None)


def class_of(reply: Reply, phase: Phase) -> tuple[C, str]:
    """Return class and sub of a reply: a telling code first, then words, then the three digits."""
    detail = reply.status.partition(".")[2]
    row = BY_CODE.get(detail)
    if row is not None and detail not in SILENT:
        return row.failure_class, row.sub
    words = by_words(reply.text)
    if words is not None and (row is None or words.failure_class is not C.SERVER_TEMP_ERROR):
        return words.failure_class, words.sub
    if row is not None:
        return row.failure_class, row.sub
    return _by_digits(reply.code, detail, phase), ""


def named_reason(reply: Reply) -> tuple[C, str] | None:
    """Return what a refusal at the door names as its reason; None where it names none."""
    failure_class, sub = class_of(reply, Phase.BANNER)
    at_the_door = (C.IP_BLOCKED, C.RATE_LIMITED, C.RDNS_HELO, C.SYSTEM_FULL, C.GREYLISTED, C.SENDER_REJECTED)
    return (failure_class, sub) if failure_class in at_the_door else None


def _by_digits(code: int, detail: str, phase: Phase) -> C:
    if code < 500:
        return C.SERVER_TEMP_ERROR
    special = {Phase.RCPT: _DIGITS_AT_RCPT, Phase.MAIL: _DIGITS_AT_MAIL}.get(phase, {})
    if detail in ("7.0", "7.1"):
        return C.POLICY_REJECT
    return special.get(code) or _DIGITS.get(code, C.POLICY_REJECT)
