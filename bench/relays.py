"""The two relays that are compared, each from an empty folder, both as durable as they are shipped."""

import http.client
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from tests.support.gateway import GatewayProcess
from tests.support.peers import Postfix, wait_until

GATEWAY_OBJECTS = """
[[connector]]
name = "healthy"
domains = ["healthy.test"]
smart_hosts = ["127.0.0.1:{healthy}"]

[[connector]]
name = "dead"
domains = ["dead.test"]
smart_hosts = ["127.0.0.1:{dead}"]
"""

POSTFIX_SETTINGS = {
    "in_flow_delay": "0",
    "default_process_limit": "200",
    "default_destination_concurrency_limit": "50",
    "initial_destination_concurrency": "50",
    "smtpd_client_connection_count_limit": "0",
    "smtpd_client_connection_rate_limit": "0",
    "smtpd_client_message_rate_limit": "0",
    "smtpd_client_recipient_rate_limit": "0",
    "smtp_dns_support_level": "disabled",
    "smtp_host_lookup": "native",
    "smtp_tls_security_level": "none",
    "smtpd_tls_security_level": "none",
    "smtpd_recipient_restrictions": "permit_mynetworks,reject",
    "message_size_limit": "150000000",
    "mailbox_size_limit": "0",
    "disable_vrfy_command": "yes",
}


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        todo += children.get(current, [])
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process tree, ended children included."""
    ticks = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
        if member == pid:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Return the proportional set size of a process tree in MiB."""
    total = 0
    for member in family(pid):
        try:
            text = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


class ControlConnection(http.client.HTTPConnection):
    """HTTP over the gateway's control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class GatepostRelay:
    """Gatepost with its defaults, but for retries that a benchmark can wait for."""

    name = "gatepost"

    def __init__(self, folder: Path, healthy: int, dead: int) -> None:
        self.gateway = GatewayProcess(
            folder, delivery='retry = ["1h"]\nconnect_timeout = "2s"', smtp='max_message_size = "150MB"'
        )
        self.objects = GATEWAY_OBJECTS.format(healthy=healthy, dead=dead)
        self.port = self.gateway.smtp_port

    def start(self) -> float:
        """Start it; returns the seconds until it greets."""
        begun = time.monotonic()
        first = not self.gateway.data_dir.exists()
        self.gateway.start()
        took = time.monotonic() - begun
        if first:
            self.gateway.apply(self.objects)
        return took

    def pid(self) -> int:
        """Return the process to measure."""
        assert self.gateway.process is not None
        return self.gateway.process.pid

    def flush(self) -> None:
        """Try everything that is queued now."""
        done = self.gateway.run("queue", "retry", "--connector", "dead")
        assert done.returncode == 0, done.stderr

    def listing(self) -> int:
        """List every queued message; returns how many there were."""
        connection = ControlConnection(self.gateway.data_dir / "control.sock")
        found, after = 0, ""
        while True:
            connection.request("GET", f"/api/v1/messages?limit=1000&after={quote(after)}")
            page = json.loads(connection.getresponse().read())
            found += len(page["messages"])
            after = page["next"]
            if not after:
                return found

    def quiet(self) -> bool:
        """Say whether a backlog has come to rest: one probe an hour keeps this relay quiet at once."""
        return True

    def stop(self) -> None:
        """Stop it."""
        self.gateway.stop()


class PostfixRelay:
    """Postfix, set up to be fast (no address lookups, no limits per client, many processes)."""

    name = "postfix"

    def __init__(self, folder: Path, healthy: int, dead: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        settings = POSTFIX_SETTINGS | {
            "relayhost": f"[127.0.0.1]:{healthy}",
            "smtp_connection_cache_destinations": f"[127.0.0.1]:{healthy}",
            "transport_maps": f"inline:{{dead.test=smtp:[127.0.0.1]:{dead}}}",
        }
        self.postfix = Postfix(folder / "postfix", settings)
        self.port = self.postfix.port

    def start(self) -> float:
        """Start it; returns the seconds until it greets."""
        begun = time.monotonic()
        self.postfix.start()
        return time.monotonic() - begun

    def pid(self) -> int:
        """Return the process to measure."""
        return self.postfix.master_pid()

    def flush(self) -> None:
        """Try everything that is queued now."""
        self.postfix.command("postqueue", "-f")

    def listing(self) -> int:
        """List every queued message; returns how many there were."""
        return self.postfix.command("postqueue", "-j").stdout.count('"queue_id"')

    def quiet(self) -> bool:
        """Say whether the backlog lies in the deferred queue."""
        active = self.folder / "postfix/queue/active"
        incoming = self.folder / "postfix/queue/incoming"
        return not any(active.iterdir()) and not any(incoming.iterdir())

    def stop(self) -> None:
        """Stop it."""
        self.postfix.stop()


Relay = GatepostRelay | PostfixRelay
RELAYS: dict[str, type[GatepostRelay] | type[PostfixRelay]] = {
    "postfix": PostfixRelay,
    "gatepost": GatepostRelay,
}


def settle(relay: Relay, seconds: float) -> None:
    """Wait until a relay's backlog has come to rest."""
    wait_until(relay.quiet, seconds, 0.5, f"{relay.name} to defer its backlog")


def source(port: int, messages: int, size: int, domain: str, sessions: int, *, kept: bool) -> None:
    """Send messages with Postfix's generator; returns when all were acknowledged."""
    command = ["/usr/sbin/smtp-source", "-N", "-s", str(sessions), "-m", str(messages), "-l", str(size)]
    command += ["-d"] if kept else []
    command += ["-f", "sender@client.test", "-t", f"r@{domain}", f"127.0.0.1:{port}"]
    subprocess.run(command, check=True, timeout=900, stdout=subprocess.DEVNULL)
