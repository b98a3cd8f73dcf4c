"""Attacks by number and by slowness, and guessing of passwords (rules 17 and 18; the refusing half of 10)."""

import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.support.certificates import Authority, good
from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until
from tests.support.raw_smtp import RawClient

OBJECTS = """
[[accepted_domain]]
name = "home.test"
recipients = ["ann@home.test", {more}]

[[source]]
name = "inside"
networks = ["127.0.0.1/32"]

[[source]]
name = "world"
networks = ["127.0.0.8/29"]

[[source]]
name = "app"
logins = { ann = "open sesame" }
may_relay = true
"""

TIGHT = """\
min_data_rate = "500B"
eight_bit_headers = "refuse"

[smtp.timeouts]
banner = "1s"
command = "10s"
data = "2s"

[smtp.limits]
connections = 20
connections_per_address = 6
reserved = "50%"
recipients = 100
messages_per_connection = 2
unknown_commands = 5
commands = 30
auth_failures = 3
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Run a gateway with tight limits."""
    folder = tmp_path_factory.mktemp("floods")
    chain, key = good(Authority(), "gw.test").write(folder)
    files = f'tls_certificate = "{chain}"\ntls_key = "{key}"\n'
    with GatewayProcess(folder / "gateway", smtp=files + TIGHT, delivery='retry = ["2s"]') as running:
        many = ", ".join(f'"r{number}@home.test"' for number in range(101))
        running.apply(OBJECTS.replace("{more}", many), source="")
        yield running


def crowd(stack: ExitStack, gateway: GatewayProcess, source: str, number: int) -> list[RawClient]:
    """Open that many connections from an address."""
    return [stack.enter_context(RawClient(gateway.smtp_port, source)) for _ in range(number)]


def greetings(clients: list[RawClient]) -> list[bytes]:
    return [client.reply()[:9] for client in clients]


def settled(gateway: GatewayProcess) -> None:
    """Wait until connections of an earlier test have gone."""

    def free() -> bool:
        with RawClient(gateway.smtp_port, "127.0.0.20") as client:
            return client.reply().startswith(b"220")

    wait_until(free, 15)


def test_rule_17_an_address_that_is_no_source_has_its_share_of_connections(gateway: GatewayProcess) -> None:
    settled(gateway)
    with ExitStack() as stack:
        answers = greetings(crowd(stack, gateway, "127.0.0.30", 8))
    assert answers.count(b"220 gw.te") == 6
    assert answers.count(b"421 4.3.2") == 2


def test_rule_17_half_of_the_connections_is_kept_for_known_hosts(gateway: GatewayProcess) -> None:
    """For sources, and for who has delivered a message before."""
    settled(gateway)
    with encrypted(gateway, "127.0.0.40") as client:
        assert client.ask(plain("ann", "open sesame")).startswith(b"235")
        content = b"Subject: proof\r\n\r\n.\r\n"
        assert client.message("ann@home.test", "ann@home.test", content).startswith(b"250")
    with ExitStack() as stack:
        crowd(stack, gateway, "127.0.0.31", 5)
        crowd(stack, gateway, "127.0.0.32", 5)
        assert greetings(crowd(stack, gateway, "127.0.0.33", 1)) == [b"421 4.3.2"]
        assert greetings(crowd(stack, gateway, "127.0.0.1", 1)) == [b"220 gw.te"]
        assert greetings(crowd(stack, gateway, "127.0.0.40", 1)) == [b"220 gw.te"]


def test_rule_17_a_message_has_so_many_recipients_and_no_more(gateway: GatewayProcess) -> None:
    with RawClient(gateway.smtp_port) as client:
        assert client.greet().ask(b"MAIL FROM:<a@home.test>\r\n").startswith(b"250")
        client.send(b"".join(b"RCPT TO:<r%d@home.test>\r\n" % number for number in range(101)))
        answers = [client.reply() for _ in range(101)]
        assert {answer[:3] for answer in answers[:100]} == {b"250"}
        assert answers[100].startswith(b"452 4.5.3")


@pytest.mark.parametrize(
    ("said", "last"),
    [(b"WHAT\r\n" * 10, b"421 4.7.0"), (b"NOOP\r\n" * 100, b"421 4.7.0"), (b"RSET\r\n" * 100, b"421 4.7.0")],
    ids=["unknown", "noop", "rset"],
)
def test_rule_17_commands_that_lead_nowhere_end_the_session(
    gateway: GatewayProcess, said: bytes, last: bytes
) -> None:
    with RawClient(gateway.smtp_port) as client:
        client.greet().send(said)
        assert client.replies()[-1].startswith(last)


def test_rule_17_a_command_has_one_deadline_as_a_whole(gateway: GatewayProcess) -> None:
    """One octet now and then keeps no session open."""
    with RawClient(gateway.smtp_port) as client:
        client.greet()
        started = time.monotonic()
        client.sock.settimeout(0.2)
        answer = b""
        while not answer and time.monotonic() - started < 60:
            client.send(b"N")
            try:
                answer = client.reply()
            except TimeoutError:
                continue
        assert answer.startswith(b"421 4.4.2")


