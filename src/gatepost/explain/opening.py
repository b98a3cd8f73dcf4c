# ruff: noqa: E501 (a row of a table is one line)
"""Open a diagnostic: the server that it names, how far the session came, the reply inside, the kind of system that speaks.

Rule: a form is data with a sample of its own; the words of a text stay what they are, only fields are read out of it.
Rule: a text is cut before anything is searched in it, and every pattern is linear.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from gatepost.diagnose.normal import cut
from gatepost.explain.exchange import look
from gatepost.explain.record import Record
from gatepost.explain.replies import find_reply
from gatepost.explain.stages import phase_of_stage

OUR_SIDE = (
    "-"  # the destination of what our own side refuses to a client: nothing leaves, and no server is named
)

_N = r"(?P<server>[^\s\[\](),;:'\"<>{}]{1,255})"
_A = r"(?P<address>[0-9a-zA-Z:.%-]{2,60})"
_L = r"\s?\[(?P<address>[^\[\]\n]{1,80})\]"  # Postfix: an address, or the socket of a service
_D = r"(?P<server>[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})"
_AP = r"(?P<address>[0-9a-fA-F.]{7,45}?|\[[0-9a-fA-F:.]{2,45}\])(?::(?P<port>\d{1,5}))?(?![\w.:])"
_PORT = r"(?::(?P<port>\d{1,5}))?"


class Form(NamedTuple):
    """One way to name a server and a stage; `hint` must be in the text for the pattern to be tried."""

    kind: str
    hint: str
    words: str  # the pattern; compiled when its hint is first seen
    sample: str
    phase: str = ""


class Opened(NamedTuple):
    """What a text names; "" for nothing."""

    kind: str = ""
    server: str = ""
    address: str = ""
    phase: str = ""
    inner: str = ""  # what the other server said, where a form quotes it


def _form(kind: str, hint: str, pattern: str, sample: str, phase: str = "") -> Form:
    return Form(kind, hint, pattern, sample, phase)


FORMS = (
    _form("exchange", "arget IP address responded with", r"arget IP address responded with:? ?[\"“'](?P<inner>[^\"“”]{3,2000})", 'Primary target IP address responded with: "451 5.7.3 Cannot achieve Exchange Server authentication." Attempted failover'),
    _form("", "Response: \"('", r"Response: ?\"\('(?P<inner>\d{3}', \[['\"].{3,4000}?)['\"]\]\)", """Reason: "5.1.0 - Unknown address error" Response: "('550', ['There is no such account.'])\""""),
    _form("", " - ", r"(?:^|[\s;])[45]\.\d\.\d{1,3} - [A-Z][\w ()-]{3,60}? (?P<inner>[245]\d\d[ -]['\"].{3,4000})", "5.1.0 - Unknown address error 550-'5.7.1 Message rejected as spam' (delivery attempts: 0)"),
    _form("postfix", " said: ", rf"host\s{{1,12}}{_N}{_L}{_PORT} said: (?P<inner>.{{3,4000}}?)(?:\s*\(in reply to (?P<stage>[^()]{{2,60}})\)|$)", "host mx.example.org[192.0.2.1] said: 550 5.1.1 unknown (in reply to RCPT TO command)"),
    _form("postfix", "refused to talk to me", rf"{_N}{_L}{_PORT}:?(?: server)? refused to talk to me: ?(?P<inner>.*)", "host mx.example.org[192.0.2.1] refused to talk to me: 421 no", "banner"),
    _form("postfix", "without sending the initial", rf"connect to {_N}{_L}{_PORT}: server dropped connection", "connect to mx.example.org[192.0.2.1]: server dropped connection without sending the initial SMTP greeting", "banner"),
    _form("postfix", ": read timeout", rf"connect to {_N}{_L}{_PORT}: read timeout", "connect to mx.example.org[192.0.2.1]: read timeout (port 25)", "banner"),
    _form("postfix", "connect to ", rf"connect to {_N}{_L}{_PORT}:", "connect to mx.example.org[192.0.2.1]:25: Connection refused", "connect"),
    _form("postfix", "lost connection with", rf"lost connection with {_N}{_L}{_PORT} while (?P<stage>[^()\n]{{4,80}})", "lost connection with mx.example.org[192.0.2.1] while sending RCPT TO"),
    _form("postfix", "conversation with", rf"conversation with {_N}{_L}{_PORT} timed out while (?P<stage>[^()\n]{{4,80}})", "conversation with mx.example.org[192.0.2.1] timed out while sending RCPT TO"),
    _form("postfix", "by host", rf"by host {_N}{_L}", "TLS is required, but was not offered by host mx.example.org[192.0.2.1]", "starttls"),
    _form("postfix", "refused to start TLS", rf"host {_N}{_L}{_PORT} refused to start TLS", "TLS is required, but host mx.example.org[192.0.2.1] refused to start TLS: 454 no", "starttls"),
    _form("postfix", "delivery via", rf"delivery via {_N}{_L}{_PORT}:", "delivery via mx.example.org[192.0.2.1]:25: 250 ok"),
    _form("postfix", "at server", rf"at server {_N}\[{_A}\]", "SASL authentication failed; cannot authenticate to server at server mx.example.org[192.0.2.1]"),
    _form("postfix", "SASL", rf"cannot authenticate to server {_N}\[{_A}\]|server {_N.replace('server', 'server2')}\[{_A.replace('address', 'address2')}\] (?:said|offered)", "SASL authentication failed; server smtp.example.org[192.0.2.1] said: 535 no", "auth"),
    _form("postfix", "Name service error", rf"Name service error for (?:name|domain)[= ]{_N}", "Host or domain name not found. Name service error for name=example.org type=MX: Host not found", "dns"),
    _form("postfix", "nullMX", rf"Domain {_N} does not accept mail", "Domain example.org does not accept mail (nullMX)", "dns"),
    _form("postfix", "unable to look up host", rf"unable to look up host {_N}", "unable to look up host mx.example.org: Name or service not known", "dns"),
    _form("postfix", "loops back to myself", rf"mail for {_N} loops back to myself", "mail for example.org loops back to myself", "dns"),
    _form("postfix", " said: ", rf"\bhost {_D} said: (?P<inner>.{{3,4000}})", "host mx.example.org said: 552 full"),
    _form("postfix", " timed out while", rf"conversation with {_D} timed out while (?P<stage>[^()\n]{{4,80}})", "conversation with mx.example.org timed out while sending end of data"),
    _form("postfix", "connect to ", rf"connect to {_D} timed out", "connect to mx.example.org timed out", "connect"),
    _form("postfix", "verification failed for ", rf"verification failed for {_D}: ", "certificate verification failed for mx.example.org: num=27:certificate not trusted", "tls"),
    _form("postfix", "refused to talk to me: ", r"^\W{0,4}refused to talk to me: (?P<inner>.*)", "refused to talk to me: 554 no", "banner"),
    _form("postfix", "initial server greeting", r"receiving the\W{1,20}initial server greeting", "lost connection while receiving the\n initial server greeting", "banner"),
    _form("exim", "SMTP error from remote", rf"(?:SMTP|LMTP) error from remote (?:mail server|mailer) after (?P<stage>[^\n]{{4,200}}?):\s+host {_N} \[{_A}\]{_PORT}:?\s*(?P<inner>.*)", "SMTP error from remote mail server after RCPT TO:<a@example.org>: host mx.example.org [192.0.2.1]: 550 no"),
    _form("exim", "SMTP error from remote", rf"host {_N} \[{_A}\]\s*(?:SMTP|LMTP) error from remote (?:mail server|mailer) after (?P<stage>[^\n:]{{4,200}}(?::\s?<[^>\n]{{0,300}}>)?[^\n:]{{0,80}}):?\s*(?P<inner>.*)", "host mx.example.org [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<a@example.org>:\n    550 no"),
    _form("exim", " error from remote mail", r"(?:SMTP|LMTP) error from remote (?:mail server|mailer) after (?P<stage>[^\n:]{4,200})", "LMTP error from remote mail server after RCPT TO:<a@example.org>: 550 no"),
    _form("exim", "TP error after", r"(?:SMTP|LMTP) error after (?P<stage>[^\n:]{4,200})", "LMTP error after end of data: 452 4.2.2 Mailbox is full"),
    _form("exim", "closed connection", rf"(?:[Rr]emote host )?{_N} \[{_A}\] closed connection in response to (?P<stage>[^\n]{{2,80}})", "Remote host mx.example.org [192.0.2.1] closed connection in response to RCPT TO:<a@example.org>"),
    _form("exim", "closed connection", r"[Rr]emote host closed connection in response to (?P<stage>[^\n]{2,80})", "Remote host closed connection in response to EHLO gw.example.org"),
    _form("exim", "while connected to", rf"while connected to {_N} \[{_A}\] after (?P<stage>[^\n]{{2,80}})", "SMTP timeout while connected to mx.example.org [192.0.2.1] after RCPT TO:<a@example.org>"),
    _form("exim", " timeout after ", r"(?:SMTP|LMTP) timeout after (?P<stage>[^\n(]{2,80})", "SMTP timeout after end of data (12 bytes written)"),
    _form("exim", "host ", rf"\bhost {_N} \[{_A}\]:", "host mx.example.org [192.0.2.1]: Connection refused"),
    _form("exim", "H=", rf"\bH={_N} \[{_A}\]", "H=mx.example.org [192.0.2.1]: Connection refused"),
    _form("exim", "onnecting to ", rf"\b[Cc]onnecting to {_N} \[{_A}\]{_PORT} \.\.\. ", "Connecting to mx.example.org [192.0.2.1]:25 ...  failed: Connection refused", "connect"),
    _form("qmail", "does not like recipient", rf"(?:^|[\s:]){_A} does not like recipient", "192.0.2.1 does not like recipient.", "rcpt"),
    _form("qmail", "but greeting failed", rf"[Cc]onnected to {_A} but greeting failed", "Connected to 192.0.2.1 but greeting failed.", "banner"),
    _form("qmail", "but my name was rejected", rf"[Cc]onnected to {_A} but my name was rejected", "Connected to 192.0.2.1 but my name was rejected.", "ehlo"),
    _form("qmail", "but sender was rejected", rf"[Cc]onnected to {_A} but sender was rejected", "Connected to 192.0.2.1 but sender was rejected.", "mail"),
    _form("qmail", "Possible duplicate", rf"[Cc]onnected to {_A} but connection died", "Connected to 192.0.2.1 but connection died. Possible duplicate!", "eod"),
    _form("qmail", "but connection died", rf"[Cc]onnected to {_A} but connection died", "Connected to 192.0.2.1 but connection died.", "data"),
    _form("qmail", "but ", rf"[Cc]onnected to {_A} but ", "Connected to 192.0.2.1 but tls failed."),
    _form("qmail", "failed on DATA", rf"(?:^|[\s:]){_A} failed on DATA command", "192.0.2.1 failed on DATA command.", "data"),
    _form("qmail", "failed after I sent", rf"(?:^|[\s:]){_A} failed after I sent the message", "192.0.2.1 failed after I sent the message.", "eod"),
    _form("qmail", "find any host named", rf"find any host named {_N}", "Sorry, I couldn't find any host named example.org. (#5.1.2)", "dns"),
    _form("qmail", "Giving up on", rf"[Gg]iving up on {_A}", "Remote host said: 550 no Giving up on 192.0.2.1."),
    _form("sendmail", "Name server: ", rf"Name server: {_N}", "Name server: mx.example.org.: host name lookup failure", "dns"),
    _form("sendmail", "onnection ", rf"onnection (?:refused|reset|timed out|closed) (?:by|with) (?:\[(?P<address2>[0-9a-fA-F.:]{{2,60}})\]|{_N})", "Deferred: Connection refused by mx.example.org.", "connect"),
    _form("sendmail", "peration timed out with", rf"peration timed out with {_N}", "Deferred: Operation timed out with mx.example.org.", "connect"),
    _form("sendmail", "while talking to", rf"while talking to {_N}", "... while talking to mx.example.org.:"),
    _form("haraka", "timed out to ", rf"connection timed out to {_AP}", "Failed to get pool entry: Outbound connection timed out to 192.0.2.1:25", "connect"),
    _form("haraka", "emote end ", rf"[Rr]emote end {_AP} closed", "Remote end 192.0.2.1:25 closed connection while we were processing mail. Trying next MX."),
    _form("haraka", "Ongoing connection failed to ", rf"Ongoing connection failed to {_AP} :", "Ongoing connection failed to 192.0.2.1:25 : Error: read ECONNRESET"),
    _form("haraka", "DNS lookup of ", rf"DNS lookup of {_N} (?:failed|resulted)", "DNS lookup of mx.example.org resulted in no data", "dns"),
    _form("haraka", "omain: ", rf"(?:No Such Domain|mail to for domain): {_D}", "No Such Domain: example.org", "dns"),
    _form("haraka", "receives no email", rf"Domain {_D} sends and receives no email", "Domain example.org sends and receives no email (NULL MX)", "dns"),
    _form("qmail", " accepted message", rf"(?:^|[\s:>]){_A} accepted message", "192.0.2.1 accepted message. Remote host said: 250 ok"),
    _form("haraka", "is local, skipping", rf"MX {_N} is local, skipping", "MX 192.0.2.1 is local, skipping since local_mx_ok=false", "dns"),
    _form("kumomta", "failed to resolve queue", rf"failed to resolve queue {_N}", "451 4.4.4 failed to resolve queue example.org: no MX"),
    _form("kumomta", "ResolvedAddress", rf"ResolvedAddress \{{ name: \"{_N}\", addr: {_A}", 'connect to ResolvedAddress { name: "mx.example.org", addr: 192.0.2.1 }:25 failed'),
    _form("kumomta", "connect to ", rf"connect to {_N}/{_A} port (?P<port>\d{{1,5}}) and read", "connect to mx.example.org./192.0.2.1 port 25 and read initial banner: no"),
    _form("opensmtpd", " rejected: ", r"^(?P<stage>BANNER|EHLO|HELO|LHLO|STARTTLS|AUTH) rejected: (?P<inner>\d{3}.*)", "BANNER rejected: 554 no"),
    _form("exchange", "DNS domain ", rf"DNS domain ['\"]?{_D}['\"]? does not exist", "550 5.4.310 DNS domain example.org does not exist", "dns"),
    _form("gmail", "closing connection. (", r"closing connection\. \((?P<stage>[A-Z ]{4,12})\)", "421-4.7.0 Try again later, closing connection. (EHLO)"),
    _form("", "Remote-MTA: dns", rf"Remote-MTA: dns; ?{_D}", "Status: 5.7.1 Remote-MTA: dns; mx.example.org Diagnostic-Code: smtp; 550 5.7.1 no"),
    _form("", "_25._tcp.", rf"_25\._tcp\.{_N}", "looking up _25._tcp.mx.example.org.: SERVFAIL", "dns"),
    _form("gmail", "Learn more", rf"\[{_N}\.? {_A}: (?P<stage>[^\]]{{3,80}})\]", "Learn more at https://support.google.com/mail/answer/7720\n[mx.example.org 192.0.2.1: timed out]", "connect"),
    _form("gmail", "DNS Error", rf"DNS type '\w{{1,5}}' lookup of {_N} responded", "DNS Error: DNS type 'mx' lookup of example.org responded with code NXDOMAIN", "dns"),
    _form("gmail", "recipient domain", rf"server for the recipient domain \S{{1,255}} by {_N}\.? \[{_A}\]", "rejected by the server for the recipient domain example.org by mx.example.org. [192.0.2.1]"),
    _form("", "ECONN", r"connect ECONN\w{2,10} (?P<address>[0-9a-fA-F.:]{2,45}?)(?::(?P<port>\d{1,5}))?(?![\w.:])", "connect ECONNREFUSED 192.0.2.1:25", "connect"),
    _form("", "ETIMEDOUT", r"connect ETIMEDOUT (?P<address>[0-9a-fA-F.:]{2,45}?)(?::(?P<port>\d{1,5}))?(?![\w.:])", "connect ETIMEDOUT 192.0.2.1:25", "connect"),
    _form("", "getaddrinfo", rf"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) {_N}", "getaddrinfo ENOTFOUND mx.example.org", "dns"),
    _form("", "dial tcp", rf"dial tcp(?:[46])?(?::| ) ?(?:lookup {_N}|\[?(?P<address>[0-9a-fA-F.:]{{2,45}}?)\]?:(?P<port>\d{{1,5}})(?!\d))", "dial tcp 192.0.2.1:25: connect: connection refused"),
    _form("exchange", "last endpoint attempted", rf"last endpoint attempted was {_AP}", "The last endpoint attempted was 192.0.2.9:25"),
    _form("kumomta", "connect to ", rf"connect to \[?{_AP}\]? (?:failed|timed out|timeout)", "connect to 192.0.2.9:25 failed: Connection refused"),
    _form("postfix", "greeted me with", rf"host {_N}{_L}{_PORT} greeted me", "host mx.example.org[192.0.2.9]:25 greeted me with my own hostname"),
    _form("postfix", " with private/", r"(?:lost connection with|conversation with) private/\S{1,80}(?: timed out)? while (?P<stage>[^()\n]{4,80})", "lost connection with private/dovecot-lmtp while receiving the initial server greeting"),
    _form("exchange", "TargetHost:", rf"Failed connection to {_AP} .*?TargetHost:(?P<server>[\w.-]{{1,255}})", "Failed connection to 192.0.2.9:25 (TimedOut:0000274C)[TargetHost:mx.example.org:25|MarkedUnhealthy]", "connect"),
    _form("exchange", "Failed connection to", rf"Failed connection to {_AP}", "Failed connection to 192.0.2.9:25 (ConnectionRefused:0000274D)[TargetIPAddress:192.0.2.9:25]", "connect"),
    _form("postfix", "SSL_connect error to ", rf"SSL_connect error to {_N}{_L}{_PORT}", "SSL_connect error to mx.example.org[192.0.2.9]:25: lost connection", "tls"),
    _form("postfix", "ertificate verification failed for ", rf"ertificate verification failed for {_N}(?:\[{_A}\]{_PORT}|: )", "certificate verification failed for mx.example.org[192.0.2.9]:25: untrusted issuer /CN=CA", "tls"),
    _form("exim", "TLS connection to ", rf"TLS connection to {_N} \[{_A}\]", "DANE attempt failed; TLS connection to mx.example.org [192.0.2.9]: (certificate verification failed)", "tls"),
    _form("exim", "delivering unencrypted to ", rf"delivering unencrypted to (?:H=)?{_N} \[{_A}\]", "TLS session failure: delivering unencrypted to mx.example.org [192.0.2.9] (not in hosts_require_tls)", "tls"),
    _form("exim", "lookup of host ", rf"lookup of host \"{_N}\" failed", 'lookup of host "mx.example.org" failed in dnslookup router', "dns"),
    _form("exim", "TLSA lookup for ", rf"TLSA lookup for {_N} ", "DANE error: TLSA lookup for mx.example.org not DNSSEC", "dns"),
    _form("exim", "TLS error on connection", rf"TLS error on connection (?:to|from) (?:\S{{1,80}} )?{_N} \[{_A}\]", "TLS error on connection to mx.example.org [192.0.2.9] (SSL_connect): no shared cipher", "tls"),
    _form("sendmail", "input from ", rf"input from {_N} during ", "timeout waiting for input from mx.example.org. during client greeting"),
    _form("", "onnect to host, port: ", rf"onnect to host, port: {_N}, (?P<port>\d{{1,5}})", "Couldn't connect to host, port: mx.example.org, 25; timeout 60000;", "connect"),
    _form("", "Unknown SMTP host: ", rf"Unknown SMTP host: {_N}", "Unknown SMTP host: mx.example.org", "dns"),
    _form("", "lookup error for ", rf"lookup error for {_N}{_PORT}", "TLSA lookup error for mx.example.org:25", "dns"),
    _form("", "SMTP host: ", rf"SMTP host: {_N}", "Could not connect to SMTP host: mx.example.org, port: 25", "connect"),
    _form("", "refused to accept mail", rf"{_N} refused to accept", "mx.example.org refused to accept mail"),
    _form("", "emote host ", rf"[Rr]emote host {_N} \[{_A}\]", "remote host mx.example.org [192.0.2.1] said no"),
    _form("", "] said: ", rf"\b{_N} ?\[{_A}\] said:", "mx.example.org [192.0.2.1] said: 550 no"),
    _form("", "emote MTA", rf"[Rr]emote MTA {_N}", "remote MTA mx.example.org: 550 no"),
    _form("opensmtpd", "<<< ", r"<<< [245]\d\d[- ](?P<server>[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}) ", "<<< 554-example.org (mx) ESMTP Service not available", "banner"),
)  # fmt: skip


