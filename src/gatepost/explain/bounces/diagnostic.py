# ruff: noqa: E501 (a row of a table is one line)
"""What one system says that another said, opened: the reply's codes, the server that gave it, and its words.

Rule: a wrapper is data with a sample of its own; the innermost words are what is kept.
"""

import re
from typing import NamedTuple

from gatepost.model.failure import Phase

MAX_TEXT = 4000
_HOST = r"(?P<server>[\w.:-]{1,255})"
_IP = r"(?P<address>[0-9A-Fa-f:.]{2,45})"


class Opened(NamedTuple):
    """A diagnostic taken apart; "" and 0 mean that it does not say."""

    text: str
    smtp: int = 0
    enhanced: str = ""
    server: str = ""
    address: str = ""
    phase: str = ""


class Wrapper(NamedTuple):
    """One way to quote a server; groups: server, address, port, inner (what it said), command."""

    name: str
    pattern: re.Pattern[str]
    sample: str


def _wrapper(name: str, pattern: str, sample: str) -> Wrapper:
    return Wrapper(name, re.compile(pattern, re.IGNORECASE | re.DOTALL), sample)


# texts that name the server beside what happened; the words stay as they are
PLACES = (
    _wrapper("postfix connect", rf"\b(?:connect to|lost connection with|conversation with|tls connection to|certificate verification for) {_HOST}\[{_IP}\](?::(?P<port>\d{{1,5}}))?", "connect to mx.example.org[192.0.2.1]:25: Connection refused"),
    _wrapper("qmail connected", rf"\bconnected to (?:{_IP}|{_HOST}) but ", "Connected to 192.0.2.1 but sender was rejected."),
    _wrapper("sun remote", rf"\bremote system:\s*dns;\s*{_HOST} \(TCP\|[\d.]{{0,40}}\|\d{{0,5}}\|{_IP}\|", "Reason: Remote SMTP server has rejected address Diagnostic code: smtp;550 5.1.1 User unknown Remote system: dns;mx.example.org (TCP|198.51.100.1|47323|192.0.2.1|25) (mx.example.org ESMTP)"),
    _wrapper("exim", rf"\bhost {_HOST} \[{_IP}\](?::(?P<port>\d{{1,5}}))?", "host mx.example.org [192.0.2.1] SMTP error from remote mail server after RCPT TO:<ann@example.org>: 550 User unknown"),
    _wrapper("qmail", rf"^\s*(?:{_IP}|{_HOST}) (?:does not like recipient|failed (?:on data command|after i sent the message))", "192.0.2.1 does not like recipient. Remote host said: 550 User unknown"),
)  # fmt: skip

