"""Next hops that break off, change their mind, flap, drip and say evil things (fault matrix 34 to 37, 41 to 45, 47)."""

import email
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import Message
from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.dns_server import DnsServer
from tests.support.gateway import FAST, GatewayProcess
from tests.support.memory import resident
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import CLOSE, RESET, SILENCE, FaultServer

CONNECTOR = """
[[connector]]
name = "{name}"
domains = ["{name}.test"]
smart_hosts = ["{host}:{port}"]
"""

HOME = """
[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test"]
"""


@pytest.fixture(scope="module")
def names() -> Iterator[DnsServer]:
    with DnsServer(
        {f"mail.{name}.test": {"A": ["127.0.0.1"]} for name in ("plain", "wildcard", "chain")}
    ) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, names: DnsServer) -> Iterator[GatewayProcess]:
    """One for all that need nothing of their own: each test brings its objects and its own names."""
    delivery = FAST + 'eod_timeout = "2s"\n'
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), delivery=delivery, dns=names.address) as process:
        yield process


def connector(name: str, server: FaultServer, host: str = "127.0.0.1") -> str:
    return CONNECTOR.format(name=name, host=host, port=server.port)


def arrived(server: FaultServer) -> list[str]:
    return sorted(r for message in server.messages for r in message.recipients)


def test_a_connection_that_ends_after_the_dot_makes_one_extra_copy_where_the_message_was_taken(
    gateway: GatewayProcess,
) -> None:
    """Fault matrix 34 to 37: closed or silent after the dot, closed in the body; said to be in doubt, sent again."""
    servers = {
        "taken": FaultServer(eod=[CLOSE, None]),
        "taken-reset": FaultServer(eod=[RESET, None]),
        "dropped": FaultServer(eod=[CLOSE, None], take=False),
        "silent": FaultServer(eod=[SILENCE, None]),
        "body": FaultServer(body=[CLOSE, None], body_after=10),
    }
    copies = {"taken": 2, "taken-reset": 2, "dropped": 1, "silent": 2, "body": 1}
    for server in servers.values():
        server.start()
    try:
        gateway.apply("".join(connector(name, server) for name, server in servers.items()))
        for name in servers:
            body = "A line of a long letter.\r\n" * (400_000 if name == "body" else 1)
            gateway.send("ann@client.test", f"bob@{name}.test", body=body)
        gateway.drained(30)
        assert {name: len(server.messages) for name, server in servers.items()} == copies
        for name in servers:
            (row,) = gateway.ask(f"trace?recipient=bob@{name}.test")["messages"]
            first, last = gateway.ask(f"messages/{row['id']}")["attempts"]
            assert first["error"]["code"] == "4.4.318", first
            assert first["in_doubt"] is (name != "body"), first
            assert last["outcome"] == "delivered"
        assert gateway.ask("queue/audit")["balanced"]
    finally:
        for server in servers.values():
            server.stop()


def test_a_server_with_moods_fails_only_what_it_fails(gateway: GatewayProcess) -> None:
    """Fault matrix 43: 421 after two messages, 451 and 554 at the dot now and then; each message has its own fate."""
    moods = ["451 4.3.0 not this one", None, None, "554 5.6.0 never this one", None, None, None]
    with FaultServer(max_messages=2, eod=moods) as server:
        gateway.apply(connector("moody", server) + HOME)
        for number in range(10):
            gateway.send("ann@home.test", f"r{number}@moody.test", subject=f"letter {number}")
        gateway.drained(20)
        audit = gateway.ask("queue/audit")
        assert audit["balanced"]
        assert len(arrived(server)) == len(set(arrived(server))) == 9
        failed = [line for line in gateway.log() if line["event"] == "destination.failed"]
        assert "moody" not in {line["connector"] for line in failed}
        assert sum("never this one" in text for text in gateway.mailbox()) == 1


