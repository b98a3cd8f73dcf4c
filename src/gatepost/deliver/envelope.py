"""The commands that open a transaction, and whether a server can take a message at all (pure)."""

from gatepost.model.failure import Reason
from gatepost.model.mail import SMTPUTF8, Item
from gatepost.smtp.client import Extensions, mail_command, rcpt_command


def commands_of(item: Item, extensions: Extensions) -> tuple[bytes, bytes]:
    """Return MAIL, and RCPT for each recipient with DATA; raise `ValueError` for what cannot be sent.

    Both are built, with PIPELINING or not, so that an address that cannot be sent is found before MAIL.
    """
    recipients = item.recipients
    if len(recipients) == 1:
        rest = rcpt_command(recipients[0], extensions) + b"DATA\r\n"
    else:
        rest = b"".join((*[rcpt_command(r, extensions) for r in recipients], b"DATA\r\n"))
    return mail_command(item, extensions), rest


def unfit(item: Item, extensions: Extensions) -> tuple[Reason, str] | None:
    """Return why a server cannot take an item, by its own announcement."""
    if extensions.size and item.size > extensions.size:
        detail = f"the message has {item.size} octets, the server takes {extensions.size} (RFC 1870)"
        return Reason.TOO_LARGE, detail
    if item.flags & SMTPUTF8 and not extensions.smtputf8:
        return (
            Reason.NOT_OFFERED,
            "the message needs SMTPUTF8, which the server does not offer (RFC 6531)",
        )
    return None