WRAPPERS = (
    _wrapper("postfix", rf"\bhost {_HOST}\[{_IP}\](?::(?P<port>\d{{1,5}}))? (?:said|refused to talk to me):\s*(?P<inner>.*)", "host mx.example.org[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"),
    _wrapper("exim error", r"(?:smtp|lmtp) error from remote (?:mail server|mailer) after (?P<command>[a-z ]{4,40}(?::\s?<[^>]{0,300}>)?[^:]{0,60}):\s*(?P<inner>.*)", "SMTP error from remote mail server after RCPT TO:<ann@example.org>: host mx.example.org [192.0.2.1]: 550 5.1.1 User unknown"),
    _wrapper("exim", rf"\bhost {_HOST} \[{_IP}\](?::\d{{1,5}})?:\s+(?P<inner>.*)", "host mx.example.org [192.0.2.1]: 550 5.1.1 User unknown"),
    _wrapper("one and one", rf"\bhost:\s*{_HOST}(?:\s*\({_IP}\))?\s+(?:reason:\s*)?(?P<inner>.*)", "SMTP error from remote server for TEXT command, host: mx.example.org (192.0.2.1) reason: 550 5.2.0 Mail rejected"),
    _wrapper("exchange attempt", rf"\bserver at {_HOST}(?: \({_IP}\))? returned '(?!550 5\.4\.3\d\d message expired)(?P<inner>.*?)(?:'\s*$|'(?= \d{{1,2}}[/.]| (?:remote )?server )|$)", "7/7/2026 3:48:53 PM - Server at mx.example.org (192.0.2.1) returned '450 4.4.316 Connection refused'"),
    _wrapper("exchange expiry", r"\bserver at [\w.-]{1,255}(?: \([^)]{2,60}\))? returned '(?P<inner>550 5\.4\.3\d\d message expired.*?)(?:'\s*$|'(?= \d{1,2}[/.]| (?:remote )?server )|$)", "7/7/2026 3:58:53 PM - Server at AM0PR01MB1234.example.com returned '550 5.4.316 Message expired, connection refused(Socket error code 10061)'"),
    _wrapper("exchange remote", r"\bremote server returned '(?P<inner>.*?)'?\s*$", "Remote Server returned '550 5.1.1 RESOLVER.ADR.RecipNotFound; not found'"),
    _wrapper("exchange rejected", rf"^\s*{_HOST}\s+(?:gave this error|returned this error|hat diesen fehler|a généré cette erreur)[^:]{{0,60}}:\s*(?P<inner>.*)", "mx.example.org gave this error: 550 5.1.1 User unknown"),
    _wrapper("exchange 2007 remote", rf"^\s*{_HOST} #(?P<inner><.*)", "mx.example.org #<mx.example.org #5.1.1 smtp;550 5.1.1 User unknown> #SMTP#"),
    _wrapper("exchange 2003", r"<\s?(?:[\w.-]{1,255} )?#(?P<inner>.{3,3000}?)>?\s*(?:#SMTP#|##)?\s*$", "The e-mail account does not exist. <mail.example.org #5.1.1 smtp;550 5.1.1 User unknown>"),
    _wrapper("exchange 2007", rf"^\s*(?:{_HOST} )?#(?P<inner>[45]\d\d .*?)\s*(?:##)?\s*$", "mail.example.org #550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##"),
    _wrapper("status, then reply", r"^[245]\.\d\.\d{1,3}\s+smtp;\s*(?P<inner>[245]\d\d.*)", "5.5.0 smtp;554 delivery error: This user doesn't have an account"),
    _wrapper("sun", r"\bdiagnostic code:\s*[\w-]{1,20};\s*(?P<inner>.*?)(?:\s+remote system:.*)?$", "Reason: Remote SMTP server has rejected address Diagnostic code: smtp;550 5.1.1 User unknown Remote system: dns;mx.example.org"),
    _wrapper("courier", rf"^\s*{_HOST} \[{_IP}\]:\s+(?P<inner>>>> .*)", "mx.example.org [192.0.2.1]: >>> RCPT TO:<ann@example.org> <<< 550 5.1.1 User unknown"),
    _wrapper("transcript", r"^.*(?:>>>|<--|Sent <<<|Out:) ?(?P<command>[A-Z]{4}[^<>]{0,20})?(?:<[^<>]{0,320}>)?.*?(?:<<<|<--|<-|<<|Received >>>|In:)\s*(?P<inner>[45]\d\d\b.*?)(?:\s+-{2,}.*)?$", ">>> RCPT TO:<ann@example.org> <<< 550 5.1.1 User unknown --- End Transcript ---"),
    _wrapper("answer", r"^.*(?:<<<|<--|<-|Received >>>)\s*(?P<inner>[45]\d\d\b.*?)(?:\s+-{2,}.*)?$", "--- Session Transcript --- <-- 550 5.1.1 User unknown --- End Transcript ---"),
    _wrapper("lsmtp", r"\berror-text:\s*(?P<inner>.*?)(?:\s+error-end:.*)?$", "Error-Code: 3 Error-Text: No such user: ann. Error-End: One error reported."),
    _wrapper("mimecast", r"\badditional information follows\s?:\s*-{0,2}\s*(?P<inner>.*)", "The problem appears to be : -- Recipient email address is possibly incorrect Additional information follows : -- 5.4.1 Recipient address rejected: Access denied."),
    _wrapper("mailmarshal", r"\bcould not be delivered because of\s*(?P<inner>.*?)(?:\s+the following recipients were affected.*)?$", "Could not be delivered because of 550 5.1.1 User unknown The following recipients were affected:"),
    _wrapper("section", r"-{3,}\s?(?:server message|non-delivered information|failure reasons|error message|transcript of session follows|technical details:?|reason for failure)[\s-]{0,12}(?P<inner>.*?)(?:\s+-{3,}.*)?$", "-------server message 550 5.1.1 unknown user <ann@example.org> -------SMTP command DATA"),
    _wrapper("google", rf"\bby (?:the server for the recipient domain [\w.-]{{1,255}} by )?{_HOST}\.? \[{_IP}\]\.?\s*(?P<inner>.*)", "rejected by the server for the recipient domain example.org by mx.example.org. [192.0.2.1]. The error that the other server returned was: 550 5.1.1 User unknown"),
    _wrapper("google says", r"(?:the error that the other server returned was|the response(?: from the remote server)? was|la réponse [^:]{0,60} était|die antwort (?:des|vom) remote-?servers?[^:]{0,20}|the error was):\s*(?P<inner>.*)", "The response from the remote server was: 550 5.1.1 The email account that you tried to reach does not exist."),
    _wrapper("qmail said", r"\bremote host said:\s*(?P<inner>.*?)(?:\s+giving up on (?P<address>[0-9a-f:.]{2,45}?)\.?)?\s*$", "192.0.2.1 does not like recipient. Remote host said: 550 5.1.1 User unknown Giving up on 192.0.2.1."),
    _wrapper("dma", rf"^\s*{_HOST} \[{_IP}\] did not like our (?P<command>[A-Z ]{{4,12}}):\s*(?P<inner>.*)", "mx.example.org [192.0.2.1] did not like our RCPT TO: 552 5.2.2 Mailbox full"),
    _wrapper("mailfoundry", rf"\bserver {_HOST}\[{_IP}\] failed with:\s*(?P<inner>.*)", "Server mx.example.org[192.0.2.1] failed with: 550 No such user here"),
    _wrapper("communigate", rf"\bhost {_HOST} says:\s*(?P<inner>.*)", "SMTP module(domain example.org) reports: host mx.example.org says: 550 5.1.1 User unknown"),
    _wrapper("hmailserver", rf"\bremote server (?:\({_IP}\)|{_HOST}) issued an error\.?\s*(?:hmailserver sent: (?P<command>.{{0,300}}?)\s+)?remote server replied:\s*(?P<inner>.*)", "Remote server (192.0.2.1) issued an error. hMailServer sent: RCPT TO:<ann@example.org> Remote server replied: 550 Unknown user"),
    _wrapper("surfcontrol", rf":\s*\[{_IP}\],\s*(?P<inner>[45]\d\d.*)", "ann@example.org: [192.0.2.1], 550 ann@example.org... No such user"),
    _wrapper("smtp host", rf"\bsmtp:(?P<command>[a-z]{{4}}) host {_HOST}:\s*(?P<inner>.*)", "SMTP:RCPT host 192.0.2.8: 553 5.3.0 No such user here"),
    _wrapper("smtp server", rf"\bsmtp server <{_HOST}> rejected .{{0,400}}?following (?P<command>[A-Z]{{4}}) command.{{0,80}}?\[(?P<inner>.*?)\]", "SMTP Server <mx.example.org> rejected recipient <ann@example.org> (Error following RCPT command). It responded as follows: [550 5.1.1 User unknown]"),
    _wrapper("relay", rf"\b(?:while talking to|in response from|remote (?:mta|smtp server|mail server)|the (?:remote|other) server|mail server)\s+{_HOST}\.?(?:\s*[\[(]{_IP}[\])])?\.?:?\s*(?:said:|replied:|says:|returned:|responded:|answered:)\s*(?P<inner>.*)", "Remote MTA mx.example.org [192.0.2.1] said: 550 5.1.1 User unknown"),
    _wrapper("server said", r"\b(?:remote|receiving|recipient'?s?|destination|other|mail|smtp|foreign|their)\s(?:smtp |mail |e-?mail )?(?:server|host|system|mta|mx)(?:'s)?\s(?:has )?(?:returned|replied|responded(?: with)?|said|says|answered|response|reply|error|reported|rejected it with|gave)[^:\d]{0,40}[:.]?\s*(?P<inner>[245]\d\d\b.*)", "Remote SMTP Server Returned: 550 5.1.1 User unknown"),
    _wrapper("bare name", rf"^\s*{_HOST}\s?(?:\[{_IP}\]|\({_IP.replace('address', 'address2')}\)):\s*(?P<inner>[45]\d\d\b.*)", "mx.example.org[192.0.2.1]: 550 5.1.1 User unknown"),
    _wrapper("yahoo", r"^(?P<inner>[45]\d\d.*?)\s*\[(?P<command>RCPT_TO|MAIL_FROM|BODY|DATA|BANNER|EHLO)\]\s*$", "550 5.1.1 User unknown [RCPT_TO]"),
    _wrapper("in reply", r"^(?P<inner>.*?)\s*\(in reply to (?P<command>[^()]{2,60}?)(?: command)?\)(?:\s.*)?$", "550 5.1.1 User unknown (in reply to RCPT TO command)"),
    _wrapper("given reason", r"\b(?:for the following reasons?|reason given (?:by|was)[^:]{0,40}|error message(?: was| is)?|error returned[^:]{0,40}|error)\s?:\s*(?P<inner>[45]\d\d\b(?!\.\d).*)", "The reason given by the mailer was: 550 User unknown"),
    _wrapper("reason", r"^\s*(?:reason|error|error message(?: below)?|error text|smtp error|problem|reply|response|cause|fehler|grund|motif|motivo|причина|原因|退信原因|英文说明|사유|because|the reason for the problem)\s?[:：]\s*(?P<inner>.*)", "Reason: 550 5.1.1 User unknown"),
)  # fmt: skip

