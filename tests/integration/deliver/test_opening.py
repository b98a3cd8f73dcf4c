"""Opening a connection to servers that fail in each known way, over real sockets."""

import asyncio
import datetime
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.smtp_server import CLOSE, RESET, SILENCE, Action, FaultServer

from gatepost.deliver.connection import Connection, open_connection, try_envelope
from gatepost.deliver.options import Deadlines, DeliveryOptions
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.objects import TlsMode


def short_of(phase: Phase) -> Deadlines:
    """Give up early in the phase that is to fail; elsewhere a busy machine may take its time."""
    return Deadlines(**{phase.value: 0.3})  # type: ignore[arg-type]


class Opened(NamedTuple):
    outcome: Connection | Failure
    facts: SessionFacts

    @property
    def failure(self) -> Failure:
        assert isinstance(self.outcome, Failure), self.facts.dialogue
        return self.outcome

    @property
    def where(self) -> tuple[Phase, Reason]:
        return self.failure.phase, self.failure.reason


async def opened(port: int, host: str = "localhost", address: str = "127.0.0.1", **options: object) -> Opened:
    facts = SessionFacts(1, 2, 0)
    target = SimpleNamespace(host=host, address=address, port=port)
    chosen = DeliveryOptions(hostname="gw.test", **options)  # type: ignore[arg-type]
    outcome = await open_connection(target, chosen, facts)
    if isinstance(outcome, Connection):
        outcome.run(lambda: None, lambda *_: None, lambda _: None, lambda *_: None)
        outcome.close()
        await outcome.wait_closed()
    return Opened(outcome, facts)


def open_now(port: int, **options: object) -> Opened:
    return asyncio.run(opened(port, **options))  # type: ignore[arg-type]


class Certificates(NamedTuple):
    ca: str
    write: Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca = trustme.CA()

    def write(*names: str, **arguments: object) -> tuple[Path, Path]:
        leaf = ca.issue_cert(*names, **arguments)  # type: ignore[arg-type]
        stem = f"{'-'.join(names).replace('*', 'star')}-{len(list(folder.iterdir()))}"
        chain, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        chain.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return chain, key

    return Certificates(ca.cert_pem.bytes().decode(), write)


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain_path, key_path = folder / "self.pem", folder / "self.key"
    chain_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain_path, key_path


def test_a_good_server_is_greeted_and_everything_is_recorded() -> None:
    """R20, B1: address, banner, replies and timings are kept."""
    with FaultServer() as server:
        result = open_now(server.port)
        assert isinstance(result.outcome, Connection)
        facts = result.facts
        assert facts.banner == "220 fault.test ESMTP"
        assert facts.ehlo[0] == "fault.test greets you"
        assert facts.endpoint == f"127.0.0.1:{server.port}"
        assert facts.local_address.startswith("127.0.0.1:")
        assert set(facts.timings) == {"connect", "banner", "ehlo"}
        assert server.connections[0].commands == ["EHLO gw.test", "QUIT"]


def test_a_refused_connection_says_so() -> None:
    """R8, fault row 28."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = open_now(port)
    assert result.where == (Phase.CONNECT, Reason.REFUSED)
    assert result.facts.address == "127.0.0.1"


def test_a_full_backlog_is_a_timeout_at_connect() -> None:
    """R7, fault row 29: no SYN-ACK."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        result = open_now(listener.getsockname()[1], deadlines=short_of(Phase.CONNECT))
        for filler in fillers:
            filler.close()
    assert result.where == (Phase.CONNECT, Reason.TIMEOUT)


