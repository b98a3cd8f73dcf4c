"""The demo's gateway: `gatepost serve` as a child process, asked by the command line as a script would."""

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from gatepost.demo.names import free_port
from gatepost.i18n import Translator, tr

START_SECONDS = 30
STOP_SECONDS = 15
SMTP_PORT = 2525
ADMIN_PORT = 8025

SETTINGS = """\
hostname = "gw1.contoso.example"
data_dir = "data"

[smtp]
listen = ["127.0.0.1:{smtp}"]

[admin]
listen = "127.0.0.1:{admin}"

[dns]
servers = ["127.0.0.1:{dns}"]
timeout = "2s"

[delivery]
connect_timeout = "4s"
retry = ["4s*3", "8s*6", "15s"]

[log]
file = "gateway.log"
"""


class DemoTrouble(Exception):
    """The demo cannot go on: a sentence with `{what}` and `{said}` in it, and what they are."""

    def __init__(self, sentence: str, what: str, said: str) -> None:
        super().__init__(sentence, what, said)

    def text(self, say: Translator) -> str:
        """Return the sentence in a language."""
        sentence, what, said = self.args
        return say(sentence).format(what=what, said=said)


class Gateway:
    """The child process and its command line."""

    def __init__(self, folder: Path, dns_port: int) -> None:
        self.folder = folder
        self.smtp_port = free_port(SMTP_PORT)
        self.admin_port = free_port(ADMIN_PORT)
        self.config = folder / "gatepost.toml"
        self.config.write_text(SETTINGS.format(smtp=self.smtp_port, admin=self.admin_port, dns=dns_port))
        # Settings in the environment are for the user's own gateway, not for this one.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEPOST_")}
        self.output = folder / "gateway.out"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def admin_url(self) -> str:
        """Return where the admin centre is."""
        return f"http://127.0.0.1:{self.admin_port}/"

    def __enter__(self) -> Self:
        with self.output.open("wb") as out:
            # A group of its own: Ctrl-C ends the demo, which then ends the gateway in order.
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            self.wait_for_greeting()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def wait_for_greeting(self) -> None:
        """Wait until mail is accepted."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=5).close()
                self._greet_control()  # the greeting could be that of another program at this port
            except (OSError, smtplib.SMTPException):
                time.sleep(0.1)
            else:
                return
        said = self.output.read_text(errors="replace").strip()
        raise DemoTrouble(tr("The gateway does not start: {said}"), "", said)

    def _greet_control(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(5)
            control.connect(str(self.folder / "data" / "control.sock"))

    def stop(self) -> None:
        """End the child, in order where it can."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def json(self, *arguments: str) -> Any:
        """Run a command of the command line and return its JSON."""
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, "--config", str(self.config), *arguments, "--json"],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
            timeout=60,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise DemoTrouble(
                tr("{what} failed: {said}"), f"gatepost {' '.join(arguments)}", done.stderr.strip()
            )
        return json.loads(done.stdout)

    def send(self, sender: str, recipient: str, subject: str) -> None:
        """Hand one message in by SMTP."""
        text = (
            f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n"
            f"Message-ID: <{time.time_ns()}@client.contoso.example>\r\n\r\nHello from the demo.\r\n"
        )
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as client:
            client.sendmail(sender, [recipient], text)


# The command line of this very installation, whatever is on the PATH.
COMMAND = (sys.executable, "-c", "import sys; from gatepost.cli.main import main; sys.exit(main())")
