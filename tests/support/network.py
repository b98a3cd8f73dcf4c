"""Two network namespaces joined by a wire that a test can cut, slow down or make lossy. Needs root.

    with Wire() as wire:                      # this thread, and what it starts, is on the near side now
        with wire.far_side():
            server = FaultServer(host=wire.far)   # listens at the other end
        wire.firewall("tcp dport 25 drop")        # nft, on the far side
        wire.bandwidth("64kbit")
        wire.set_link(up=False)

The namespaces have no names: they end with the last thread, socket or process in them, so nothing stays behind. Threads
keep the namespace that they were started in, sockets the one that they were made in.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)} (needs root)")


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _enter(descriptor: int) -> None:
    _check(_libc.setns(descriptor, _CLONE_NEWNET), "setns")


def _run(command: str, text: str | None = None) -> None:
    done = subprocess.run(command.split(), capture_output=True, text=True, input=text, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.strip()}"


class Wire:
    """The near side (the test and the gateway) and the far side (next hops); a wire between them."""

    near = "10.203.0.1"
    far = "10.203.0.2"

    def __enter__(self) -> Self:
        self._home = _current()
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        self._far = _current()
        _run("ip link set lo up")
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        self._near = _current()
        _run("ip link set lo up")
        peer = f"/proc/{os.getpid()}/fd/{self._far}"
        _run(f"ip link add near type veth peer name far netns {peer}")
        _run(f"ip addr add {self.near}/24 dev near")
        _run("ip link set near up")
        with self.far_side():
            _run(f"ip addr add {self.far}/24 dev far")
            _run("ip link set far up")
        return self

    def __exit__(self, *_exc: object) -> None:
        _enter(self._home)
        for descriptor in (self._home, self._near, self._far):
            os.close(descriptor)

    @contextmanager
    def far_side(self) -> Iterator[None]:
        """Be at the other end for a while: what is listened on there, is there."""
        _enter(self._far)
        try:
            yield
        finally:
            _enter(self._near)

    def firewall(self, *rules: str) -> None:
        """Let the far side judge what comes in by these rules of nft; none: everything passes."""
        lines = ["table inet fault", "delete table inet fault", "table inet fault {", "chain in {"]
        lines += ["type filter hook input priority 0;", *rules, "}", "}"]
        with self.far_side():
            _run("nft -f -", "\n".join(lines) + "\n")

    def loss(self, percent: int) -> None:
        """Lose so many of a hundred packets, by chance, in both directions."""
        rule = f"numgen random mod 100 < {percent} drop"
        lines = ["table inet loss", "delete table inet loss", "table inet loss {"]
        for hook in ("input", "output"):
            lines += [f"chain {hook} {{", f"type filter hook {hook} priority 0;", rule, "}"]
        with self.far_side():
            _run("nft -f -", "\n".join([*lines, "}"]) + "\n")

    def lose_answers_of(self, port: int) -> None:
        """Let requests to a port of the far side arrive, and no answer come back."""
        lines = ["table inet answers {", "chain out {", "type filter hook output priority 0;"]
        lines += [f"tcp sport {port} drop", "}", "}"]
        with self.far_side():
            _run("nft -f -", "\n".join(lines) + "\n")

    def bandwidth(self, rate: str) -> None:
        """Carry so much a second towards the far side and back, with a queue of two seconds."""
        _run(f"tc qdisc replace dev near root tbf rate {rate} burst 3kb latency 2s")
        with self.far_side():
            _run(f"tc qdisc replace dev far root tbf rate {rate} burst 3kb latency 2s")

    def set_link(self, *, up: bool) -> None:
        """Plug the wire in, or pull it."""
        with self.far_side():
            _run(f"ip link set far {'up' if up else 'down'}")

    def route(self, rule: str) -> None:
        """Add a route on the near side: "prohibit 203.0.113.1"."""
        _run(f"ip route add {rule}")
