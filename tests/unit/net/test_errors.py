"""Foreign exceptions and what they mean."""

import asyncio
import errno
import os
import socket
import ssl

import pytest

from gatepost.model.failure import Reason
from gatepost.net.errors import network_failure


def system_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ETIMEDOUT, Reason.TIMEOUT),
        (errno.ECONNREFUSED, Reason.REFUSED),
        (errno.ENETUNREACH, Reason.UNREACHABLE),
        (errno.EHOSTUNREACH, Reason.UNREACHABLE),
        (errno.EACCES, Reason.UNREACHABLE),
        (errno.EPERM, Reason.UNREACHABLE),
        (errno.ECONNRESET, Reason.RESET),
        (errno.EPIPE, Reason.RESET),
        (errno.ECONNABORTED, Reason.RESET),
        (errno.EMFILE, Reason.LOCAL),
        (errno.EADDRNOTAVAIL, Reason.LOCAL),
        (errno.EIO, Reason.UNREACHABLE),
    ],
)
def test_each_number_of_the_system_has_its_reason(number: int, reason: Reason) -> None:
    """R7 and R8: refused, unreachable and timed out are three different things."""
    found, detail = network_failure(system_error(number))
    assert found is reason
    assert detail == f"{os.strerror(number)} ({errno.errorcode[number]})"


def test_the_words_are_those_of_the_contract() -> None:
    assert network_failure(ConnectionRefusedError(errno.ECONNREFUSED, "x")) == (
        Reason.REFUSED,
        "Connection refused (ECONNREFUSED)",
    )


@pytest.mark.parametrize(
    ("exception", "reason"),
    [
        (TimeoutError(), Reason.TIMEOUT),
        (asyncio.IncompleteReadError(b"", 1), Reason.CLOSED),
        (ConnectionResetError("Connection lost"), Reason.RESET),
        (BrokenPipeError(), Reason.RESET),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Reason.UNREACHABLE),
        (ssl.SSLError(1, "wrong version number"), Reason.HANDSHAKE),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), Reason.CLOSED),
        (ssl.SSLCertVerificationError(1, "x"), Reason.HANDSHAKE),
        (ValueError("a fault of ours"), Reason.LOCAL),
    ],
)
def test_exceptions_without_a_number_are_judged_by_their_type(exception: Exception, reason: Reason) -> None:
    found, detail = network_failure(exception)
    assert found is reason
    assert detail


def test_what_a_stranger_can_put_into_the_words_is_made_harmless() -> None:
    assert "\x1b" not in network_failure(OSError("\x1b[31mred\r\n"))[1]
