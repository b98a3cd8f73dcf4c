"""Handshakes over real sockets: what comes out of them, also where the certificate is bad."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest
from tests.support import certificates as make
from tests.support.certificates import Authority, Issued

from gatepost.model.attempt import TlsFacts
from gatepost.model.failure import Reason
from gatepost.net.tls import client_context, judge, peer_chain, server_context, tls_facts

AUTHORITY = Authority()


def weak_server(chain: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server that OpenSSL lets use anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(chain, key)
    return context


async def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext | None = None
) -> tuple[list[bytes], TlsFacts]:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
    try:
        port = listener.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client or client_context(), server_hostname="mail.test"
        )
        encrypted = writer.get_extra_info("ssl_object")
        chain = peer_chain(encrypted)
        verdict, detail = judge(chain, ["mail.test"], AUTHORITY.pem, round(time.time() * 1000))
        facts = tls_facts(encrypted, verdict, detail)
        writer.close()
        return chain, facts
    finally:
        listener.close()
        await listener.wait_closed()


@pytest.mark.parametrize(
    ("issued", "reason"),
    [
        (make.good(AUTHORITY), ""),
        (make.expired(AUTHORITY), Reason.CERTIFICATE_EXPIRED),
        (make.not_yet_valid(AUTHORITY), Reason.CERTIFICATE_NOT_YET_VALID),
        (make.wrong_name(AUTHORITY), Reason.SUBJECT_MISMATCH),
        (make.self_signed(), Reason.SELF_SIGNED),
        (make.unknown_issuer(), Reason.UNTRUSTED_ROOT),
        (make.missing_intermediate(AUTHORITY), Reason.UNTRUSTED_ROOT),
        (make.weak_key(AUTHORITY), Reason.WEAK_KEY),
    ],
)
def test_the_chain_is_there_whatever_is_wrong_with_it(issued: Issued, reason: str, tmp_path: Path) -> None:
    """R11: handshake first, then the verdict, so that the presented chain is evidence.

    This fails loudly where a new Python no longer has the (private) way to the presented chain.
    """
    chain, facts = asyncio.run(handshake(weak_server(*issued.write(tmp_path))))
    assert chain == issued.chain
    assert facts.verdict == reason
    assert facts.version == "TLSv1.3"
    assert facts.cipher
    assert facts.chain[0].subject == issued.certificate.subject.rfc4514_string()
    assert facts.verdict_detail


def test_the_interpreter_has_one_of_the_known_ways_to_the_chain() -> None:
    """Public from 3.13 on, private before; anything else needs a look at `peer_chain`."""
    public = hasattr(ssl.SSLObject, "get_unverified_chain")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inside = client_context().wrap_bio(incoming, outgoing, server_hostname="mail.test")._sslobj  # type: ignore[attr-defined]
    assert public or hasattr(inside, "get_unverified_chain")


@pytest.mark.parametrize("side", ["client", "server"])
def test_nothing_older_than_tls_1_2_is_spoken(side: str, tmp_path: Path) -> None:
    """Rule 19, RFC 8996."""
    paths = make.good(AUTHORITY).write(tmp_path)
    old_server, old_client = weak_server(*paths), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old_client.check_hostname, old_client.verify_mode = False, ssl.CERT_NONE
    old_client.set_ciphers("ALL:@SECLEVEL=0")
    for context in (old_server, old_client):
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    ours = server_context(str(paths[0]), str(paths[1]))
    pair = (old_server, client_context()) if side == "client" else (ours, old_client)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        asyncio.run(handshake(*pair))


def test_our_server_presents_its_whole_chain(tmp_path: Path) -> None:
    issued = Authority("Intermediate CA", parent=AUTHORITY).issue("mail.test")
    chain, path = issued.write(tmp_path)
    presented, facts = asyncio.run(handshake(server_context(str(chain), str(path))))
    assert presented == issued.chain
    assert facts.verdict == ""


def test_a_client_certificate_is_asked_for_only_where_its_ca_is_named(tmp_path: Path) -> None:
    paths = [str(path) for path in make.good(AUTHORITY).write(tmp_path)]
    ca = tmp_path / "ca.pem"
    ca.write_text(AUTHORITY.pem)
    assert server_context(*paths).verify_mode is ssl.CERT_NONE
    assert server_context(*paths, client_ca=str(ca)).verify_mode is ssl.CERT_OPTIONAL


def test_the_roots_of_the_system_do_not_know_a_private_ca() -> None:
    now = round(time.time() * 1000)
    reason, detail = judge(make.good(AUTHORITY).chain, ["mail.test"], "", now)
    assert reason is Reason.UNTRUSTED_ROOT
    assert "CN=Test CA" in detail