@pytest.mark.parametrize(
    ("script", "phase", "reason"),
    [
        ({"connect": CLOSE}, Phase.BANNER, Reason.CLOSED),
        ({"connect": RESET}, Phase.BANNER, Reason.RESET),
        ({"banner": SILENCE}, Phase.BANNER, Reason.TIMEOUT),
        ({"banner": "421 4.3.2 Service not available"}, Phase.BANNER, Reason.REPLY),
        ({"banner": "554 5.3.2 No SMTP service here"}, Phase.BANNER, Reason.REPLY),
        ({"banner": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, Phase.BANNER, Reason.PROTOCOL),
        ({"banner": b"\x00\xff" * 9000}, Phase.BANNER, Reason.PROTOCOL),
        ({"banner": b"220 begun but never ended"}, Phase.BANNER, Reason.TIMEOUT),
        ({"ehlo": "421 4.3.2 going down"}, Phase.EHLO, Reason.REPLY),
        ({"ehlo": SILENCE}, Phase.EHLO, Reason.TIMEOUT),
        ({"ehlo": CLOSE}, Phase.EHLO, Reason.CLOSED),
        ({"ehlo": RESET}, Phase.EHLO, Reason.RESET),
        ({"ehlo": "451 4.3.0 later"}, Phase.EHLO, Reason.REPLY),
        ({"ehlo": "550 go away", "helo": "550 go away"}, Phase.EHLO, Reason.REPLY),
        ({"ehlo": b"250-one\r\n550 two\r\n"}, Phase.EHLO, Reason.PROTOCOL),
    ],
)
def test_each_fault_before_tls_has_its_phase_and_reason(
    script: dict[str, Action], phase: Phase, reason: Reason
) -> None:
    """R9, R10, B1; fault rows 31 to 33."""
    limits = short_of(phase) if reason is Reason.TIMEOUT else Deadlines()
    with FaultServer(**script) as server:  # type: ignore[arg-type]
        result = open_now(server.port, deadlines=limits)
    assert result.where == (phase, reason)
    if reason is Reason.REPLY:
        assert result.failure.reply is not None
        assert result.failure.reply.code == int(result.failure.detail[:3])


def test_a_server_that_knows_helo_only_is_spoken_to_in_its_way() -> None:
    """RFC 5321 section 3.2."""
    with FaultServer(ehlo="502 5.5.1 what") as server:
        result = open_now(server.port)
        assert isinstance(result.outcome, Connection)
        assert not result.outcome.extensions.pipelining
        assert server.connections[0].commands[:2] == ["EHLO gw.test", "HELO gw.test"]


def test_lmtp_greets_with_lhlo() -> None:
    with FaultServer(lmtp=True) as server:
        assert isinstance(open_now(server.port, lmtp=True).outcome, Connection)
        assert server.connections[0].commands[0] == "LHLO gw.test"


REQUIRED = [TlsMode.ENCRYPTION_ONLY, TlsMode.CERTIFICATE_VALIDATION, TlsMode.DOMAIN_VALIDATION]


@pytest.mark.parametrize("mode", REQUIRED)
@pytest.mark.parametrize(
    ("script", "phase", "reason"),
    [
        ({"offer_starttls": False}, Phase.STARTTLS, Reason.NOT_OFFERED),
        ({"starttls": "454 4.7.0 not now"}, Phase.STARTTLS, Reason.REPLY),
        ({"starttls": "502 5.5.1 what"}, Phase.STARTTLS, Reason.REPLY),
        ({"starttls": CLOSE}, Phase.STARTTLS, Reason.CLOSED),
        ({"starttls": SILENCE}, Phase.STARTTLS, Reason.TIMEOUT),
        ({"handshake": b"250 this is no handshake\r\n"}, Phase.TLS, Reason.HANDSHAKE),
        ({"handshake": CLOSE}, Phase.TLS, Reason.CLOSED),
        ({"handshake": RESET}, Phase.TLS, Reason.RESET),
        ({"handshake": SILENCE}, Phase.TLS, Reason.TIMEOUT),
    ],
)
def test_required_tls_never_goes_on_in_clear_text(
    certificates: Certificates, mode: TlsMode, script: dict[str, Action], phase: Phase, reason: Reason
) -> None:
    """R9, rule 5, fault row 38."""
    limits = short_of(phase) if reason is Reason.TIMEOUT else Deadlines()
    with FaultServer(certificate=certificates.write("localhost"), **script) as server:  # type: ignore[arg-type]
        result = open_now(server.port, tls=mode, tls_ca=certificates.ca, deadlines=limits)
        assert result.where == (phase, reason)
        assert len(server.connections) == 1
        assert not any(command.startswith("MAIL") for command in server.connections[0].commands)


@pytest.mark.parametrize("mode", list(TlsMode))
def test_clear_text_after_the_220_ends_the_attempt_in_every_mode(
    certificates: Certificates, mode: TlsMode
) -> None:
    """Rule 5, fault row 39: it is never read as a reply to EHLO."""
    injected = b"250-fault.test\r\n250 PIPELINING\r\n"
    with FaultServer(certificate=certificates.write("localhost"), inject=injected) as server:
        result = open_now(server.port, tls=mode, tls_ca=certificates.ca)
        assert result.where == (Phase.STARTTLS, Reason.PROTOCOL)
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    "script",
    [
        {"starttls": CLOSE},
        {"handshake": b"\x15\x03\x01\x00\x02\x02\x28"},
        {"handshake": CLOSE},
        {"handshake": RESET},
        {"handshake": SILENCE},
    ],
)
def test_opportunistic_tls_that_breaks_is_told_and_followed_by_clear_text(
    certificates: Certificates, script: dict[str, Action]
) -> None:
    with FaultServer(certificate=certificates.write("localhost"), **script) as server:  # type: ignore[arg-type]
        limits = short_of(Phase.TLS) if SILENCE in script.values() else Deadlines()
        result = open_now(server.port, deadlines=limits)
        assert len(server.connections) == 2
        assert result.facts.tls is None
        assert any("went on in clear text" in text for _, text in result.facts.dialogue)


