"""One gateway for all attacks: our own domains, next hops of every kind, strangers and hosts that may relay.

127.0.0.1 may relay, 127.0.0.3 may send bare newlines, every other address of loopback is a stranger that may send to
our own domains only; `app` may relay after a login.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.certificates import Authority, good
from tests.support.dns_server import DnsServer
from tests.support.gateway import GatewayProcess
from tests.support.raw_smtp import RawClient
from tests.support.smtp_server import FaultServer

STRANGER = "127.0.0.2"
LAX = "127.0.0.3"

SOURCES = """
[[source]]
name = "inside"
networks = ["127.0.0.1/32"]
may_relay = true

[[source]]
name = "lax"
networks = ["127.0.0.3/32"]
may_relay = true
allow_bare_newlines = true

[[source]]
name = "world"
networks = ["127.0.0.0/8"]
may_relay = false

[[source]]
name = "app"
logins = { ann = "open sesame" }
may_relay = true
"""

DOMAINS = """
[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test", "postmaster@home.test"]

[[accepted_domain]]
name = "relay.test"
type = "internal-relay"
recipients = ["ann@relay.test"]
"""

CONNECTOR = """
[[connector]]
name = "{name}"
domains = ["{name}.test"]
smart_hosts = ["127.0.0.1:{port}"]
{more}
"""

SMTP = """\
tls_certificate = "{chain}"
tls_key = "{key}"
max_message_size = "1MB"
{more}

[smtp.limits]
recipients = 100
commands = 400
errors = 100
unknown_commands = 20
auth_failures = 3
"""

DELIVERY = """\
connect_timeout = "2s"
banner_timeout = "3s"
ehlo_timeout = "3s"
mail_timeout = "3s"
retry = ["2s"]
"""


@dataclass
class World:
    """The gateway, its good next hop, and what it is made of."""

    gateway: GatewayProcess
    next_hop: FaultServer
    names: DnsServer
    servers: dict[str, FaultServer]

    def client(self, source: str = "127.0.0.1") -> RawClient:
        """Return a client that has been greeted."""
        return RawClient(self.gateway.smtp_port, source).greet()

    def taken(self, token: str) -> list[bytes]:
        """Return the contents at the good next hop that hold a word."""
        return [m.content for m in list(self.next_hop.messages) if token.encode() in m.content]

    def message_of(self, recipient: str) -> dict[str, Any]:
        """Return `message show` of the latest message to a recipient."""
        found = self.gateway.ask(f"trace?recipient={quote(recipient)}&limit=1")["messages"]
        return dict(self.gateway.ask(f"messages/{found[0]['id']}")) if found else {}

    def error_of(self, recipient: str) -> dict[str, Any] | None:
        """Return the last error of the latest message to a recipient, None where there is none yet."""
        shown = self.message_of(recipient)
        return shown["recipients"][0]["last_error"] if shown else None


EVIL_REPLY = (
    '550 5.7.1 no\x1b[31m\x00 way\u2028 {"event":"forged"} =?utf-8?q?=0D=0ABcc:_x@evil.test?= ' + "x" * 3000
)


def evil_servers() -> dict[str, FaultServer]:
    """Return next hops that misbehave, by the name of their connector."""
    return {
        "injects": FaultServer(inject=b"250 2.0.0 injected\r\n" * 3, offer_starttls=True),
        "insults": FaultServer(rcpt=EVIL_REPLY),
        "forges": FaultServer(rcpt=b'550 5.7.1 no\r\n{"time":"x","event":"forged"}\r\n'),
        "longline": FaultServer(rcpt="450 4.2.0 " + "y" * 3000),
        "endless": FaultServer(rcpt="450 4.2.0 " + "y" * 1_000_000),
        "manylines": FaultServer(mail="450-4.2.0 z\r\n" * 5000 + "450 4.2.0 end"),
        "mixedcodes": FaultServer(mail="250-2.1.0 fine\r\n550 5.1.0 not fine"),
        "nodigits": FaultServer(mail="fine, go on"),
        "contradicts": FaultServer(rcpt="550 4.2.0 for good, or not"),
    }


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the gateway and its next hops."""
    folder = tmp_path_factory.mktemp("safe")
    chain, key = good(Authority(), "gw.test").write(folder)
    with ExitStack() as stack:
        names = stack.enter_context(DnsServer())
        next_hop = stack.enter_context(FaultServer())
        servers = {name: stack.enter_context(server) for name, server in evil_servers().items()}
        gateway = GatewayProcess(
            folder / "gateway",
            smtp=SMTP.format(chain=chain, key=key, more=""),
            delivery=DELIVERY,
            dns=names.address,
            dns_timeout="1s",
            more='[ndr]\npostmaster = "postmaster@home.test"\n',
        )
        stack.enter_context(gateway)
        objects = DOMAINS + CONNECTOR.format(name="partner", port=next_hop.port, more="")
        objects += CONNECTOR.format(name="relay", port=next_hop.port, more="")
        objects += CONNECTOR.format(name="ourselves", port=gateway.smtp_port, more="")
        for name, server in servers.items():
            more = 'tls = "encryption-only"' if name == "injects" else ""
            objects += CONNECTOR.format(name=name, port=server.port, more=more)
        gateway.apply(objects, source=SOURCES)
        yield World(gateway, next_hop, names, servers)
        assert gateway.json("queue", "audit")["balanced"]
