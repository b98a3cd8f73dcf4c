"""A mail server on loopback that behaves as badly as it is told to, one thread per connection.

    with FaultServer(banner="421 4.3.2 busy") as server:
        ... connect to server.port; server.messages, server.connections ...

An *action* says what happens at a point of the session: a reply ("450 4.2.0 later", or bytes sent as they
are), `SILENCE`, `CLOSE`, `RESET`; a list or tuple of actions is used up one occurrence at a time (over all
connections), its last one for ever. None means: behave well.
"""

import socket
import ssl
import struct
import threading
import time
import warnings
from base64 import b64decode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support.peers import PATIENCE

SILENCE = "<silence>"
CLOSE = "<close>"
RESET = "<reset>"

Action = str | bytes | None
Actions = Action | Sequence[Action]

GOOD = {
    "banner": "220 fault.test ESMTP",
    "mail": "250 2.1.0 sender fine",
    "rcpt": "250 2.1.5 recipient fine",
    "data": "354 go ahead",
    "eod": "250 2.0.0 taken",
    "rset": "250 2.0.0 forgotten",
    "quit": "221 2.0.0 bye",
}


class _Ended(Exception):
    """This connection is over."""


@dataclass(slots=True)
class Received:
    """A message that was taken, with its envelope; `content` is the wire form without the final dot."""

    sender: str
    mail_parameters: str
    recipients: list[str]
    content: bytes
    tls: bool
    connection: int
    at: float


@dataclass(slots=True)
class Seen:
    """What one connection did."""

    number: int
    commands: list[str] = field(default_factory=list)
    tls: bool = False
    server_name: str | None = None
    login: str = ""
    messages: int = 0
    content_octets: int = 0
    ended: bool = False


