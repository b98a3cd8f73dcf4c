"""SQL by name: statements live in `sql/<backend>/*.sql`, each below a line `-- name: ...`."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_ROW = re.compile(r"VALUES (\([^()]*\))")
LARGEST = 32  # rows a statement: few variants to prepare, few steps a batch


class Queries:
    """The statements of one file."""

    def __init__(self, backend: str, name: str) -> None:
        text = files("gatepost.storage").joinpath("sql", backend, f"{name}.sql").read_text("utf-8")
        parts = _NAME.split(text)
        self._sql = {parts[i]: parts[i + 1].strip() for i in range(1, len(parts), 2)}

    def __getitem__(self, name: str) -> str:
        """Return a statement."""
        return self._sql[name]

    @cache  # noqa: B019 - one instance a file, for the life of the process
    def rows(self, name: str, count: int) -> str:
        """Return the statement with its `VALUES (...)` row repeated."""
        sql = self._sql[name]
        found = list(_ROW.finditer(sql))[-1]
        return f"{sql[: found.start(1)]}{', '.join([found[1]] * count)}{sql[found.end(1) :]}"


def padded(count: int) -> int:
    """Return the power of two that a number of rows is filled up to: only a handful of statements is ever prepared."""
    return 1 << (count - 1).bit_length()
