"""What connectors, domains and sources have in common on the command line."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from gatepost.cli.changes import show_changes
from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, USAGE, Group, Refusal, State, argument, dry_run, tr, verb
from gatepost.cli.output import pairs, print_json, table

Columns = Sequence[tuple[str, Callable[[dict[str, Any]], object]]]


def add_reading(noun: Group, kind: str, word: str, columns: Columns) -> None:
    """Give a noun its `list` and `show`."""

    @verb(noun, "list", tr("List them all."), f"gatepost {word} list --json")
    def list_(state: State) -> int:
        rows = Client(state).get(path(kind))
        if state.as_json:
            print_json(rows)
        elif rows:
            table(
                [state.say(title) for title, _ in columns], [[cell(r) for _, cell in columns] for r in rows]
            )
        else:
            print(state.say(tr("There is none yet.")))
        return DONE

    @verb(
        noun,
        "show",
        tr("Show one of them."),
        f"gatepost {word} show NAME",
        params=[argument("name", metavar="NAME")],
    )
    def show(state: State, name: str) -> int:
        found = Client(state).get(path(kind, name))
        if state.as_json:
            print_json(found)
        else:
            pairs(list(found.items()))
        return DONE


def add_delete(noun: Group, kind: str, word: str) -> None:
    """Give a noun its `delete`."""

    @verb(
        noun,
        "delete",
        tr("Delete one of them."),
        f"gatepost {word} delete NAME --dry-run",
        params=[argument("name", metavar="NAME"), dry_run()],
    )
    def delete(state: State, name: str, dry_run: bool) -> int:
        return show_changes(state, Client(state).delete(path(kind, name), dry_run=dry_run))


def add_writing(
    noun: Group,
    kind: str,
    word: str,
    options: Sequence[click.Parameter],
    fields: Callable[[dict[str, Any]], dict[str, Any]],
    examples: tuple[str, str],
) -> None:
    """Give a noun its `add` and `set`; `fields` turns the options that are given into fields."""
    name = argument("name", metavar="NAME")

    @verb(noun, "add", tr("Add one."), examples[0], params=[name, *options, dry_run()])
    def add(state: State, name: str, dry_run: bool, **given: Any) -> int:
        body = {"name": name, **_given(fields, given)}
        return show_changes(state, Client(state).post(path(kind), body, dry_run=dry_run))

    @verb(noun, "set", tr("Change some fields of one."), examples[1], params=[name, *options, dry_run()])
    def set_(state: State, name: str, dry_run: bool, **given: Any) -> int:
        body = _given(fields, given)
        if not body:
            raise Refusal(tr("Nothing to set: name at least one option, see --help."), USAGE)
        return show_changes(state, Client(state).patch(path(kind, name), body, dry_run=dry_run))


def _given(fields: Callable[[dict[str, Any]], dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    return fields({key: value for key, value in given.items() if value not in (None, ())})


def text_of(file: str) -> str:
    """Return the content of a file, or of standard input for `-`."""
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).expanduser().read_text("utf-8")
    except OSError as problem:
        raise Refusal(tr("{path} cannot be read: {why}."), USAGE, path=file, why=problem.strerror) from None
    except UnicodeDecodeError:
        raise Refusal(tr("{path} is not UTF-8: save it as UTF-8."), USAGE, path=file) from None


def lines_of(file: str) -> list[str]:
    """Return the entries of a file: one a line, `#` starts a comment."""
    found = (entry.partition("#")[0].strip() for entry in text_of(file).lstrip("\ufeff").splitlines())
    return [entry for entry in found if entry]


def switch(names: str, text: str) -> click.Option:
    """Return an option with a yes and a no that may be left out."""
    return click.Option([names], default=None, help=text)
