"""Sources: who may hand mail in."""

from typing import Any

import click

from gatepost.cli.frame import USAGE, Group, Refusal, group, option, tr
from gatepost.cli.objects import add_delete, add_reading, add_writing, lines_of, switch

source: Group = group("source", tr("Who may hand mail in: sources."), "gatepost source list")

OPTIONS: list[click.Parameter] = [
    option("--network", "networks", multiple=True, metavar="NETWORK", text=tr("Addresses, 192.0.2.0/24.")),
    option(
        "--certificate-name",
        "certificate_names",
        multiple=True,
        metavar="NAME",
        text=tr("A client certificate."),
    ),
    option("--logins-file", metavar="FILE", text=tr("Logins, a line of user:password each (- is stdin).")),
    switch("--may-relay/--no-may-relay", tr("May send to domains that are not ours.")),
    switch("--require-tls/--no-require-tls", tr("Must use TLS.")),
    switch("--allow-bare-newlines/--no-allow-bare-newlines", tr("May send lines that end in LF alone.")),
    switch("--enabled/--disabled", tr("Whether it is used.")),
    option("--comment", metavar="TEXT", text=tr("A note for people.")),
]


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the options mean."""
    found: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in given.items()
    }
    if "logins_file" in found:
        found["logins"] = dict(_login(entry) for entry in lines_of(found.pop("logins_file")))
    return found


def _login(entry: str) -> tuple[str, str]:
    user, colon, password = entry.partition(":")
    if not (user and colon and password):
        raise Refusal(tr("A line of the logins is not user:password."), USAGE)
    return user, password


add_reading(
    source,
    "sources",
    "source",
    [
        (tr("Name"), lambda row: row["name"]),
        (tr("Networks"), lambda row: row["networks"]),
        (tr("Certificates"), lambda row: row["certificate_names"]),
        (tr("Logins"), lambda row: list(row["logins"])),
        (tr("May relay"), lambda row: row["may_relay"]),
        (tr("Enabled"), lambda row: row["enabled"]),
    ],
)
add_writing(
    source,
    "sources",
    "source",
    OPTIONS,
    fields,
    (
        "gatepost source add cloud --network 192.0.2.0/24 --may-relay",
        "gatepost source set cloud --require-tls",
    ),
)
add_delete(source, "sources", "source")
