"""Attacks by way of the machine: secrets on disk, forged log lines, too many rights (rules 26, 27, 29)."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.scenario.safe.conftest import CONNECTOR, World
from tests.support.gateway import GatewayProcess
from tests.support.peers import answers, wait_until

SECRET = "correct-horse-battery-staple"
LOGIN = f'username = "gw"\npassword = "{SECRET}"\ntls = "encryption-only"'


def pid_of(gateway: GatewayProcess) -> int:
    assert gateway.process is not None
    return gateway.process.pid


def limits_of(gateway: GatewayProcess) -> dict[str, str]:
    """Return the soft limits of the process, by the name that the kernel gives them."""
    lines = Path(f"/proc/{pid_of(gateway)}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:].split()[0] for line in lines}


def test_rule_26_the_password_of_a_smart_host_is_nowhere_in_the_clear(tmp_path: Path) -> None:
    """Not in the store, the log, the export, the answers of the API, nor among the arguments of the process."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(CONNECTOR.format(name="partner", port=9, more=LOGIN))
        gateway.send("a@client.test", "x@partner.test")
        assert gateway.error("partner")
        shown = gateway.run("export").stdout + gateway.run("connector", "show", "partner", "--json").stdout
        shown += json.dumps(gateway.ask("connectors"))
        assert '"partner"' in shown
        assert SECRET not in shown
        process = Path(f"/proc/{pid_of(gateway)}")
        assert SECRET.encode() not in (process / "cmdline").read_bytes()
        with suppress(PermissionError):  # a process that leaves no core is closed to its own user, too
            assert SECRET.encode() not in (process / "environ").read_bytes()
        backup = gateway.run("connector", "list")
        assert SECRET not in backup.stdout
    for path in [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "objects.toml"]:
        assert SECRET.encode() not in path.read_bytes(), path


def test_rule_26_the_process_leaves_no_core_file(world: World) -> None:
    assert limits_of(world.gateway)["Max core file size"] == "0"


def test_rule_27_one_event_is_one_line_whatever_it_holds(world: World) -> None:
    """Names and addresses of clients, and replies of next hops, forge no line and move no terminal."""
    forged = '"}\\n{"time":"x","event":"forged"}'
    with world.client() as client:
        name = "a\u2028\x85b" + forged
        assert client.ask(f"EHLO {name.replace(' ', '')}\r\n".encode())[:1] in (b"2", b"5")
        local = f'"{forged}"'.replace("\\n", "x").replace('"}x{', "}{")
        client.ask(b"MAIL FROM:<" + local.encode() + b"@client.test>\r\n")
        client.ask("RCPT TO:<nobody\u202e@home.test>\r\n".encode())
    with world.client() as client:
        content = b"Message-ID: <\x1b]0;owned\x07@x>\r\nSubject: x\r\n\r\n.\r\n"
        assert client.message("a@client.test", "y@forges.test", content).startswith(b"250")
        assert client.message("a@client.test", "y@insults.test", content).startswith(b"250")
    wait_until(lambda: world.message_of("y@insults.test").get("attempts"), 15)
    raw = world.gateway.log_file.read_bytes()
    assert not set(raw) - set(range(32, 127)) - {10}, "printable ASCII and the ends of lines"
    events = {json.loads(line)["event"] for line in raw.splitlines()}
    assert "forged" not in events
    assert any(b"owned" in line for line in raw.splitlines()), "it was logged, harmlessly"


def test_rule_29_the_data_folder_is_for_the_user_of_the_gateway_alone(world: World) -> None:
    with world.client() as client:
        big = b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 5000 + b".\r\n"
        assert client.message("a@client.test", "x@circle.test", big).startswith(b"250")
    folder = world.gateway.data_dir
    found = [folder, *(p for p in folder.rglob("*") if not p.is_symlink())]
    assert {p.name for p in found} >= {"spool", "control.sock", "gatepost.db"}
    open_to_others = [str(p) for p in found if stat.S_IMODE(p.lstat().st_mode) & 0o077]
    assert open_to_others == []


def test_rule_29_the_memory_of_the_process_is_bounded(world: World) -> None:
    assert limits_of(world.gateway)["Max data size"] == str(4 << 30)


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """Return a folder that belongs to `nobody`, below folders that every user may enter."""
    folder = Path(tempfile.mkdtemp())
    shutil.chown(folder, "nobody")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.root
def test_rule_29_root_is_given_up_once_the_ports_are_open(folder_of_nobody: Path) -> None:
    """Port 25 is bound as root; whatever is opened or made, the key of stored passwords too, is the user's."""
    gateway = GatewayProcess(folder_of_nobody)
    address = (
        f"127.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}.77"  # tests of others need port 25 too
    )
    ours = f'"127.0.0.1:{gateway.smtp_port}"'
    text = gateway.config.read_text().replace(ours, f'{ours}, "{address}:25"')
    gateway.config.write_text('user = "nobody"\n' + text)
    with gateway:
        gateway.apply(CONNECTOR.format(name="partner", port=9, more=LOGIN))
        gateway.send("a@client.test", "x@partner.test")
        assert gateway.error("partner")
        assert answers(25, address)
        status = Path(f"/proc/{pid_of(gateway)}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in fields["Uid"].split() + fields["Gid"].split()
        assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0
        assert "0" not in fields["Groups"].split()
        owners = {path.lstat().st_uid for path in (gateway.data_dir, *gateway.data_dir.rglob("*"))}
        assert owners == {int(fields["Uid"].split()[0])}
