"""The nodes of the gateway."""

from typing import Any

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, Group, State, group, tr, verb
from gatepost.cli.output import line, print_json, size, when

node: Group = group(
    "node", tr("The nodes of the gateway: what each listens to and uses."), "gatepost node list"
)


@verb(
    node,
    "list",
    tr(
        "Show every node: version, uptime, listeners, resolvers, memory, disk, store; exit 1 if one is not ready."
    ),
    "gatepost node list --json",
)
def list_(state: State) -> int:
    """List nodes."""
    nodes = Client(state).get(path("nodes"))
    if state.as_json:
        print_json(nodes)
    else:
        for one in nodes:
            _show(state, one)
    return DONE if all(one["ready"] for one in nodes) else NEGATIVE


def _show(state: State, one: dict[str, Any]) -> None:
    say = state.say
    ready = say(tr("ready")) if one["ready"] else one["why"]
    line(f"{one['hostname']} ({one['node']}): {ready}, Gatepost {one['version']}")
    rows: list[tuple[str, object]] = [
        (tr("Started"), when(one["started_at"], say)),
        (
            tr("Listens at"),
            ", ".join(f"{entry['service']} {entry['endpoint']}" for entry in one["listeners"]),
        ),
        (tr("Asks the resolvers"), ", ".join(entry["server"] for entry in one["resolvers"])),
        (
            tr("Connections"),
            say(tr("{n} in, {m} out")).format(n=one["connections"]["in"], m=one["connections"]["out"]),
        ),
        (tr("Messages queued"), one["queue"]["messages"]),
        (tr("Memory"), size(one["memory"]["used"])),
        (tr("Free disk"), f"{size(one['disk']['free'])} / {size(one['disk']['total'])}"),
        (tr("Store"), f"{one['store']['engine']}, {size(one['store']['bytes'])}"),
    ]
    for title, value in rows:
        line(f"  {say(title)}: {value}")
    for why in one["pressure"].values():
        line(f"  {say(tr('Short'))}: {why}")
