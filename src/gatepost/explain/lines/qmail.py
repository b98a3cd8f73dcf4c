# ruff: noqa: E501 (a pattern is one line)
"""Lines of qmail: qmail-send's deliveries with blanks written as underscores, rblsmtpd, and what patches log."""

import re

from gatepost.explain.lines.syslog import Head
from gatepost.explain.opening import OUR_SIDE
from gatepost.explain.record import Record

_DELIVERY = re.compile(
    r"\bdelivery (?P<id>\d{1,12}): (?P<result>failure|deferral|success): (?P<text>.*)", re.DOTALL
)
_RBL = re.compile(r"\brblsmtpd: (?P<text>.*)", re.DOTALL)
_CHKUSER = re.compile(
    r"\bCHKUSER (?:rejected|intrusion threshold|relaying) (?P<stage>rcpt|sender|client)?(?P<text>.*)",
    re.DOTALL,
)
_CHKUSER_RCPT = re.compile(r"rcpt <([^>]{0,320})>")
_SPAMDYKE = re.compile(r"\bspamdyke\[\d{1,8}\]: (?P<text>(?:DENIED|TIMEOUT|ERROR)\S{0,60}.*)", re.DOTALL)
_OUTCOME = {"failure": "failed", "deferral": "deferred", "success": "delivered"}
_TEXT = re.compile(
    r"^(?:Sorry[,.]|Hi\. This is|I'm sorry|This message is looping|[\w.:-]{3,60}_does_not_like|Connected_to_|CNAME_lookup|Remote_host_said|[A-Z][a-z][\w',]{0,40}_\w)"
)


def read(head: Head) -> Record | None:
    """Return the failure or delivery that a line tells; None for a line of another kind."""
    line = head.rest.strip()
    record = _delivery(line) or _refusal(head.program, line) or _bare(line)
    return record._replace(raw=line, at=head.at) if record else None


def plain(text: str) -> str:
    """Return a text of qmail's log as it was: underscores were blanks, slashes ends of lines."""
    if text.count("_") < 2 or text.count(" ") > text.count("_"):
        return text
    return (
        re.sub(r"/(?!/)(?=[A-Z]|$|\S{0,60}_)", "\n", text.replace("_", " "))
        if "http" not in text
        else text.replace("_", " ")
    )


def _delivery(line: str) -> Record | None:
    found = _DELIVERY.search(line)
    if found is None:
        return None
    return Record("qmail", plain(found["text"]), outcome=_OUTCOME[found["result"]], message=found["id"])


def _refusal(program: str, line: str) -> Record | None:
    rbl = line if program == "rblsmtpd" else (found["text"] if (found := _RBL.search(line)) else "")
    if rbl:
        return Record(
            "qmail",
            f"blocked using {rbl}" if "blocked" not in rbl else rbl,
            phase="connect",
            outcome="failed",
            destination=OUR_SIDE,
        )
    if found := _SPAMDYKE.search(line):
        return Record("qmail", found["text"], phase="rcpt", outcome="failed", destination=OUR_SIDE)
    if found := _CHKUSER.search(line):
        address = _CHKUSER_RCPT.search(line)
        return Record(
            "qmail",
            found["text"],
            phase="rcpt",
            recipient=address[1] if address else "",
            outcome="failed",
            destination=OUR_SIDE,
        )
    return None


def _bare(line: str) -> Record | None:
    recipient = re.match(r"<([^>\s]{1,320})>:\s+", line)
    text = line[recipient.end() :] if recipient else line
    if not (
        _TEXT.match(text)
        or "does not like recipient" in text
        or "_does_not_like_" in text
        or "but sender was rejected" in text
    ):
        return None
    return Record("qmail", plain(text), recipient=recipient[1] if recipient else "")
