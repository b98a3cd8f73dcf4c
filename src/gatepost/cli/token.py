"""Tokens for programs that use the API."""

from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, Group, State, argument, dry_run, group, option, tr, verb
from gatepost.cli.output import line, print_json, table, when

token: Group = group("token", tr("Tokens for programs that use the API."), "gatepost token list")


@verb(
    token,
    "create",
    tr("Make a token; it is shown once."),
    "gatepost token create monitoring --scope read --expires 90d",
    params=[
        argument("name", metavar="NAME"),
        option(
            "--scope",
            type=click.Choice(["read", "operate", "admin"]),
            default="read",
            text=tr("read: look; operate: steer the queue too; admin: everything."),
        ),
        option("--expires", metavar="WHEN", default="", text=tr("A duration (90d) or a time; else never.")),
        dry_run(),
    ],
)
def create(state: State, name: str, scope: str, expires: str, dry_run: bool) -> int:
    """Make a token."""
    body = {"name": name, "scope": scope, "expires": expires, "dry_run": dry_run}
    answer = Client(state).post(path("tokens"), body)
    if state.as_json:
        print_json(answer)
    elif dry_run:
        line(state.say(tr("Would make the token {name}; nothing was changed.")).format(name=name))
    else:
        line(answer["token"])
    return DONE


@verb(token, "list", tr("List the tokens."), "gatepost token list --json")
def list_(state: State) -> int:
    """List tokens."""
    rows = Client(state).get(path("tokens"))
    if state.as_json:
        print_json(rows)
        return DONE
    say = state.say
    if not rows:
        line(say(tr("There is none yet.")))
        return DONE
    titles = [say(tr("Name")), say(tr("Scope")), say(tr("Made")), say(tr("Made by")), say(tr("Expires"))]
    table(titles, [_row(state, row) for row in rows])
    return DONE


def _row(state: State, row: dict[str, Any]) -> list[object]:
    made, ends = when(row["created_at"], state.say), when(row["expires_at"], state.say)
    return [row["name"], row["scope"], made, row["created_by"], ends]


@verb(
    token,
    "delete",
    tr("Delete a token: from then on it opens nothing."),
    "gatepost token delete monitoring",
    params=[argument("name", metavar="NAME"), dry_run()],
)
def delete(state: State, name: str, dry_run: bool) -> int:
    """Delete a token."""
    answer = Client(state).delete(path("tokens", name), dry_run=dry_run)
    if state.as_json:
        print_json(answer)
    else:
        sentence = (
            tr("Would delete the token {name}; nothing was changed.") if dry_run else tr("Deleted {name}.")
        )
        line(state.say(sentence).format(name=name))
    return DONE
