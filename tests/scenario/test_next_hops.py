"""Next hops in good health: Postfix, Exim, and Dovecot as the mailbox store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.peers import dovecot_lmtp, exim, maildir_messages, postfix_with_mailboxes, wait_until

pytestmark = pytest.mark.root  # these servers run as users of their own

CONNECTOR = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""

LETTERS = 30


def send_letters(gateway: GatewayProcess, domain: str) -> None:
    """Send some messages with odd content."""
    for number in range(LETTERS):
        body = f"number {number}\r\n.dot\r\n..\r\n" + "x" * 900 + f"\r\nend {number}."
        gateway.send("ann@client.test", f"r{number}@{domain}", subject=f"letter {number}", body=body)


def check_letters(texts: list[str]) -> None:
    """See that each message is there once and whole."""
    for number in range(LETTERS):
        mine = [text for text in texts if f"\nend {number}." in text]
        assert len(mine) == 1
        assert "\n.dot\n..\n" in mine[0].replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("hop")


def test_postfix_takes_everything_once(folder: Path, tmp_path: Path) -> None:
    server = postfix_with_mailboxes(folder / "postfix", "partner.test").start()
    try:
        with GatewayProcess(tmp_path) as gateway:
            gateway.apply(CONNECTOR.format(port=server.port))
            send_letters(gateway, "partner.test")
            gateway.drained()
            mail = folder / "postfix" / "mail"
            wait_until(lambda: len(maildir_messages(mail)) >= LETTERS, 30)
            check_letters(maildir_messages(mail))
    finally:
        server.stop()


def test_exim_takes_what_it_likes_and_the_rest_keeps_its_own_fate(folder: Path, tmp_path: Path) -> None:
    """R12: 250, 451 and 550 for three recipients of one message, each on its own (fault matrix 42)."""
    server = exim(folder / "exim")
    try:
        with GatewayProcess(tmp_path) as gateway:
            gateway.apply(
                CONNECTOR.format(port=server.port)
                + '[[accepted_domain]]\nname = "home.test"\nrecipients = ["ann@home.test"]\n'
            )
            gateway.send("ann@home.test", "bob@partner.test", "nobody@partner.test", "later@partner.test")
            wait_until(lambda: maildir_messages(folder / "exim" / "mail"), 20)
            report = wait_until(gateway.mailbox, 20)[0]
            assert "nobody@partner.test" in report
            assert "no such user here" in report
            # the report lies in the mailbox a moment before the queue knows it
            wait_until(lambda: gateway.queued() == 1, what="one recipient that waits")
            waiting = gateway.json("message", "list")["messages"]
            error = gateway.message(waiting[0]["id"])["recipients"][2]["last_error"]
            assert error["smtp"] == 451
            assert "greylisted, come back" in error["text"]
    finally:
        server.stop()


def test_dovecot_keeps_the_mail_of_known_recipients(folder: Path, tmp_path: Path) -> None:
    server = dovecot_lmtp(folder / "dovecot")
    try:
        more = f'[mailboxes]\ndeliver = "lmtp://127.0.0.1:{server.port}"'
        with GatewayProcess(tmp_path, more=more) as gateway:
            people = ", ".join(f'"r{number}@home.test"' for number in range(LETTERS))
            gateway.apply(f'[[accepted_domain]]\nname = "home.test"\nrecipients = [{people}]\n')
            send_letters(gateway, "home.test")
            gateway.drained()
            mail = folder / "dovecot" / "mail"
            wait_until(lambda: len(maildir_messages(mail)) >= LETTERS, 30)
            check_letters(maildir_messages(mail))
    finally:
        server.stop()
