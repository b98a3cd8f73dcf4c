"""What it is installed by: the unit of systemd and the image say what the settings know, and it answers them."""

import re
import shlex
import socket
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.peers import ROOT

from gatepost.config.settings import load

UNIT = (ROOT / "packaging" / "gatepost.service").read_text()
COMPOSITION = (ROOT / "packaging" / "compose.yaml").read_text()
IMAGE = (ROOT / "Dockerfile").read_text()


def environment_of_unit() -> dict[str, str]:
    pairs = re.findall(r"^Environment=(\w+)=(\S+)$", UNIT, re.MULTILINE)
    return dict(pairs)


def environment_of_image() -> dict[str, str]:
    return dict(re.findall(r"(GATEPOST_\w+)=(\S+)", IMAGE))


def environment_of_composition() -> dict[str, str]:
    given = re.findall(r"^ +(GATEPOST_\w+): \"?([^\"\n]+)", COMPOSITION, re.MULTILINE)
    return environment_of_image() | dict(given)


@pytest.mark.parametrize(
    "environment",
    [environment_of_unit(), environment_of_image(), environment_of_composition()],
    ids=["unit", "image", "composition"],
)
def test_the_settings_of_the_environment_are_settings(environment: dict[str, str], tmp_path: Path) -> None:
    assert environment["GATEPOST_DATA_DIR"] == "/var/lib/gatepost"
    file = tmp_path / "gatepost.toml"
    file.write_text("")
    assert str(load(file, environment).data_dir) == "/var/lib/gatepost"


def test_the_admin_centre_without_tls_is_published_on_the_own_machine_only() -> None:
    assert "GATEPOST_ADMIN_LISTEN" not in environment_of_image()
    assert environment_of_composition()["GATEPOST_ADMIN_PLAIN_HTTP"] == "true"
    assert re.findall(r'"(\S*):8025"', COMPOSITION) == ["127.0.0.1:8025"]


def test_the_unit_starts_the_command_that_there_is() -> None:
    (command,) = re.findall(r"^ExecStart=(.+)$", UNIT, re.MULTILINE)
    assert shlex.split(command) == [
        "/usr/bin/gatepost",
        "serve",
        "--config",
        "/etc/gatepost/gatepost.toml",
    ]
    assert "Type=notify\n" in UNIT
    assert "KillSignal" not in UNIT, "SIGTERM, the default, is the one that stops in order"
    assert 'CMD ["serve"]' in IMAGE
    assert "STOPSIGNAL SIGTERM" in IMAGE
    assert "\nUSER gatepost\n" in IMAGE


def test_the_service_manager_hears_when_it_is_ready_and_when_it_stops(tmp_path: Path) -> None:
    """sd_notify: READY once mail is accepted, STOPPING at SIGTERM."""
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.settimeout(60)
        gateway = GatewayProcess(tmp_path / "gateway", environment={"NOTIFY_SOCKET": str(place)})
        with gateway:
            assert manager.recv(100) == b"READY=1"
            assert gateway.stop() == 0
            assert manager.recv(100) == b"STOPPING=1"