EVIL = {
    "escape": b"550 5.1.1 \x1b]0;owned\x07\x1b[2J\r\n",
    "header": b"550-5.1.1 x\r\n550 5.1.1 Bcc: eve@evil.test\r\n",
    "encoded": b"550 5.1.1 =?utf-8?q?a=0D=0ABcc:_eve=40evil.test?=\r\n",
    "bytes": b"550 5.1.1 \xff\xfe\x80\xc3\r\n",
    "script": b"550 5.1.1 <script>alert(1)</script>{{7*7}}${7*7}\r\n",
    "bidi": "550 5.1.1 \u202eevil\u202c\u2028next\u0085line\r\n".encode(),
    "long": b"550 5.1.1 " + b"A" * 5000 + b"\r\n",
    "lines": b"".join(b"550-5.1.1 line %d\r\n" % n for n in range(90)) + b"550 5.1.1 end\r\n",
    "json": b'550 5.1.1 "},{"event":"message.delivered"}\r\n',
    "nul": b"550 5.1.1 a\x00b\r\n",
}


def test_evil_words_are_kept_and_do_nothing(gateway: GatewayProcess) -> None:
    """Fault matrix 44, rules 13, 22, 27, 30: the log stays one event a line, a report's header stays ours."""
    rcpt = {f"{name}@evil.test": words for name, words in EVIL.items()}
    with FaultServer(rcpt=rcpt) as server:
        gateway.apply(connector("evil", server) + HOME)
        for name in EVIL:
            gateway.send("ann@home.test", f"{name}@evil.test")
        gateway.drained(20)

        def found() -> list[str]:
            return [text for text in gateway.mailbox() if "@evil.test" in text]

        wait_until(lambda: len(found()) >= len(EVIL), 10)
        reports = found()
        assert len(reports) == len(EVIL)
        for text in reports:
            check_report(text)
        raw = gateway.log_file.read_bytes()
        assert raw.isascii()
        assert b"\x1b" not in raw
        for line in raw.splitlines():
            assert "event" in json.loads(line)
        shown = gateway.run("trace", "--limit", "100").stdout
        assert not set("\x1b\x07\x00\u202e\u2028\u0085") & set(shown)


def check_report(text: str) -> None:
    """See that a report is a report, and nothing of the remote's words became a header of it."""
    report = email.message_from_bytes(text.encode("utf-8", "surrogateescape"))
    assert report.get_content_type() == "multipart/report"
    assert report["Bcc"] is None
    assert "\x1b" not in text
    assert "\x00" not in text
    status = next(part for part in report.walk() if part.get_content_type() == "message/delivery-status")
    blocks = status.get_payload()
    assert isinstance(blocks, list)
    assert len(blocks) == 2, text
    recipient = blocks[1]
    assert isinstance(recipient, Message)
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert len(str(recipient["Diagnostic-Code"])) < 2000


