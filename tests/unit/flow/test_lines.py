"""Lines of the log that are put together by hand."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gatepost.flow import lines
from gatepost.model.attempt import SessionFacts
from gatepost.model.ids import to_text
from gatepost.model.mail import Item, NewMessage, QueuedRecipient, Recipient

EVIL = st.text(max_size=20) | st.sampled_from(
    ['"}', "a\r\nb", "\\", "\x00\x1b[2J", "\u2028", "\ud800", "Ü@ä.example"]
)


@given(EVIL, EVIL, EVIL, st.lists(EVIL, min_size=1, max_size=3))
def test_an_accepted_message_is_one_line_of_json_whatever_it_says_of_itself(
    sender: str, header_id: str, client: str, addresses: list[str]
) -> None:
    recipients = tuple(Recipient(n, address, 7) for n, address in enumerate(addresses, 1))
    message = NewMessage(
        5 << 40, 0, sender, 1234, 0, "", header_id, "cloud", client, recipients, b"", False, 0
    )
    line = lines.accepted(message)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads("{" + line + "}") == {
        "message_id": to_text(message.id),
        "sender": sender,
        "recipients": addresses,
        "size": 1234,
        "source": "cloud",
        "client": client,
        "header_id": header_id,
    }


@given(EVIL, EVIL, EVIL, st.floats(0, 1e9))
def test_a_delivery_is_one_line_of_json_whatever_the_server_says(
    address: str, server: str, reply: str, milliseconds: float
) -> None:
    session = SessionFacts(1, 7, 0, server, "2001:db8::7", 25)
    recipient = QueuedRecipient(1, address, "", 0, 0, 0)
    item = Item(5 << 40, 7, 0, "a@b.example", 10, 0, "", (recipient,), None, 0, True)
    line = lines.delivered(item, recipient, lines.place("to-office", session), reply, milliseconds, 42)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads("{" + line + "}") == {
        "message_id": to_text(item.message_id),
        "recipient": address,
        "connector": "to-office",
        "server": server,
        "address": "[2001:db8::7]:25",
        "reply": reply,
        "milliseconds": round(milliseconds, 1),
        "delay": 42,
    }
