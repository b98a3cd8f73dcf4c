"""A test message by the ordinary route: the last step of a set-up, and of a fix."""

from collections.abc import Callable

from gatepost.admin.answers.messages import TestJson
from gatepost.admin.checks import is_address
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.gateway import Gateway
from gatepost.model.ids import to_text

Translator = Callable[[str], str]


async def send_test(gateway: Gateway, recipient: str, who: str, say: Translator) -> TestJson:
    """Send a test message to an address; return its id, by which it can be followed."""
    if not is_address(recipient) or any(ord(c) <= 32 or ord(c) == 127 for c in recipient):
        raise Invalid(tr('"{address}" is no address: write ann@contoso.example.'), address=recipient)
    route = gateway.route(recipient)
    if route.destination.kind == "none":
        no_way = tr("Mail for {address} leaves through no server: {why}.")
        raise Invalid(no_way, address=recipient, why=route.why)
    text = say(tr("This is a test: mail goes from Gatepost ({hostname}) to {address}."))
    number = await gateway.send_test(
        recipient,
        say(tr("Test message of Gatepost")),
        text.format(hostname=gateway.settings.hostname, address=recipient),
    )
    gateway.say("message.test", message_id=to_text(number), by=who)
    return {"id": to_text(number), "recipient": recipient, "connector": route.destination.connector}
