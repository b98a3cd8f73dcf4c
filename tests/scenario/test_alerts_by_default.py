"""What a site hears that has set no policy of its own: soon, once, and once more when it is over (R18)."""

import asyncio
import smtplib
from pathlib import Path

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until
from tests.support.stories import Crew, Stage

from gatepost.model.failure import from_iso

MANY = 10_000
OBJECTS = """
[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"
recipients = ["admin@contoso.example"]

[[connector]]
name = "to-office"
to = "on-premises"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{port}"]

[[notification_channel]]
name = "admins"
to = ["admin@contoso.example"]
"""


def inbox(data: Path) -> list[Path]:
    """Return the notices in the mailbox of the administrator, oldest first."""
    found = [file for box in (data / "mail").rglob("new") for file in box.iterdir()]
    notices = [file for file in found if "Auto-Submitted: auto-generated" in file.read_text(errors="replace")]
    return sorted(notices, key=lambda file: file.stat().st_mtime)


def hand_in(gateway: GatewayProcess, number: int) -> None:
    with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=60) as client:
        client.ehlo()
        for one in range(number):
            client.sendmail("ann@sender.example", [f"u{one % 50}@contoso.example"], "Subject: a\r\n\r\nb\r\n")


def fails(gateway: GatewayProcess) -> list[int]:
    return [from_iso(line["time"]) for line in gateway.log() if line["event"] == "destination.failed"]


@pytest.mark.parametrize(
    "number", [200, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_however_many_messages_fail_one_notice_is_in_the_inbox_within_30_seconds(
    tmp_path: Path, number: int
) -> None:
    """From the first failed attempt, by its own time, to the file in the mailbox, by its own."""
    with GatewayProcess(tmp_path) as gateway:
        gateway.apply(OBJECTS.format(port=free_port()))
        hand_in(gateway, number)
        (notice,) = wait_until(lambda: inbox(gateway.data_dir), 60, 0.2, "the notice")
        assert notice.stat().st_mtime - fails(gateway)[0] / 1000 < 30
        wait_until(lambda: gateway.queued() == number, 60, 0.2, "all of them in the queue")
        seen = len(fails(gateway))
        wait_until(lambda: len(fails(gateway)) >= seen + 3, 60, 0.2, "some more attempts")
        assert inbox(gateway.data_dir) == [notice]
        assert len(gateway.json("alert", "notices")) == 1


def test_it_is_told_once_more_when_it_is_over_and_then_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the default policies: five minutes after it was over (`keep_firing`), by the clock of the test."""

    async def tell() -> list[str]:
        async with Stage(tmp_path, monkeypatch) as stage:
            await stage.connector(f"127.0.0.1:{port}", domain="contoso.example")
            await stage.service.objects.recipients(
                "contoso.example", "ann", add=["admin@contoso.example"], dry_run=False
            )
            channel = {"name": "admins", "to": ["admin@contoso.example"]}
            await stage.service.objects.add("notification_channel", channel, "ann")
            for _ in range(5):
                await stage.send("contoso.example")
            await stage.insight()
            await stage.told(1)
            crew.server(port=port)
            await stage.hours(0.01)  # over by now, or a little earlier
            await stage.until(stage.empty, "an empty queue")
            await stage.minutes(3)
            assert len(await stage.notices()) == 1  # it may be back
            await stage.minutes(4)
            await stage.told(2)
            await stage.minutes(60)
            return [notice.kind for notice in await stage.notices()]

    port, crew = free_port(), Crew(tmp_path)
    try:
        assert asyncio.run(tell()) == ["resolved", "firing"]
    finally:
        crew.stop()


def test_two_thousand_messages_that_are_older_than_an_hour_are_the_models_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R18: "messages have been delayed"; 2,000 that are younger, or 1,999 that are older, are not."""

    async def fired(number: int, minutes: int) -> bool:
        async with Stage(tmp_path / f"{number}-{minutes}", monkeypatch) as stage:
            await stage.connector(f"127.0.0.1:{free_port()}", domain="contoso.example")
            await stage.send_many("contoso.example", number)
            await stage.minutes(minutes)
            return any(alert.policy == "messages-delayed" and alert.fired_at for alert in stage.alerts())

    for number, minutes, expected in ((2000, 70, True), (2000, 50, False), (1999, 70, False)):
        (tmp_path / f"{number}-{minutes}").mkdir()
        assert asyncio.run(fired(number, minutes)) is expected
