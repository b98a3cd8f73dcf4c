"""Attacks by the servers that we deliver to: injected text, endless and broken replies (rules 5 and 30)."""

from typing import Any

import pytest
from tests.scenario.safe.conftest import World
from tests.support.peers import wait_until


def failure(world: World, connector: str) -> dict[str, Any]:
    """Send a message to a next hop and return the error that comes of it."""
    recipient = f"who@{connector}.test"
    with world.client() as client:
        content = b"Subject: to " + connector.encode() + b"\r\n\r\n.\r\n"
        assert client.message("a@client.test", recipient, content).startswith(b"250")
    found = wait_until(lambda: world.error_of(recipient), 15, what=f"an error of {connector}")
    assert found is not None
    return found


def test_rule_05_what_comes_before_the_handshake_is_a_failure_and_never_a_reply(world: World) -> None:
    """And where TLS is required nothing goes out in clear text."""
    error = failure(world, "injects")
    assert (error["code"], error["phase"]) == ("4.4.317", "starttls"), error
    server = world.servers["injects"]
    assert server.connections
    assert all(
        line.split()[0] in {"EHLO", "STARTTLS", "QUIT"} for c in server.connections for line in c.commands
    )
    assert not server.messages


@pytest.mark.parametrize(
    ("connector", "smtp", "code"),
    [
        ("longline", 450, "4.2.0"),
        ("insults", 550, "5.7.1"),
        ("contradicts", 550, "5.0.0"),  # the first digit decides, the rest is not believed
    ],
)
def test_rule_30_a_reply_is_kept_within_bounds(world: World, connector: str, smtp: int, code: str) -> None:
    error = failure(world, connector)
    assert (error["smtp"], error["code"]) == (smtp, code), error
    assert len(error["text"]) < 3000
    shown = world.message_of(f"who@{connector}.test")
    assert all(len(attempt["reply"]) < 1500 for attempt in shown["attempts"])


@pytest.mark.parametrize("connector", ["endless", "manylines", "mixedcodes", "nodigits"])
def test_rule_30_what_is_no_reply_breaks_the_connection_and_nothing_else(
    world: World, connector: str
) -> None:
    error = failure(world, connector)
    assert (error["smtp"], error["code"], error["class"]) == (451, "4.5.0", "protocol_error"), error
    assert len(error["text"]) < 3000
    with world.client() as client:
        assert client.ask(b"NOOP\r\n").startswith(b"250")
