"""Who is in the demo: the organisation, its partners, and what is wrong with each of their servers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from gatepost.demo.names import SERVFAIL, NameServer
from gatepost.demo.servers import ClosedPort, MailServer, Manners, SilentAddress, expired_certificate
from gatepost.i18n import tr

HEALTHY = "to-headquarters"
SENDER = "ann@contoso.example"

OURS = """\
[[source]]
name = "cloud"
networks = ["127.0.0.0/8", "::1/128"]
may_relay = true

[[accepted_domain]]
name = "contoso.example"
type = "authoritative"
recipients = ["ann@contoso.example", "bob@contoso.example"]

[[accepted_domain]]
name = "fabrikam.example"
type = "internal-relay"
recipients = ["eve@fabrikam.example"]
"""

CONNECTOR = """
[[connector]]
name = "{name}"
to = "{to}"
domains = ["{domain}"]
smart_hosts = ["{host}:{port}"]
{more}
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One connector of the story, and the server at its other end."""

    connector: str
    to: str
    domain: str
    host: str
    plight: str  # what is wrong there, for people
    manners: Manners | None = None  # None: no server, but a silent address, a closed port or broken DNS
    more: str = ""


def parts(certificate: Path) -> list[Part]:
    """Return all parts: one that works, then one for each known way to fail."""
    return [
        Part(HEALTHY, "on-premises", "hq.contoso.example", "mail.hq.contoso.example", tr("works"), Manners()),
        Part(
            "to-woodgrove", "partner", "woodgrove.example", "mail.woodgrove.example", tr("its DNS is broken")
        ),
        Part(
            "to-branch",
            "on-premises",
            "branch.contoso.example",
            "mail.branch.contoso.example",
            tr("is silent"),
        ),
        Part(
            "to-old-exchange", "on-premises", "fabrikam.example", "old.fabrikam.example", tr("was shut down")
        ),
        Part(
            "to-tailspin",
            "partner",
            "tailspin.example",
            "mx.tailspin.example",
            tr("is overloaded"),
            Manners(banner="421 4.3.2 Service not available, try again later"),
        ),
        Part(
            "to-litware",
            "partner",
            "litware.example",
            "mx.litware.example",
            tr("offers no TLS, which the connector demands"),
            Manners(),
            'tls = "encryption-only"',
        ),
        Part(
            "to-northwind",
            "on-premises",
            "northwind.example",
            "mail.northwind.example",
            tr("closes in the middle of DATA"),
            Manners(closes_in_data=True),
        ),
        Part(
            "to-adatum",
            "partner",
            "adatum.example",
            "mx.adatum.example",
            tr("has an expired certificate"),
            Manners(certificate=certificate),
            'tls = "domain-validation"\ntls_domain = "mx.adatum.example"\ntls_ca = "ca.pem"',
        ),
        Part(
            "to-wingtip",
            "partner",
            "wingtip.example",
            "mx.wingtip.example",
            tr("greylists"),
            Manners(rcpt="451 4.7.1 Greylisted, come back in five minutes"),
        ),
        Part(
            "to-proseware",
            "partner",
            "proseware.example",
            "mx.proseware.example",
            tr("refuses unknown recipients, so their mail goes back to the sender"),
            Manners(rcpt="550 5.1.1 No such user here"),
        ),
    ]


@dataclass(frozen=True, slots=True)
class Stage:
    """The other side, running: servers, names, and the objects that lead to them."""

    dns_port: int
    objects: str
    parts: list[Part]
    healthy: MailServer


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Run every server of the story; yields what a gateway needs to meet them."""
    certificate, _ = expired_certificate(folder, "mx.adatum.example")
    story = parts(certificate)
    names = {part.host: "127.0.0.1" for part in story} | {"mail.woodgrove.example": SERVFAIL}
    with ExitStack() as running:
        dns = running.enter_context(NameServer(names))
        silent = running.enter_context(SilentAddress())
        closed = running.enter_context(ClosedPort())
        objects, healthy = OURS, None
        for part in story:
            if part.manners is not None:
                server = running.enter_context(MailServer(part.manners))
                port = server.port
                healthy = server if part.connector == HEALTHY else healthy
            else:
                port = silent.port if part.connector == "to-branch" else closed.port
            objects += CONNECTOR.format(
                name=part.connector,
                to=part.to,
                domain=part.domain,
                host=part.host,
                port=port,
                more=part.more,
            )
        if healthy is None:
            raise AssertionError(f"{HEALTHY} is not in the story")
        yield Stage(dns.port, objects, story, healthy)


def letters(story: list[Part]) -> Iterator[tuple[str, str]]:
    """Yield (recipient, connector) for ever: every other message goes where all is well."""
    troubled = cycle([part for part in story if part.connector != HEALTHY])
    healthy = next(part for part in story if part.connector == HEALTHY)
    number = 0
    while True:
        number += 1
        yield f"user{number}@{healthy.domain}", healthy.connector
        part = next(troubled)
        yield f"user{number}@{part.domain}", part.connector