def test_good_certificates_of_every_kind_are_accepted(gateway: GatewayProcess, tmp_path: Path) -> None:
    """Fault matrix 41: by name, by wildcard, through an intermediate; with the name demanded."""
    authority = certificates.Authority()
    (tmp_path / "ca.pem").write_text(authority.pem)
    between = certificates.Authority("Intermediate", parent=authority)
    issued = {
        "plain": authority.issue("mail.plain.test"),
        "wildcard": authority.issue("*.wildcard.test"),
        "chain": between.issue("mail.chain.test"),
    }
    servers, objects = {}, ""
    for name, one in issued.items():
        (tmp_path / name).mkdir()
        servers[name] = FaultServer(certificate=one.write(tmp_path / name))
        objects += connector(name, servers[name], f"mail.{name}.test")
        objects += (
            f'tls = "domain-validation"\ntls_domain = "mail.{name}.test"\ntls_ca = "{tmp_path}/ca.pem"\n'
        )
    with ExitStack() as running:
        for server in servers.values():
            running.enter_context(server)
        gateway.apply(objects)
        for name in issued:
            gateway.send("ann@client.test", f"bob@{name}.test")
        gateway.drained(15)
        assert all(server.messages[0].tls for server in servers.values())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_that_drips_or_hardly_reads_ends_by_a_deadline_and_hurts_nobody_else(tmp_path: Path) -> None:
    """Fault matrix 45: 1 octet a second of banner, 512 octets a second of reading; bounded time and memory."""
    delivery = FAST + 'block_timeout = "3s"\neod_timeout = "3s"\nconcurrency = 3\n'
    with (
        FaultServer(drip=1) as drips,
        FaultServer(read_rate=512) as sips,
        FaultServer() as fine,
        GatewayProcess(tmp_path, delivery=delivery) as gateway,
    ):
        gateway.apply(connector("drips", drips) + connector("sips", sips) + connector("fine", fine))
        gateway.send("ann@client.test", "bob@drips.test")
        for number in range(6):
            gateway.send(
                "ann@client.test", f"r{number}@sips.test", body="A line of some length.\r\n" * 800_000
            )
        assert gateway.process is not None
        before = resident(gateway.process.pid)
        for number in range(20):
            begun = time.monotonic()
            gateway.send("ann@client.test", f"r{number}@fine.test")
            assert fine.wait_for(number + 1, 5)
            assert time.monotonic() - begun < 2
        drip = gateway.error("drips")
        assert (drip["code"], drip["phase"], drip["class"]) == ("4.4.318", "banner", "session_timeout")
        sip = gateway.error("sips", 60)
        assert (sip["code"], sip["class"]) == ("4.4.318", "session_timeout"), sip
        assert resident(gateway.process.pid) - before < 60 << 20
        assert not sips.messages


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_that_reads_a_little_for_ever_does_not_hold_a_message_for_ever(tmp_path: Path) -> None:
    """Fault matrix 45: each block is taken in time, and yet the whole would take days."""
    with FaultServer(read_rate=80_000) as sips:
        gateway = GatewayProcess(
            tmp_path, delivery='block_timeout = "20s"\nretry = ["1h"]\nmin_data_rate = "500KB"'
        )
        with gateway:
            gateway.apply(connector("sips", sips))
            gateway.send("ann@client.test", "bob@sips.test", body="A line of some length.\r\n" * 2_000_000)
            error = gateway.error("sips", 120)
            assert (error["code"], error["class"], error["phase"]) == ("4.4.318", "session_timeout", "data")
            assert "too slowly" in error["text"], error


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_that_flaps_sees_no_storm_and_gets_each_message_once(tmp_path: Path) -> None:
    """Fault matrix 47, compressed: there and away by turns, a second each, for half a minute, under load."""
    port = free_port()
    served: list[FaultServer] = []
    delivery = FAST + "concurrency = 5\n"
    with GatewayProcess(tmp_path, delivery=delivery) as gateway:
        gateway.apply(CONNECTOR.format(name="flaps", host="127.0.0.1", port=port))
        sent = []
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            server = FaultServer(port=port)
            server.start()
            served.append(server)
            for _ in range(20):
                sent.append(f"r{len(sent)}@flaps.test")
                gateway.send("ann@client.test", sent[-1])
                time.sleep(0.03)
            server.stop()
            for _ in range(10):
                sent.append(f"r{len(sent)}@flaps.test")
                gateway.send("ann@client.test", sent[-1])
                time.sleep(0.1)
        last = FaultServer(port=port)
        served.append(last)
        with last:
            gateway.drained(30)
        got = [r for server in served for r in arrived(server)]
        assert set(sent) <= set(got)
        in_doubt = sum(line.get("in_doubt") is True for line in gateway.log())
        assert len(got) - len(set(got)) <= in_doubt
        failed = sum(line["event"] == "destination.failed" for line in gateway.log())
        assert failed <= 2 * len(served), "more than about one attempt a second at a closed port"
        assert all(len(server.connections) <= 3 * 5 for server in served)
        # refused, and broken off before or in a message: each way of failing is one insight, however often it comes
        new = [line["insight"] for line in gateway.log() if line["event"] == "insight.new"]
        assert len(new) == len(set(new)) <= 3
        assert 1 <= sum(line["event"] == "alert.fired" for line in gateway.log()) <= 2
        assert gateway.ask("queue/audit")["balanced"]
