"""A transaction on its way in: the envelope, then the content as it arrives, in memory or in a file of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

from gatepost.model.mail import NewMessage, Recipient
from gatepost.model.objects import Source
from gatepost.receive.spool import SpoolFile
from gatepost.smtp.params import RcptParameters

MAX_PIECES = 1024

_CRC_STEP = 5120  # octets; above it zlib lets go of the interpreter lock, and the loop waits to have it again


def _crc(data: bytes) -> int:
    crc = crc32(data[:_CRC_STEP])
    for start in range(_CRC_STEP, len(data), _CRC_STEP):
        crc = crc32(data[start : start + _CRC_STEP], crc)
    return crc


@dataclass(slots=True)
class Incoming:
    """The envelope and what has come of the content."""

    source: Source | None
    sender: str
    flags: int
    envid: str
    recipients: list[Recipient] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    id: int = 0
    size: int = 0
    pieces: list[bytes] = field(default_factory=list)
    spool: SpoolFile | None = None
    header_id: str = ""
    error: BaseException | None = None
    kept: bool = False  # `keep` was asked: from here on the message may exist

    def add(self, address: str, destination_id: int, given: RcptParameters) -> None:
        """Add a recipient; the same one twice is one delivery."""
        if address not in self.addresses:
            self.addresses.add(address)
            number = len(self.recipients) + 1
            self.recipients.append(Recipient(number, address, destination_id, given.orcpt, given.notify))

    def begin(self, number: int, header: bytes) -> None:
        """Begin the content with our own header."""
        self.id = number
        self.pieces.append(header)
        self.size = len(header)

    def take(self, data: bytes, inline_limit: int, open_file: Callable[[int], SpoolFile]) -> None:
        """Take a piece of content; what is too large for memory goes on in a file."""
        self.size += len(data)
        if self.spool is not None:
            self.spool.write([data])
            return
        self.pieces.append(data)
        if self.size > inline_limit:
            self.spool = open_file(self.id)
            self.spool.write(self.pieces)
            self.pieces = []
        elif len(self.pieces) > MAX_PIECES:
            self.pieces = [b"".join(self.pieces)]

    def whole(self) -> tuple[bytes, int]:
        """Return the content that is in memory and its CRC-32, and let go of its pieces."""
        body = b"".join(self.pieces)
        self.pieces = []
        return body, _crc(body)

    def message(self, now: int, client: str, tls: str, body: bytes | None, crc: int) -> NewMessage:
        """Return what is to be kept, by the version of TLS that it came under; without a body it is in the file."""
        source = self.source
        return NewMessage(
            self.id,
            now,
            self.sender,
            self.size,
            self.flags,
            self.envid,
            self.header_id,
            source.name if source is not None else "",
            client,
            tuple(self.recipients),
            body,
            body is None,
            crc,
            tls=tls,
        )
