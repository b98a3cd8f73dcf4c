"""Where a recipient's mail goes, and why."""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class DestinationKey:
    """What retry, suspension and back-off belong to: a connector and a next hop.

    kind "smart": the connector's smart hosts in order (`next_hop` is ""); "mx": the MX of the domain `next_hop`;
    "mailbox": our own mailbox store; "none": no way out (`next_hop` is the domain).
    """

    kind: str
    connector: str  # "" where no connector matches
    next_hop: str

    @property
    def id(self) -> int:
        """Return a number that every process computes alike, so that none has to hand it out."""
        return _number(self.kind, self.connector, self.next_hop)


@lru_cache(maxsize=10_000)
def _number(kind: str, connector: str, next_hop: str) -> int:
    text = f"{kind}\0{connector}\0{next_hop}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """One connector that was weighed, and why it won or lost."""

    connector: str
    matched: str  # the pattern that matched, "" where none did
    won: bool
    why: str


@dataclass(frozen=True, slots=True)
class Route:
    """The decision for one address."""

    address: str
    domain: str
    destination: DestinationKey
    why: str
    candidates: tuple[Candidate, ...] = field(default=())