# what notifications say behind the diagnostic, about the message or about themselves (lower case)
AFTER = (
    " message details:",
    " size (in bytes):",
    " the mts-id of the original message is",
    " remains undelivered",
    " --- below this line",
    " --- message from post",
    " for explanation visit",
    " please direct further questions regarding",
    " please check the address and try",
    " 解决方案",
    " 建议解决",
)
_FEW = 4  # letters; with fewer there is nothing to cut behind

_PHASES = (
    ("end of data", Phase.EOD),
    ("message text", Phase.EOD),
    ("text", Phase.EOD),
    ("body", Phase.EOD),
    ("data", Phase.DATA),
    ("rcpt", Phase.RCPT),
    ("mail", Phase.MAIL),
    ("ehlo", Phase.EHLO),
    ("helo", Phase.EHLO),
    ("starttls", Phase.STARTTLS),
    ("auth", Phase.AUTH),
    ("banner", Phase.BANNER),
    ("connection", Phase.BANNER),
)
# qmail tells in words how far it came (qmail-remote.c)
_TOLD = (
    ("but greeting failed", Phase.BANNER),
    ("but my name was rejected", Phase.EHLO),
    ("but sender was rejected", Phase.MAIL),
    ("does not like recipient", Phase.RCPT),
    ("failed on data command", Phase.DATA),
    ("failed after i sent the message", Phase.EOD),
)
_BOTH = re.compile(r"(?<![\w.])([245]\d\d)[ -]{1,3}['\"(#]{0,2}([245]\.[0-7]\.\d{1,3})(?![\d.]\d)")
_ENHANCED = re.compile(r"(?<![\w.:/])([245]\.[0-7]\.\d{1,3})(?!\.?\d|[.-][a-z])", re.IGNORECASE)
_REPLY = re.compile(
    r"(?<![\w.:/\[@-])([45]\d\d)(?=[ \-:,;]|$)(?!-\d\d)"
    r"(?! ?(?:[km]?b\b|[kmg]?bytes|k\b|messages\b|mails\b|recipients\b|users\b|characters|seconds|minutes|hours|days|times|lines))",
    re.IGNORECASE,
)
_ATTEMPTED = re.compile(
    r"\[LastAttemptedServerName=([^\]\s]{1,255})\](?:\s*\[LastAttemptedIP=([0-9A-Fa-f.:\[]{2,60}))?"
)
_LEADING = re.compile(
    r"^\W{0,3}(?:[245]\d\d(?=[ \-:,]|$)[ :,-]{0,3}(?:\(?#?[245]\.[0-7]\.\d{1,3}\)?[ :-]{0,3})?"
    r"|\(?#?[245]\.[0-7]\.\d{1,3}\)?[ :-]{1,3})"
)


