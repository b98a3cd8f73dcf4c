"""Reading reports (RFC 3464) that lie in mailboxes, with the standard library."""

from collections.abc import Iterable
from email import message_from_string


def failed_recipients(texts: Iterable[str]) -> list[str]:
    """Return the final recipients that the delivery reports among these messages call failed, one for each."""
    found = []
    for text in texts:
        for part in message_from_string(text).walk():
            if part.get_content_type() == "message/delivery-status":
                found += [
                    str(block["Final-Recipient"]).partition(";")[2].strip()
                    for block in part.get_payload()
                    if block["Action"] == "failed"
                ]
    return found
