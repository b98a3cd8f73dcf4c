"""The queue by destination: what waits where and why, and steering it."""

from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import (
    DONE,
    NEGATIVE,
    Group,
    State,
    dry_run,
    flag,
    group,
    option,
    tr,
    verb,
)
from gatepost.cli.output import error_text, line, pairs, print_json, reroute_text, size, table, when

STATES = ["ready", "active", "retry", "suspended"]

queue: Group = group("queue", tr("What waits where and why, and steering it."), "gatepost queue list")


def which() -> list[click.Parameter]:
    """Return the options that say which destinations."""
    return [
        option("--connector", metavar="NAME", default="", text=tr("Of this connector (* matches anything).")),
        option("--destination", metavar="NAME", default="", text=tr("This destination: name, host or id.")),
        option(
            "--filter",
            metavar="TERMS",
            default="",
            text=tr("Terms that must all hold: 'class:connection_refused age>4h' (docs/filters.md)."),
        ),
    ]


@verb(
    queue,
    "list",
    tr("List what waits: destination, number, since when, last error."),
    "gatepost queue list --connector to-office --json",
    params=[*which(), option("--state", "in_state", type=click.Choice(STATES), text=tr("In this state."))],
)
def list_(state: State, connector: str, destination: str, **more: Any) -> int:
    """List the queue."""
    rows = Client(state).get(
        path("queue"),
        connector=connector,
        destination=destination,
        state=more["in_state"],
        filter=more["filter"],
    )
    if state.as_json:
        print_json(rows)
    elif rows:
        _show(state, rows)
    else:
        line(state.say(tr("Nothing waits.")))
    return DONE


def _show(state: State, rows: list[dict[str, Any]]) -> None:
    say = state.say
    titles = [
        say(tr("Connector")),
        say(tr("Destination")),
        say(tr("State")),
        say(tr("Messages")),
        say(tr("Size")),
        say(tr("Since")),
        say(tr("Next attempt")),
        say(tr("Oldest expires")),
        say(tr("Last error")),
    ]
    table(
        titles,
        [
            [
                row["connector"],
                row["destination"],
                row["state"],
                row["messages"],
                size(row["bytes"]),
                when(row["queued_since"], say),
                when(row["next_attempt_at"], say),
                when(row["oldest_expires_at"], say),
                error_text(row["last_error"]),
            ]
            for row in rows
        ],
    )
    for row in rows:
        for reroute in row["rerouted"]:
            line(f"{row['connector']}: {reroute['recipients']} {reroute_text(reroute, say)}")


def _report(state: State, answer: dict[str, Any], would: str, done: str) -> int:
    """Print what was done to destinations; nothing found is a negative answer."""
    if state.as_json:
        print_json(answer)
    else:
        for row in answer["rows"]:
            line(f"  {row['connector'] or '-'}  {row['destination']}  {row['state']}  {row['messages']}")
        sentence = state.say(would if answer["dry_run"] else done)
        line(sentence.format(destinations=answer["destinations"], messages=answer["messages"]))
    return DONE if answer["destinations"] else NEGATIVE


@verb(
    queue,
    "retry",
    tr("Try destinations now instead of at their next time."),
    "gatepost queue retry --connector to-office",
    params=[*which(), dry_run()],
)
def retry(state: State, connector: str, destination: str, dry_run: bool, **more: Any) -> int:
    """Try now."""
    body = {"connector": connector, "destination": destination, "filter": more["filter"], "dry_run": dry_run}
    return _report(
        state,
        Client(state).post(path("queue", "retry"), body),
        tr("Would try {destinations} destinations with {messages} messages now."),
        tr("Trying {destinations} destinations with {messages} messages now."),
    )


@verb(
    queue,
    "suspend",
    tr("Hold destinations back: nothing is sent there until they are resumed."),
    'gatepost queue suspend --connector to-office --reason "firewall change" --until 4h',
    params=[
        *which(),
        option("--reason", metavar="TEXT", default="", text=tr("Why, for those who look at it later.")),
        option(
            "--until", metavar="WHEN", default="", text=tr("A duration (4h) or a time; else until resumed.")
        ),
        flag("--all", "everything", text=tr("Every destination.")),
        dry_run(),
    ],
)
def suspend(state: State, connector: str, destination: str, dry_run: bool, **more: Any) -> int:
    """Hold back."""
    body = {
        "connector": connector,
        "destination": destination,
        "filter": more["filter"],
        "reason": more["reason"],
        "until": more["until"],
        "all": more["everything"],
        "dry_run": dry_run,
    }
    return _report(
        state,
        Client(state).post(path("queue", "suspend"), body),
        tr("Would suspend {destinations} destinations with {messages} messages."),
        tr("Suspended {destinations} destinations with {messages} messages."),
    )


@verb(
    queue,
    "resume",
    tr("End the suspension of destinations."),
    "gatepost queue resume --connector to-office",
    params=[*which(), dry_run()],
)
def resume(state: State, connector: str, destination: str, dry_run: bool, **more: Any) -> int:
    """Resume."""
    body = {"connector": connector, "destination": destination, "filter": more["filter"], "dry_run": dry_run}
    return _report(
        state,
        Client(state).post(path("queue", "resume"), body),
        tr("Would resume {destinations} destinations with {messages} messages."),
        tr("Resumed {destinations} destinations with {messages} messages."),
    )


@verb(
    queue,
    "audit",
    tr(
        "Count the whole store again and compare it with the ledger: is every accepted message accounted for?"
    ),
    "gatepost queue audit --json",
)
def audit(state: State) -> int:
    """Audit the store."""
    answer = Client(state).get(path("queue", "audit"))
    if state.as_json:
        print_json(answer)
    else:
        pairs(list(answer.items()))
    return DONE if answer.get("balanced", True) else NEGATIVE
