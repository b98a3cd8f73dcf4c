"""Alert policies: when an alert is raised, and who hears of it."""

from typing import Any

import click

from gatepost.cli.changes import show_changes
from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, Group, State, argument, dry_run, group, option, tr, verb
from gatepost.cli.objects import add_delete, add_writing, switch
from gatepost.cli.output import pairs, print_json, table

policy: Group = group("policy", tr("When an alert is raised, and who hears of it."), "gatepost policy list")
SEVERITY = click.Choice(["low", "medium", "high", "critical"])

OPTIONS: list[click.Parameter] = [
    option("--on", type=click.Choice(["insight", "queue", "foresight"]), text=tr("What it looks at.")),
    option(
        "--class", "classes", multiple=True, metavar="CLASS", text=tr("A failure class or kind of forecast.")
    ),
    option("--least-severity", type=SEVERITY, text=tr("Of the insight or forecast.")),
    option(
        "--connector",
        "connectors",
        multiple=True,
        metavar="NAME",
        text=tr("Of this connector (* matches anything)."),
    ),
    option("--to", type=click.Choice(["on-premises", "partner"]), text=tr("Whose servers they are.")),
    option("--messages", type=int, text=tr("So many messages wait.")),
    option("--older-than", metavar="DURATION", text=tr("Count those that have waited for longer than this.")),
    option("--share", metavar="SHARE", text=tr("This share of all that waits, 50%.")),
    option("--expires-within", metavar="DURATION", text=tr("The first one is returned within this time.")),
    option("--pending", metavar="DURATION", text=tr("It must hold for so long before it fires.")),
    option("--keep-firing", metavar="DURATION", text=tr("It must be over for so long before it is over.")),
    option("--severity", type=SEVERITY, text=tr("Of the alert.")),
    option(
        "--channel",
        "channels",
        multiple=True,
        metavar="NAME",
        text=tr("Who is told; all channels where none is named."),
    ),
    option("--daily-limit", type=int, text=tr("Notices a day; 0: any number.")),
    option("--quiet", metavar="SPAN", text=tr('Quiet hours, "22:00-07:00 Asia/Shanghai".')),
    option("--comment", metavar="TEXT", text=tr("A note for people.")),
    switch("--enabled/--disabled", tr("Whether it is used.")),
]


def fields(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that the options mean."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}


@verb(
    policy,
    "list",
    tr("List the policies in force, the built-in ones among them."),
    "gatepost policy list --json",
)
def list_(state: State) -> int:
    """List policies."""
    rows = Client(state).get(path("alerts", "policies"))
    if state.as_json:
        print_json(rows)
        return DONE
    say = state.say
    titles = [tr("Name"), tr("Looks at"), tr("Severity"), tr("Built in"), tr("Enabled"), tr("Comment")]
    cells = [
        [r["name"], r["on"], r["severity"] or r["least_severity"], r["built_in"], r["enabled"], r["comment"]]
        for r in rows
    ]
    table([say(title) for title in titles], cells)
    return DONE


@verb(
    policy,
    "show",
    tr("Show one of them."),
    "gatepost policy show mail-stuck",
    params=[argument("name", metavar="NAME")],
)
def show(state: State, name: str) -> int:
    """Show a policy."""
    found = Client(state).get(path("policies", name))
    if state.as_json:
        print_json(found)
    else:
        pairs(list(found.items()))
    return DONE


add_writing(
    policy,
    "policies",
    "policy",
    OPTIONS,
    fields,
    (
        "gatepost policy add office-100 --on queue --connector to-office --messages 100",
        "gatepost policy set messages-delayed --messages 200",
    ),
)
add_delete(policy, "policies", "policy")


def _switch(name: str, text: str, *, enabled: bool) -> None:
    @verb(
        policy,
        name,
        text,
        f"gatepost policy {name} mail-slow",
        params=[argument("name", metavar="NAME"), dry_run()],
    )
    def switch_(state: State, name: str, dry_run: bool) -> int:
        body = {"enabled": enabled}
        return show_changes(state, Client(state).patch(path("policies", name), body, dry_run=dry_run))


_switch("enable", tr("Use a policy again."), enabled=True)
_switch("disable", tr("Do not use a policy."), enabled=False)
