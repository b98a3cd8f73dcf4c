"""Each fix on its own trouble: the mail goes, or waits, as the fix says; undo brings the trouble back (B4, B5)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import certificates
from tests.support.dns_server import NXDOMAIN, DnsServer
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import CLOSE, FaultServer

ZONES: dict[str, Any] = {
    "mail.named.test": {"A": ["127.0.0.1"]},
    "mail.trusted.test": {"A": ["127.0.0.1"]},
    "mail.pinned.test": {"A": ["127.0.0.1"]},
    "mail.lapsed.test": {"A": ["127.0.0.1"]},
    "mail.late.test": NXDOMAIN,
}
CONNECTOR = """
[[connector]]
name = "{name}"
to = "partner"
domains = ["{name}.test"]
smart_hosts = ["{host}:{port}"]
tls = "{tls}"
{more}
"""


class Scene:
    """One gateway with a connector for each trouble."""

    def __init__(self, gateway: GatewayProcess, dns: DnsServer, authority: certificates.Authority) -> None:
        self.gateway = gateway
        self.dns = dns
        self.authority = authority
        self.objects = ""

    def connector(
        self, name: str, port: int, host: str = "", tls: str = "opportunistic", more: str = ""
    ) -> None:
        host = host or f"mail.{name}.test"
        self.objects += CONNECTOR.format(name=name, host=host, port=port, tls=tls, more=more)
        self.gateway.apply(self.objects)

    def stuck(self, name: str) -> dict[str, Any]:
        """Send a message that waits, and return its error."""
        self.gateway.send("x@sender.test", f"bob@{name}.test")
        return self.gateway.error(name)

    def apply(self, name: str, action: str, **parameters: object) -> dict[str, Any]:
        """Apply a fix as it is offered, with further parameters."""
        settings = [word for key, value in parameters.items() for word in ("--set", f"{key}={value}")]
        done = self.gateway.json("fix", "apply", name, action, *settings)
        assert isinstance(done, dict)
        return done

    def gone(self, name: str) -> None:
        wait_until(
            lambda: not [row for row in self.gateway.ask("queue") if row["connector"] == name],
            what="the delivery",
        )

    def undo(self, done: dict[str, Any]) -> None:
        self.gateway.json("fix", "undo", done["fix"]["id"])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    authority = certificates.Authority()
    with (
        DnsServer(ZONES) as dns,
        GatewayProcess(
            tmp_path_factory.mktemp("fixes"),
            delivery='retry = ["1h"]\nconnect_timeout = "60s"',
            dns=dns.address,
            dns_timeout="20s",
        ) as gateway,
    ):
        yield Scene(gateway, dns, authority)


@pytest.mark.parametrize(
    ("name", "action", "issued", "token"),
    [
        ("named", "set_tls_domain", certificates.wrong_name, "SubjectMismatch"),
        ("trusted", "trust_issuer", None, "SelfSigned"),
        ("pinned", "pin_certificate", certificates.expired, "CertificateExpired"),
    ],
)
def test_a_certificate_is_taken_as_the_fix_says(
    scene: Scene, tmp_path: Path, name: str, action: str, issued: Any, token: str
) -> None:
    """R11: set the name, trust the issuer, pin the certificate; with what the gateway saw as its proposal."""
    host = f"mail.{name}.test"
    made = certificates.self_signed(host) if issued is None else issued(scene.authority)
    ca = tmp_path / "ca.pem"
    ca.write_text(scene.authority.pem)
    more = f'tls_domain = "{host}"\ntls_ca = "{ca}"' if name != "trusted" else ""
    tls = "domain-validation" if name == "named" else "certificate-validation"
    more = more if name == "named" else more.replace(f'tls_domain = "{host}"\n', "")
    with FaultServer(certificate=made.write(tmp_path)) as server:
        scene.connector(name, server.port, tls=tls, more=more)
        assert token in scene.stuck(name)["message"]
        done = scene.apply(name, action)
        scene.gone(name)
        scene.undo(done)
        assert token in scene.stuck(name)["message"]


def test_a_server_that_does_not_bear_pipelining_is_spoken_to_carefully(scene: Scene) -> None:
    """R10: no PIPELINING, fewer connections; BDAT is never used towards others, so CHUNKING needs none."""
    with FaultServer(extensions=("PIPELINING", "CHUNKING", "8BITMIME"), mail=CLOSE) as server:
        scene.connector("careful", server.port, host="127.0.0.1")
        scene.stuck("careful")
        server.script["mail"] = None
        done = scene.apply("careful", "set_quirks", quirks="no-pipelining,no-reuse", concurrency=1)
        fields = {field for change in done["preview"]["objects"] for field in change["fields"]}
        assert fields == {"quirks", "concurrency"}
        scene.gone("careful")


def test_the_last_known_addresses_are_used_while_the_name_is_gone(scene: Scene) -> None:
    """R6: whatever the DNS says, for so many hours."""
    with FaultServer() as server:
        scene.connector("lapsed", server.port, more='quirks = ["no-reuse"]')
        scene.gateway.send("x@sender.test", "bob@lapsed.test")
        wait_until(lambda: server.messages, what="the first delivery")
        scene.dns.zones["mail.lapsed.test"] = NXDOMAIN
        scene.gateway.json("fix", "apply", "lapsed", "flush_dns")
        assert scene.stuck("lapsed")["code"] == "4.4.312"
        done = scene.apply("lapsed", "use_last_addresses")
        assert "127.0.0.1" in str(done["preview"]["objects"])
        scene.gone("lapsed")
        scene.undo(done)
        assert scene.stuck("lapsed")["code"] == "4.4.312"


def test_the_dns_is_asked_anew_at_once(scene: Scene) -> None:
    """R6."""
    with FaultServer() as server:
        scene.connector("late", server.port)
        assert scene.stuck("late")["code"] == "4.4.312"
        scene.dns.zones["mail.late.test"] = {"A": ["127.0.0.1"]}
        scene.apply("late", "flush_dns")
        scene.gone("late")


def test_what_waits_for_a_time_of_its_own_is_tried_at_once_too(scene: Scene) -> None:
    """B5: greylisted mail, whose next time is an hour away."""
    with FaultServer(rcpt="451 4.7.1 greylisted, come back later") as server:
        scene.connector("greylisted", server.port, host="127.0.0.1")
        scene.gateway.send("x@sender.test", "bob@greylisted.test")
        deferred = ("message", "list", "--filter", "connector:greylisted state:deferred")
        wait_until(lambda: scene.gateway.json(*deferred)["messages"], what="the refusal")
        server.rcpt = None
        scene.apply("greylisted", "retry")
        scene.gone("greylisted")


def test_a_connector_is_disabled_enabled_deleted_and_brought_back(scene: Scene) -> None:
    """R15: its mail takes the way that is then the best, and comes back with it."""
    scene.objects += '[[accepted_domain]]\nname = "steered.test"\ntype = "internal-relay"\n'
    scene.connector("steered", free_port(), host="127.0.0.1")
    scene.stuck("steered")
    gateway = scene.gateway
    disabled = scene.apply("steered", "disable_connector")
    assert disabled["preview"]["effect"]["held"] == 1
    scene.gone("steered")
    scene.undo(disabled)
    wait_until(lambda: gateway.row("steered"), what="its mail")
    gone = scene.apply("steered", "delete_connector")
    assert gateway.run("connector", "show", "steered").returncode == 1
    scene.undo(gone)
    wait_until(lambda: gateway.row("steered"), what="its mail")
    scene.apply("steered", "disable_connector")
    scene.apply("steered", "enable_connector")
    wait_until(lambda: gateway.row("steered"), what="its mail")
