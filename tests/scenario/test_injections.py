"""What came from outside stays text: in every page, mail and terminal, as JSON and in spreadsheets (rule 22).

Every string of the corpus goes into sender, recipient, subject, Message-ID, HELO, replies to RCPT (for now and for
good), banners, EHLO answers, names in certificates, and names in DNS answers.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.support import certificates
from tests.support.browser import Browser, signed_in
from tests.support.dns_server import DnsServer
from tests.support.gateway import GatewayProcess
from tests.support.injections import (
    CORPUS,
    WIRE,
    seen_in_page,
    wrong_in_csv,
    wrong_in_json,
    wrong_in_mail,
    wrong_in_page,
    wrong_in_terminal,
)
from tests.support.peers import wait_until
from tests.support.raw_smtp import RawClient
from tests.support.smtp_server import FaultServer

pytestmark = pytest.mark.timeout(300)
CONNECTOR = """
[[connector]]
name = "{name}"
domains = ["{domain}"]
{way}
tls = "{tls}"
"""
OBJECTS = """
[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test", "admin@home.test"]

[[notification_channel]]
name = "admins"
to = ["admin@home.test"]

[[alert_policy]]
name = "mail-stuck"
least_severity = "low"
daily_limit = 1000
"""
PAGES = (
    "/", "/map", "/insights", "/queues", "/messages", "/trace", "/connectors", "/sources", "/domains", "/diagnostics",
    "/alerts", "/alerts?all=1", "/policies", "/channels", "/reports", "/reports?report=ndr",
    "/reports?report=connectors", "/reports?report=domains", "/audit", "/settings", "/certificates", "/validations",
    "/nodes", "/reports?report=tls", "/reports?report=quota", "/certificates.json", "/overview.json", "/queues.json",
    "/insights.json", "/messages.json", "/trace.json", "/alerts.json",
)  # fmt: skip
REPORTS = ("queued", "ndr", "connectors", "domains", "flow", "quota", "certificates", "tls")


def quoted(text: str) -> bytes:
    """Return a string as a quoted local part: what ASCII it has (RFC 5321 section 4.1.2)."""
    kept = "".join(c for c in text if " " <= c <= "~")[:50]
    return b'"' + kept.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def certificate_names(texts: tuple[str, ...]) -> x509.Name:
    """Return a name that carries every string (each of 64 characters at most)."""
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, text[:64]) for text in texts]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1"), *units])


def hand_in(port: int, number: int, sender: bytes, recipient: bytes) -> None:
    """Send one message whose every field is a string of the corpus."""
    text = WIRE[number].replace("\n", " ").replace("\r", " ").encode()
    with RawClient(port) as client:
        assert client.reply().startswith(b"220 ")
        if not client.ask(b"EHLO " + text + b"\r\n").startswith(b"250"):
            assert client.ask(b"EHLO client.test\r\n").startswith(b"250")
        assert client.ask(b"MAIL FROM:<" + sender + b">\r\n").startswith(b"250"), sender
        assert client.ask(b"RCPT TO:<" + recipient + b">\r\n").startswith(b"250"), recipient
        assert client.ask(b"DATA\r\n").startswith(b"354")
        head = b"From: " + text + b"\r\nSubject: " + text + b"\r\nMessage-ID: <" + text + b"@x.test>\r\n\r\n"
        answer = client.ask(head + text + b"\r\n.\r\n")
        assert answer.startswith(b"250"), answer


@dataclass
class World:
    """A gateway that has met every string everywhere."""

    gateway: GatewayProcess
    browser: Browser
    numbers: range  # of the strings


@pytest.fixture(
    scope="module", params=[pytest.param(4, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)]
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("injections")
    numbers = range(0, len(CORPUS), request.param)
    lines = [WIRE[n].replace("\r", " ").replace("\n", " ") for n in numbers]
    with ExitStack() as running:
        zones = {f"d{n}.test": {"MX": [f"10 {label(n)}.test."]} for n in numbers}
        names = running.enter_context(DnsServer(zones))
        later = running.enter_context(FaultServer(rcpt=[f"450 4.2.0 {text}" for text in lines]))
        never = running.enter_context(FaultServer(rcpt=[f"550 5.7.1 {text}" for text in lines]))
        banner = running.enter_context(FaultServer(banner=[f"421 4.3.2 {text}" for text in lines]))
        hello = running.enter_context(
            FaultServer(ehlo=[f"421 {text}" for text in lines], helo=[f"421 {text}" for text in lines])
        )
        authority = certificates.Authority()
        authority.name = certificate_names(tuple(text for text in CORPUS if text and "\x00" not in text))
        files = authority.issue("127.0.0.1").write(folder)
        presented = running.enter_context(FaultServer(certificate=files))
        ways = [
            ("later", "later.test", later),
            ("never", "never.test", never),
            ("named", "named.test", presented),
        ]
        objects = OBJECTS + "".join(
            CONNECTOR.format(name=n, domain=d, way=f'smart_hosts = ["127.0.0.1:{s.port}"]',
                             tls="certificate-validation" if s is presented else "opportunistic")
            for n, d, s in ways
            + [(f"b{n}", f"b{n}.test", banner) for n in numbers]
            + [(f"e{n}", f"e{n}.test", hello) for n in numbers]
        )  # fmt: skip
        objects += CONNECTOR.format(name="by-mx", domain="*.test", way="use_mx = true", tls="opportunistic")
        gateway = GatewayProcess(
            folder / "gateway",
            delivery='retry = ["1h"]\nprobe_failing = false',
            dns=names.address,
            more='[alerts]\ngroup_wait = "1s"',
        )
        running.enter_context(gateway)
        gateway.apply(objects)
        for n in numbers:
            hand_in(
                gateway.smtp_port, n, quoted(CORPUS[n]) + b"@away.test", quoted(CORPUS[n]) + b"@later.test"
            )
            hand_in(gateway.smtp_port, n, b"ann@home.test", quoted(CORPUS[n]) + b"@never.test")
            for kind in "bed":
                hand_in(gateway.smtp_port, n, b"ann@home.test", f"bob@{kind}{n}.test".encode())
        hand_in(gateway.smtp_port, 0, b"ann@home.test", b"bob@named.test")
        # a reply that breaks the protocol is no refusal for good, and its message waits as well
        wait_until(
            lambda: all(row["last_error"] for row in gateway.ask("queue")), 60, 0.5, "an attempt everywhere"
        )
        returned = "trace?state=returned&limit=1000"
        wait_until(lambda: gateway.ask(returned)["messages"], 30, 0.5, "mail that is returned")
        yield World(gateway, signed_in(gateway), numbers)


def label(number: int) -> str:
    """Return a string as a label of a name: 63 octets at most, dots and backslashes escaped."""
    text = "".join(c for c in CORPUS[number] if " " <= c <= "~" and c not in '\\"')[:60]
    return "".join(f"\\{ord(c):03d}" if not c.isalnum() else c for c in text)


def test_the_corpus_is_large_and_each_string_would_be_noticed() -> None:
    assert len(CORPUS) >= 60
    raw = [text for text in CORPUS if not wrong_in_page(f'<p>{text}</p><b x="{text}">')]
    assert len(raw) <= 34, "templates, formats and spreadsheets are no markup"
    assert wrong_in_terminal("\x1b[31mred") == ["\x1b"]
    assert wrong_in_csv("a,b\r\n=1,x\r\n") == ["=1"]


def test_no_page_and_no_data_of_a_page_has_more_than_text(world: World) -> None:
    gateway = world.gateway
    insights = [row["number"] for row in gateway.ask("insights?limit=1000&explained=true")]
    messages = [row["id"] for row in gateway.ask("trace?limit=1000")["messages"]]
    paths = [*PAGES, *(f"/insights/{n}" for n in insights), *(f"/messages/{n}" for n in messages[::3])]
    shown: set[str] = set()
    wrong = {}
    for path in paths:
        status, text, _ = world.browser.ask("GET", path)
        assert status == 200, (path, status)
        found = wrong_in_json(text) if path.endswith(".json") else wrong_in_page(text)
        if found:
            wrong[path] = found[:4]
        shown |= set() if path.endswith(".json") else seen_in_page(text)
    assert wrong == {}
    missing = {f"zqx{n}" for n in world.numbers} - shown
    assert missing == set(), "not every string has reached a page"


def test_a_terminal_and_programs_get_text(world: World) -> None:
    gateway = world.gateway
    number = gateway.ask("insights?connector=named&explained=true")[0]["number"]
    message = gateway.ask("messages?connector=later")["messages"][0]["id"]
    commands = (
        ("queue", "list"), ("message", "list"), ("message", "show", message), ("trace", "--limit", "500"),
        ("insight", "list"), ("insight", "show", str(number)), ("alert", "list"), ("report", "ndr"),
        ("report", "queued"),
    )  # fmt: skip
    for command in commands:
        plain = gateway.run(*command)
        assert wrong_in_terminal(plain.stdout + plain.stderr) == [], command
        assert wrong_in_json(gateway.run(*command, "--json").stdout) == [], command
    assert [line for line in gateway.log_file.read_text().split("\n") if line and wrong_in_json(line)] == []


@pytest.mark.parametrize("report", REPORTS)
def test_no_cell_of_a_spreadsheet_is_a_formula(world: World, report: str) -> None:
    status, text, _ = world.browser.ask("GET", f"/api/v1/reports/{report}?format=csv")
    assert status == 200
    assert wrong_in_csv(text) == []
    assert wrong_in_terminal(text) == []


def test_reports_to_senders_and_notices_to_administrators_are_text(world: World) -> None:
    kinds = {
        "multipart/report", "multipart/alternative", "multipart/mixed", "text/plain", "text/html",
        "message/delivery-status", "message/global-delivery-status", "text/rfc822-headers", "message/rfc822",
    }  # fmt: skip
    wait_until(lambda: len(world.gateway.mailbox()) > len(world.numbers) // 2, 60, 0.5, "reports and notices")
    mails = world.gateway.mailbox()
    assert [found for mail in mails if (found := wrong_in_mail(mail, kinds))] == []
