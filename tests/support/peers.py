"""Real mail servers in folders of their own: Postfix, Dovecot's LMTP, Exim; nothing is global."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
EXIM = ROOT / ".cache" / "exim"


_BLOCK = 400  # ports of one process that runs tests


@cache
def _ports() -> Iterator[int]:
    """Claim a block of ports for this process, until it ends, and go round in it.

    They are below those that the kernel gives to outgoing connections, so that none is taken between being chosen and
    being listened on, neither by a client nor by tests that run at the same time.
    """
    for first in range(10_000, 32_000, _BLOCK):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0gatepost-test-ports-{first}")  # abstract: gone with the process
        except OSError:
            claim.close()
            continue
        return _round(first, claim)
    raise AssertionError("too many processes run tests at once")


def _round(first: int, _claim: socket.socket) -> Iterator[int]:
    yield from cycle(range(first, first + _BLOCK))


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that stays this process's own for the next 399 calls."""
    for port in islice(_ports(), _BLOCK):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port of this process is free")


# How many times longer than on a quiet machine something may take before a test calls it missing.
PATIENCE = 4


def wait_until(question: Callable[[], T], seconds: float = 15, every: float = 0.05, what: str = "") -> T:
    """Ask until the answer is true, and return it; a failure tells what was waited for.

    `seconds` are those of a quiet machine: waiting longer costs a passing test nothing.
    """
    end = time.monotonic() + seconds * PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what or question}; last answer {answer!r}")
        time.sleep(every)


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether something greets on a port."""
    try:
        with socket.create_connection((host, port), timeout=2) as stream:
            stream.settimeout(5)
            return bool(stream.recv(1))
    except OSError:
        return False


MASTER = """\
{listen}:{port} inet n - n - {limit} smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix with its own configuration, queue and data folders."""

    def __init__(self, folder: Path, settings: dict[str, str], port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = folder
        self.config = folder / "config"
        self.log = folder / "postfix.log"
        self.config.mkdir(parents=True)
        for name in ("queue", "data", "mail"):
            (folder / name).mkdir()
        # The queue is walked by the unprivileged user postfix, so its parents have to be passable.
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == os.getuid() and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        shutil.chown(folder / "data", "postfix")
        # The mailboxes belong to an ordinary user, as Postfix refuses to deliver as root.
        shutil.chown(folder / "mail", "nobody")
        values = {
            "compatibility_level": "3.6",
            "queue_directory": str(folder / "queue"),
            "data_directory": str(folder / "data"),
            "maillog_file": str(self.log),
            "maillog_file_prefixes": "/",
            "myhostname": "postfix.test",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "smtpd_peername_lookup": "no",
            "alias_maps": "",
            "alias_database": "",
        }
        values.update(settings)
        (self.config / "main.cf").write_text("".join(f"{k} = {v}\n" for k, v in values.items()))
        limit = settings.get("default_process_limit", "20")
        master = MASTER.format(listen="127.0.0.1", port=self.port, limit=limit)
        (self.config / "master.cf").write_text(master)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of Postfix's programs on this instance: `command("postqueue", "-j")`."""
        name, *rest = arguments
        return subprocess.run(  # noqa: PLW1510 - its exit code is the caller's to judge
            [f"/usr/sbin/{name}", "-c", str(self.config), *rest], capture_output=True, text=True, timeout=120
        )

    def start(self) -> "Postfix":
        """Start it and wait until it greets."""
        done = self.command("postfix", "start")
        assert done.returncode == 0, done.stderr + done.stdout
        wait_until(lambda: answers(self.port), what="Postfix's greeting")
        return self

    def stop(self) -> None:
        """Stop it and everything it has started."""
        self.command("postfix", "stop")

    def master_pid(self) -> int:
        """Return the process id of its master."""
        return int((self.folder / "queue" / "pid" / "master.pid").read_text())


