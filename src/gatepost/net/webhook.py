"""Post JSON to a web address, signed: HMAC-SHA256 (RFC 2104) over `timestamp.body`, no redirects.

Rule: the name is looked up once and the connection goes to the address that was judged, so that a name cannot
change its mind between the look and the leap.
"""

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

SIGNATURE = "Gatepost-Signature"
TIMESTAMP = "Gatepost-Timestamp"
KEPT = 500


class Posted(NamedTuple):
    """What became of a post: HTTP's status (0 where there was no answer), and words for people."""

    status: int
    words: str
    ok: bool = False


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature that a receiver compares: `sha256=` and the HMAC in hexadecimal."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


def internal(address: str) -> bool:
    """Tell whether an address belongs to this machine or a network that the world cannot reach."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return not (mapped or parsed).is_global


def post(
    url: str,
    payload: Mapping[str, object],
    secret: str,
    now_s: int,
    *,
    allowed: Callable[[str], bool],
    timeout: float = 10.0,
) -> Posted:
    """Post a payload; blocking, for a thread. `allowed` judges the IP address that would be connected to."""
    parts = urlsplit(url)
    host, https = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if https else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as problem:
        return Posted(0, f"{host} cannot be looked up: {problem}")
    address = str(found[0][4][0])
    if not allowed(address):
        return Posted(0, f"{address} is an internal address, and those are not allowed for webhooks")
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Gatepost",
        TIMESTAMP: str(now_s),
    }
    if secret:
        headers[SIGNATURE] = signature(secret, str(now_s), body)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _send(_Checked(host, port, address, timeout, https=https), path, body, headers)


def _send(connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]) -> Posted:
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        words = answer.read(KEPT).decode("utf-8", "replace")
        said = f"{answer.status} {answer.reason} {words}"[:KEPT]
        return Posted(answer.status, said, ok=200 <= answer.status < 300)
    except (OSError, http.client.HTTPException, ssl.SSLError) as problem:
        return Posted(0, f"{type(problem).__name__}: {problem}"[:KEPT])
    finally:
        connection.close()


class _Checked(http.client.HTTPConnection):
    """A connection to an address that was judged, under the name that was asked for."""

    def __init__(self, host: str, port: int, address: str, timeout: float, *, https: bool) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address
        self._https = https

    def connect(self) -> None:
        """Connect to the address; over TLS the certificate must carry the name."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._https:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
