"""Print for people or for programs: tables (plain where nobody watches), times twice, remote text made harmless."""

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Self

from gatepost.cli.frame import UNREACHABLE, Refusal, tr
from gatepost.i18n import Translator
from gatepost.model.failure import clean, from_iso

UNITS = ((86400, tr("{n} d")), (3600, tr("{n} h")), (60, tr("{n} min")), (1, tr("{n} s")))
CELL = 400


def print_json(value: object) -> None:
    """Print JSON; everything that is not ASCII is escaped, so that nothing remote reaches the terminal."""
    print(json.dumps(value, indent=2))


def line(text: str) -> None:
    """Print a line."""
    print(clean(text, 4000))


class Progress:
    """How far long work is: a line on standard error that is written again and again, where a person watches."""

    def __init__(self, say: Translator) -> None:
        self._say = say
        self._watched = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._write("")

    def result(self, steps: Iterable[dict[str, Any]]) -> Any:
        """Show each step of `{"progress": {"done", "of"}}`, and return what `{"result": ...}` holds."""
        for step in steps:
            if "result" in step:
                return step["result"]
            self.show(**step["progress"])
        raise Refusal(tr("The gateway ended before all was done: start it, and look again."), UNREACHABLE)

    def show(self, done: int, of: int) -> None:
        """Show how far it is."""
        self._write(self._say(tr("{done} of {of} ...")).format(done=done, of=of))

    def _write(self, text: str) -> None:
        if self._watched:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under titles: framed where a terminal shows them, aligned text where not."""
    cells = [[cell_text(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich(titles, cells)
        return
    widths = [max(width(row[i]) for row in [list(titles), *cells]) for i in range(len(titles))]
    for row in [list(titles), *cells]:
        padded = [text + " " * (widths[i] - width(text)) for i, text in enumerate(row)]
        print("  ".join(padded).rstrip())


def cell_text(value: object) -> str:
    """Return a value as the text of a cell."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return clean(", ".join(str(entry) for entry in value), CELL) or "-"
    return clean(str(value), CELL)


def width(text: str) -> int:
    """Return how many columns a text takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _rich(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - heavy, and for terminals only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        grid.add_column(Text(title), overflow="fold")
    for row in cells:
        grid.add_row(*[Text(cell) for cell in row])
    Console(width=shutil.get_terminal_size().columns, highlight=False).print(grid)


def pairs(entries: Sequence[tuple[str, object]]) -> None:
    """Print names with values, one a line."""
    wide = max((width(name) for name, _ in entries), default=0)
    for name, value in entries:
        print(f"{name}{' ' * (wide - width(name))}  {cell_text(value)}")


def when(text: Any, say: Translator, now: float | None = None) -> str:
    """Return a time relative to now and absolute: `3 min ago (2026-11-23 08:00:00 UTC)`."""
    if not isinstance(text, str) or not text:
        return "-"
    distance = (time.time() if now is None else now) - from_iso(text) / 1000
    seconds = abs(int(distance))
    size, unit = next((u for u in UNITS if seconds >= u[0]), UNITS[-1])
    amount = say(unit).format(n=seconds // size)
    relative = say(tr("{time} ago")) if distance >= 0 else say(tr("in {time}"))
    return f"{relative.format(time=amount)} ({text[:10]} {text[11:19]} UTC)"


def size(octets: Any) -> str:
    """Return a number of octets for people."""
    number = float(octets or 0)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return ""


def reroute_text(reroute: dict[str, Any], say: Translator) -> str:
    """Return who sent mail another way, and why, in a line."""
    text = say(tr("rerouted by {who} through {connector} (job {job})"))
    text = text.format(who=reroute["by"], connector=reroute["connector"], job=reroute["job"])
    return f"{text}: {clean(reroute['reason'])}" if reroute["reason"] else text


def error_text(error: Any) -> str:
    """Return a last error for a table: code, title, server."""
    if not isinstance(error, dict):
        return "-"
    server = " ".join(str(error[key]) for key in ("server", "address") if error.get(key))
    return f"{error['code']} {error['title']}" + (f" @ {server}" if server else "")
