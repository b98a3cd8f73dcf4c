"""Cut a stream into blocks of whole lines.

Rule: a block is bounded; a line that is longer than half of one is cut, and what is cut off is dropped.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

BLOCK = 1 << 20
LONGEST = BLOCK // 2  # octets of a line that are kept


class Source(Protocol):
    """What can be read."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many octets; none at the end."""


def blocks(source: Source, told: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """Yield the lines of a source in blocks that end with a line; `told` hears how many octets each step has read."""
    rest, skipping = b"", False
    while data := source.read(BLOCK):
        if told is not None:
            told(len(data))
        if skipping:
            _, found, data = data.partition(b"\n")
            skipping = not found
        end = data.rfind(b"\n") + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        elif len(rest) < LONGEST:
            rest += data
        if len(rest) > LONGEST:
            yield rest[:LONGEST] + b"\n"
            rest, skipping = b"", True
    if rest:
        yield rest + b"\n"
