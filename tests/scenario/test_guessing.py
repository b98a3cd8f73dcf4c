"""Who guesses passwords, by SMTP or in the admin centre, is named, told of, and seen to wait (fault matrix 58)."""

import base64
import smtplib
from contextlib import suppress
from pathlib import Path

from argon2 import PasswordHasher
from tests.support import certificates
from tests.support.browser import Browser, signed_in
from tests.support.gateway import GatewayProcess
from tests.support.peers import wait_until
from tests.support.raw_smtp import tls_context

TRIES = 12


def guess_by_smtp(gateway: GatewayProcess) -> None:
    """Try many passwords over as many sessions as it takes."""
    tried = 0
    while tried < TRIES:
        with (
            suppress(smtplib.SMTPException, OSError),
            smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=20) as client,
        ):
            client.starttls(context=tls_context())
            client.ehlo()
            while tried < TRIES:
                words = base64.b64encode(b"\0ann\0guess%d" % tried).decode()
                tried += 1
                if client.docmd("AUTH", f"PLAIN {words}")[0] == 421:
                    break


def test_whoever_guesses_passwords_is_named_and_told_of(tmp_path: Path) -> None:
    """Fault matrix 58: one client at each door; the throttling is in the evidence; the default policy alerts."""
    chain, key = certificates.good(certificates.Authority(), "gw.test").write(tmp_path)
    source = '[[source]]\nname = "app"\nnetworks = []\nlogins = {{ann = "{}"}}\nmay_relay = true\n'
    smtp = f'tls_certificate = "{chain}"\ntls_key = "{key}"\n'
    with GatewayProcess(tmp_path, smtp=smtp) as gateway:
        gateway.apply("", source=source.format(PasswordHasher().hash("right")))
        administrator = signed_in(gateway)
        guess_by_smtp(gateway)
        guesser = Browser(gateway.admin_port)
        for number in range(TRIES):
            guesser.ask("POST", "/sign-in", {"name": "boss", "password": f"guess {number}"})

        def foreseen() -> dict[str, str]:
            rows = gateway.ask("foresight")
            return {r["key"]: r["explanation"] for r in rows if r["forecast"] == "passwords_guessed"}

        keys = {f"passwords_guessed/{door}/client/127.0.0.1" for door in ("smtp", "admin")}
        wait_until(lambda: foreseen().keys() == keys, 30, 0.3, "both doors")
        assert all("refused without a look at the password" in text for text in foreseen().values())
        wait_until(
            lambda: keys <= {a["subject"] for a in gateway.json("alert", "list")}, 30, 0.5, "the alerts"
        )
        page = administrator.get("/insights")
        assert "127.0.0.1 guesses passwords by SMTP" in page
        assert "127.0.0.1 guesses passwords of the admin centre" in page
