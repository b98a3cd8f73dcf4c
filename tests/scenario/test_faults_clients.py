"""Clients that flood, dawdle, smuggle, guess and send mail in circles (fault matrix 55 to 59)."""

import base64
import json
import smtplib
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.gateway import GatewayProcess
from tests.support.memory import resident
from tests.support.peers import PATIENCE, free_port, wait_until
from tests.support.raw_smtp import tls_context
from tests.support.smtp_server import FaultServer
from tests.unit.receive_policy.test_policy import RELAY_ATTEMPTS
from tests.unit.smtp import test_smuggling

CONNECTOR = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""

HOME = """
[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test"]
"""

OPENING = b"EHLO c\r\nMAIL FROM:<ann@client.test>\r\nRCPT TO:<bob@partner.test>\r\n"


def pid_of(gateway: GatewayProcess) -> int:
    assert gateway.process is not None
    return gateway.process.pid


def talk(gateway: GatewayProcess, *pieces: bytes, seconds: float = 10) -> bytes:
    """Send all of it, then read until the gateway closes or says nothing for a while."""
    answer = b""
    with socket.create_connection(("127.0.0.1", gateway.smtp_port), 10) as sock:
        answer += sock.recv(1000)
        sock.settimeout(seconds)
        with suppress(ConnectionError, BrokenPipeError):
            for piece in pieces:
                sock.sendall(piece)
        with suppress(TimeoutError, ConnectionError):
            while piece := sock.recv(65536):
                answer += piece
    return answer


def content(gateway: GatewayProcess, *pieces: bytes) -> bytes:
    """Send such a content, after the 354 to DATA; return the answers from there on."""
    with socket.create_connection(("127.0.0.1", gateway.smtp_port), 10) as sock:
        sock.sendall(OPENING + b"DATA\r\n")
        while b"\r\n354" not in sock.recv(10_000, socket.MSG_PEEK):
            time.sleep(0.01)
        sock.recv(10_000)
        with suppress(ConnectionError):
            for piece in (*pieces, b"\r\n.\r\nQUIT\r\n"):
                sock.sendall(piece)
        answer = b"\r\n"
        with suppress(ConnectionError):
            while piece := sock.recv(65536):
                answer += piece
        return answer


def served_within(gateway: GatewayProcess, seconds: float) -> None:
    """See that a good client is served meanwhile; `seconds` are those of a quiet machine."""
    begun = time.monotonic()
    gateway.send("ann@client.test", "bob@partner.test")
    assert time.monotonic() - begun < seconds * PATIENCE


@pytest.mark.slow
def test_three_hundred_idle_connections_do_not_keep_a_known_client_out(tmp_path: Path) -> None:
    """Fault matrix 55, rule 17: strangers get their share of the places; whoever we know is served in 2 seconds."""
    smtp = (
        '[smtp.limits]\nconnections = 200\nconnections_per_address = 1000\n[smtp.timeouts]\ncommand = "3s"\n'
    )
    known = '[[source]]\nname = "known"\nnetworks = ["127.0.0.2/32"]\nmay_relay = true\n'
    with GatewayProcess(tmp_path, more=smtp) as gateway, ExitStack() as idle:
        gateway.apply(CONNECTOR.format(port=free_port()), source=known)
        before = resident(pid_of(gateway))
        greetings = []
        for _ in range(300):
            sock = idle.enter_context(socket.create_connection(("127.0.0.1", gateway.smtp_port), 10))
            greetings.append(sock.recv(100)[:3])
            if len(greetings) % 2:
                sock.sendall(b"EHL")  # a command that never ends
        assert greetings.count(b"220") == 160
        assert greetings.count(b"421") == 140
        begun = time.monotonic()
        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, source_address=("127.0.0.2", 0)) as client:
            client.sendmail("ann@client.test", ["bob@partner.test"], "Subject: x\r\n\r\nHello\r\n")
        assert time.monotonic() - begun < 2
        assert resident(pid_of(gateway)) - before < 40 << 20

        def room() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", gateway.smtp_port), 5) as sock:
                return sock.recv(100).startswith(b"220")
            return False

        wait_until(room, 20, 0.2, "the idle ones to be sent away")


FLOODS: dict[str, Callable[[GatewayProcess], bytes]] = {
    "an endless command line": lambda g: talk(g, *[b"A" * 65536] * 300),
    "an endless line of content": lambda g: content(g, *[b"A" * 65536] * 300),
    "an endless header": lambda g: content(g, *[b"X-Header: yes\r\n" * 4000] * 100),
    "tiny chunks": lambda g: talk(g, OPENING, b"BDAT 1\r\nx" * 100_000, b"BDAT 0 LAST\r\nQUIT\r\n"),
    "a recipient flood": lambda g: talk(
        g,
        b"EHLO c\r\nMAIL FROM:<ann@client.test>\r\n",
        *[
            b"".join(b"RCPT TO:<r%d@partner.test>\r\n" % (n + k) for k in range(1000))
            for n in range(0, 5000, 1000)
        ],
        b"QUIT\r\n",
    ),
    "a NOOP flood": lambda g: talk(g, b"EHLO c\r\n", *[b"NOOP\r\n" * 10_000] * 30),
    "a flood of rubbish": lambda g: talk(g, *[b"XYZZY\r\n" * 10_000] * 10),
    "a flood of greetings": lambda g: talk(g, *[b"EHLO c\r\n" * 10_000] * 10),
    "mail that is begun for ever": lambda g: talk(
        g, b"EHLO c\r\n", *[b"MAIL FROM:<ann@client.test>\r\nRSET\r\n" * 5_000] * 10
    ),
}

