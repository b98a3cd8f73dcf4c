"""Accepted domains: which domains are ours, and who is known there."""

from typing import Any

import click

from gatepost.cli.changes import show_changes, show_effect
from gatepost.cli.client import Client, path
from gatepost.cli.frame import (
    DONE,
    USAGE,
    Group,
    Refusal,
    State,
    argument,
    dry_run,
    flag,
    group,
    option,
    tr,
    verb,
)
from gatepost.cli.objects import add_delete, add_reading, add_writing, lines_of, switch
from gatepost.cli.output import line, print_json, table, when

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


@verb(
    domain,
    "dry-run",
    tr("Say what would be refused if a domain became authoritative, and whom to import before."),
    "gatepost domain dry-run contoso.example --days 30\ngatepost domain dry-run contoso.example --import",
    params=[
        argument("domain", metavar="DOMAIN"),
        option(
            "--days", type=click.IntRange(1, 90), default=7, text=tr("Recent mail is that of so many days.")
        ),
        flag("--import", "wanted", text=tr("Make recipients known that mail was delivered to.")),
    ],
)
def dry_run_(state: State, domain: str, days: int, wanted: bool) -> int:
    """Show the dry run; import what was seen to be good where that is wanted."""
    client = Client(state)
    found = client.get(path("domains", domain, "dry-run"), days=days)
    if wanted and found["importable"]:
        where = path("domains", domain, "recipients")
        change = client.post(where, {"add": found["importable"], "dry_run": False})
        found["imported"] = len(found["importable"])
        found["revision"] = change["revision"]
    if state.as_json:
        print_json(found)
    else:
        _show(state, found)
    return DONE


def _show(state: State, found: dict[str, Any]) -> None:
    say = state.say
    line(say(tr("If {domain} became authoritative, of the mail that is queued:")).format(**found))
    show_effect(state, found["effect"])
    sentence = tr(
        "Of {addresses} recent recipients ({messages_looked_at} messages), {would_be_refused} would be refused; "
        "{good_but_unknown} of those are good: mail was delivered to them."
    )
    line(say(sentence).format(**found))
    titles = [tr("Address"), tr("Delivered"), tr("Refused"), tr("Last")]
    rows = [r for r in found["recent"] if r["would_be_refused"]][:50]
    if rows:
        cells = [[r["address"], r["delivered"], r["refused"], when(r["last_at"], say)] for r in rows]
        table([say(title) for title in titles], cells)
    if found.get("imported"):
        line(say(tr("{n} recipients were imported.")).format(n=found["imported"]))
    elif found["importable"]:
        line(say(tr("Import the good ones: gatepost domain dry-run {domain} --import")).format(**found))
