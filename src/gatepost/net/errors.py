"""Foreign exceptions become reasons here, by their type and number, never by their text."""

import errno
import os
import ssl

from gatepost.model.failure import Reason, clean

_UNREACHABLE = ("ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN", "EACCES", "EPERM", "EAFNOSUPPORT")
_OURS = ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EADDRINUSE")

_BY_NUMBER: dict[int, Reason] = {
    errno.ETIMEDOUT: Reason.TIMEOUT,
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
    errno.EPIPE: Reason.RESET,
    errno.ESHUTDOWN: Reason.CLOSED,
    errno.ENOTCONN: Reason.CLOSED,
    **{getattr(errno, name): Reason.UNREACHABLE for name in _UNREACHABLE},
    # our own descriptors, ports or memory ran out: the other side has nothing to do with it
    **{getattr(errno, name): Reason.LOCAL for name in _OURS},
}

# event loops raise these without a number
_BY_TYPE: tuple[tuple[type[BaseException], Reason, str], ...] = (
    (TimeoutError, Reason.TIMEOUT, "Timed out"),
    (ConnectionRefusedError, Reason.REFUSED, "Connection refused"),
    (ConnectionError, Reason.RESET, "Connection lost"),
    (EOFError, Reason.CLOSED, "The other side closed the connection"),
    (OSError, Reason.UNREACHABLE, "Network error"),
)


def network_failure(exc: BaseException) -> tuple[Reason, str]:
    """Return what a foreign exception means, and its words: `Connection refused (ECONNREFUSED)`."""
    if isinstance(exc, ssl.SSLError):
        return _tls_failure(exc)
    number = exc.errno if isinstance(exc, OSError) else None
    if number is not None and number in errno.errorcode:
        reason = _BY_NUMBER.get(number, Reason.UNREACHABLE)
        return reason, f"{os.strerror(number)} ({errno.errorcode[number]})"
    for kind, reason, words in _BY_TYPE:
        if isinstance(exc, kind):
            return reason, clean(str(exc), 256) or words
    # anything else is a fault of this program; it must not end mail
    return Reason.LOCAL, clean(f"{type(exc).__name__}: {exc}", 256)


def _tls_failure(exc: ssl.SSLError) -> tuple[Reason, str]:
    if isinstance(exc, ssl.SSLZeroReturnError | ssl.SSLEOFError):
        return Reason.CLOSED, "The other side closed the TLS connection"
    name = str(getattr(exc, "reason", None) or "")  # errors made by hand have none
    if not name:
        return Reason.HANDSHAKE, clean(str(exc), 256) or "TLS error"
    words = name.replace("_", " ").capitalize()
    return Reason.HANDSHAKE, clean(f"{words} ({name})", 256)
