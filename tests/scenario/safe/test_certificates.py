"""Attacks on TLS: old versions, and certificates that are not for this host or not to be trusted (rules 19 and 20)."""

import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.scenario.safe.conftest import CONNECTOR, DELIVERY, SMTP
from tests.support import certificates
from tests.support.certificates import Authority, Issued
from tests.support.dns_server import DnsServer
from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until
from tests.support.raw_smtp import RawClient, trusting
from tests.support.smtp_server import FaultServer

from gatepost.net.tls import server_context

Make = Callable[[Authority, str], Issued]


@dataclass(frozen=True)
class Case:
    """A certificate that a host presents, and what is made of it."""

    name: str
    make: Make
    token: str = ""  # "": it is good
    host: str = ""

    @property
    def server(self) -> str:
        """Return the name of the smart host."""
        return self.host or f"mail.{self.name}.test"


def named(*names: str) -> Make:
    """Return the maker of a certificate for other names than the host's."""
    return lambda authority, _host: authority.issue(*names)


CASES = [
    Case("exact", certificates.good),
    Case("wildcard", named("*.wildcard.test")),
    Case("deepwild", named("*.test"), "SubjectMismatch"),
    Case("twolabels", named("*.twolabels.test"), "SubjectMismatch", "a.mail.twolabels.test"),
    Case("partwild", named("m*.partwild.test"), "SubjectMismatch"),
    Case("othername", named("mail.other.test"), "SubjectMismatch"),
    Case("cnonly", certificates.common_name_only, "SubjectMismatch"),
    Case("nulname", named("mail.nulname.test\0.evil.test"), "SubjectMismatch"),
    Case("address", named("127.0.0.1"), "", "127.0.0.1"),
    Case("addressname", named("mail.addressname.test"), "SubjectMismatch", "127.0.0.1"),
    Case("idn", named("mail.xn--bcher-kva.test"), "", "mail.xn--bcher-kva.test"),
    Case("expired", certificates.expired, "CertificateExpired"),
    Case("early", certificates.not_yet_valid, "CertificateNotYetValid"),
    Case("chainless", certificates.missing_intermediate, "UntrustedRoot"),
    Case("leafissued", certificates.signed_by_a_leaf, "UntrustedRoot"),
    Case("selfsigned", lambda _authority, host: certificates.self_signed(host), "SelfSigned"),
]


@dataclass
class TlsWorld:
    """A gateway that demands good certificates, and one server for each case."""

    gateway: GatewayProcess
    servers: dict[str, FaultServer]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsWorld]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority()
    (folder / "ca.pem").write_text(authority.pem)
    servers: dict[str, FaultServer] = {}
    objects = ""
    with ExitStack() as stack:
        names = stack.enter_context(DnsServer())
        chain, key = certificates.good(authority, "gw.test").write(folder, "gateway")
        for case in CASES:
            files = case.make(authority, case.server).write(folder, case.name)
            server = servers[case.name] = stack.enter_context(FaultServer(certificate=files))
            names.zones[case.server] = {"A": ["127.0.0.1"]}
            objects += connector(case.name, case.server, server.port, folder)
        old = FaultServer(
            certificate=certificates.good(authority, "mail.oldtls.test").write(folder, "old"),
            tls_maximum=ssl.TLSVersion.TLSv1_1,
        )
        servers["oldtls"] = stack.enter_context(old)
        names.zones["mail.oldtls.test"] = {"A": ["127.0.0.1"]}
        objects += connector("oldtls", "mail.oldtls.test", old.port, folder)
        gateway = GatewayProcess(
            folder / "gateway",
            smtp=SMTP.format(chain=chain, key=key, more=""),
            delivery=DELIVERY,
            dns=names.address,
        )
        stack.enter_context(gateway)
        gateway.apply(objects)
        for name in servers:
            gateway.send("a@client.test", f"x@{name}.test")
        yield TlsWorld(gateway, servers)


def connector(name: str, host: str, port: int, folder: Path) -> str:
    """Return a connector that demands a good certificate of our CA for its smart host."""
    more = f'tls = "domain-validation"\ntls_ca = "{folder / "ca.pem"}"'
    text = CONNECTOR.format(name=name, port=port, more=more)
    return text.replace(f'"127.0.0.1:{port}"', f'"{host}:{port}"')


@pytest.mark.parametrize("case", [c for c in CASES if c.token], ids=lambda case: case.name)
def test_rule_20_a_certificate_that_is_not_for_this_host_or_not_valid_gets_no_mail(
    world: TlsWorld, case: Case
) -> None:
    error = world.gateway.error(case.name)
    assert error["code"] == "4.7.320", error
    assert case.token in error["text"], error
    assert not world.servers[case.name].messages


@pytest.mark.parametrize("case", [c for c in CASES if not c.token], ids=lambda case: case.name)
def test_rule_20_a_good_certificate_gets_it(world: TlsWorld, case: Case) -> None:
    server = world.servers[case.name]
    wait_until(lambda: server.messages, 15, what=f"the message for {case.name}")
    assert server.messages[0].tls


def test_rule_05_after_the_handshake_we_say_ehlo_again_and_believe_nothing_from_before(
    world: TlsWorld,
) -> None:
    server = world.servers["exact"]
    wait_until(lambda: server.messages, 15)
    verbs = [line.split()[0] for line in server.connections[0].commands]
    assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]


def test_rule_19_we_speak_no_tls_before_1_2_to_others(world: TlsWorld) -> None:
    error = world.gateway.error("oldtls")
    assert (error["code"], error["phase"]) == ("4.4.317", "tls"), error
    assert not world.servers["oldtls"].messages


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_rule_19_nobody_speaks_tls_before_1_2_to_us(world: TlsWorld, version: ssl.TLSVersion) -> None:
    context = trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # that it is outdated is the point
        context.minimum_version = context.maximum_version = version
    with RawClient(world.gateway.smtp_port) as client, pytest.raises((ssl.SSLError, ConnectionError)):
        client.greet().start_tls(context=context)
    with RawClient(world.gateway.smtp_port) as client:
        client.greet().start_tls()
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() in {"TLSv1.2", "TLSv1.3"}


def test_rule_19_the_context_of_listeners_refuses_renegotiation_and_compression(tmp_path: Path) -> None:
    """No client of the standard library can ask for either: the options of the one context of all listeners."""
    chain, key = certificates.good(Authority(), "gw.test").write(tmp_path)
    context = server_context(str(chain), str(key))
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
