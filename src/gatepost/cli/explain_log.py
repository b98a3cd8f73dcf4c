"""The picture of a log for people: what is stuck, since when, why, what next; and how far a long reading is."""

import sys
import time
from collections.abc import Callable, Sequence

import click

from gatepost.cli.frame import DONE, NEGATIVE, USAGE, Refusal, State, tr
from gatepost.cli.output import print_json, when, width
from gatepost.explain.lines.fields import delay_ms
from gatepost.explain.lines.syslog import iso_ms
from gatepost.explain.log.many import read_all, size_of
from gatepost.explain.log.reading import Reading
from gatepost.explain.log.summary import LogInsight, LogSummary, Wanted, is_class, next_step, summary_of
from gatepost.model.failure import clean, iso

BARS = "▁▂▃▄▅▆▇█"
BAR_HOURS = 24
MB = 1_000_000
STEP = 32 * MB
TEXT = 200
_COLOURS = {"critical": "red", "high": "red", "medium": "yellow", "low": "cyan"}
_TRENDS = {
    "new": tr("new"),
    "rising": tr("rising"),
    "steady": tr("steady"),
    "falling": tr("falling"),
    "over": tr("over"),
}


def since_of(text: str, now: int) -> int:
    """Return the seconds since 1970 that `2h`, `3d`, `2026-11-23` or a time mean; refuse anything else."""
    if not text:
        return 0
    span = delay_ms(text)
    if span:
        return (now - span) // 1000
    at = iso_ms(text if len(text) > len("2026-11-23") else f"{text}T00:00:00", local=True)
    if not at:
        sentence = tr('"{text}" is no time: write 2h, 3d, 2026-11-23 or 2026-11-23T08:00:00Z.')
        raise Refusal(sentence, USAGE, text=clean(text, TEXT))
    return at // 1000


def class_of(text: str) -> str:
    """Return a failure class; refuse what is none."""
    if text and not is_class(text):
        sentence = tr('"{text}" is no failure class: see docs/failures.')
        raise Refusal(sentence, USAGE, text=clean(text, TEXT))
    return text


def read_sources(
    sources: Sequence[str], kind: str, now: int, since: int, say: Callable[[str], str]
) -> Reading:
    """Read logs, or whatever else words of the command line name, to their end."""
    progress = Progress(size_of(sources), say)
    try:
        return read_all(sources, sys.stdin.buffer, kind, now, since, progress.add)
    finally:
        progress.end()