def open_diagnostic(text: str) -> Opened:
    """Return what a diagnostic says, wrappers taken off (at most six deep)."""
    text = squeeze(text).replace("ERROR_CODE :", "")
    server = address = ""
    phase = next((str(phase) for words_, phase in _TOLD if words_ in text.lower()), "")
    smtp, enhanced = codes(text)
    attempted = _ATTEMPTED.search(text)
    if attempted:  # the last-error grammar of Exchange Online
        server = _name(attempted[1])
        address = attempted[2] or ""
    for _ in range(6):
        for groups in _places(text):
            server = server or _name(groups.get("server", ""))
            address = address or _with_port(groups)
        inner, groups = _open_once(text)
        server = server or _name(groups.get("server", ""))
        address = address or _with_port(groups)
        phase = phase or phase_of(groups.get("command", ""))
        if not inner or inner == text:
            break
        own = codes(inner)  # the innermost speaker is the one that counts
        smtp, enhanced = own[0] or smtp, own[1] or enhanced
        if sum(char.isalpha() for char in inner) < 3:
            break  # a code in brackets; the words are before it
        text = inner
    if server and not any(c.isalpha() for c in server):
        server, address = "", address or server
    return Opened(_from_reply(text), smtp, enhanced, server, address, phase)


def _from_reply(text: str) -> str:
    """Return a text from the reply on that it quotes with both codes; what is before is the quoting system's."""
    both = _BOTH.search(text)
    quoted = both is not None and any(char.isalpha() for char in text[both.end() :])
    return text[both.start() :] if both is not None and quoted else text