def postfix_with_mailboxes(folder: Path, domain: str, **settings: str) -> Postfix:
    """Return a Postfix that keeps all mail of a domain as Maildir files under `folder/mail`."""
    return Postfix(
        folder,
        {
            "virtual_mailbox_domains": domain,
            "virtual_mailbox_base": str(folder / "mail"),
            "virtual_mailbox_maps": "static:box/",
            "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            **settings,
        },
    )


def maildir_messages(folder: Path) -> list[str]:
    """Return the text of every message in all Maildirs below a folder."""
    found = []
    for box in folder.rglob("new"):
        found += [entry.read_text(errors="replace") for entry in sorted(box.iterdir())]
    return found


class Child:
    """A server that runs in the foreground."""

    def __init__(self, command: list[str], port: int, log: Path, environment: dict[str, str] | None = None):
        self.port = port
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        try:
            wait_until(
                lambda: answers(port) or self.process.poll() is not None, what=f"{command[0]} on {port}"
            )
            assert self.process.poll() is None, log.read_text(errors="replace")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server with its whole process group."""
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = lmtp
ssl = no
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%n
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={folder}/mail/%n allow_all_users=yes
}}
"""


def dovecot_lmtp(folder: Path) -> Child:
    """Run Dovecot's LMTP server; the mail is under `folder/mail/LOCAL-PART/new`."""
    folder.mkdir(parents=True)
    port = free_port()
    (folder / "mail").mkdir()
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    shutil.chown(folder / "mail", "nobody")
    config = folder / "dovecot.conf"
    config.write_text(DOVECOT.format(folder=folder, port=port))
    return Child(["/usr/sbin/dovecot", "-F", "-c", str(config)], port, folder / "out.log")


EXIM_CONFIG = """\
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
primary_hostname = exim.test
exim_path = {exim}
keep_environment = LD_LIBRARY_PATH
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/exim.pid
acl_smtp_rcpt = rcpt
acl_smtp_data = accept_all
never_users =
deliver_drop_privilege = true
tls_advertise_hosts =
domainlist local_domains = *
begin acl
accept_all:
  accept
rcpt:
  deny local_parts = nobody
       message = no such user here
  defer local_parts = later
       message = greylisted, come back
  accept
begin routers
{routers}all:
  driver = accept
  transport = file
begin transports
smtp:
  driver = smtp
  hosts_try_fastopen =
file:
  driver = appendfile
  maildir_format
  directory = {folder}/mail/box
  create_directory
  user = Debian-exim
  group = Debian-exim
begin retry
* * F,2h,15m
"""


def exim(folder: Path, routers: str = "") -> Child:
    """Run Exim unpacked from its package; it keeps mail under `folder/mail` and refuses `nobody@`.

    `routers` stand before the one that keeps everything. Its log is `folder/mainlog`.

    Its user name is compiled in, so it runs in a mount namespace whose /etc/passwd has that user.
    """
    folder.mkdir(parents=True)
    port = free_port()
    for name in ("spool", "mail"):
        (folder / name).mkdir()
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    passwd, group = folder / "passwd", folder / "group"
    passwd.write_text(
        Path("/etc/passwd").read_text() + "Debian-exim:x:64999:64999::/nonexistent:/bin/false\n"
    )
    group.write_text(Path("/etc/group").read_text() + "Debian-exim:x:64999:\n")
    os.chown(folder, 64999, 64999)
    os.chown(folder / "spool", 64999, 64999)
    os.chown(folder / "mail", 64999, 64999)
    config = folder / "exim.conf"
    config.write_text(
        EXIM_CONFIG.format(folder=folder, port=port, routers=routers, exim=EXIM / "usr/sbin/exim4")
    )
    os.chown(config, 0, 0)
    config.chmod(0o644)
    script = (
        f"mount --bind {passwd} /etc/passwd && mount --bind {group} /etc/group && "
        f"exec {EXIM}/usr/sbin/exim4 -C {config} -bdf"
    )
    libraries = f"{EXIM}/usr/lib/x86_64-linux-gnu"
    return Child(
        ["unshare", "-m", "sh", "-c", script], port, folder / "out.log", {"LD_LIBRARY_PATH": libraries}
    )