def test_rule_17_content_that_trickles_is_cut_off(gateway: GatewayProcess) -> None:
    with RawClient(gateway.smtp_port) as client:
        client.greet()
        assert client.codes(b"MAIL FROM:<a@home.test>\r\nRCPT TO:<ann@home.test>\r\nDATA\r\n", 3)[-1] == 354
        client.sock.settimeout(0.2)
        answer = b""
        started = time.monotonic()
        while not answer and time.monotonic() - started < 60:
            client.send(b"x\r\n")
            try:
                answer = client.reply()
            except TimeoutError:
                continue
        assert answer.startswith(b"421 4.4.2")


def test_rule_17_a_connection_carries_so_many_messages(gateway: GatewayProcess) -> None:
    with RawClient(gateway.smtp_port) as client:
        client.greet()
        for _ in range(2):
            content = b"Subject: one of two\r\n\r\n.\r\n"
            assert client.message("a@home.test", "ann@home.test", content).startswith(b"250")
        assert client.ask(b"MAIL FROM:<a@home.test>\r\n").startswith(b"421 4.7.0")
        assert client.closed()


def test_rule_08_who_talks_before_the_greeting_is_turned_away(gateway: GatewayProcess) -> None:
    settled(gateway)
    with RawClient(gateway.smtp_port, "127.0.0.50") as client:
        assert client.ask(b"EHLO early.test\r\n").startswith(b"554 5.5.0")
        assert client.closed()


def test_rule_10_a_header_beyond_ascii_is_refused_where_the_setting_says_so(gateway: GatewayProcess) -> None:
    subject = "Subject: Grüße\r\n\r\n.\r\n".encode()
    with RawClient(gateway.smtp_port) as client:
        assert client.greet().message("a@home.test", "ann@home.test", subject).startswith(b"554 5.6.7")
        answers = client.codes(b"MAIL FROM:<a@home.test> SMTPUTF8\r\nRCPT TO:<ann@home.test>\r\nDATA\r\n", 3)
        assert answers == [250, 250, 354]
        assert client.ask(subject).startswith(b"250")


def plain(user: str, password: str) -> bytes:
    return b"AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()) + b"\r\n"


def encrypted(gateway: GatewayProcess, source: str) -> RawClient:
    client = RawClient(gateway.smtp_port, source).greet()
    client.start_tls()
    assert b"AUTH PLAIN LOGIN" in client.ask(b"EHLO client.test\r\n")
    return client


def test_rule_18_a_login_is_neither_offered_nor_taken_in_the_clear(gateway: GatewayProcess) -> None:
    with RawClient(gateway.smtp_port) as client:
        client.reply()
        assert b"AUTH" not in client.ask(b"EHLO client.test\r\n")
        assert client.ask(plain("ann", "open sesame")).startswith(b"538")


def test_rule_18_a_login_is_taken_under_tls(gateway: GatewayProcess) -> None:
    with encrypted(gateway, "127.0.0.60") as client:
        assert client.ask(plain("ann", "open sesame")).startswith(b"235")


def test_rule_18_nothing_is_pipelined_behind_a_login(gateway: GatewayProcess) -> None:
    with encrypted(gateway, "127.0.0.61") as client:
        assert client.ask(plain("ann", "open sesame") + b"MAIL FROM:<a@b.test>\r\n").startswith(b"554")
        assert client.closed()


def test_rule_18_guessing_ends_the_connection_and_then_has_to_wait(gateway: GatewayProcess) -> None:
    """Per connection, and per address beyond it; a wrong password and an unknown user are told the same."""
    with encrypted(gateway, "127.0.0.62") as client:
        wrong = client.ask(plain("eve", "x"))
        assert wrong.startswith(b"535 5.7.8")
        assert client.ask(plain("ann", "x")) == wrong
        assert client.ask(plain("mallory", "x")).startswith(b"421 4.7.0")
        assert client.closed()
    with encrypted(gateway, "127.0.0.62") as client:
        assert client.ask(plain("oscar", "x")).startswith(b"535 5.7.8")
        assert client.ask(plain("trudy", "x")).startswith(b"454 4.7.0")
    with encrypted(gateway, "127.0.0.63") as client:
        assert client.ask(plain("ann", "open sesame")).startswith(b"235")


def test_rule_18_an_unknown_user_takes_as_long_as_a_wrong_password(gateway: GatewayProcess) -> None:
    """A hash is computed for both: without it an unknown user is told within a fiftieth of the time."""
    fastest: dict[str, float] = {}
    for number, user in enumerate(("ann", "nobody") * 2):
        with encrypted(gateway, f"127.0.0.{70 + number}") as client:
            started = time.monotonic()
            assert client.ask(plain(user, f"wrong {number}")).startswith(b"535")
            took = time.monotonic() - started
            fastest[user] = min(took, fastest.get(user, took))
    assert fastest["nobody"] > fastest["ann"] / 5
