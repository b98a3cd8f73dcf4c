"""Clients that send until they are told to stop, and remember what was acknowledged, how fast, and what was refused."""

import smtplib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self


def numbered(number: int) -> str:
    """Return the recipient of a message of the load."""
    return f"r{number}@partner.test"


class Load:
    """So many sessions, each sending one message after another.

    `acknowledged` holds the recipients of messages that got their 250, `seconds` how long each took, `refusals` the
    SMTP codes of the others, `dropped` how often a connection was lost.
    """

    def __init__(
        self,
        port: int,
        *,
        sessions: int = 6,
        sender: str = "ann@client.test",
        recipient: Callable[[int], str] = numbered,
        size: int = 0,
        pause: float = 0.0,
        timeout: float = 60,
    ) -> None:
        self.port = port
        self.acknowledged: list[str] = []
        self.seconds: list[float] = []
        self.refusals: list[int] = []
        self.dropped = 0
        self.ended = threading.Event()
        self._sender, self._recipient, self._pause, self._timeout = sender, recipient, pause, timeout
        self._content = "x" * 72 + "\r\n"
        self._content *= size // len(self._content)
        self._next = iter(range(10**9))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(sessions)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _work(self) -> None:
        while not self.ended.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=self._timeout) as client:
                    while not self.ended.is_set():
                        self._send(client)
            except (OSError, smtplib.SMTPException):
                self.dropped += not self.ended.is_set()
                time.sleep(0.02)

    def _send(self, client: smtplib.SMTP) -> None:
        with self._lock:
            recipient = self._recipient(next(self._next))
        begun = time.monotonic()
        try:
            client.sendmail(
                self._sender, [recipient], f"Subject: {recipient}\r\n\r\nHello\r\n{self._content}"
            )
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
            with self._lock:
                self.refusals.append(refused.smtp_code)
            if refused.smtp_code == 421:
                raise
            time.sleep(0.05)
            return
        except smtplib.SMTPRecipientsRefused as refused:
            with self._lock:
                self.refusals += [code for code, _ in refused.recipients.values()]
            time.sleep(0.05)
            return
        with self._lock:
            self.acknowledged.append(recipient)
            self.seconds.append(time.monotonic() - begun)
        if self._pause:
            self.ended.wait(self._pause)

    def stop(self) -> None:
        """Stop sending."""
        self.ended.set()
        for thread in self._threads:
            thread.join(20)


def fill(port: int, count: int, sessions: int = 10) -> None:
    """Hand in that many small messages to `rN@partner.test`, by so many sessions at once."""
    with ThreadPoolExecutor(sessions) as pool:
        shares = [pool.submit(_fill, port, range(start, count, sessions)) for start in range(sessions)]
        for share in shares:
            share.result()


def _fill(port: int, numbers: range) -> None:
    message = "MAIL FROM:<ann@client.test>\r\nRCPT TO:<r{}@partner.test>\r\nDATA\r\n"
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        stream = sock.makefile("rb")
        assert stream.readline().startswith(b"220")
        sock.sendall(b"EHLO filler\r\n")
        while not stream.readline().startswith(b"250 "):
            pass
        for number in numbers:
            sock.sendall(message.format(number).encode())
            for code in (b"250", b"250", b"354"):
                assert stream.readline().startswith(code)
            sock.sendall(b"Subject: x\r\n\r\nHello\r\n.\r\n")
            assert stream.readline().startswith(b"250")