@cache
def _compiled(words: str) -> re.Pattern[str]:
    return re.compile(words, re.DOTALL)


_STAGE = re.compile(
    r"\(in reply to (?P<stage>[^()]{2,60})\)|\bin response to (?P<stage2>[A-Z]{4}[A-Z: ]{0,12})|\bfailed (?P<stage4>on DATA command|after I sent the message)|\[(?P<stage3>RCPT_TO|MAIL_FROM|BODY|BANNER|EHLO|DATA)\]\s*$"
)
_NOBODY = frozenset(
    {"remote", "peer", "foreign", "host", "server", "client", "the", "other", "us"}
)  # words, not names
_PLACES = frozenset(
    [
        "none",
        "local",
        "virtual",
        "dovecot",
        "lmtp",
        "maildrop",
        "procmail",
        "cyrus",
        "unknown",
        "private",
        "mailman",
        "pipe",
        "null",
    ]
)
_PREFIX = re.compile(
    r"^\s*(?:Diagnostic-Code:\s*)?(?:smtp|x-postfix|x-unix|x-local|lmtp|dns|x-exim|x-notes)\s*;\s*",
    re.IGNORECASE,
)


def open_record(record: Record) -> Record:
    """Return a record with what its text says and its fields did not: codes, server, address, phase."""
    text = cut(record.text, 6000, 2000)
    opened = Opened(phase=stage_of(text)) if record.destination == OUR_SIDE else _open(text)
    reply = (
        find_reply(_PREFIX.sub("", opened.inner or text)) if not (record.smtp and record.enhanced) else None
    )
    server = record.server or opened.server
    return record._replace(
        text=opened.inner or record.text,
        smtp=record.smtp or (reply.smtp if reply else 0),
        enhanced=record.enhanced or (reply.enhanced if reply else ""),
        phase=record.phase or opened.phase,
        server=server,
        address=record.address or (opened.address if server == opened.server else ""),
    )


