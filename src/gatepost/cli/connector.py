"""Connectors: how mail leaves."""

from typing import Any

import click

from gatepost.cli.changes import show_changes
from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, Group, State, argument, dry_run, flag, group, option, tr, verb
from gatepost.cli.objects import add_delete, add_reading, add_writing, switch, text_of
from gatepost.cli.output import line, print_json

TLS = ["opportunistic", "encryption-only", "certificate-validation", "domain-validation"]

connector: Group = group("connector", tr("How mail leaves: connectors."), "gatepost connector list")

OPTIONS: list[click.Parameter] = [
    option("--to", type=click.Choice(["on-premises", "partner"]), text=tr("Whose servers they are.")),
    option(
        "--domain", "domains", multiple=True, metavar="DOMAIN", text=tr("A recipient domain, or *.domain.")
    ),
    switch("--all-accepted-domains/--no-all-accepted-domains", tr("For every domain of ours.")),
    option(
        "--smart-host", "smart_hosts", multiple=True, metavar="HOST[:PORT]", text=tr("A server, in order.")
    ),
    switch("--use-mx/--no-use-mx", tr("Find the servers by the MX of the recipient's domain.")),
    option("--port", type=int, text=tr("The port of servers without one.")),
    option("--tls", type=click.Choice(TLS), text=tr("What is demanded of TLS.")),
    option("--tls-domain", metavar="NAME", text=tr("The name that the certificate must have.")),
    option("--tls-ca", metavar="FILE", text=tr("Trust this CA (PEM) instead of the system's.")),
    option("--expiry", metavar="DURATION", text=tr("How long delivery is tried, 24h.")),
    option("--retry", multiple=True, metavar="DURATION", text=tr("Waits between attempts, 1m*4.")),
    option("--concurrency", type=int, text=tr("Connections at a time.")),
    option(
        "--source-address",
        "source_addresses",
        multiple=True,
        metavar="ADDRESS",
        text=tr("Connect from this address of the machine; one IPv4 and one IPv6 address at most."),
    ),
    option("--username", metavar="NAME", text=tr("Log in with this name.")),
    option(
        "--password-file",
        metavar="FILE",
        text=tr("The password is the first line of this file (- is stdin)."),
    ),
    option("--comment", metavar="TEXT", text=tr("A note for people.")),
    switch("--enabled/--disabled", tr("Whether it is used.")),
]


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the options mean."""
    found: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in given.items()
    }
    if "password_file" in found:
        found["password"] = text_of(found.pop("password_file")).partition("\n")[0].rstrip("\r")
    if found.get("tls_ca"):
        found["tls_ca"] = text_of(found["tls_ca"])
    if found.get("smart_hosts"):
        found.setdefault("use_mx", False)
    elif found.get("use_mx"):
        found.setdefault("smart_hosts", [])
    return found


def _way(row: dict[str, Any]) -> object:
    return "MX" if row["use_mx"] else row["smart_hosts"]


def _domains(row: dict[str, Any]) -> object:
    return row["domains"] or ("all accepted domains" if row["all_accepted_domains"] else "")


add_reading(
    connector,
    "connectors",
    "connector",
    [
        (tr("Name"), lambda row: row["name"]),
        (tr("To"), lambda row: row["to"]),
        (tr("Domains"), _domains),
        (tr("Through"), _way),
        ("TLS", lambda row: row["tls"]),
        (tr("Enabled"), lambda row: row["enabled"]),
    ],
)
add_writing(
    connector,
    "connectors",
    "connector",
    OPTIONS,
    fields,
    (
        "gatepost connector add to-office --domain contoso.example --smart-host mail.contoso.example",
        "gatepost connector set to-office --smart-host 192.0.2.7:2525 --dry-run",
    ),
)
add_delete(connector, "connectors", "connector")


def _switch(name: str, text: str, *, enabled: bool) -> None:
    @verb(
        connector,
        name,
        text,
        f"gatepost connector {name} to-office --dry-run",
        params=[argument("name", metavar="NAME"), dry_run()],
    )
    def switch_(state: State, name: str, dry_run: bool) -> int:
        body = {"enabled": enabled}
        return show_changes(state, Client(state).patch(path("connectors", name), body, dry_run=dry_run))


_switch("enable", tr("Use a connector again."), enabled=True)
_switch("disable", tr("Do not use a connector; mail takes the next best route."), enabled=False)


@verb(
    connector,
    "validate",
    tr(
        "Check a connector with test recipients, and keep the result; with --message each gets a test message."
    ),
    "gatepost connector validate to-office --rcpt ann@contoso.example",
    params=[
        argument("name", metavar="NAME"),
        option(
            "--rcpt",
            multiple=True,
            metavar="ADDRESS",
            text=tr("A mailbox behind the connector; can be repeated."),
        ),
        flag("--message", text=tr("Also send each a test message.")),
        flag("--history", text=tr("Show the validations of before instead.")),
    ],
)
def validate(state: State, name: str, rcpt: tuple[str, ...], message: bool, history: bool) -> int:
    """Validate a connector."""
    client = Client(state)
    if history:
        found = client.get(path("connectors", name, "validations"))
    else:
        body = {"recipients": list(rcpt), "message": message}
        found = [client.post(path("connectors", name, "validate"), body)]
    if state.as_json:
        print_json(found if history else found[0])
    for one in [] if state.as_json else found:
        line(f"{'+' if one['ok'] else 'x'} {one['at']}  {one['connector']}  {one['who']}")
        for task in one["tasks"]:
            line(
                f"  {'+' if task['ok'] else 'x'} {task['task']:8}{task['recipient']}  {task['result']}".rstrip()
            )
    return DONE if all(one["ok"] for one in found) else NEGATIVE
