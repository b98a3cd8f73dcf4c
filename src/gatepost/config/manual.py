"""The manual of the settings, written from the schema: `docs/settings.md`."""

import sys
from dataclasses import fields
from typing import TYPE_CHECKING

from gatepost.config.schema import Kind, variable, walk
from gatepost.config.settings import Settings
from gatepost.config.toml import toml_value

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_HEAD = """# Settings

The settings of one process. This page is written from the schema in `src/gatepost/config/settings.py`; a test
compares the two.

A process reads the file named with `--config`, else `./gatepost.toml`, else nothing. Each setting can be
overridden by an environment variable; lists are separated by commas there. A relative path starts at the
folder of the file.
All problems of a file are reported at once, and the process ends with exit code 2.

- A **duration** is a number with a unit: `"30s"`, `"4h"`, `"30d"`, or several, `"1h30m"`; timeouts may
  also be given in `ms`. In `delivery.retry`, `"1m*4"` means four times one minute.
- A **size** is a number with a unit: `"500B"`, `"256KB"`, `"150MB"`, `"2GB"`; one MB is 1024 KB. A bare
  number counts octets.
- An **address with port** is `"127.0.0.1:2525"` or `"[::1]:25"`.

`SIGHUP` reads the file again. A setting that says so keeps its value until the process is started again; the log
line `settings.reloaded` names those that differ.

What an administrator changes while the gateway runs (connectors, accepted domains, sources) is not a setting:
it lives in the store, see `gatepost apply` and `gatepost export`.
"""


def manual() -> str:
    """Return the text of `docs/settings.md`."""
    lines = [_HEAD]
    current = None
    for name, item in walk(Settings):
        table = name.rpartition(".")[0]
        if table != current:
            current = table
            lines += [f"## [{table}]\n" if table else "## At the top of the file\n", *_introduction(table)]
        kind: Kind = item.metadata["kind"]
        lines.append(f"### `{name}`\n")
        lines.append(f"{item.metadata['doc']}\n")
        default = toml_value(item.metadata["default"])
        facts = [f"type: {kind.label}", f"default: `{default}`", f"environment: `{variable(name)}`"]
        facts += ["a change needs a restart"] if item.metadata["restart"] else []
        lines.append("".join(f"- {fact}\n" for fact in facts))
    return "\n".join(lines)


def _introduction(table: str) -> list[str]:
    """Return what a table is about, as its section says."""
    cls: type[DataclassInstance] = Settings
    doc = ""
    for part in table.split(".") if table else []:
        found = {item.name: item for item in fields(cls)}[part]
        cls, doc = found.metadata["section"], found.metadata["doc"]
    return [f"{doc}\n"] if doc else []


if __name__ == "__main__":
    sys.stdout.write(manual())
