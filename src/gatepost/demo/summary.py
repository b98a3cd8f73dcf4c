"""What the demo shows: a live table in a terminal, plain lines elsewhere."""

from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gatepost.demo.story import Part
from gatepost.i18n import Translator, tr
from gatepost.model.failure import clean

COLUMNS = (
    tr("Connector"),
    tr("State"),
    tr("Queued"),
    tr("Since"),
    tr("Next attempt"),
    tr("Error"),
    tr("What the demo did to it"),
)


class Summary:
    """Shows each look at the queue."""

    def __init__(self, console: Console, say: Translator, story: list[Part]) -> None:
        self.console, self.say = console, say
        self.plight = {part.connector: say(part.plight) for part in story}
        self._said: dict[str, str] = {}
        self._live = Live(console=console, refresh_per_second=2) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, queue: list[dict[str, Any]], sent: int, delivered: int, trouble: str) -> None:
        """Show the queue as it is now."""
        title = self.say(tr("{sent} messages handed in, {taken} taken by the healthy server")).format(
            sent=sent, taken=delivered
        )
        if trouble:
            title += f"; {clean(trouble, 80)}"
        if self._live is not None:
            self._live.update(self._table(queue, title))
        else:
            self._lines(queue, title)

    def _table(self, queue: list[dict[str, Any]], title: str) -> Table:
        table = Table(*map(self.say, COLUMNS), title=title, title_justify="left")
        for row in sorted(queue, key=lambda row: str(row["connector"])):
            # Remote text is shown as text: it is no markup, and has no control characters left.
            table.add_row(*(Text(cell) for cell in self._cells(row)))
        return table

    def _cells(self, row: dict[str, Any]) -> list[str]:
        name = str(row["connector"] or row["destination"])
        return [
            name,
            str(row["state"]),
            str(row["messages"]),
            clock(row.get("queued_since")),
            clock(row.get("next_attempt_at")),
            short(row.get("last_error")),
            self.plight.get(name, ""),
        ]

    def _lines(self, queue: list[dict[str, Any]], title: str) -> None:
        """Say what is new since the last look."""
        for row in queue:
            name, state, messages, since, following, error, plight = self._cells(row)
            if error and self._said.get(name) != error:
                self._said[name] = error
                count = self.say(tr("{messages} queued since {since}, {state}, next attempt {next}")).format(
                    messages=messages, since=since, state=state, next=following
                )
                text = f"{name} ({plight}): {error}; {count}"
                self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        self.console.print(title, markup=False, highlight=False, soft_wrap=True)


def clock(moment: Any) -> str:
    """Return the time of day of an RFC 3339 time, a dash where there is none."""
    return str(moment)[11:19] if moment else "-"


def short(error: Any) -> str:
    """Return `450 4.4.316 Connection refused`, nothing where there is no error."""
    return clean(f"{error['smtp']} {error['code']} {error['title']}", 80) if error else ""