class FaultServer:
    """A scripted server; every argument is one way to misbehave."""

    def __init__(
        self,
        *,
        connect: Actions = None,  # CLOSE, RESET or SILENCE right after accept
        banner: Actions = None,
        ehlo: Actions = None,
        helo: Actions = None,
        starttls: Actions = None,
        handshake: Actions = None,  # bytes instead of a ServerHello, or CLOSE, RESET, SILENCE
        auth: Actions = None,
        mail: Actions = None,
        rcpt: Actions | Mapping[str, Actions] = None,  # by address, or for all
        data: Actions = None,
        body: Actions = None,  # after `body_after` octets of the content, which has to be 10 MB or more
        body_after: int = 0,
        eod: Actions = None,
        take: bool = True,  # whether a message that meets a fault at the dot counts as taken
        inject: bytes = b"",  # clear text sent together with the 220 to STARTTLS
        extensions: Sequence[str] = ("PIPELINING", "SIZE 104857600", "8BITMIME", "ENHANCEDSTATUSCODES"),
        certificate: tuple[str | Path, str | Path] | None = None,  # PEM: chain and key; offers STARTTLS
        offer_starttls: bool | None = None,
        tls_maximum: ssl.TLSVersion | None = None,
        ciphers: str = "",  # of TLS up to 1.2
        logins: Mapping[str, str] | None = None,
        mechanisms: str = "PLAIN LOGIN",
        lmtp: bool = False,
        keep: bool = True,  # whether contents are kept
        drip: float = 0.0,  # seconds between the octets of replies
        read_rate: int = 0,  # octets a second; 0: as fast as they come
        max_messages: int = 0,  # then 421 to the next MAIL
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.script: dict[str, Actions] = {
            "connect": connect,
            "banner": banner,
            "ehlo": ehlo,
            "helo": helo,
            "starttls": starttls,
            "handshake": handshake,
            "auth": auth,
            "mail": mail,
            "data": data,
            "body": body,
            "eod": eod,
        }
        self.rcpt = rcpt
        self.body_after = body_after
        self.take = take
        self.inject = inject
        self.extensions = tuple(extensions)
        self.offer_starttls = certificate is not None if offer_starttls is None else offer_starttls
        self.logins = dict(logins or {})
        self.mechanisms = mechanisms
        self.lmtp = lmtp
        self.keep = keep
        self.drip = drip
        self.read_rate = read_rate
        self.max_messages = max_messages
        self.host = host
        self.messages: list[Received] = []
        self.connections: list[Seen] = []
        self.stopping = threading.Event()
        self.context = _context(certificate, tls_maximum, ciphers) if certificate else None
        self._used: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=256)
        if body is not None:
            # What is not read stays with the sender: else the kernel may take a whole content, dot included, and
            # a connection that was to break in the middle of it breaks after its end.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to accept."""
        self._listener.settimeout(0.1)
        thread = threading.Thread(target=self._accept, name=f"fault-{self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """End every connection and every thread."""
        self.stopping.set()
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()

    def wait_for(self, messages: int, seconds: float = 5.0) -> bool:
        """Wait until that many messages were taken; `seconds` are those of a quiet machine."""
        end = time.monotonic() + seconds * PATIENCE
        while len(self.messages) < messages and time.monotonic() < end:
            time.sleep(0.005)
        return len(self.messages) >= messages

    def change(self, **script: Actions) -> None:
        """Behave differently from now on: `server.change(banner=None)` heals a banner."""
        with self._lock:
            for name, actions in script.items():
                if name not in self.script:
                    raise ValueError(f"{name} is not a point of the script")
                self.script[name] = actions
                self._used[name] = 0

    def next_action(self, name: str, actions: Actions) -> Action:
        """Return the action for this occurrence."""
        if actions is None or isinstance(actions, str | bytes):
            return actions
        with self._lock:
            number = self._used[name]
            self._used[name] += 1
        return actions[min(number, len(actions) - 1)] if actions else None

    def replace_socket(self, old: socket.socket | None, new: socket.socket | None) -> None:
        """Keep track of what `stop` has to shut down."""
        with self._lock:
            self._sockets.discard(old)
            if new is not None:
                self._sockets.add(new)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self._lock:
                seen = Seen(len(self.connections) + 1)
                self.connections.append(seen)
                self._sockets.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock, seen), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, seen: Seen) -> None:
        session = _Session(self, sock, seen)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session.run()
        except (_Ended, OSError, ValueError):
            pass
        finally:
            seen.ended = True
            if not session.in_content:  # who ends in the middle of a message reads no more of it
                session.part()
            self.replace_socket(sock, None)
            self.replace_socket(session.sock, None)
            session.sock.close()
            sock.close()


class _Session:
    """One connection, well-behaved but for the script."""

    def __init__(self, server: FaultServer, sock: socket.socket, seen: Seen) -> None:
        self.server = server
        self.raw = sock
        self.sock: socket.socket = sock
        self.seen = seen
        self.buffer = b""
        self.output = b""
        self.sender: str | None = None
        self.parameters = ""
        self.recipients: list[str] = []
        self.in_content = False

    def run(self) -> None:
        self.act(self.scripted("connect"), None)
        self.act(self.scripted("banner"), GOOD["banner"])
        while not self.server.stopping.is_set():
            line = self.line()
            self.seen.commands.append(line)
            verb, _, argument = line.partition(" ")
            handler = getattr(self, f"do_{verb.lower()}", None)
            if handler is None:
                self.say("502 5.5.1 not known here")
            else:
                handler(argument)

    # the commands

    def do_ehlo(self, _argument: str) -> None:
        offers = list(self.server.extensions)
        if self.server.offer_starttls and not self.seen.tls:
            offers.append("STARTTLS")
        if self.server.logins:
            offers.append(f"AUTH {self.server.mechanisms}")
        lines = ["fault.test greets you", *offers]
        good = "\r\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{text}" for i, text in enumerate(lines))
        self.act(self.scripted("ehlo"), good)

    do_lhlo = do_ehlo

    def do_helo(self, _argument: str) -> None:
        self.act(self.scripted("helo"), "250 fault.test")

    def do_starttls(self, _argument: str) -> None:
        action = self.scripted("starttls")
        if action is None and self.server.context is None:
            action = "502 5.5.1 not known here"
        if action is not None:
            self.act(action, None)
            if not isinstance(action, str) or not action.startswith("220"):
                return
        else:
            self.send(b"220 2.0.0 ready\r\n" + self.server.inject)
        self.flush()
        action = self.scripted("handshake")
        if action is not None:
            # only now has the client begun its handshake: what comes before that is another fault (`inject`)
            self.raw.recv(1, socket.MSG_PEEK)
        self.act(action, None)
        self.flush()
        if self.server.context is None:
            raise _Ended
        self.raw.settimeout(10)
        self.server.replace_socket(self.raw, None)
        encrypted = self.server.context.wrap_socket(
            self.raw, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self.sock = encrypted
        self.server.replace_socket(None, encrypted)
        encrypted.do_handshake()
        encrypted.settimeout(None)
        self.seen.tls = True
        self.buffer = b""

    def do_auth(self, argument: str) -> None:
        action = self.scripted("auth")
        if action is not None:
            self.act(action, None)
            return
        mechanism, _, initial = argument.partition(" ")
        if mechanism.upper() == "PLAIN":
            _, user, password = _decoded(initial).split("\0")
        else:
            self.say("334 VXNlcm5hbWU6")
            user = _decoded(self.line())
            self.say("334 UGFzc3dvcmQ6")
            password = _decoded(self.line())
        if self.server.logins.get(user) == password:
            self.seen.login = user
            self.say("235 2.7.0 welcome")
        else:
            self.say("535 5.7.8 wrong credentials")

    def do_mail(self, argument: str) -> None:
        if self.server.max_messages and self.seen.messages >= self.server.max_messages:
            self.act("421 4.7.0 enough for one connection", None)
            self.flush()
            raise _Ended
        if self.sender is not None:
            self.say("503 5.5.1 one at a time")
            return
        address, _, parameters = argument.partition(">")
        reply = self.act(self.scripted("mail"), GOOD["mail"])
        if reply.startswith("2"):
            self.sender = address.partition("<")[2]
            self.parameters = parameters.strip()
            self.recipients = []

    def do_rcpt(self, argument: str) -> None:
        address = argument.partition("<")[2].partition(">")[0]
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
            return
        script = self.server.rcpt
        actions = script.get(address) if isinstance(script, Mapping) else script
        reply = self.act(self.server.next_action(f"rcpt {address}", actions), GOOD["rcpt"])
        if reply.startswith("2"):
            self.recipients.append(address)

    def do_data(self, _argument: str) -> None:
        action = self.scripted("data")
        if action is None and not self.recipients:
            self.say("503 5.5.1 RCPT first" if self.sender is None else "554 5.5.1 no valid recipients")
            return
        reply = self.act(action, GOOD["data"])
        if not reply.startswith("354"):
            return
        self.in_content = True
        content = self.content()
        self.in_content = False
        self.end_of_data(content)

    def end_of_data(self, content: bytes) -> None:
        taken = self.server.take
        action = self.scripted("eod")
        refused = isinstance(action, str) and action[:1] in "45"
        message = Received(
            self.sender or "",
            self.parameters,
            list(self.recipients),
            content if self.server.keep else b"",
            self.seen.tls,
            self.seen.number,
            time.monotonic(),
        )
        if (taken or action is None) and not refused and self.recipients:
            self.server.messages.append(message)
        self.seen.messages += 1
        replies = max(1, len(self.recipients)) if self.server.lmtp else 1
        self.sender, self.recipients = None, []
        self.act(action, GOOD["eod"])
        for _ in range(replies - 1):
            self.act(self.scripted("eod"), GOOD["eod"])

    def do_rset(self, _argument: str) -> None:
        self.sender, self.recipients = None, []
        self.say(GOOD["rset"])

    def do_noop(self, _argument: str) -> None:
        self.say("250 2.0.0 fine")

    def do_quit(self, _argument: str) -> None:
        self.say(GOOD["quit"])
        self.flush()
        raise _Ended

    # what they are made of

    def scripted(self, name: str) -> Action:
        return self.server.next_action(name, self.server.script[name])

    def act(self, action: Action, good: str | None) -> str:
        """Do what the script says, or answer well; return what was said."""
        if action is None:
            if good is not None:
                self.say(good)
            return good or ""
        if action == SILENCE:
            self.flush()
            self.server.stopping.wait()
            raise _Ended
        if action in (CLOSE, RESET):
            self.flush()
            if action == RESET:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.sock.close()
            raise _Ended
        if isinstance(action, bytes):
            self.send(action)
            return action.decode("latin-1")
        self.say(action)
        if action.startswith("421"):
            self.flush()
            raise _Ended
        return action

    def part(self) -> None:
        """Say that nothing more comes, and read until the client is gone.

        Closing with octets unread makes the kernel send a reset, so that what the client sees would depend on timing.
        """
        with suppress(OSError):
            self.sock.settimeout(5)
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(65536):
                pass

    def say(self, text: str) -> None:
        self.send(text.encode() + b"\r\n")

    def send(self, data: bytes) -> None:
        self.output += data

    def flush(self) -> None:
        data, self.output = self.output, b""
        if not self.server.drip:
            if data:
                self.sock.sendall(data)
            return
        for octet in data:
            self.sock.sendall(bytes((octet,)))
            if self.server.stopping.wait(self.server.drip):
                raise _Ended

    def read(self) -> None:
        self.flush()
        if self.server.read_rate:
            self.server.stopping.wait(0.1)
            data = self.sock.recv(max(1, self.server.read_rate // 10))
        else:
            data = self.sock.recv(65536)
        if not data:
            raise _Ended
        self.buffer += data

    def line(self) -> str:
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > 65536:
                raise _Ended
            self.read()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("utf-8", "replace")

    def content(self) -> bytes:
        script = self.server.script["body"]
        pieces: list[bytes] = []
        window = b"\r\n" + self.buffer
        self.buffer = b""
        total = 0
        while True:
            if script is not None and total + len(window) - 2 >= self.server.body_after:
                action = self.server.next_action("body", script)
                self.act(action, None)
                script = None
            end = window.find(b"\r\n.\r\n")
            if end >= 0:
                self.buffer = window[end + 5 :]
                pieces.append(window[: end + 2])
                content = b"".join(pieces)[2:]
                self.seen.content_octets += len(content)
                return content
            if len(window) > 8:
                pieces.append(window[:-4])
                total += len(window) - 4
                window = window[-4:]
            self.read()
            window += self.buffer
            self.buffer = b""


def _context(
    certificate: tuple[str | Path, str | Path], maximum: ssl.TLSVersion | None, ciphers: str
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if maximum is not None:
        context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings(action="ignore"):  # that it is outdated is the point
            context.maximum_version = maximum
    context.load_cert_chain(*certificate)
    return context


def _decoded(text: str) -> str:
    return b64decode(text).decode()
