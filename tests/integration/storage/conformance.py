"""What every backend of the store must do; a backend's test module gives the `store` fixture's maker."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from itertools import count

from gatepost.model import ids
from gatepost.model.attempt import Attempt, Reply, SessionFacts
from gatepost.model.failure import Concern, FailureClass, LastError, Verdict
from gatepost.model.mail import NewMessage, Recipient, Settlement
from gatepost.model.route import DestinationKey
from gatepost.storage.interface import Change, DestinationState, Store

NOW = 1_764_000_000_000
HOUR = 3_600_000
OFFICE = DestinationKey("smart", "to-office", "")
PARTNER = DestinationKey("mx", "", "partner.example")

Opener = Callable[[], Awaitable[Store]]


class Maker:
    """Makes messages with ids of a chosen time."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now
        self.ids = ids.IdMaker(lambda: self.now)
        self.sessions = count(1)

    def message(
        self,
        *to: str,
        destination: int = OFFICE.id,
        body: bytes = b"Subject: x\r\n\r\nhello\r\n",
        claimed: bool = False,
        spool: bool = False,
        sender: str = "ann@sender.example",
    ) -> NewMessage:
        recipients = tuple(
            Recipient(n, address, destination) for n, address in enumerate(to or ("bob@contoso.example",), 1)
        )
        return NewMessage(
            id=self.ids(),
            accepted_at=self.now,
            sender=sender,
            size=len(body),
            flags=0,
            envid="",
            header_id="<1@sender.example>",
            source="cloud",
            client="{}",
            recipients=recipients,
            body=None if spool else body,
            spool=spool,
            crc=zlib.crc32(body),
            claimed=claimed,
        )

    def session(self, destination: int = OFFICE.id) -> SessionFacts:
        number = self.ids()
        return SessionFacts(number, destination, self.now, "mail.contoso.example", "192.0.2.7", 25)

    def attempt(self, message: NewMessage, outcome: str = "delivered", n: int = 1, **more: object) -> Attempt:
        values: dict[str, object] = {
            "id": self.ids(),
            "message_id": message.id,
            "recipient": n,
            "destination_id": message.recipients[n - 1].destination_id,
            "at": self.now,
            "outcome": outcome,
            "phase": "eod",
            "reason": "reply",
            "verdict": None if outcome == "delivered" else verdict(),
            "reply": Reply(250, ("2.0.0 Ok",), "2.0.0"),
            "session": self.session(),
            "milliseconds": 3.5,
        }
        return Attempt(**(values | more))  # type: ignore[arg-type]

    def destination_attempt(self, destination: int) -> Attempt:
        return Attempt(
            self.ids(), 0, 0, destination, self.now, "deferred", "connect", "refused", verdict(), None,
            self.session(destination), evidence={"error": "ECONNREFUSED"},
        )  # fmt: skip


def verdict() -> Verdict:
    return Verdict(
        FailureClass.CONNECTION_REFUSED, "", "4.4.316", 450, "4.4.316", "Connection refused", "ECONNREFUSED",
        permanent=False, concern=Concern.DESTINATION,
    )  # fmt: skip


def error() -> LastError:
    return LastError(
        450, "4.4.316", "Connection refused", "connect", "refused", "connection_refused", "4.4.316",
        "ECONNREFUSED", "mail.contoso.example", "192.0.2.7:25", NOW, "gw1.example", "01J",
    )  # fmt: skip


async def put(store: Store, change: Change) -> None:
    """Write and wait for the disk."""
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    store.write(change, lambda e: answer.set_result(None) if e is None else answer.set_exception(e))
    await answer


async def accept(store: Store, *messages: NewMessage) -> None:
    await put(store, Change(accepts=messages))


def settle(message: NewMessage, outcome: str = "delivered", n: int = 1, **more: object) -> Settlement:
    recipient = message.recipients[n - 1]
    return Settlement(message.id, n, recipient.destination_id, outcome, **more)  # type: ignore[arg-type]


async def waiting(store: Store, destination: int = OFFICE.id) -> tuple[int, int, int]:
    """Return messages, recipients, octets at a destination."""
    for summary in await store.destinations(lambda _: 24 * HOUR):
        if summary.state.id == destination:
            return summary.messages, summary.recipients, summary.bytes
    return 0, 0, 0


async def claimed(store: Store, destination: int = OFFICE.id, limit: int = 100, now: int = NOW) -> list[int]:
    return [i.message_id for i in await store.claim(destination, limit, 1 << 20, now)]


def known(key: DestinationKey = OFFICE) -> DestinationState:
    return DestinationState.of(key, NOW)


async def body_of(store: Store, message_id: int) -> bytes:
    return b"".join([piece async for piece in await store.open_body(message_id)])


async def read_into(pieces: list[bytes], store: Store, message_id: int) -> None:
    async for piece in await store.open_body(message_id):
        pieces += [piece]
