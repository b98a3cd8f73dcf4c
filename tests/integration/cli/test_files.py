"""What the command line does with files: init, apply with files beside the file, doctor on this machine."""

import json
import os
import socket
import stat

import pytest
import trustme

from gatepost.admin.doctor import ERROR, OK, WARNING, certificate, clock, data_dir, ports
from gatepost.cli.apply import read_objects
from gatepost.cli.frame import Refusal
from gatepost.cli.main import main
from gatepost.config.objects import load as load_objects
from gatepost.config.settings import load
from gatepost.config.values import Endpoint


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("GATEPOST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "C")
    monkeypatch.chdir(tmp_path)


def test_init_writes_files_that_can_be_used(tmp_path):
    assert main(["init", str(tmp_path), "--hostname", "gw1.contoso.example"]) == 0
    settings = load(tmp_path / "gatepost.toml", {})
    assert settings.hostname == "gw1.contoso.example"
    assert stat.S_IMODE((tmp_path / "gatepost-data").stat().st_mode) == 0o700
    assert [c.name for c in load_objects(tmp_path / "objects.toml").connectors] == ["to-office"]


def test_init_overwrites_nothing_without_force(tmp_path, capfd):
    assert main(["init"]) == 0
    assert main(["init"]) == 2
    assert "use --force" in capfd.readouterr().err
    assert main(["init", "--force"]) == 0


def test_init_as_a_dry_run_writes_nothing(tmp_path):
    assert main(["init", "--dry-run"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_files_that_objects_name_are_put_in(tmp_path):
    (tmp_path / "people.txt").write_text("\ufeff# staff\nann@contoso.example\nbob@contoso.example # boss\n")
    (tmp_path / "objects.toml").write_text(
        '[[accepted_domain]]\nname = "contoso.example"\nrecipients_file = "people.txt"\n'
    )
    tables = read_objects(str(tmp_path / "objects.toml"))
    assert tables["accepted_domain"][0] == {
        "name": "contoso.example",
        "recipients": ["ann@contoso.example", "bob@contoso.example"],
    }


def test_a_file_that_is_not_there_is_named(tmp_path):
    (tmp_path / "objects.toml").write_text('[[connector]]\nname = "x"\ntls_ca = "gone.pem"\n')
    with pytest.raises(Refusal) as caught:
        read_objects(str(tmp_path / "objects.toml"))
    assert caught.value.text(str) == "gone.pem cannot be read: No such file or directory."


def test_doctor_works_without_a_gateway(tmp_path, capfd):
    main(["init"])
    settings = (tmp_path / "gatepost.toml").read_text()
    settings = settings.replace("127.0.0.1:2525", "127.0.0.1:0").replace("127.0.0.1:8025", "127.0.0.1:0")
    (tmp_path / "gatepost.toml").write_text(settings + '\n[dns]\nservers = ["127.0.0.1:9"]\n')
    capfd.readouterr()
    assert main(["doctor", "--json"]) == 1
    answer = json.loads(capfd.readouterr().out)
    levels = {check["check"]: check["level"] for check in answer["checks"]}
    assert answer["gateway"] is False
    assert levels["settings"] == levels["sqlite"] == levels["clock"] == OK
    assert levels["dns"] == ERROR


def test_a_data_folder_that_others_can_read_is_a_warning(tmp_path):
    tmp_path.chmod(0o755)
    assert WARNING in {finding.level for finding in data_dir(tmp_path)}
    assert data_dir(tmp_path / "gone")[0].level == ERROR


def test_a_port_that_is_taken_is_an_error_before_and_good_after_the_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        endpoint = Endpoint(*sock.getsockname())
        assert next(iter(ports([endpoint], running=False))).level == ERROR
        assert next(iter(ports([endpoint], running=True))).level == OK
    assert next(iter(ports([endpoint], running=True))).level == ERROR


def test_a_certificate_is_judged_by_its_dates(tmp_path):
    pem = trustme.CA().issue_cert("mail.contoso.example").cert_chain_pems[0].bytes()
    (tmp_path / "certificate.pem").write_bytes(pem)
    now = 1_795_420_800.0
    assert next(certificate(tmp_path / "certificate.pem", now)).level == OK
    assert next(certificate(tmp_path / "certificate.pem", 64_000_000_000.0)).level == ERROR
    assert next(certificate(tmp_path / "certificate.pem", 0.0)).level == ERROR
    (tmp_path / "certificate.pem").write_text("nothing")
    assert next(certificate(tmp_path / "certificate.pem", now)).level == ERROR


def test_files_of_the_future_show_that_the_clock_is_wrong(tmp_path):
    now = 1_795_420_800.0
    (tmp_path / "gatepost.db").write_text("")
    os.utime(tmp_path / "gatepost.db", (now, now))
    assert clock(now + 5, tmp_path).level == OK
    assert clock(now - 7200, tmp_path).level == ERROR
    assert clock(3600.0, tmp_path).level == ERROR
