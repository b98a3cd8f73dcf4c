"""An SMTP client that sends what it is told, octet for octet, from any address of loopback.

with RawClient(port, source="127.0.0.2") as client:
    client.greet()
    assert client.ask(b"MAIL FROM:<a@b.test>\\r\\n").startswith(b"250")
"""

import socket
import ssl
from contextlib import suppress
from typing import Self

HELLO = b"EHLO client.test\r\n"


class RawClient:
    """One connection; replies are whole, with all their lines."""

    def __init__(self, port: int, source: str = "127.0.0.1", seconds: float = 60) -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), seconds, (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.sock.close()

    def greet(self) -> Self:
        """Read the banner and say EHLO."""
        assert self.reply().startswith(b"220 ")
        assert self.ask(HELLO).startswith(b"250")
        return self

    def send(self, data: bytes) -> None:
        """Send octets; what the other side no longer takes is not our fault."""
        with suppress(ConnectionError):
            self.sock.sendall(data)

    def reply(self) -> bytes:
        """Return the next reply with all its lines, b"" where the connection has ended."""
        lines = b""
        while True:
            while b"\r\n" not in self.buffer:
                piece = self._read()
                if not piece:
                    return lines
                self.buffer += piece
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            lines += line + b"\r\n"
            if line[3:4] != b"-":
                return lines

    def replies(self) -> list[bytes]:
        """Return all replies until the connection ends."""
        found = []
        while reply := self.reply():
            found.append(reply)
        return found

    def ask(self, data: bytes) -> bytes:
        """Send something and return the next reply."""
        self.send(data)
        return self.reply()

    def codes(self, data: bytes, number: int) -> list[int]:
        """Send something and return the codes of that many replies."""
        self.send(data)
        return [int(self.reply()[:3] or 0) for _ in range(number)]

    def closed(self) -> bool:
        """Say whether nothing more comes and the other side has ended the connection."""
        return not self.buffer and not self._read()

    def message(self, sender: str, recipient: str, content: bytes) -> bytes:
        """Hand in a message (its end included in `content`) and return the last reply."""
        assert self.ask(f"MAIL FROM:<{sender}>\r\n".encode()).startswith(b"250")
        assert self.ask(f"RCPT TO:<{recipient}>\r\n".encode()).startswith(b"250")
        assert self.ask(b"DATA\r\n").startswith(b"354")
        return self.ask(content)

    def start_tls(self, more: bytes = b"", context: ssl.SSLContext | None = None) -> None:
        """Say STARTTLS, with more in the same segment, and shake hands."""
        assert self.ask(b"STARTTLS\r\n" + more).startswith(b"220")
        self.sock = (context or trusting()).wrap_socket(self.sock)
        self.buffer = b""

    def _read(self) -> bytes:
        try:
            return self.sock.recv(65536)
        except ConnectionError:
            return b""


def trusting() -> ssl.SSLContext:
    """Return a context that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
