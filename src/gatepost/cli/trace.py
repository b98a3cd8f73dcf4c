"""Messages of the past and present, and what became of them."""

from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, State, option, tr, verb
from gatepost.cli.output import line, print_json, size, table, when

STATES = ["queued", "delivered", "returned", "cancelled", "failed"]


@verb(
    None,
    "trace",
    tr("Find messages of the past and present, newest first, and what became of them."),
    "gatepost trace --recipient ann@contoso.example --since 2d",
    params=[
        option("--sender", metavar="ADDRESS", text=tr("From this sender (<> is the null sender).")),
        option("--recipient", metavar="ADDRESS", text=tr("To this address.")),
        option("--message-id", "header_id", metavar="ID", text=tr("With this Message-ID.")),
        option("--source", metavar="NAME", text=tr("Handed in by this source.")),
        option("--destination", metavar="NAME", text=tr("This destination: name, host or id.")),
        option("--state", "in_state", type=click.Choice(STATES), text=tr("With a recipient in this state.")),
        option("--since", metavar="WHEN", text=tr("Accepted since: a duration ago (2d) or a time.")),
        option("--until", metavar="WHEN", text=tr("Accepted until: a duration ago (2d) or a time.")),
        option("--limit", type=click.IntRange(1, 1000), default=100, text=tr("At most so many.")),
        option("--before", metavar="ID", text=tr("The page behind: next of the answer before.")),
    ],
)
def trace(state: State, **given: Any) -> int:
    """Find messages."""
    if given["sender"] == "<>":
        given["sender"] = ""
    in_state = given.pop("in_state")
    answer = _found(Client(state), {**given, "state": in_state})
    if state.as_json:
        print_json(answer)
    elif answer["messages"]:
        _show(state, answer)
    else:
        line(state.say(tr("No message is like that.")))
    return DONE if answer["messages"] else NEGATIVE


def _found(client: Client, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return a page; the gateway looks at a part of the past for each answer, so it may take several."""
    found: dict[str, Any] = client.get(path("trace"), **wanted)
    while found["next"] and len(found["messages"]) < wanted["limit"]:
        left = wanted["limit"] - len(found["messages"])
        more = client.get(path("trace"), **{**wanted, "limit": left, "before": found["next"]})
        found = {"messages": found["messages"] + more["messages"], "next": more["next"]}
    return found


def _show(state: State, answer: dict[str, Any]) -> None:
    say = state.say
    titles = [
        say(tr("Id")),
        say(tr("Accepted")),
        say(tr("Sender")),
        say(tr("Recipient")),
        say(tr("State")),
        say(tr("Destination")),
        say(tr("Size")),
    ]
    rows = [
        [
            row["id"],
            when(row["accepted_at"], say),
            row["sender"] or "<>",
            recipient["address"],
            recipient["state"],
            recipient["destination"],
            size(row["size"]),
        ]
        for row in answer["messages"]
        for recipient in row["recipients"]
    ]
    table(titles, rows)
    if answer["next"]:
        line(say(tr("There is more: --before {page}")).format(page=answer["next"]))
