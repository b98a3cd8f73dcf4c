"""Settings, objects and keys in real files."""

import stat
from pathlib import Path

import pytest
import trustme

from gatepost.config import objects
from gatepost.config.changes import export
from gatepost.config.manual import manual
from gatepost.config.minimal import minimal
from gatepost.config.secrets import KEY_FILE, SecretUnreadable, open_box
from gatepost.config.settings import BadSettings, load, missing_files

ROOT = Path(__file__).parents[3]


def test_the_manual_is_written_from_the_schema():
    assert (ROOT / "docs" / "settings.md").read_text() == manual()


def test_without_a_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load(None, {})
    assert settings.sqlite_path == tmp_path / "gatepost-data" / "gatepost.db"
    assert settings.mailboxes.maildir == tmp_path / "gatepost-data" / "mail"
    assert settings.hostname
    assert settings.postmaster == f"postmaster@{settings.hostname}"


def test_the_file_in_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "gatepost.toml").write_text('hostname = "gw.example"\ndata_dir = "data"\n')
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).hostname == "gw.example"
    assert minimal(None, {}).data_dir == tmp_path / "data"


def test_a_named_file_that_is_not_there_is_a_problem(tmp_path):
    with pytest.raises(BadSettings, match="cannot be read: No such file or directory"):
        load(tmp_path / "none.toml", {})


def test_the_quick_way_and_the_whole_loader_agree(tmp_path):
    file = tmp_path / "gw.toml"
    file.write_text('data_dir = "d"\n[admin]\nlisten = "[::1]:9000"\n')
    for environ in ({}, {"GATEPOST_ADMIN_LISTEN": "127.0.0.1:1", "GATEPOST_DATA_DIR": "/var/lib/gw"}):
        whole, quick = load(file, environ), minimal(file, environ)
        assert quick.data_dir == whole.data_dir
        assert (quick.admin_host, quick.admin_port) == whole.admin.listen


def test_a_certificate_that_is_not_there_is_told_before_the_start(tmp_path):
    (tmp_path / "key.pem").write_text("")
    file = tmp_path / "gw.toml"
    file.write_text('[smtp]\ntls_certificate = "cert.pem"\ntls_key = "key.pem"\n')
    assert [problem.where for problem in missing_files(load(file, {}))] == ["smtp.tls_certificate"]


def test_the_ca_of_a_connector_becomes_part_of_it_and_survives_an_export(tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "objects.toml").write_text(
        '[[connector]]\nname = "a"\ndomains = ["*"]\nuse_mx = true\n'
        'tls = "certificate-validation"\ntls_ca = "ca.pem"\nusername = "gw"\npassword = "hunter2"\n'
    )
    found = objects.load(tmp_path / "objects.toml")
    assert found.connectors[0].tls_ca == (tmp_path / "ca.pem").read_text()
    again = objects.parse(export(found))
    assert again.connectors[0].tls_ca == found.connectors[0].tls_ca
    assert "hunter2" not in export(found)


def test_a_secret_is_read_back_after_a_restart_and_only_the_owner_reads_the_key(tmp_path):
    stored = open_box(tmp_path).encrypt("hünter2")
    assert "hünter2" not in stored
    assert open_box(tmp_path).decrypt(stored) == "hünter2"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]


def test_a_secret_of_another_key_says_what_to_do(tmp_path):
    stored = open_box(tmp_path).encrypt("hunter2")
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(SecretUnreadable, match="has another key"):
        open_box(tmp_path).decrypt(stored)
    (tmp_path / KEY_FILE).write_text("no key")
    with pytest.raises(SecretUnreadable, match="holds no key"):
        open_box(tmp_path)


def test_no_secret_needs_no_key(tmp_path):
    box = open_box(tmp_path)
    assert box.encrypt("") == ""
    assert box.decrypt("") == ""
