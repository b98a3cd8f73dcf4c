# ruff: noqa: E501 (a pattern is one line)
"""Recognise whose log it is by its first lines."""

import re

_FORMS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("postfix", re.compile(rb"(?m)^.{10,120} (?:\S{1,64}/)?postfix[\w./-]{0,60}(?:\[\d{1,10}\])?: ")),
    ("exchange", re.compile(rb"(?m)^#(?:Software: Microsoft Exchange|Log-type: )|^\d{4}-\d\d-\d\dT[\d:.]{8,16}Z?,")),
    ("haraka", re.compile(rb"(?m)^(?:\S{1,60} ){0,5}\[(?:DATA|PROTOCOL|DEBUG|INFO|NOTICE|WARN|ERROR|CRIT|ALERT|EMERG)\] \[")),
    ("opensmtpd", re.compile(rb"(?m)^.{10,120} (?:opensmtpd|smtpd)\[\d{1,10}\]: (?:[0-9a-f]{16} )?(?:smtp|mta|mda|smtp-in|smtp-out|delivery|info|warn|debug)\b")),
    ("sendmail", re.compile(rb"(?m)^.{10,120} (?:sendmail|sm-mta|sm-msp-queue|sm-que|mta)\S{0,20}\[\d{1,10}\]: ")),
    ("qmail", re.compile(rb"(?m)(?:^|[ :])(?:starting delivery \d{1,12}: msg \d|info msg \d{1,12}: bytes|delivery \d{1,12}: (?:success|failure|deferral): |new msg \d|end msg \d|status: local \d)")),
    ("exim", re.compile(rb"(?m)^(?:.{10,120}exim\[?\d{0,10}\]?: )?(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? (?:[+-]\d{4} )?(?:\[\d{1,10}\] )?(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} |H=|Start queue run|End queue run|exim |no host name|SMTP |Warning: ))")),
    ("kumomta", re.compile(rb"(?m)^\{(?=[^\n]{0,4000}\"type\": ?\"(?:Reception|Delivery|Bounce|TransientFailure|Expiration|AdminBounce|OOB|Feedback|Rejection|Xfer\w{0,10}|Delayed|Any)\")")),
    ("gatepost", re.compile(rb"(?m)^\{\"time\":\"[^\"]{10,40}\",\"level\":\"[a-z]{4,7}\",\"event\":\"")),
    ("json", re.compile(rb"(?m)^\{\"")),
)  # fmt: skip
LOG_KINDS = (*(kind for kind, _ in _FORMS), "log")
_LOOKED_AT = 200  # lines


def log_kind(head: bytes) -> str:
    """Return the system that most of the first lines are of, `log` where none is known."""
    lines = b"\n".join(line[:4200] for line in head.split(b"\n", _LOOKED_AT)[:_LOOKED_AT])
    counts = [(sum(1 for _ in form.finditer(lines)), kind) for kind, form in _FORMS]
    best = max(count for count, _ in counts)
    return next(kind for count, kind in counts if count == best) if best else "log"
