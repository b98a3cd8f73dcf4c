"""The two lines of the log that every message has, put together by hand: they are on the path of all mail.

The fields are what `telemetry.log.Log.say` would write; a test compares them.
"""

from functools import lru_cache
from json.encoder import encode_basestring_ascii

from gatepost.model.attempt import SessionFacts
from gatepost.model.ids import to_text
from gatepost.model.mail import Item, NewMessage, QueuedRecipient

_quoted = encode_basestring_ascii
_usual = lru_cache(maxsize=1024)(encode_basestring_ascii)  # for what is the same in many lines


def accepted(message: NewMessage) -> str:
    """Return the fields of `message.accepted` as JSON, without the braces."""
    recipients = ",".join([_quoted(recipient.address) for recipient in message.recipients])
    return (
        f'"message_id":"{to_text(message.id)}","sender":{_quoted(message.sender)},"recipients":[{recipients}],'
        f'"size":{message.size},"source":{_usual(message.source)},"client":{_usual(message.client)},'
        f'"header_id":{_quoted(message.header_id)}'
    )


def place(connector: str, session: SessionFacts) -> str:
    """Return the fields that all deliveries over one connection have in common."""
    server, address = _quoted(session.server), _quoted(session.endpoint)
    return f'"connector":{_quoted(connector)},"server":{server},"address":{address}'


def delivered(
    item: Item, recipient: QueuedRecipient, where: str, reply: str, milliseconds: float, delay: int
) -> str:
    """Return the fields of `message.delivered`; `where` is a `place`."""
    return (
        f'"message_id":"{to_text(item.message_id)}","recipient":{_quoted(recipient.address)},{where},'
        f'"reply":{_quoted(reply)},"milliseconds":{milliseconds:.1f},"delay":{delay}'
    )
