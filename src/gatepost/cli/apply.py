"""Objects as a file: make it true, or write it."""

import sys
from pathlib import Path
from typing import Any

from gatepost.cli.changes import show_changes
from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, USAGE, Refusal, State, argument, dry_run, flag, tr, verb
from gatepost.cli.output import print_json


@verb(
    None,
    "apply",
    tr("Show the difference between a file of objects and the gateway, then make the file true."),
    "gatepost apply objects.toml --dry-run\ngatepost apply objects.toml --prune",
    params=[
        argument("file", metavar="FILE"),
        flag("--prune", text=tr("Delete connectors, domains and sources that the file does not name.")),
        dry_run(),
    ],
)
def apply(state: State, file: str, prune: bool, dry_run: bool) -> int:
    """Make a file true."""
    body = {"objects": read_objects(file), "prune": prune, "dry_run": dry_run}
    return show_changes(state, Client(state).post(path("objects", "apply"), body))


def read_objects(file: str) -> dict[str, Any]:
    """Return the tables of a file (`-` is standard input) with what other files hold put in; unchecked."""
    import tomllib  # noqa: PLC0415 - not needed by other commands

    text = sys.stdin.read() if file == "-" else _read(Path(), file)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise Refusal(tr("{path} is not TOML: {why}."), USAGE, path=file, why=problem) from None
    return _inlined(tables, Path(file).parent)


def _inlined(tables: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Put the content of named files in place of their names: the gateway reads no files of ours."""
    for domain in _entries(tables, "accepted_domain"):
        name = domain.pop("recipients_file", None)
        if isinstance(name, str) and name:
            lines = _read(folder, name).lstrip("\ufeff").splitlines()
            found = [text for text in (entry.partition("#")[0].strip() for entry in lines) if text]
            domain["recipients"] = [*domain.get("recipients", []), *found]
    for connector in _entries(tables, "connector"):
        ca = connector.get("tls_ca")
        if isinstance(ca, str) and ca and "-----BEGIN" not in ca:
            connector["tls_ca"] = _read(folder, ca)
    return tables


def _entries(tables: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    entries = tables.get(kind, [])
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / Path(name).expanduser()).read_text("utf-8")
    except OSError as problem:
        raise Refusal(tr("{path} cannot be read: {why}."), USAGE, path=name, why=problem.strerror) from None
    except UnicodeDecodeError:
        raise Refusal(tr("{path} is not UTF-8: save it as UTF-8."), USAGE, path=name) from None


@verb(
    None,
    "export",
    tr("Write all connectors, domains and sources as a file that apply reads; secrets are masked."),
    "gatepost export > objects.toml",
)
def export(state: State) -> int:
    """Write the objects."""
    if state.as_json:
        print_json(Client(state).get(path("objects")))
    else:
        sys.stdout.write(Client(state).text(path("objects", "export")))
    return DONE
