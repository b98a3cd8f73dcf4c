"""A listener on loopback with hooks that remember, in a thread so that blocking clients can talk to it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatepost.model.ids import IdMaker
from gatepost.model.mail import NewMessage
from gatepost.model.objects import Source
from gatepost.receive.hooks import Accept, Hooks, Refuse
from gatepost.receive.listener import Listener
from gatepost.receive.options import ReceiveOptions

TEST = Source("test")
NOW = 1_790_000_000_000


@dataclass
class Gateway:
    """What the hooks saw; change the fields to change what they answer."""

    source: Source | None = TEST
    messages: list[NewMessage] = field(default_factory=list)
    said: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    trouble: str | None = None
    keep_error: BaseException | None = None
    broken: str = ""  # the hook that raises
    hold: bool = False  # keep does not answer by itself
    held: list[Callable[[BaseException | None], None]] = field(default_factory=list)
    names: list[tuple[str, ...]] = field(default_factory=list)
    port: int = 0
    listener: Any = None
    loop: Any = None

    def _break(self, hook: str) -> None:
        if self.broken == hook:
            raise RuntimeError(f"{hook} is broken")

    def source_for(self, address: str, tls: bool, names: tuple[str, ...], login: str) -> Source | None:
        self.names.append(names)
        self._break("source_for")
        return self.source

    def sender(self, source: Source | None, sender: str) -> Refuse | None:
        self._break("sender")
        return Refuse(550, "5.7.1", "not you") if sender.startswith("bad@") else None

    def recipient(self, source: Source | None, sender: str, address: str, login: str) -> Accept | Refuse:
        self._break("recipient")
        return Refuse(550, "5.1.10", "no such recipient") if address.startswith("nobody@") else Accept(7)

    def keep(self, message: NewMessage, done: Callable[[BaseException | None], None]) -> None:
        self._break("keep")
        self.messages.append(message)
        if self.hold:
            self.held.append(done)
        else:
            asyncio.get_running_loop().call_soon(done, self.keep_error)

    def pressure(self) -> Refuse | None:
        self._break("pressure")
        return Refuse(452, "4.3.1", self.trouble) if self.trouble else None

    async def check_login(self, user: str, password: str) -> bool:
        self._break("check_login")
        return (user, password) == ("ann", "secret")

    def say(self, event: str, /, **fields: object) -> None:
        self.said.append((event, fields))

    def count(self, name: str, /, **labels: str) -> None:
        self.said.append((name, dict(labels)))

    def hooks(self) -> Hooks:
        return Hooks(
            self.source_for, self.sender, self.recipient, self.keep, IdMaker(lambda: NOW), lambda: NOW,
            self.pressure, self.check_login, self.say, self.count,
        )  # fmt: skip

    def stop(self, grace: float = 5.0) -> None:
        asyncio.run_coroutine_threadsafe(self.listener.stop(grace), self.loop).result(grace + 5)

    def call(self, what: Callable[[], object]) -> None:
        self.loop.call_soon_threadsafe(what)


@contextmanager
def running(spool: Path, gateway: Gateway | None = None, **options: Any) -> Iterator[Gateway]:
    """Run a listener on a free port of loopback."""
    gateway = gateway or Gateway()
    ready = threading.Event()

    async def main() -> None:
        gateway.loop = asyncio.get_running_loop()
        gateway.listener = Listener(
            ReceiveOptions("gw.example", spool, listen=(("127.0.0.1", 0),), **options), gateway.hooks()
        )
        await gateway.listener.start()
        gateway.port = gateway.listener.addresses[0][1]
        ready.set()
        await ended.wait()
        await gateway.listener.stop(1.0)

    ended = asyncio.Event()
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield gateway
    finally:
        gateway.call(ended.set)
        thread.join(20)
        assert not thread.is_alive()
