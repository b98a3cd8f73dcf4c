# ruff: noqa: E501 (a pattern is one line)
"""Recognise what a text or a file is: one error, lines of a log, a mail, a folder of mails, something packed."""

import re
from collections.abc import Callable, Iterator

from gatepost.diagnose.normal import cut
from gatepost.explain.exchange import look

_LOG_HEAD = re.compile(
    r"(?:<\d{1,3}>)?(?:\d )?(?:[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)"
    r"|\[[A-Z]{4,8}\] \[|@4[0-9a-f]{23} |\{\"|\[\d{2}/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d\]|[\w-]{1,40}_\d{1,3} {1,12}\| "
)
_TOLD = re.compile(
    r"(?:new|info|end) msg \d|starting delivery \d|delivery \d{1,12}: |status: local \d"
)  # qmail-send
_REPLY = re.compile(r"[245][0-7]\d(?P<more>[- ]|$)")
_CODE = re.compile(r"\s*(?:smtp;\s*)?#?[245](?:\d\d|\.\d{1,3}\.\d{1,3})\b")
_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:[ \t]")
_HEADERS = re.compile(
    rb"(?im)^(?:received|return-path|message-id|from|to|subject|date|mime-version|delivered-to|x-[\w-]{1,40}):"
)
_KINDS = (  # words that only one system says
    ("exchange", ("RESOLVER.", "STOREDRV", "SMTPSEND.", "QUEUE.Expired", "ROUTING.", "TRANSPORT.RULES", "LED=", "LastAttempted", "prod.outlook.com", "TenantAttribution", "edgesync", "4.4.31", "5.4.31", "4.7.32", "5.7.32", "Winsock error", "Socket error code", "SuspiciousRemoteServerError")),
    ("kumomta", ("KumoMTA", "ResolvedAddress {", "failed to resolve queue", "kumod")),
    ("opensmtpd", ("destination MX", "No MX found for d", "Domain does not accept mail", "smtp-out: ")),
    ("haraka", ("Tried all MXs", "local_mx_ok", "haraka", "Haraka")),
    ("qmail", ("(#4.", "(#5.", "_(#", "Sorry, ", "Sorry. ", "_does_not_like_", "qmail-send", "CNAME_lookup")),
    ("exim", (" T=", "retry timeout exceeded", "retry time not reached", "remote mail server after", "Unrouteable address", "all hosts for '")),
    ("postfix", ("status=deferred (", "status=bounced (", "status=sent (", "refused to talk to me", "X-Postfix", "Recipient address rejected: ", "(in reply to ", "delivery temporarily suspended", "Name service error for")),
    ("sendmail", ("stat=", "Deferred: ", "<<< 5", "<<< 4")),
    ("gmail", ("support.google.com/mail", "gsmtp", "The response from the remote server was")),
)  # fmt: skip


def kind_of_text(text: str) -> str:
    """Return which system an error text is of: by words that only it says, else "reply" or "text"."""
    text = cut(text, 2000, 500)
    found = next((kind for kind, words in _KINDS if any(word in text for word in words)), "")
    if found:
        return found
    if look(text).found:
        return "exchange"
    return "reply" if _CODE.match(text) else "text"


def kind_of_file(data: bytes) -> str:
    """Return what the beginning of a file (some kilobytes) is: gzip, mbox, mail, log or text."""
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if start.startswith(b"From ") and _HEADERS.search(start[:4000]):
        return "mbox"
    head = re.split(rb"\r?\n\r?\n", start[:16_000], maxsplit=1)[0]
    if _FIELD.match(head) and len({found.lower() for found in _HEADERS.findall(head)}) >= 3:
        return "mail"
    lines = start[:8000].decode("utf-8", "replace").splitlines()[:40]
    lines = [line for line in lines if not line.startswith("#")][:20]  # what Exchange writes above its rows
    heads = sum(bool(_LOG_HEAD.match(line) or _TOLD.match(line)) for line in lines)
    return "log" if heads * 2 > len(lines) and heads else "text"


def units(text: str) -> Iterator[str]:
    """Yield the single errors in a text: lines of a log with what belongs to them, replies, attempts, or all as one."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        yield from (line for line in lines)
    elif any(_LOG_HEAD.match(line) for line in lines):
        yield from _grouped(lines, lambda line: bool(_LOG_HEAD.match(line)))
    elif sum("returned '" in line for line in lines) > 1:
        yield from _grouped(lines, lambda line: "returned '" in line)
    elif all(_REPLY.match(line) for line in lines):
        yield from _replies(lines)
    elif sum(bool(_QUEUED.match(line)) for line in lines) and any(
        "Queue ID" in line or "mqueue" in line for line in lines
    ):
        yield from _queued(lines)
    else:
        yield text.strip()


_QUEUED = re.compile(r"\s*\((?P<text>.{4,2000})\)\s*$")


def _queued(lines: list[str]) -> Iterator[str]:
    """Yield the reasons of a listing of a queue (`mailq`), each with the recipients that stand below it."""
    for number, line in enumerate(lines):
        found = _QUEUED.match(line)
        if found:
            below = lines[number + 1].strip() if number + 1 < len(lines) else ""
            yield (
                f"to=<{below}>, status=deferred ({found['text']})"
                if "@" in below and " " not in below
                else found["text"]
            )


def _grouped(lines: list[str], begins: Callable[[str], bool]) -> Iterator[str]:
    group: list[str] = []
    for line in lines:
        if begins(line) and group:
            yield "\n".join(group)
            group = []
        group.append(line)
    yield "\n".join(group)


def _replies(lines: list[str]) -> Iterator[str]:
    """Yield replies: a blank behind the digits ends one (RFC 5321 section 4.2.1)."""
    group: list[str] = []
    for line in lines:
        group.append(line)
        if line[3:4] != "-":
            yield "\n".join(group)
            group = []
    if group:
        yield "\n".join(group)
