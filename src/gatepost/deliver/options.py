"""What a delivery may do and for how long, and what it hands back for each recipient."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from gatepost.model.attempt import Failure, Reply
from gatepost.model.failure import Phase
from gatepost.model.mail import BodyMissing, Item
from gatepost.model.objects import TlsMode


class Endpoint(Protocol):
    """Where to connect to (a `targets.Target` is one)."""

    @property
    def host(self) -> str:
        """Return the name of the server."""
        ...

    @property
    def address(self) -> str:
        """Return its IP address."""
        ...

    @property
    def port(self) -> int:
        """Return the TCP port."""
        ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each step may take, in seconds (RFC 5321 section 4.5.3.2, or less)."""

    connect: float = 30.0
    banner: float = 60.0
    ehlo: float = 60.0
    starttls: float = 60.0
    tls: float = 30.0
    auth: float = 60.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    block: float = 180.0  # for each block of the content to be taken by the other side
    eod: float = 600.0  # too short a time here makes duplicates (RFC 1047)
    quit: float = 5.0
    idle: float = 10.0  # how long an unused connection is kept
    min_rate: int = 1024  # octets a second that a content must move at, on the whole


async def no_body(item: Item) -> AsyncIterator[bytes]:
    """Say that a content that is not in memory is nowhere else."""
    for piece in (item.body,):
        if piece is None:
            raise BodyMissing(f"no store was given to read message {item.message_id} from")
        yield piece


def _ignore(_item: Item) -> None:
    """Keep no journal of messages in doubt."""


class Watcher:
    """Hears how the opening of a connection gets on; this one does not care. Must be cheap."""

    def begins(self, phase: Phase) -> None:
        """Hear that a step begins: all before it are behind us."""

    def presented(self, chain: Sequence[bytes]) -> None:
        """Hear which certificates (DER, the server's own first) were presented."""


NOBODY = Watcher()


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """What a connector demands of its connections, and what they need from the rest of the gateway."""

    hostname: str = "localhost"  # what we call ourselves in EHLO
    tls: TlsMode = TlsMode.OPPORTUNISTIC
    tls_domain: str = ""
    tls_ca: str = ""  # PEM text
    username: str = ""
    password: str = field(default="", repr=False)
    quirks: frozenset[str] = frozenset()  # of model.objects.QUIRKS
    source_addresses: tuple[str, ...] = ()  # ours to connect from, one of a family
    trusted: frozenset[str] = frozenset()  # SHA-256 fingerprints (hex) of leaves that are taken as they are
    lmtp: bool = False
    deadlines: Deadlines = Deadlines()
    max_messages: int = 1000  # of one connection; 0: no limit
    open_body: Callable[[Item], AsyncIterator[bytes]] = no_body
    dot_sent: Callable[[Item], None] = _ignore  # called just before a final dot is written; must be cheap
    now_ms: Callable[[], int] = _wall_clock
    watcher: Watcher = NOBODY


class Result(NamedTuple):
    """What became of one recipient.

    outcome: "delivered"; "deferred"; "failed" (a server's own 5xx, or an announced limit that cannot be met);
    "untouched" (nothing was tried that counts: to be taken again at once). `replies` are the replies that
    concern this recipient, with their phases, in order; `reply` is the one that decided.
    """

    n: int
    outcome: str
    failure: Failure | None
    reply: Reply | None
    milliseconds: float
    replies: tuple[tuple[str, Reply], ...]
