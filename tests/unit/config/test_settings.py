"""Settings: defaults, environment, and the manual that is made from the schema."""

from pathlib import Path

import pytest

from gatepost.app.gateway import running_settings
from gatepost.config.manual import manual
from gatepost.config.problems import BadSettings, Problem
from gatepost.config.schema import read, variable, walk
from gatepost.config.settings import Mailboxes, Ndr, Settings, _overrides


def settings_of(table, environ=None):
    problems: list[Problem] = []
    overrides = _overrides(environ or {}, problems)
    settings = read(Settings, table, "", Path("/base"), overrides, problems)
    if problems:
        raise BadSettings(problems)
    return settings


def test_a_message_is_tried_for_24_hours_by_default():
    """R3."""
    assert settings_of({}).delivery.expiry == 86400


def test_the_defaults_are_those_that_users_were_promised():
    settings = settings_of({})
    assert settings.smtp.listen == (("127.0.0.1", 2525),)
    assert settings.admin.listen == ("127.0.0.1", 8025)
    assert settings.smtp.max_message_size == 150 << 20
    assert settings.delivery.connect_timeout == 30
    assert settings.delivery.delay_notice == 4 * 3600
    assert settings.delivery.concurrency == 20


def test_a_relative_path_starts_at_the_folder_of_the_file():
    settings = settings_of(
        {"data_dir": "mail", "smtp": {"tls_key": "/etc/key.pem", "tls_certificate": "cert.pem"}}
    )
    assert settings.data_dir == Path("/base/mail")
    assert settings.smtp.tls_key == Path("/etc/key.pem")
    assert settings.smtp.tls_certificate == Path("/base/cert.pem")


def test_the_environment_overrides_the_file():
    environ = {
        "GATEPOST_SMTP_LISTEN": "127.0.0.1:1, [::1]:2",
        "GATEPOST_SMTP_LIMITS_CONNECTIONS": "7",
        "GATEPOST_DELIVERY_RESOLVED_NOTICE": "true",
        "GATEPOST_DELIVERY_RETRY": "1s*2,5s",
        "GATEPOST_NDR_LANGUAGES": "contoso.example=zh-CN",
    }
    settings = settings_of({"smtp": {"listen": ["127.0.0.1:9"]}}, environ)
    assert settings.smtp.listen == (("127.0.0.1", 1), ("::1", 2))
    assert settings.smtp.limits.connections == 7
    assert settings.delivery.resolved_notice is True
    assert settings.delivery.retry == (1, 1, 5)
    assert settings.ndr.languages == (("contoso.example", "zh-CN"),)


def test_variables_that_a_container_platform_sets_are_no_misspelt_settings():
    environ = {
        "GATEPOST_PORT_25_TCP": "tcp://10.0.0.1:25",
        "GATEPOST_SERVICE_HOST": "10.0.0.1",
        "GATEPOST_URL": "x",
    }
    assert settings_of({}, environ) == settings_of({})


def test_every_problem_is_reported_at_once():
    with pytest.raises(BadSettings) as caught:
        settings_of({"nodes": 1, "smtp": {"listen": 5, "limits": {"errors": 0}}, "delivery": {"retry": []}})
    assert [problem.where for problem in caught.value.problems] == [
        "nodes",
        "smtp.listen",
        "smtp.limits.errors",
        "delivery.retry",
    ]


def test_the_password_in_the_address_of_a_store_is_never_repeated():
    with pytest.raises(BadSettings) as caught:
        settings_of({"store": {"url": "mysql://gw:hunter2@db/mail"}})
    assert "hunter2" not in str(caught.value)


def test_the_address_of_a_store_is_a_file_and_not_a_folder():
    with pytest.raises(BadSettings, match="names a folder"):
        settings_of({"store": {"url": "sqlite:/srv/gatepost/"}})


def test_a_running_process_keeps_what_needs_a_restart_and_says_so():
    old = settings_of({})
    new = settings_of(
        {"data_dir": "/elsewhere", "smtp": {"max_message_size": "1MB", "listen": ["127.0.0.1:1"]}}
    )
    running, waiting = running_settings(old, new)
    assert waiting == ["data_dir", "smtp.listen"]
    assert (running.data_dir, running.smtp.listen) == (old.data_dir, old.smtp.listen)
    assert running.smtp.max_message_size == 1 << 20


def test_no_two_settings_share_a_variable():
    names = [variable(name) for name, _ in walk(Settings)]
    assert len(names) == len(set(names))


def test_every_setting_is_documented_in_the_manual():
    text = manual()
    for name, item in walk(Settings):
        assert f"### `{name}`\n\n{item.metadata['doc']}" in text


@pytest.mark.parametrize(
    ("sender", "language"),
    [
        ("a@contoso.example", "zh-CN"),
        ("a@eu.Contoso.example", "zh-CN"),
        ("a@other.example", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_report_follows_the_senders_domain(sender, language):
    """B10."""
    assert Ndr(languages=(("contoso.example", "zh-CN"),)).language_for(sender) == language


def test_the_mailbox_store_is_a_folder_or_a_server():
    assert Mailboxes("lmtp://127.0.0.1:24").lmtp == ("127.0.0.1", 24)
    assert Mailboxes("lmtp://127.0.0.1:24").maildir is None
    assert Mailboxes("maildir:/var/mail").maildir == Path("/var/mail")
    assert Mailboxes("maildir:/var/mail").lmtp is None
