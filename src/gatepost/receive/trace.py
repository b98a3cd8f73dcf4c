"""The `Received:` header that says how a message came to us (RFC 5321 section 4.4, RFC 3848, RFC 6531)."""

import re
from email.utils import formatdate
from functools import lru_cache

_SAFE_NAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


def protocol(*, extended: bool, tls: bool, login: bool, utf8: bool) -> str:
    """Return the word after `with`: SMTP, ESMTP, ESMTPS, ESMTPSA, UTF8SMTPS ..."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if utf8 else "ESMTP") + ("S" if tls else "") + ("A" if login else "")


def origin(helo: str, address: str, hostname: str) -> str:
    """Return the part that is the same for all messages of a session; a strange HELO name is not repeated."""
    name = helo if _SAFE_NAME.fullmatch(helo) else "unknown"
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    return f"Received: from {name} ({literal})\r\n\tby {hostname} (Gatepost) with "


def received(start: str, how: str, message_id: str, cipher: str, recipient: str, now: int) -> bytes:
    """Return the header; `recipient` is "" where there are several, for they must not learn of each other."""
    tls = f"\r\n\t(using {cipher})" if cipher else ""
    whom = f"\r\n\tfor <{recipient}>" if recipient else ""
    return f"{start}{how}\r\n\tid {message_id}{tls}{whom}; {_date(now // 1000)}\r\n".encode()


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second)
