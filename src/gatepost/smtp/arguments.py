"""What MAIL, RCPT and BDAT say: the grammar of their arguments, and the refusals where it is broken (pure)."""

import re
from functools import lru_cache

from gatepost.model.mail import SMTPUTF8
from gatepost.smtp.address import BadAddress, Path, take_path
from gatepost.smtp.events import PROBLEMS, Bad, Mail, Rcpt, answer
from gatepost.smtp.params import NO_MAIL, NO_RCPT, BadParameter, parse_mail, parse_rcpt

_DIGITS = re.compile(rb"[0-9]{1,19}")
_NOT_ASCII = answer(553, "5.6.7", "An address that is not ASCII needs SMTPUTF8")


@lru_cache(maxsize=256)  # whoever sends much sends as the same
def mail(rest: bytes, max_size: int) -> Mail | Bad:
    """Read what follows MAIL; a size of more than `max_size` octets (0: any) is refused (RFC 1870)."""
    try:
        path, parameters = _path(rest, b"FROM:")
        given = parse_mail(parameters) if parameters else NO_MAIL
        if path.address and not path.domain:
            raise BadAddress("the address has no domain")
    except (BadAddress, BadParameter) as problem:
        return _refused(problem, "5.1.7")
    if not given.flags & SMTPUTF8 and not path.address.isascii():
        return Bad(_NOT_ASCII, "address")
    if max_size and given.size > max_size:
        return Bad(answer(*PROBLEMS["size"]), "size")
    return Mail(path, given)


def rcpt(rest: bytes, *, utf8: bool) -> Rcpt | Bad:
    """Read what follows RCPT; `utf8` says that MAIL asked for SMTPUTF8."""
    try:
        path, parameters = _path(rest, b"TO:")
        given = parse_rcpt(parameters) if parameters else NO_RCPT
        if not path.address:
            raise BadAddress("a recipient cannot be empty")
    except (BadAddress, BadParameter) as problem:
        return _refused(problem, "5.1.3")
    if not utf8 and not path.address.isascii():
        return Bad(_NOT_ASCII, "address")
    return Rcpt(path, given)


def chunk_size(rest: bytes) -> tuple[int, bool] | None:
    """Return the size of a BDAT and whether it is the last; None where it is malformed."""
    words = rest.split(b" ")
    if _DIGITS.fullmatch(words[0]) is None or len(words) > 2:
        return None
    if len(words) == 2 and words[1].upper() != b"LAST":
        return None
    return int(words[0]), len(words) == 2


def _path(rest: bytes, keyword: bytes) -> tuple[Path, bytes]:
    size = len(keyword)
    if rest[:size].upper() != keyword:
        raise BadParameter(f"{keyword.decode()}<address> is expected")
    # a space after the colon is no grammar, but so common that refusing it helps nobody
    path, parameters = take_path(rest[size:].lstrip(b" "), utf8=True)
    if parameters and parameters[0] != 32:
        raise BadAddress("something follows the closing bracket")
    return path, parameters


def _refused(problem: BadAddress | BadParameter, enhanced: str) -> Bad:
    if isinstance(problem, BadAddress):
        return Bad(
            answer(553 if enhanced == "5.1.3" else 501, enhanced, f"Bad address: {problem}"), "address"
        )
    return Bad(answer(555 if problem.unknown else 501, "5.5.4", f"Bad parameter: {problem}"), "syntax")
