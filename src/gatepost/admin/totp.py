"""Second factors: codes by time (RFC 6238) and recovery codes that work once. Pure."""

import base64
import binascii
import hmac
from hashlib import sha1
from urllib.parse import quote

PERIOD = 30  # seconds
DIGITS = 6
WINDOW = 1  # periods that a clock may be wrong, either way
SECRET_OCTETS = 20  # RFC 4226 section 4 R6
RECOVERY_CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read as something else


def secret_of(octets: bytes) -> str:
    """Return a secret as apps take it (base32)."""
    return base64.b32encode(octets).decode()


def code_at(secret: str, step: int) -> str:
    """Return the code of a period (RFC 4226 section 5.3)."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8), sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: str, code: str, now: int, last: int) -> int | None:
    """Return the period that a code belongs to, None where it is wrong; `now` in ms.

    A period up to `last` was used already and is not taken again (RFC 6238 section 5.2).
    """
    code = code.replace(" ", "")
    if not (code.isascii() and code.isdecimal() and len(code) == DIGITS):
        return None
    middle = now // (PERIOD * 1000)
    found = None
    try:
        for step in range(middle - WINDOW, middle + WINDOW + 1):
            if hmac.compare_digest(code_at(secret, max(0, step)), code) and step > last:
                found = step
    except binascii.Error:
        return None
    return found


def address_of(secret: str, name: str, issuer: str) -> str:
    """Return the address that an app reads from the QR code."""
    label = quote(f"{issuer}:{name}", safe="")
    return f"otpauth://totp/{label}?secret={secret}&issuer={quote(issuer, safe='')}"


def recovery_code(octets: bytes) -> str:
    """Return a recovery code, `abcde-fghij`, from ten octets."""
    letters = "".join(ALPHABET[octet % len(ALPHABET)] for octet in octets[:10])
    return f"{letters[:5]}-{letters[5:]}"


def plain(code: str) -> str:
    """Return a recovery code as it is compared, however it was typed."""
    return code.strip().lower().replace(" ", "").replace("-", "")