def _open(text: str) -> Opened:
    seen = look(text)
    opened = open_text(text)
    if not opened.server and "\n" in text:  # a name may stand at the end of a line, and its address below
        unwrapped = open_text(" ".join(text.split()))
        opened = unwrapped._replace(inner=opened.inner or unwrapped.inner, kind=opened.kind or unwrapped.kind)
    if seen.server or seen.address:
        opened = opened._replace(kind="exchange", server=seen.server, address=seen.address)
    elif seen.found:
        opened = opened._replace(kind="exchange")
    return opened._replace(phase=opened.phase or stage_of(text))


def open_text(text: str) -> Opened:
    """Return what the first form that fits finds; where that names no server, the first that names one adds it."""
    found = _forms_in(text)
    first = next(found, Opened())
    if not first.inner or first.server:
        return first
    named = next((opened for opened in found if opened.server), Opened())
    return first._replace(server=named.server, address=named.address)


def _forms_in(text: str) -> Iterator[Opened]:
    for form in FORMS:
        if form.hint in text and (found := _compiled(form.words).search(text)):
            yield _opened(form, found.groupdict())


def stage_of(text: str) -> str:
    """Return the phase that a text names in the way of Postfix or of Yahoo; "" where it names none."""
    found = _STAGE.search(text)
    if found:
        return phase_of_stage(next(part for part in found.groups() if part))
    return "data" if "STOREDRV" in text else ""


def _opened(form: Form, groups: dict[str, str | None]) -> Opened:
    address = (groups.get("address") or groups.get("address2") or "").rstrip(".")
    name = server_name(groups.get("server") or groups.get("server2") or "")
    phase = phase_of_stage(groups.get("stage") or "") or form.phase
    if any(c in address for c in "/ ") or not any(c in address for c in ".:"):
        address = ""
    inner = (groups.get("inner") or "").strip()
    return Opened(form.kind, name or address, with_port(address, groups.get("port") or ""), phase, inner)


def server_name(name: str) -> str:
    """Return the name of a server as people write it, without the dot of the root."""
    name = name.strip(" .[]<>\"'")
    return "" if "/" in name or name.lower() in _NOBODY else name


def relay_name(name: str) -> str:
    """Return the server in a field `relay=`; "" where the mail goes to a program of the same machine, or nowhere."""
    name = server_name(name)
    return "" if name.lower() in _PLACES else name


def with_port(address: str, port: str) -> str:
    """Return an address, with its port where there is one."""
    if not port or not address:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
