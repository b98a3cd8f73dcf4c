"""Real clients hand mail in, in clear and encrypted; it arrives as it was sent."""

import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.gateway import GatewayProcess
from tests.support.smtp_server import FaultServer

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""


@dataclass
class Scene:
    gateway: GatewayProcess
    server: FaultServer
    ca: Path
    folder: Path

    def taken(self, subject: str) -> bytes:
        """Wait for the message with a subject, and return its content."""
        for seen in range(1, 500):
            self.server.wait_for(seen, 15)
            for message in self.server.messages:
                if f"Subject: {subject}".encode() in message.content:
                    return message.content
            if len(self.server.messages) < seen:
                break
        raise AssertionError(f"{subject} did not arrive")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("clients")
    authority = certificates.Authority()
    ca = folder / "ca.pem"
    ca.write_text(authority.pem)
    chain, key = certificates.good(authority, "localhost").write(folder)
    smtp = f'tls_certificate = "{chain}"\ntls_key = "{key}"'
    with FaultServer() as server, GatewayProcess(folder / "gateway", smtp=smtp) as gateway:
        gateway.apply(OBJECTS.format(port=server.port))
        yield Scene(gateway, server, ca, folder)


def run(*command: str, text: str | None = None) -> str:
    """Run a client; it has to be content."""
    done = subprocess.run(command, capture_output=True, text=True, input=text, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "starttls"])
def test_smtplib(scene: Scene, tls: bool) -> None:
    subject = f"smtplib {tls}"
    with smtplib.SMTP("localhost", scene.gateway.smtp_port, timeout=20) as client:
        if tls:
            client.starttls(context=ssl.create_default_context(cafile=str(scene.ca)))
        client.sendmail(
            "ann@client.test", ["bob@partner.test"], f"Subject: {subject}\r\n\r\n.dot\r\n..two\r\n"
        )
    content = scene.taken(subject)
    assert content.endswith(b"\r\n..dot\r\n...two\r\n")
    assert (b"with ESMTPS" in content) is tls


@pytest.mark.tools
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "starttls"])
def test_swaks(scene: Scene, tls: bool) -> None:
    subject = f"swaks {tls}"
    said = run(
        "swaks",
        "--server",
        f"localhost:{scene.gateway.smtp_port}",
        "--from",
        "ann@client.test",
        "--to",
        "bob@partner.test",
        "--header",
        f"Subject: {subject}",
        *(["--tls", "--tls-verify", "--tls-ca-path", str(scene.ca)] if tls else []),
    )
    assert "250" in said
    assert scene.taken(subject)


@pytest.mark.tools
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "starttls"])
def test_curl(scene: Scene, tls: bool) -> None:
    subject = f"curl {tls}"
    letter = scene.folder / f"letter-{tls}"
    letter.write_bytes(f"Subject: {subject}\r\n\r\nHello\r\n".encode())
    run(
        "curl",
        "--silent",
        "--show-error",
        f"smtp://localhost:{scene.gateway.smtp_port}/client.test",
        *(["--ssl-reqd", "--cacert", str(scene.ca)] if tls else []),
        "--mail-from",
        "ann@client.test",
        "--mail-rcpt",
        "bob@partner.test",
        "--upload-file",
        str(letter),
    )
    assert scene.taken(subject)


@pytest.mark.tools
def test_smtp_source_with_many_sessions(scene: Scene) -> None:
    """Every one of 200 messages over 10 sessions arrives exactly once."""
    before = len(scene.server.messages)
    command = "/usr/sbin/smtp-source -N -d -s 10 -m 200 -l 2000 -f a@client.test -t r@partner.test"
    run(*command.split(), f"127.0.0.1:{scene.gateway.smtp_port}")
    assert scene.server.wait_for(before + 200, 30)
    recipients = [r for message in scene.server.messages[before:] for r in message.recipients]
    assert len(recipients) == len(set(recipients)) == 200
