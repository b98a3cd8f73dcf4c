"""Attempts to relay through us, and addresses that mean one thing to us and another to the next hop (rules 11, 12)."""

import pytest
from tests.scenario.safe.conftest import STRANGER, World
from tests.support.peers import wait_until

ELSEWHERE = [
    "bob@elsewhere.test",
    "bob%elsewhere.test@home.test",
    "elsewhere.test!bob@home.test",
    "@home.test:bob@elsewhere.test",
    "@home.test,@relay.test:bob@elsewhere.test",
    '"bob@elsewhere.test"@home.test',
    '"bob@elsewhere.test"@relay.test',
    "bob%elsewhere.test@relay.test",
    "elsewhere.test!bob@relay.test",
    "bob@elsewhere.test@home.test",
    "bob@home.test@elsewhere.test",
    "bob@@elsewhere.test",
    "bob(home.test)@elsewhere.test",
    "bob@elsewhere.test(@home.test)",
    "=?utf-8?q?bob=40elsewhere.test=3e?=@home.test",
    "bob@elsewhere.test\0@home.test",
    "ann@home.test\0",
    "bob@elsewhere.test.",
    "ann@home.test.",
    "ann@home.test@",
    "bob@[192.0.2.1]",
    "bob@[127.0.0.1]",
    "ann@home.test,bob@elsewhere.test",
    "ann@home.test> <bob@elsewhere.test",
    "ann@h\u043eme.test",
    "bob",
    "@elsewhere.test",
]
SENDERS = ["", "ann@home.test", "postmaster@home.test", "x@elsewhere.test"]


@pytest.mark.parametrize("sender", SENDERS)
def test_rule_11_a_stranger_relays_nowhere_whoever_he_says_he_is(world: World, sender: str) -> None:
    before = len(world.next_hop.messages)
    for address in ELSEWHERE:
        parameters = "" if address.isascii() else " SMTPUTF8"
        with world.client(STRANGER) as client:
            assert client.ask(f"MAIL FROM:<{sender}>{parameters}\r\n".encode()).startswith(b"250")
            answer = client.ask(f"RCPT TO:<{address}>\r\n".encode())
            assert answer[:1] == b"5", (address, answer)
            assert client.ask(b"DATA\r\n")[:1] in (b"5", b""), address
    assert len(world.next_hop.messages) == before


def test_rule_11_what_is_ours_is_taken_from_a_stranger(world: World) -> None:
    with world.client(STRANGER) as client:
        assert client.message("x@elsewhere.test", "ann@home.test", b"Subject: hi\r\n\r\n.\r\n").startswith(
            b"250"
        )
    wait_until(lambda: [m for m in world.gateway.mailbox() if "Subject: hi" in m], 10)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("A.b+C@Partner.test", "A.b+C@Partner.test"),
        ('"a b"@partner.test', '"a b"@partner.test'),
        ('"a\\"@b"@partner.test', '"a\\"@b"@partner.test'),
        ("o'neil/x=y@partner.test", "o'neil/x=y@partner.test"),
        ("x%y@partner.test", "x%y@partner.test"),
        ("@r.test,@s.test:x@partner.test", "x@partner.test"),
    ],
)
def test_rule_12_what_is_checked_is_what_is_routed_and_what_is_sent(
    world: World, given: str, sent: str
) -> None:
    """Byte for byte: in the gateway's own record and in the command to the next hop."""
    with world.client() as client:
        content = b"Subject: exact\r\n\r\n.\r\n"
        assert client.message("a@client.test", given, content).startswith(b"250")
    wait_until(lambda: any(m.recipients == [sent] for m in world.next_hop.messages), 10, what=sent)
    commands = [line for seen in list(world.next_hop.connections) for line in list(seen.commands)]
    assert f"RCPT TO:<{sent}>" in {line.split("> ")[0].rstrip(">") + ">" for line in commands}
    assert world.message_of(sent)["recipients"][0]["address"] == sent
