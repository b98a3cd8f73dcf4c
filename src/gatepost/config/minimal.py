"""The two settings that a command needs to find the running gateway, read fast: nothing else is checked.

Rule: what the full loader imports is imported there, not here; the command line starts with this one alone.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gatepost.config.problems import BadSettings, BadValue, Problem

DEFAULT_FILE = "gatepost.toml"


class Minimal(NamedTuple):
    """Where the running gateway is found."""

    data_dir: Path
    admin_host: str
    admin_port: int


def find_file(path: str | Path | None) -> Path | None:
    """Return the settings file to read: the one that is named, else `./gatepost.toml` where it exists."""
    if path is not None:
        return Path(path)
    return Path(DEFAULT_FILE) if os.path.exists(DEFAULT_FILE) else None


def read_table(file: Path | None) -> dict[str, Any]:
    """Return the content of a TOML file, nothing for none; raise `BadSettings` where it cannot be read."""
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_bytes().decode())
    except OSError as problem:
        found = Problem(str(file), f"cannot be read: {problem.strerror}", "name another file with --config")
    except UnicodeDecodeError:
        found = Problem(file.name, "is not UTF-8", "save it as UTF-8")
    except tomllib.TOMLDecodeError as problem:
        found = Problem(
            file.name, f"is not TOML: {problem}", "texts stand in quotes, tables start with [name]"
        )
    raise BadSettings([found])


def minimal(path: str | Path | None, environ: Mapping[str, str]) -> Minimal:
    """Return where the gateway of a settings file and an environment is found; raise `BadSettings`."""
    file = find_file(path)
    table = read_table(file)
    base = (file.parent if file else Path()).absolute()
    admin = table.get("admin")
    given = admin.get("listen") if isinstance(admin, dict) else None
    listen = environ.get("GATEPOST_ADMIN_LISTEN") or given or "127.0.0.1:8025"
    data_dir = environ.get("GATEPOST_DATA_DIR") or table.get("data_dir") or "gatepost-data"
    host, port = _split(listen)
    if not isinstance(data_dir, str):
        raise BadSettings([Problem("data_dir", f"{data_dir} is not a text", "put it in quotes")])
    return Minimal(base / Path(data_dir).expanduser(), host, port)


def _split(listen: object) -> tuple[str, int]:
    try:
        if not isinstance(listen, str):
            raise BadValue(f"{listen} is not an endpoint")
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit():
            raise BadValue(f'"{listen}" has no port')
        return host.strip("[]"), int(port)
    except BadValue as problem:
        raise BadSettings([Problem("admin.listen", problem.message, 'write "127.0.0.1:8025"')]) from None
