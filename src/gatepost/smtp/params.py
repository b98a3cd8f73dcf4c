"""The parameters of MAIL and RCPT, read strictly (RFC 1870, 3461, 4954, 6152, 6531)."""

import re
from typing import NamedTuple

from gatepost.model.mail import (
    EIGHT_BIT,
    NOTIFY_DELAY,
    NOTIFY_FAILURE,
    NOTIFY_NEVER,
    NOTIFY_SUCCESS,
    RET_FULL,
    RET_HDRS,
    SMTPUTF8,
)

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 section 4
_HEX = re.compile(r"\+([0-9A-F]{2})")
_PRINTABLE = re.compile(r"[ -~]*+")
_TYPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_UTF8_ORCPT = re.compile(r"(?:[!-*,-<>-\[\]-~\x80-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+")  # RFC 6533 section 3
_NUMBER = re.compile(r"[0-9]{1,20}")
_NOTIFY = {"SUCCESS": NOTIFY_SUCCESS, "FAILURE": NOTIFY_FAILURE, "DELAY": NOTIFY_DELAY}
_RET = {"FULL": RET_FULL, "HDRS": RET_HDRS}
_BODY = {"7BIT": 0, "8BITMIME": EIGHT_BIT}
MAX_ENVID = 100  # RFC 3461 section 4.4
MAX_ORCPT = 500  # section 4.2


class BadParameter(ValueError):
    """A parameter is unknown (`unknown`: 555) or malformed (501)."""

    def __init__(self, words: str, *, unknown: bool = False) -> None:
        super().__init__(words)
        self.unknown = unknown


class MailParameters(NamedTuple):
    """What MAIL said beside the sender; `size` is 0 where it was not given."""

    size: int = 0
    flags: int = 0
    envid: str = ""


class RcptParameters(NamedTuple):
    """What RCPT said beside the recipient."""

    notify: int = 0
    orcpt: str = ""


NO_MAIL = MailParameters()
NO_RCPT = RcptParameters()


def decode_xtext(text: str) -> str:
    """Return what xtext encodes; only printable ASCII may be in it, so `+00` is refused."""
    if _XTEXT.fullmatch(text) is None:
        raise BadParameter("malformed xtext")
    plain = _HEX.sub(lambda found: chr(int(found.group(1), 16)), text)
    if _PRINTABLE.fullmatch(plain) is None:
        raise BadParameter("xtext with a character that is not printable ASCII")
    return plain


def encode_xtext(text: str) -> str:
    """Return printable ASCII as xtext (RFC 3461 section 4)."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


def parse_mail(data: bytes) -> MailParameters:
    """Return the parameters of MAIL; raise `BadParameter`."""
    size = flags = 0
    envid = ""
    for name, value in _split(data):
        match name:
            case "SIZE":
                size = _number(value)
            case "BODY":
                flags |= _choice(name, value, _BODY)
            case "SMTPUTF8":
                if value is not None:
                    raise BadParameter("SMTPUTF8 takes no value")
                flags |= SMTPUTF8
            case "RET":
                flags |= _choice(name, value, _RET)
            case "ENVID":
                envid = _envid(value)
            case "AUTH":
                decode_xtext(value or "")  # RFC 4954 section 5: checked, and not believed
            case _:
                raise BadParameter(f"{name} is not a parameter of MAIL", unknown=True)
    return MailParameters(size, flags, envid)


def parse_rcpt(data: bytes) -> RcptParameters:
    """Return the parameters of RCPT; raise `BadParameter`."""
    notify = 0
    orcpt = ""
    for name, value in _split(data):
        match name:
            case "NOTIFY":
                notify = _notify(value)
            case "ORCPT":
                orcpt = _orcpt(value)
            case _:
                raise BadParameter(f"{name} is not a parameter of RCPT", unknown=True)
    return RcptParameters(notify, orcpt)


def _split(data: bytes) -> list[tuple[str, str | None]]:
    """Return the `NAME[=value]` words; each may be given once."""
    try:
        words = data.decode("utf-8").split(" ")
    except UnicodeDecodeError:
        raise BadParameter("a parameter is not valid UTF-8") from None
    found: dict[str, str | None] = {}
    for word in words:
        if not word:
            continue
        name, separator, value = word.partition("=")
        if _TYPE.fullmatch(name) is None or (separator and not value) or not value.isprintable():
            raise BadParameter("malformed parameter")
        name = name.upper()
        if name in found:
            raise BadParameter(f"{name} is given twice")
        found[name] = value if separator else None
    return list(found.items())


def _number(value: str | None) -> int:
    if value is None or _NUMBER.fullmatch(value) is None:
        raise BadParameter("SIZE takes a decimal number")
    return int(value)


def _choice(name: str, value: str | None, choices: dict[str, int]) -> int:
    chosen = choices.get((value or "").upper())
    if chosen is None:
        raise BadParameter(f"{name} takes {' or '.join(choices)}")
    return chosen


def _envid(value: str | None) -> str:
    if value is None or len(value) > MAX_ENVID:
        raise BadParameter("ENVID is missing or too long")
    decode_xtext(value)
    return value


def _notify(value: str | None) -> int:
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return NOTIFY_NEVER
    if len(set(words)) != len(words) or not all(word in _NOTIFY for word in words):
        raise BadParameter("NOTIFY takes NEVER, or a list of SUCCESS, FAILURE and DELAY")
    return sum(_NOTIFY[word] for word in words)


def _orcpt(value: str | None) -> str:
    if value is None or len(value) > MAX_ORCPT:
        raise BadParameter("ORCPT is missing or too long")
    kind, separator, address = value.partition(";")
    if not separator or not address or _TYPE.fullmatch(kind) is None:
        raise BadParameter("ORCPT takes an address type, a semicolon and an address")
    if kind.lower() == "utf-8":
        if _UTF8_ORCPT.fullmatch(address) is None:
            raise BadParameter("malformed ORCPT address")
    else:
        decode_xtext(address)
    return value