class Progress:
    """Tells on a terminal how far a long reading is; elsewhere nothing."""

    def __init__(self, size: int, say: Callable[[str], str]) -> None:
        self._size = size
        self._say = say
        self._done = self._told = 0
        self._began = time.monotonic()
        self._shown = sys.stderr.isatty()

    def add(self, octets: int) -> None:
        """Count octets that have been read."""
        self._done += octets
        if self._shown and self._done - self._told >= STEP:
            self._told = self._done
            self._show()

    def _show(self) -> None:
        rate = self._done / MB / max(time.monotonic() - self._began, 0.001)
        share = f" ({100 * self._done // self._size} %)" if self._size else ""
        text = self._say(tr("{done} MB{share} read, {rate} MB/s"))
        text = text.format(done=self._done // MB, share=share, rate=round(rate))
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    def end(self) -> None:
        """Take the line away again."""
        if self._told:
            click.echo("\r\x1b[K", err=True, nl=False)


def print_summary(summary: LogSummary, state: State) -> None:
    """Print the picture of a log."""
    say = state.say
    for line in head_lines(summary, state):
        click.echo(line)
    for insight in summary.insights:
        click.echo()
        print_insight(insight, state)
    if summary.more:
        click.echo("\n" + say(tr("... and {count} more: --top shows more.")).format(count=summary.more))
    if summary.bad_lines:
        text = say(tr("{count} lines are no lines of a log, such as: {line}"))
        click.echo("\n" + text.format(count=summary.bad_lines, line=clean(summary.bad_example, TEXT)))


def head_lines(summary: LogSummary, state: State) -> list[str]:
    """Return the numbers that stand above the insights."""
    say = state.say
    span = f"{when_ms(summary.first, state)} - {when_ms(summary.last, state)}"
    first = say(tr("Log of {kind}: {lines} lines, {span}"))
    counts = say(
        tr("{stuck} stuck now · {delivered} delivered · {returned} returned · {refused} refused on arrival")
    )
    stuck = click.style(f"{summary.stuck:,}", bold=True, fg="red" if summary.stuck else "green")
    return [
        first.format(kind=summary.kind, lines=f"{summary.lines:,}", span=span),
        counts.format(
            stuck=stuck,
            delivered=f"{summary.delivered:,}",
            returned=f"{summary.returned:,}",
            refused=f"{summary.refused:,}",
        ),
    ]


def print_insight(insight: LogInsight, state: State) -> None:
    """Print one insight in four lines."""
    say, advice = state.say, insight.advice(state.language)
    click.echo(f"{_title(insight, state)}  {click.style(insight.failure_class, dim=True)}")
    rows = [
        (say(tr("Mail")), _numbers(insight, state)),
        (say(tr("Since")), _since(insight, state)),
        (say(tr("Says")), clean(insight.text, TEXT)),
        (
            say(tr("Next step")),
            f"[{advice.fixes[0].owner_name}] {next_step(advice)}" if advice.fixes else "-",
        ),
    ]
    for name, value in rows:
        click.echo(f"  {click.style(name, dim=True)}{' ' * max(1, 12 - width(name))}{value}")


def place_of(insight: LogInsight, say: Callable[[str], str]) -> str:
    """Return what people call the place where it fails."""
    if insight.incoming:
        return say(tr("on arrival here"))
    place = clean(insight.destination or insight.server or "-", TEXT)
    if insight.destinations > 1:
        return say(tr("{place} ({count} domains)")).format(place=place, count=insight.destinations)
    return place


def _title(insight: LogInsight, state: State) -> str:
    colour = _COLOURS.get(insight.severity, "cyan") if insight.stuck or insight.returned else "cyan"
    code = f"{insight.code} " if insight.code not in ("other", "none") else ""
    title = f"{code}{insight.advice(state.language).title}"
    return f"{click.style(place_of(insight, state.say), bold=True, fg=colour)}: {title}"


def _numbers(insight: LogInsight, state: State) -> str:
    say = state.say
    if insight.incoming:
        return say(tr("{count} refused")).format(count=f"{insight.attempts:,}")
    text = say(tr("{stuck} stuck, {later} delivered later, {returned} returned ({attempts} failed attempts)"))
    return text.format(
        stuck=f"{insight.stuck:,}",
        later=f"{insight.delivered:,}",
        returned=f"{insight.returned:,}",
        attempts=f"{insight.attempts:,}",
    )


def _since(insight: LogInsight, state: State) -> str:
    say = state.say
    parts = [when_ms(insight.since, state), f"{bars(insight)} {say(_TRENDS[insight.trending])}"]
    if insight.oldest_at:
        parts.append(say(tr("oldest message of {at}")).format(at=when_ms(insight.oldest_at, state)))
    if insight.works_at > insight.last_seen:
        parts.append(say(tr("last delivery {at}")).format(at=when_ms(insight.works_at, state)))
    return " · ".join(parts)


def bars(insight: LogInsight) -> str:
    """Return the failures of the last hours as a row of bars."""
    if not insight.trend:
        return ""
    counts = dict(insight.trend)
    last = max(counts)
    hours = [counts.get(last - n * 3_600_000, 0) for n in reversed(range(BAR_HOURS))]
    while len(hours) > 1 and not hours[0]:
        hours.pop(0)
    most = max(hours)
    return "".join(BARS[(len(BARS) - 1) * count // most] if count else " " for count in hours)


def when_ms(at: int, state: State) -> str:
    """Return a time for people."""
    return when(iso(at), state.say) if at else "-"


def wanted_of(to: str, failure_class: str, top: int) -> Wanted:
    """Return what the options ask for."""
    return Wanted(to, class_of(failure_class), top)


def show(reading: Reading, wanted: Wanted, state: State, system: str | None) -> int:
    """Print the picture of what has been read, and send it where that was asked for."""
    summary = summary_of(reading, wanted)
    if system is not None:
        from gatepost.cli.explain_follow import MOST_SENT, send  # noqa: PLC0415 - needs the client

        send(summary_of(reading, Wanted(top=MOST_SENT)), state, system)
    if state.as_json:
        print_json(summary.to_json(state.language))
    else:
        print_summary(summary, state)
    return DONE if summary.insights or summary.delivered else NEGATIVE