@pytest.mark.parametrize("reply", ["454 4.7.0 not now", "502 5.5.1 what"])
def test_opportunistic_tls_that_is_refused_goes_on_at_once(certificates: Certificates, reply: str) -> None:
    with FaultServer(certificate=certificates.write("localhost"), starttls=reply) as server:
        result = open_now(server.port)
        assert isinstance(result.outcome, Connection)
        assert len(server.connections) == 1
        assert ("starttls", reply) in result.facts.dialogue


def test_ehlo_is_said_again_after_the_handshake(certificates: Certificates) -> None:
    """Rule 5, RFC 3207 section 4.2."""
    with FaultServer(certificate=certificates.write("localhost")) as server:
        result = open_now(server.port, tls=TlsMode.ENCRYPTION_ONLY)
        assert isinstance(result.outcome, Connection)
        assert server.connections[0].commands == ["EHLO gw.test", "STARTTLS", "EHLO gw.test", "QUIT"]
        assert "STARTTLS" not in result.facts.ehlo
        assert result.facts.tls is not None
        assert result.facts.tls.version.startswith("TLSv1.")


@pytest.mark.parametrize(
    ("mode", "domain", "names"),
    [
        (TlsMode.CERTIFICATE_VALIDATION, "", ("other.test",)),
        (TlsMode.DOMAIN_VALIDATION, "", ("localhost",)),
        (TlsMode.DOMAIN_VALIDATION, "mail.b.test", ("*.b.test",)),
    ],
)
def test_a_good_certificate_is_good(
    certificates: Certificates, mode: TlsMode, domain: str, names: tuple[str, ...]
) -> None:
    """Fault row 41; only domain validation looks at names."""
    with FaultServer(certificate=certificates.write(*names)) as server:
        result = open_now(server.port, tls=mode, tls_ca=certificates.ca, tls_domain=domain)
    assert isinstance(result.outcome, Connection)
    assert result.facts.tls is not None
    assert (result.facts.tls.verdict, result.facts.tls.chain[0].names) == ("", names)