def _open_once(text: str) -> tuple[str, dict[str, str]]:
    for wrapper in WRAPPERS:
        match = wrapper.pattern.search(text)
        if match and (inner := match["inner"].strip()):
            return inner, {name: value for name, value in match.groupdict().items() if value}
    return "", {}


def _places(text: str) -> list[dict[str, str]]:
    matches = [match for place in PLACES if (match := place.pattern.search(text))]
    return [{name: value for name, value in match.groupdict().items() if value} for match in matches]


def _name(host: str) -> str:
    return host.strip(".:").lower()


def _with_port(groups: dict[str, str]) -> str:
    address = groups.get("address", "") or groups.get("address2", "")
    address = address.strip(".") if any(c in address for c in ".:") else ""
    port = groups.get("port", "")
    if not port or not address:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def phase_of(command: str) -> str:
    """Return the phase that a command's name stands for: `RCPT TO`, `end of DATA`, `MAIL_FROM`."""
    lower = command.lower().replace("_", " ")
    return next((str(phase) for word, phase in _PHASES if word in lower), "")


def codes(text: str) -> tuple[int, str]:
    """Return the reply code and the enhanced code of a text, the pair that stands together first (RFC 2034)."""
    text = text[:MAX_TEXT]
    both = _BOTH.search(text)
    if both:
        return int(both[1]), both[2]
    enhanced = _ENHANCED.search(text)
    reply = _REPLY.search(text)
    return (int(reply[1]) if reply else 0), (enhanced[1] if enhanced else "")


def words(text: str) -> str:
    """Return a reply without the codes that lead it and its lines (RFC 5321 section 4.2.1), and what is said after it."""
    lead = _LEADING.match(text)
    if lead is None:
        return _without_after(text)
    code = lead[0].strip(" :-")
    said = text[lead.end() :]
    if len(code) > 4:  # both codes: the lines that were joined have them again
        again = (f" {code.replace(' ', '-', 1)} ", f" {code.replace('-', ' ', 1)} ")
        for each in again:
            said = said.replace(each, " ")
    return _without_after(said)


def _without_after(text: str) -> str:
    lower = text.lower()
    ends = [at for phrase in AFTER if (at := lower.find(phrase)) > 0]
    cut = min(ends, default=len(text))
    return (text[:cut] if sum(char.isalpha() for char in text[:cut]) >= _FEW else text).strip()


def squeeze(text: str) -> str:
    """Return a text on one line, runs of white space as one space, cut to 4,000 characters."""
    return " ".join(text[: 2 * MAX_TEXT].split())[:MAX_TEXT]
