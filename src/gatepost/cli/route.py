"""Where an address goes, and why."""

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, Group, State, argument, group, tr, verb
from gatepost.cli.output import line, pairs, print_json, table

route: Group = group(
    "route", tr("Where an address goes, and why."), "gatepost route explain ann@contoso.example"
)


@verb(
    route,
    "explain",
    tr("Show where an address goes, every connector that was weighed, and why it lost."),
    "gatepost route explain ann@contoso.example --json",
    params=[argument("address", metavar="ADDRESS")],
)
def explain(state: State, address: str) -> int:
    """Explain a route; no way out is a negative answer."""
    answer = Client(state).get(path("route", "explain"), address=address)
    if state.as_json:
        print_json(answer)
    else:
        say = state.say
        pairs(
            [
                (say(tr("Address")), answer["address"]),
                (say(tr("Connector")), answer["connector"]),
                (say(tr("Next hop")), answer["destination"] or answer["kind"]),
                (say(tr("Why")), answer["why"]),
            ]
        )
        if answer["candidates"]:
            line("")
            titles = [say(tr("Connector")), say(tr("Matched")), say(tr("Won")), say(tr("Why"))]
            rows = [[c["connector"], c["matched"], c["won"], c["why"]] for c in answer["candidates"]]
            table(titles, rows)
    return NEGATIVE if answer["kind"] == "none" else DONE
