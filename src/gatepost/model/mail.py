"""Messages on their way: what is accepted, what is queued, what a delivery takes.

These are named tuples, not dataclasses: several are made per message, thousands a second.
"""

from typing import NamedTuple

from gatepost.model.attempt import Attempt

# flags of a message
EIGHT_BIT = 1  # BODY=8BITMIME (RFC 6152)
SMTPUTF8 = 2  # RFC 6531
RET_FULL = 4  # RFC 3461 section 4.3
RET_HDRS = 8
REPORT = 16  # made by us: an NDR, a delay notice, an alert

# notify of a recipient (RFC 3461 section 4.1); 0: not given
NOTIFY_NEVER = 1
NOTIFY_SUCCESS = 2
NOTIFY_FAILURE = 4
NOTIFY_DELAY = 8


class Recipient(NamedTuple):
    """One recipient of an accepted message, with the destination it was routed to."""

    n: int
    address: str
    destination_id: int
    orcpt: str = ""  # as given, "rfc822;ann@example.org" (xtext still encoded)
    notify: int = 0


class NewMessage(NamedTuple):
    """A message to be kept. `body` is the wire form: CRLF lines, dot-stuffed, without the final dot line.

    `spool` is set instead of `body` where the wire form already lies, synced, in the spool file of this id.
    """

    id: int
    accepted_at: int
    sender: str  # "" is the null sender
    size: int  # octets of the wire form
    flags: int
    envid: str
    header_id: str  # the Message-ID header's value, "" where none
    source: str
    client: str  # JSON: address, name, helo, tls, login
    recipients: tuple[Recipient, ...]
    body: bytes | None
    spool: bool
    crc: int  # crc32 of the wire form
    claimed: bool = True  # the accepting process delivers it itself, at once
    tls: str | None = None  # the version under which a client handed it in, "" in clear; None: it is our own


class QueuedRecipient(NamedTuple):
    """A recipient that waits at a destination."""

    n: int
    address: str
    orcpt: str
    notify: int
    attempts: int  # of its own, not the destination's
    not_before: int  # ms since 1970; 0: as soon as the destination is ready


class Item(NamedTuple):
    """One message at one destination, as a delivery takes it."""

    message_id: int
    destination_id: int
    accepted_at: int
    sender: str
    size: int
    flags: int
    envid: str
    recipients: tuple[QueuedRecipient, ...]
    body: bytes | None  # None: not in memory; ask the store (`open_body`)
    crc: int
    last: bool  # no other recipient of this message waits anywhere else
    source: str = ""  # who handed it in


class Settlement(NamedTuple):
    """The end, or the next step, of one recipient at a destination.

    outcome: "delivered", "returned" (the sender is told), "cancelled" (by the administrator), "failed" (final, but
    nobody is to be told), or "deferred" (stays queued; `not_before` says until when).
    """

    message_id: int
    n: int
    destination_id: int
    outcome: str
    attempt: Attempt | None = None
    not_before: int = 0
    size: int = 0  # octets of a message that ends with this and has no file; 0: that is to be looked up


class BodyMissing(Exception):
    """The content of a message cannot be read: damaged or gone; the message is quarantined."""
