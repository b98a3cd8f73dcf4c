"""Notification channels: where notices go."""

from typing import Any

import click

from gatepost.cli.frame import Group, group, option, tr
from gatepost.cli.objects import add_delete, add_reading, add_writing, switch, text_of

channel: Group = group("channel", tr("Where notices of alerts go."), "gatepost channel list")

OPTIONS: list[click.Parameter] = [
    option("--kind", type=click.Choice(["email", "webhook", "apprise"]), text=tr("How people are told.")),
    option("--to", multiple=True, metavar="ADDRESS", text=tr("A mail address that is told.")),
    option(
        "--target",
        "target",
        metavar="URL",
        text=tr("The web address of a webhook, or one that Apprise knows."),
    ),
    option(
        "--secret-file",
        metavar="FILE",
        text=tr("The secret that signs a webhook: the first line of this file (- is stdin)."),
    ),
    option("--language", type=click.Choice(["en", "zh-CN"]), text=tr("The language of notices.")),
    switch("--resolved/--no-resolved", tr("Whether it hears that something is over.")),
    option("--comment", metavar="TEXT", text=tr("A note for people.")),
    switch("--enabled/--disabled", tr("Whether it is used.")),
]


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the options mean."""
    found: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in given.items()
    }
    if "secret_file" in found:
        found["password"] = text_of(found.pop("secret_file")).partition("\n")[0].rstrip("\r")
    if "target" in found:
        found["url"] = found.pop("target")
    return found


add_reading(
    channel,
    "channels",
    "channel",
    [
        (tr("Name"), lambda row: row["name"]),
        (tr("Kind"), lambda row: row["kind"]),
        (tr("To"), lambda row: row["to"] or row["url"]),
        (tr("Language"), lambda row: row["language"]),
        (tr("Enabled"), lambda row: row["enabled"]),
    ],
)
add_writing(
    channel,
    "channels",
    "channel",
    OPTIONS,
    fields,
    (
        "gatepost channel add admins --to ann@contoso.example --language zh-CN",
        "gatepost channel set admins --to ann@contoso.example --to bob@contoso.example",
    ),
)
add_delete(channel, "channels", "channel")
