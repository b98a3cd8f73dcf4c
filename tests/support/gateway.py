"""A real gateway process on loopback, with a data folder and ports of its own.

with GatewayProcess(tmp_path) as gateway:
    gateway.apply('[[connector]] ...')
    gateway.send("ann@contoso.example", "bob@partner.example")
    wait_until(lambda: gateway.queue())
"""

import json
import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.peers import ROOT, answers, free_port, wait_until

from gatepost.cli.client import UnixConnection

# The command `gatepost` of the environment that runs the tests, wherever that is.
GATEPOST = (sys.executable, "-c", "import sys; from gatepost.cli.main import main; sys.exit(main())")

SOURCE = """
[[source]]
name = "loopback"
networks = ["127.0.0.0/8", "::1/128"]
may_relay = true
"""

SETTINGS = """\
hostname = "{hostname}"
data_dir = "{data_dir}"

[smtp]
listen = ["127.0.0.1:{smtp_port}"]
{smtp}

[admin]
listen = "127.0.0.1:{admin_port}"

[dns]
servers = [{dns}]
timeout = "{dns_timeout}"

[delivery]
{delivery}

[log]
file = "{log}"
{more}
"""

FAST = """\
connect_timeout = "2s"
banner_timeout = "3s"
ehlo_timeout = "3s"
retry = ["1s"]
"""


class GatewayProcess:
    """`gatepost serve` as a child process."""

    def __init__(
        self,
        folder: Path,
        *,
        delivery: str = FAST,
        smtp: str = "",
        more: str = "",
        dns: str = "",
        dns_timeout: str = "2s",
        hostname: str = "gw.test",
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = folder / "data"
        self.log_file = folder / "gateway.log"
        self.output = folder / "gateway.out"
        self.config = folder / "gatepost.toml"
        self.smtp_port = free_port()
        self.admin_port = free_port()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEPOST_")}
        self.environment |= {"LANG": "C.UTF-8", "PYTHONPATH": str(ROOT / "src"), **(environment or {})}
        # A port that is closed where a test has no DNS of its own: no test may ask the machine's resolver.
        resolver = dns or f"127.0.0.1:{free_port()}"
        self.config.write_text(
            SETTINGS.format(
                hostname=hostname,
                data_dir=self.data_dir,
                smtp_port=self.smtp_port,
                smtp=smtp,
                admin_port=self.admin_port,
                dns=f'"{resolver}"',
                dns_timeout=dns_timeout,
                delivery=delivery,
                log=self.log_file,
                more=more,
            )
        )
        self.process: subprocess.Popen[bytes] | None = None

    # ---------------------------------------------------------------- the process

    @property
    def command(self) -> list[str]:
        """Return the command line that serves."""
        return [*GATEPOST, "serve", "--config", str(self.config)]

    def start(self, *, wait: bool = True, wrapper: Sequence[str] = ()) -> Self:
        """Start the process and wait until it greets."""
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [*wrapper, *self.command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                cwd=self.folder,
            )
        if wait:
            process = self.process
            wait_until(lambda: answers(self.smtp_port) or process.poll() is not None, 30, what="the greeting")
            assert process.poll() is None, f"the gateway ended: {self.output.read_text()}"
        return self

    def kill(self) -> None:
        """End it without a chance to tidy up (kill -9)."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = 60) -> int:
        """Ask it to end (SIGTERM) and return its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    # ---------------------------------------------------------------- the command line

    def run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `gatepost ARGUMENTS` against this gateway."""
        return subprocess.run(  # noqa: PLW1510 - its exit code is the caller's to judge
            [*GATEPOST, "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            input=text,
            env=self.environment,
            cwd=self.folder,
            timeout=400,
        )

    def json(self, *arguments: str) -> Any:
        """Run a command with --json and return what it printed; exit code 1 (a negative answer) is fine."""
        done = self.run(*arguments, "--json")
        assert done.returncode in (0, 1), f"{arguments}: {done.returncode} {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def apply(self, objects: str, *, source: str = SOURCE) -> None:
        """Make the objects of a TOML text true, with a source that may relay from loopback."""
        file = self.folder / "objects.toml"
        file.write_text(source + objects)
        done = self.run("apply", str(file), "--prune")
        assert done.returncode == 0, done.stderr + done.stdout

    def queue(self) -> list[dict[str, Any]]:
        """Return `queue list --json`."""
        found = self.json("queue", "list")
        assert isinstance(found, list)
        return found

    def ask(self, where: str) -> Any:
        """Return a resource of the API by the control socket: cheaper than a command where a test asks often."""
        connection = UnixConnection(str(self.data_dir / "control.sock"))
        try:
            connection.request("GET", f"/api/v1/{where}")
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, f"{where}: {answer.status} {body!r}"
            return json.loads(body)
        finally:
            connection.close()

    def queued(self) -> int:
        """Return how many messages are queued."""
        return sum(int(row["messages"]) for row in self.ask("queue"))

    def row(self, connector: str) -> dict[str, Any] | None:
        """Return the queue of one connector, None where nothing waits for it."""
        return next((row for row in self.queue() if row["connector"] == connector), None)

    def error(self, connector: str, seconds: float = 20) -> dict[str, Any]:
        """Wait until a connector's queue shows a last error, and return it."""

        def shown() -> dict[str, Any] | None:
            rows = self.ask("queue")
            return next((row["last_error"] for row in rows if row["connector"] == connector), None)

        found = wait_until(shown, seconds, 0.1, f"an error of {connector}")
        assert found is not None
        return found

    def trace(self, *filters: str) -> list[dict[str, Any]]:
        """Return the messages of past and present that `gatepost trace` finds."""
        found = self.json("trace", *filters)["messages"]
        assert isinstance(found, list)
        return found

    def message(self, number: str) -> dict[str, Any]:
        """Return `message show` of one message."""
        found = self.json("message", "show", number)
        assert isinstance(found, dict)
        return found

    def drained(self, seconds: float = 30) -> None:
        """Wait until nothing is queued any more."""
        wait_until(lambda: self.queued() == 0, seconds, 0.1, "an empty queue")

    # ---------------------------------------------------------------- mail

    def send(
        self,
        sender: str,
        *recipients: str,
        subject: str = "a test",
        body: str = "Hello.",
        options: Sequence[str] = (),
    ) -> None:
        """Hand one message in by SMTP; the gateway has answered 250 when this returns."""
        text = f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: {subject}\r\n"
        text += f"Message-ID: <{time.monotonic_ns()}@client.test>\r\n\r\n{body}\r\n"
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=60) as client:
            client.sendmail(sender, list(recipients), text, mail_options=list(options))

    def log(self) -> list[dict[str, Any]]:
        """Return the log's lines."""
        if not self.log_file.exists():
            return []
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line]

    def mailbox(self) -> list[str]:
        """Return the text of all mail in our own mailbox store (the Maildir tree in the data folder)."""
        found = []
        for box in sorted((self.data_dir / "mail").rglob("new")):
            found += [entry.read_text(errors="replace") for entry in sorted(box.iterdir())]
        return found
