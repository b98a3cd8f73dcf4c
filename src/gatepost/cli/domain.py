"""Accepted domains: which domains are ours, and who is known there."""

from typing import Any

import click

from gatepost.cli.changes import show_changes
from gatepost.cli.client import Client, path
from gatepost.cli.frame import USAGE, Group, Refusal, State, argument, dry_run, group, option, tr, verb
from gatepost.cli.objects import add_delete, add_reading, add_writing, lines_of, switch

domain: Group = group("domain", tr("Which domains are ours: accepted domains."), "gatepost domain list")

OPTIONS: list[click.Parameter] = [
    option(
        "--type",
        type=click.Choice(["authoritative", "internal-relay"]),
        text=tr("authoritative: unknown recipients are refused at once; internal-relay: they go on."),
    ),
    switch("--match-subdomains/--no-match-subdomains", tr("Its subdomains are ours too.")),
    option("--recipient", "recipients", multiple=True, metavar="ADDRESS", text=tr("A known recipient.")),
    option("--recipients-file", metavar="FILE", text=tr("Known recipients, one a line (- is stdin).")),
    option("--comment", metavar="TEXT", text=tr("A note for people.")),
]


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the options mean."""
    found: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in given.items()
    }
    if "recipients_file" in found:
        found["recipients"] = [*found.get("recipients", []), *lines_of(found.pop("recipients_file"))]
    return found


add_reading(
    domain,
    "domains",
    "domain",
    [
        (tr("Name"), lambda row: row["name"]),
        (tr("Type"), lambda row: row["type"]),
        (tr("Subdomains"), lambda row: row["match_subdomains"]),
        (tr("Recipients"), lambda row: len(row["recipients"])),
        (tr("Comment"), lambda row: row["comment"]),
    ],
)
add_writing(
    domain,
    "domains",
    "domain",
    OPTIONS,
    fields,
    (
        "gatepost domain add contoso.example --type internal-relay --recipient ann@contoso.example",
        "gatepost domain set contoso.example --type authoritative",
    ),
)
add_delete(domain, "domains", "domain")

recipients: Group = group(
    "recipients",
    tr("The known recipients of a domain."),
    "gatepost domain recipients add contoso.example bob@contoso.example",
)
domain.add_command(recipients)


def _recipients(name: str, text: str, key: str) -> None:
    @verb(
        recipients,
        name,
        text,
        f"gatepost domain recipients {name} contoso.example bob@contoso.example",
        params=[
            argument("domain", metavar="DOMAIN"),
            argument("addresses", metavar="ADDRESS", nargs=-1),
            option("--file", metavar="FILE", text=tr("Addresses, one a line (- is stdin).")),
            dry_run(),
        ],
    )
    def run(state: State, domain: str, addresses: tuple[str, ...], file: str | None, dry_run: bool) -> int:
        wanted = [*addresses, *(lines_of(file) if file else [])]
        if not wanted:
            raise Refusal(tr("No address is given: name some, or a --file."), USAGE)
        where = path("domains", domain, "recipients")
        return show_changes(state, Client(state).post(where, {key: wanted, "dry_run": dry_run}))


_recipients("add", tr("Make addresses known."), "add")
_recipients("remove", tr("Make addresses unknown."), "remove")
