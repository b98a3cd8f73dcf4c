"""Users of the admin centre."""

from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, USAGE, Group, Refusal, State, argument, dry_run, group, option, tr, verb
from gatepost.cli.objects import text_of
from gatepost.cli.output import line, print_json, table, when

user: Group = group("user", tr("Who may sign in to the admin centre."), "gatepost user list")
ROLE = click.Choice(["viewer", "operator", "administrator"])
NAME = argument("name", metavar="NAME")
PASSWORD = option(
    "--password-file", metavar="FILE", text=tr("The password is the first line of this file (- is stdin).")
)


def _password(file: str | None) -> str:
    return text_of(file).partition("\n")[0].rstrip("\r") if file else ""


@verb(user, "list", tr("List them all."), "gatepost user list")
def list_(state: State) -> int:
    """List users."""
    rows = Client(state).get(path("users"))
    if state.as_json:
        print_json(rows)
    elif rows:
        say = state.say
        titles = [say(t) for t in (tr("Name"), tr("Role"), tr("Password"), tr("Since"), tr("By"))]
        table(
            titles,
            [
                [r["name"], r["role"], r["password"], when(r["created_at"], say), r["created_by"]]
                for r in rows
            ],
        )
    else:
        line(state.say(tr("There is none yet.")))
    return DONE


@verb(
    user,
    "create",
    tr("Make a user; without a password a one-time link lets them in."),
    "gatepost user create ann --role operator",
    params=[
        NAME,
        option("--role", type=ROLE, default="viewer", text=tr("What they may do.")),
        PASSWORD,
        dry_run(),
    ],
)
def create(state: State, name: str, **given: Any) -> int:
    """Make a user."""
    client = Client(state)
    body = {"name": name, "role": given["role"], "password": _password(given["password_file"])}
    made = client.post(path("users"), body, dry_run=given["dry_run"])
    if not given["dry_run"] and not body["password"]:
        made["link"] = client.post(path("users", name, "link"), {})["url"]
    if state.as_json:
        print_json(made)
        return DONE
    words = tr("Would make {name} ({role}).") if given["dry_run"] else tr("Made {name} ({role}).")
    line(state.say(words).format(**made))
    if "link" in made:
        _show_link(state, made["link"])
    return DONE


@verb(
    user,
    "set",
    tr("Change a role or password; the user's sessions end."),
    "gatepost user set ann --role administrator",
    params=[NAME, option("--role", type=ROLE, text=tr("What they may do.")), PASSWORD, dry_run()],
)
def set_(state: State, name: str, **given: Any) -> int:
    """Change a user."""
    body = {"role": given["role"], "password": _password(given["password_file"])}
    if not body["role"] and not body["password"]:
        raise Refusal(tr("Nothing to set: name at least one option, see --help."), USAGE)
    made = Client(state).patch(path("users", name), body, dry_run=given["dry_run"])
    if state.as_json:
        print_json(made)
    else:
        line(state.say(tr("{name} is {role} now.")).format(**made))
    return DONE


@verb(
    user, "delete", tr("Delete one of them."), "gatepost user delete ann --dry-run", params=[NAME, dry_run()]
)
def delete(state: State, name: str, dry_run: bool) -> int:
    """Delete a user."""
    gone = Client(state).delete(path("users", name), dry_run=dry_run)
    if state.as_json:
        print_json(gone)
    else:
        words = tr("Would delete {name}.") if dry_run else tr("Deleted {name}; their sessions are over.")
        line(state.say(words).format(**gone))
    return DONE


@verb(
    user,
    "link",
    tr("Print a one-time link that signs a user in."),
    "gatepost user link ann",
    params=[NAME],
)
def link(state: State, name: str) -> int:
    """Make a one-time link."""
    made = Client(state).post(path("users", name, "link"), {})
    if state.as_json:
        print_json(made)
    else:
        _show_link(state, made["url"])
    return DONE


@verb(
    user,
    "reset-second-factor",
    tr("Take a user's second factor away, where they lost it."),
    "gatepost user reset-second-factor ann --dry-run",
    params=[NAME, dry_run()],
)
def reset_second_factor(state: State, name: str, dry_run: bool) -> int:
    """Take a second factor away."""
    answer = Client(state).delete(path("users", name, "second-factor"), dry_run=dry_run)
    if state.as_json:
        print_json(answer)
    else:
        words = (
            tr("Would take the second factor of {name} away.")
            if dry_run
            else tr("{name} signs in without a second factor now.")
        )
        line(state.say(words).format(**answer))
    return DONE


@verb(
    user,
    "setup",
    tr("Print the one-time link of the first start: it leads to making an administrator."),
    "gatepost user setup",
)
def setup(state: State) -> int:
    """Make the link of the first start."""
    made = Client(state).post(path("users", "setup"), {})
    if state.as_json:
        print_json(made)
    else:
        _show_link(state, made["url"])
    return DONE


def _show_link(state: State, url: str) -> None:
    line(state.say(tr("This link works once:")))
    print(url)


@verb(user, "sessions", tr("List who is signed in."), "gatepost user sessions")
def sessions(state: State) -> int:
    """List sessions."""
    rows = Client(state).get(path("users", "sessions"))
    if state.as_json:
        print_json(rows)
        return DONE
    say = state.say
    titles = [say(t) for t in (tr("Id"), tr("Name"), tr("Since"), tr("Last seen"), tr("From"))]
    table(
        titles,
        [[r["id"], r["user"], when(r["since"], say), when(r["seen_at"], say), r["address"]] for r in rows],
    )
    return DONE


@verb(
    user,
    "sign-out",
    tr("End a session."),
    "gatepost user sign-out 1a2b3c4d5e6f",
    params=[argument("session", metavar="SESSION")],
)
def sign_out(state: State, session: str) -> int:
    """End a session."""
    answer = Client(state).delete(path("users", "sessions", session))
    if state.as_json:
        print_json(answer)
    else:
        line(state.say(tr("The session is over.")))
    return DONE
