"""What people did: changes, fixes, actions on mail, looks at its content."""

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, Group, State, group, option, tr, verb
from gatepost.cli.output import line, print_json, table, when

audit: Group = group("audit", tr("Who changed or looked at what, when, and why."), "gatepost audit list")

KINDS = {"change": tr("change"), "fix": tr("fix"), "action": tr("action"), "look": tr("look")}


@verb(
    audit,
    "list",
    tr(
        "List what people did, newest first: changes of objects, fixes, actions on mail, looks at its content."
    ),
    "gatepost audit list --kind look",
    params=[
        option("--kind", type=click.Choice(list(KINDS)), text=tr("Only these.")),
        option("--limit", type=click.IntRange(1, 1000), default=100, text=tr("At most so many.")),
    ],
)
def list_(state: State, kind: str | None, limit: int) -> int:
    """List what people did."""
    rows = Client(state).get(path("audit"), kind=kind or "", limit=limit)
    if state.as_json:
        print_json(rows)
        return DONE
    say = state.say
    titles = [tr("When"), tr("By"), tr("Kind"), tr("What"), tr("Subject"), tr("Reason"), tr("Reference")]
    cells = [
        [
            when(r["at"], say),
            r["who"],
            say(KINDS[r["kind"]]),
            r["what"],
            r["subject"],
            r["reason"],
            r["reference"],
        ]
        for r in rows
    ]
    if cells:
        table([say(title) for title in titles], cells)
    else:
        line(say(tr("Nobody has done anything yet.")))
    return DONE