# How each ends; a flood of recipients is answered one by one, and the rest is refused.
ENDS = {
    "an endless command line": b"\r\n500 5.5.6",
    "an endless line of content": b"\r\n550 5.6.0",
    "an endless header": b"\r\n552 ",
    "a recipient flood": b"\r\n452 4.5.3",
}


def test_floods_are_bounded_and_end(tmp_path: Path) -> None:
    """Fault matrix 56, rules 7, 9, 17: memory stays, the session ends or is refused, nobody else waits."""
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(CONNECTOR.format(port=server.port))
        served_within(gateway, 5)
        before = resident(pid_of(gateway))
        for name, flood in FLOODS.items():
            answer = flood(gateway)
            assert ENDS.get(name, b"\r\n421 ") in answer, (name, answer[-300:])
            assert len(answer) < 1 << 20, name
            assert resident(pid_of(gateway)) - before < 40 << 20, name
            served_within(gateway, 3)
        assert gateway.ask("queue/audit")["balanced"]
        wait_until(
            lambda: not any((gateway.data_dir / "spool").iterdir()), 10, what="the spool files to be removed"
        )


SMUGGLED = (
    b"MAIL FROM:<eve@evil.test>\r\nRCPT TO:<smuggled@partner.test>\r\nDATA\r\nSubject: evil\r\n\r\nevil"
)


def test_nothing_is_smuggled_through_to_the_next_hop(tmp_path: Path) -> None:
    """Fault matrix 57, rules 1, 2: each false end of data, from a strict source and from one that may send bare LFs."""
    sources = ""
    for name, address, bare in (("strict", "127.0.0.2", "false"), ("lenient", "127.0.0.3", "true")):
        sources += f'[[source]]\nname = "{name}"\nnetworks = ["{address}/32"]\nmay_relay = true\n'
        sources += f"allow_bare_newlines = {bare}\n"
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(CONNECTOR.format(port=server.port), source=sources)
        sent = 0
        for address in ("127.0.0.2", "127.0.0.3"):
            for end in test_smuggling.ENDS:
                if b"\r\n.\r\n" in end:
                    continue  # holds a true end behind its false one
                with socket.create_connection(
                    ("127.0.0.1", gateway.smtp_port), 10, source_address=(address, 0)
                ) as sock:
                    content = b"Subject: x\r\n\r\nhello" + end + SMUGGLED + b"\r\n.\r\nQUIT\r\n"
                    sock.sendall(OPENING + b"DATA\r\n")
                    answer = b""
                    while b"354" not in answer:
                        answer += sock.recv(1000)
                    with suppress(ConnectionError):  # who is refused may be cut off while it still sends
                        sock.sendall(content)
                        while piece := sock.recv(1000):
                            answer += piece
                sent += answer.count(b"queued as")
        gateway.drained(20)
        assert sent > 10, "the lenient source sends something"
        assert len(server.messages) == sent
        for message in server.messages:
            assert (message.sender, message.recipients) == ("ann@client.test", ["bob@partner.test"])
            body = message.content
            assert body.count(b"\r") == body.count(b"\n") == body.count(b"\r\n")


def test_no_spelling_of_a_recipient_makes_us_a_relay_for_strangers(tmp_path: Path) -> None:
    """Fault matrix 57, rule 11: at the wire, as open-relay testers do it."""
    ours = '[[accepted_domain]]\nname = "relay.example"\ntype = "authoritative"\nrecipients = ["ann@relay.example"]\n'
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(ours, source="")
        for address in RELAY_ATTEMPTS:
            with socket.create_connection(("127.0.0.1", gateway.smtp_port), 10) as sock:
                sock.sendall(
                    b"EHLO c\r\nMAIL FROM:<ann@client.test>\r\nRCPT TO:<"
                    + address.encode()
                    + b">\r\nQUIT\r\n"
                )
                answer = b""
                while piece := sock.recv(1000):
                    answer += piece
            assert b"2.1.5" not in answer, (address, answer)
        assert gateway.queued() == 0