def test_each_fault_of_a_certificate_has_its_token(certificates: Certificates, tmp_path: Path) -> None:
    """R11, fault row 40."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    expired = certificates.write("localhost", not_before=now - 9 * day, not_after=now - day)
    early = certificates.write("localhost", not_before=now + day, not_after=now + 9 * day)
    cases = [
        (expired, Reason.CERTIFICATE_EXPIRED),
        (early, Reason.CERTIFICATE_NOT_YET_VALID),
        (certificates.write("other.test"), Reason.SUBJECT_MISMATCH),
        (self_signed(tmp_path), Reason.SELF_SIGNED),
    ]
    for certificate, reason in cases:
        with FaultServer(certificate=certificate) as server:
            result = open_now(server.port, tls=TlsMode.DOMAIN_VALIDATION, tls_ca=certificates.ca)
            assert result.where == (Phase.TLS, reason)
            assert result.facts.tls is not None
            assert result.facts.tls.verdict == reason
            assert len(server.connections) == 1


def test_a_bad_certificate_is_noted_where_nobody_demands_a_good_one(certificates: Certificates) -> None:
    """B7: the verdict is there before it matters."""
    stranger = trustme.CA().cert_pem.bytes().decode()
    with FaultServer(certificate=certificates.write("localhost")) as server:
        result = open_now(server.port, tls_ca=stranger)
    assert isinstance(result.outcome, Connection)
    assert result.facts.tls is not None
    assert result.facts.tls.verdict == Reason.UNTRUSTED_ROOT
    assert result.facts.tls.chain[0].names == ("localhost",)


def test_credentials_are_sent_under_tls_only(certificates: Certificates) -> None:
    """Rule 18."""
    login = {"username": "relay", "password": "secret-word"}
    with FaultServer(logins={"relay": "secret-word"}) as server:
        result = open_now(server.port, **login)
        assert result.where == (Phase.AUTH, Reason.NOT_OFFERED)
        assert not any("AUTH" in command for command in server.connections[0].commands)
    with FaultServer(certificate=certificates.write("localhost"), logins={"relay": "secret-word"}) as server:
        result = open_now(server.port, **login)
        assert isinstance(result.outcome, Connection)
        assert server.connections[0].login == "relay"
        assert result.facts.authenticated == "relay"
        assert "secret-word" not in str(result.facts.to_json())


def test_auth_login_is_spoken_where_plain_is_not_offered(certificates: Certificates) -> None:
    with FaultServer(
        certificate=certificates.write("localhost"), logins={"relay": "pw"}, mechanisms="LOGIN"
    ) as server:
        assert isinstance(open_now(server.port, username="relay", password="pw").outcome, Connection)
        assert server.connections[0].login == "relay"


def test_wrong_credentials_end_in_the_servers_words(certificates: Certificates) -> None:
    with FaultServer(certificate=certificates.write("localhost"), logins={"relay": "right"}) as server:
        result = open_now(server.port, username="relay", password="wrong")
        assert result.where == (Phase.AUTH, Reason.REPLY)
        assert result.failure.detail == "535 5.7.8 wrong credentials"


def test_a_reply_that_drips_meets_the_deadline_of_its_step() -> None:
    """Fault row 45: a deadline is for the whole reply, not for each octet."""
    with FaultServer(drip=0.1) as server:
        limits = short_of(Phase.BANNER)
        assert open_now(server.port, deadlines=limits).where == (Phase.BANNER, Reason.TIMEOUT)


@pytest.mark.parametrize(
    ("script", "where"),
    [
        ({}, None),
        ({"mail": "550 5.7.1 not you"}, (Phase.MAIL, Reason.REPLY)),
        ({"rcpt": "550 5.1.1 nobody"}, (Phase.RCPT, Reason.REPLY)),
        ({"rcpt": CLOSE}, (Phase.RCPT, Reason.CLOSED)),
        ({"rcpt": SILENCE}, (Phase.RCPT, Reason.TIMEOUT)),
    ],
)
def test_an_envelope_can_be_tried_without_sending_anything(
    script: dict[str, Action], where: tuple[Phase, Reason] | None
) -> None:
    """B9: the last two stages of a check."""

    async def check(port: int) -> Failure | None:
        target = SimpleNamespace(host="localhost", address="127.0.0.1", port=port)
        limits = short_of(Phase.RCPT) if script.get("rcpt") == SILENCE else Deadlines()
        connection = await open_connection(target, DeliveryOptions(deadlines=limits), SessionFacts(1, 2, 0))
        assert isinstance(connection, Connection)
        found = await try_envelope(connection, "s@a.test", "ann@b.test")
        connection.close()
        await connection.wait_closed()
        return found

    with FaultServer(**script) as server:  # type: ignore[arg-type]
        found = asyncio.run(check(server.port))
        assert (found and (found.phase, found.reason)) == where
        assert server.messages == []
        if where is None:
            assert server.connections[0].commands[-2:] == ["RSET", "QUIT"]


# ---------------------------------------------------------------- our own address


def test_a_connection_leaves_from_the_address_that_the_connector_names() -> None:
    with FaultServer() as server:
        found = open_now(server.port, source_addresses=("::1", "127.0.0.9"))
    assert isinstance(found.outcome, Connection)
    assert found.facts.local_address.startswith("127.0.0.9:")


def test_a_family_without_an_address_of_ours_is_left_to_the_system() -> None:
    with FaultServer() as server:
        found = open_now(server.port, source_addresses=("::1",))
    assert isinstance(found.outcome, Connection)
    assert found.facts.local_address.startswith("127.0.0.1:")


def test_an_address_that_is_not_ours_is_our_own_trouble_and_is_named() -> None:
    with FaultServer() as server:
        found = open_now(server.port, source_addresses=("192.0.2.99",))
    assert found.where == (Phase.CONNECT, Reason.LOCAL)
    assert found.failure.detail.startswith("the source address 192.0.2.99 cannot be used: ")
    assert "EADDRNOTAVAIL" in found.failure.detail
