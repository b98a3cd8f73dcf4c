"""The server's side of AUTH PLAIN (RFC 4616) and LOGIN, without judging the password."""

import binascii

_USERNAME = b"VXNlcm5hbWU6"
_PASSWORD = b"UGFzc3dvcmQ6"
_MAX = 512  # octets of a user name or password


class Refused(Exception):
    """The exchange was cancelled or is malformed; the words go into the reply."""


class Exchange:
    """One login: `prompt` is what to ask (base64), `take` reads an answer."""

    def __init__(self, mechanism: str) -> None:
        self.mechanism = mechanism
        self.prompt = b"" if mechanism == "PLAIN" else _USERNAME
        self._user = ""

    def take(self, line: bytes) -> tuple[str, str] | None:
        """Return (user, password), or None where another answer is needed; raise `Refused`."""
        if line == b"*":
            raise Refused("The login was cancelled")
        try:
            data = binascii.a2b_base64(line, strict_mode=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused("The answer is not base64 of UTF-8") from None
        if self.mechanism == "PLAIN":
            return self._plain(data)
        if not data or len(data) > _MAX or "\0" in data:
            raise Refused("A user name and a password are needed")
        if self.prompt == _USERNAME:
            self._user, self.prompt = data, _PASSWORD
            return None
        return self._user, data

    @staticmethod
    def _plain(data: str) -> tuple[str, str]:
        parts = data.split("\0")
        if len(parts) != 3 or not parts[1] or not parts[2] or max(map(len, parts)) > _MAX:
            raise Refused("PLAIN takes an identity, a user name and a password")
        if parts[0] not in {"", parts[1]}:
            raise Refused("Logging in as someone else is not offered")
        return parts[1], parts[2]


def start(mechanism: str) -> Exchange | None:
    """Return the exchange of a mechanism, None where it is not offered."""
    return Exchange(mechanism) if mechanism in {"PLAIN", "LOGIN"} else None