@pytest.mark.slow
def test_content_that_drips_is_cut_off(tmp_path: Path) -> None:
    """Fault matrix 55, rule 17: an octet now and then is no progress; neither is it in a command."""
    smtp = '[smtp.timeouts]\ncommand = "4s"\ndata = "4s"\n'
    with GatewayProcess(tmp_path, more=smtp) as gateway:
        gateway.apply(CONNECTOR.format(port=free_port()))
        for opening, drop in ((b"", b"N"), (OPENING + b"DATA\r\n", b"x")):
            begun = time.monotonic()
            with socket.create_connection(("127.0.0.1", gateway.smtp_port), 10) as sock:
                sock.sendall(opening)
                sock.settimeout(0.5)
                heard = b""
                while b"421 " not in heard and time.monotonic() - begun < 20:
                    with suppress(TimeoutError):
                        heard += sock.recv(1000)
                    if opening and b"354 " not in heard:
                        continue  # content before the 354 is another fault
                    with suppress(ConnectionError):
                        sock.sendall(drop)
            assert b"421 4.4.2" in heard
            assert time.monotonic() - begun < 12


def test_whoever_guesses_passwords_gets_few_guesses(tmp_path: Path) -> None:
    """Fault matrix 58, rule 18: over many connections, for one account and from one address; it is said each time."""
    chain, key = certificates.good(certificates.Authority(), "gw.test").write(tmp_path)
    smtp = f'tls_certificate = "{chain}"\ntls_key = "{key}"\n'
    source = '[[source]]\nname = "app"\nnetworks = []\nlogins = {{ann = "{}"}}\nmay_relay = true\n'
    with GatewayProcess(tmp_path, smtp=smtp) as gateway:
        from argon2 import PasswordHasher  # noqa: PLC0415

        gateway.apply(
            CONNECTOR.format(port=free_port()), source=source.format(PasswordHasher().hash("right"))
        )
        ends = time.monotonic() + 60
        guesses = refused = 0
        while refused < 3 and time.monotonic() < ends:
            with (
                suppress(smtplib.SMTPException, OSError),
                smtplib.SMTP("127.0.0.1", gateway.smtp_port) as client,
            ):
                client.starttls(context=tls_context())
                client.ehlo()
                code = 535
                while code != 421 and refused < 3:
                    words = base64.b64encode(b"\0ann\0guess%d" % guesses).decode()
                    code, _ = client.docmd("AUTH", f"PLAIN {words}")
                    guesses += code == 535
                    refused += code == 454
        # Each answer of 535 was a guess that was looked at; 454 is one that was not.
        assert refused
        assert guesses <= 10
        said = [line for line in gateway.log() if line["event"] == "receive.login_failed"]
        assert guesses <= len(said) <= 10  # the one that ends a session is answered with 421
        assert {line["user"] for line in said} == {"ann"}


@pytest.mark.slow
def test_mail_that_goes_in_circles_stops(tmp_path: Path) -> None:
    """Fault matrix 59, rule 15: two gateways that send to each other; the sender hears of it once."""
    hops = 12
    with ExitStack() as stack:
        pair = [
            stack.enter_context(
                GatewayProcess(tmp_path / name, smtp=f"max_hops = {hops}", hostname=f"{name}.test")
            )
            for name in ("left", "right")
        ]
        for one, other in (pair, reversed(pair)):
            one.apply(CONNECTOR.format(port=other.smtp_port) + HOME)
        pair[0].send("ann@home.test", "bob@partner.test")
        wait_until(lambda: pair[0].mailbox() + pair[1].mailbox(), 20, 0.1, "the report")
        for one in pair:
            one.drained(10)
        time.sleep(1)
        reports = pair[0].mailbox() + pair[1].mailbox()
        assert len(reports) == 1
        assert "5.4.14" in reports[0] or "5.4.6" in reports[0]
        turns = sum(line["event"] == "message.accepted" for one in pair for line in one.log())
        assert turns <= hops + 2


OURS = '\n[[accepted_domain]]\nname = "partner.test"\ntype = "internal-relay"\nrecipients = []\n'


@pytest.mark.parametrize(("domain", "reports"), [("", 1), (OURS, 2)], ids=["a stranger", "the postmaster"])
def test_a_report_that_cannot_be_delivered_makes_no_other(tmp_path: Path, domain: str, reports: int) -> None:
    """Fault matrix 59, rule 14, R4: everything is refused, the reports as well, and what the postmaster was to keep."""
    more = '[ndr]\npostmaster = "postmaster@partner.test"\n'
    with FaultServer(rcpt="550 5.1.1 nobody") as server, GatewayProcess(tmp_path, more=more) as gateway:
        gateway.apply(CONNECTOR.format(port=server.port) + domain)
        gateway.send("ann@partner.test", "bob@partner.test")  # its report goes to the same server
        gateway.send("", "eve@partner.test")
        gateway.drained(15)
        time.sleep(0.5)
        accepted = [line for line in gateway.log() if line["event"] == "message.accepted"]
        assert len(accepted) == 2 + reports, json.dumps(accepted)
        assert gateway.queued() == 0
        assert gateway.ask("queue/audit")["balanced"]
