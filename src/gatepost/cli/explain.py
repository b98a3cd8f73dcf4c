"""Explain anything: an error text, lines of a log, a bounce; of any mail system, without a gateway."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import click

from gatepost.cli.frame import DONE, NEGATIVE, USAGE, Refusal, State, argument, flag, option, tr, verb
from gatepost.cli.output import width
from gatepost.explain.judge import judge
from gatepost.explain.record import Judgement
from gatepost.explain.shapes import advice_for, is_explained, title_of, to_json
from gatepost.explain.sources import is_file, records_of
from gatepost.explain.texts import KINDS
from gatepost.i18n import Translator
from gatepost.model.failure import FailureClass, clean

MOST = 20  # different failures that are shown to people
SURE, LIKELY = 0.75, 0.5
FEW = 3  # causes that are shown
TEXT = 300
INDENT = "  "

_PHASES = {
    "route": tr("finding the route"),
    "dns": tr("looking up names (DNS)"),
    "connect": tr("connecting (TCP)"),
    "banner": tr("greeting"),
    "ehlo": tr("EHLO"),
    "starttls": tr("STARTTLS"),
    "tls": tr("TLS handshake and certificate"),
    "auth": tr("logging in"),
    "mail": tr("MAIL FROM (sender)"),
    "rcpt": tr("RCPT TO (recipient)"),
    "data": tr("DATA (content)"),
    "eod": tr("end of data (whole message)"),
    "queue": tr("waiting in the queue"),
    "policy": tr("rules of a mail system"),
}
_SIDES = {
    "other": tr("the destination's side"),
    "us": tr("the sending side: yours"),
    "sender": tr("the sender of the message"),
}
_COLOURS = {"other": "yellow", "us": "red", "sender": "cyan"}


class _Shown(NamedTuple):
    """Equal failures as one: the first of them, and how many."""

    judgement: Judgement
    times: int


@verb(
    None,
    "explain",
    tr(
        "Explain any error text, log line, bounce or log of any mail system: what went wrong, whose side it is, "
        "what to do. Works offline, without a gateway; exit 1 if nothing could be explained."
    ),
    "gatepost explain '450 4.4.316 Connection refused'\ngatepost explain bounce.eml --json\n"
    "gatepost explain --summary --since 3d /var/log/mail.log*\ngatepost explain --follow /var/log/mail.log --send\n"
    "tail -100 /var/log/mail.log | gatepost explain -",
    params=[
        argument("things", nargs=-1, metavar="TEXT | FILE | -"),
        option("--kind", type=click.Choice(KINDS), text=tr("Read it as this (else recognised by itself).")),
        flag("--summary", text=tr("Show the picture of logs: what is stuck, since when, how many, why.")),
        flag("--follow", text=tr("Keep a live table of a log that is being written, through its rotation.")),
        flag("--send", text=tr("With --summary or --follow: send the insights to a running gateway.")),
        option(
            "--system",
            metavar="NAME",
            text=tr("With --send: what to call the mail system (else the host's name)."),
        ),
        option("--since", metavar="TIME", text=tr("Only what happened since: 2h, 3d, 2026-11-23T08:00:00Z.")),
        option("--to", metavar="DESTINATION", text=tr("Only this domain, address or server.")),
        option("--class", "failure_class", metavar="CLASS", text=tr("Only this failure class.")),
        option("--top", type=click.IntRange(1, 10_000), text=tr("Show so many (20).")),
    ],
)
def explain(state: State, things: tuple[str, ...], kind: str | None, **options: Any) -> int:
    """Explain what was given."""
    if options["summary"] or options["follow"]:
        return _whole_log(state, _sources(things), kind or "", options)
    if options["send"] or options["system"]:
        raise Refusal(tr("--send goes with --summary or --follow."), USAGE)
    found = _chosen(_judged(_sources(things), kind or ""), _choice(options))
    count = _print_json(found, state.language) if state.as_json else _print(found, state)
    if not count and not state.as_json:
        click.echo(state.say(tr("Nothing in it is known as a failure of mail.")), err=True)
    return DONE if count else NEGATIVE


def _sources(things: tuple[str, ...]) -> Sequence[str]:
    """Return what to read; words without quotes that are no files are one text."""
    if not things:
        if sys.stdin.isatty():
            raise Refusal(tr("Give a text in quotes, the name of a file, or - for standard input."), USAGE)
        return ("-",)
    apart = len(things) == 1 or any(" " in thing or is_file(thing) for thing in things)
    return things if apart else (" ".join(things),)


def _judged(sources: Sequence[str], kind: str) -> Iterator[Judgement]:
    now = time.time_ns() // 1_000_000
    for source in sources:
        try:
            for record in records_of(source, sys.stdin.buffer, kind, now=now):
                judgement = judge(record)
                if is_explained(judgement):
                    yield judgement
        except OSError as problem:
            raise _unreadable(source, problem) from problem


def _whole_log(state: State, sources: Sequence[str], kind: str, options: Mapping[str, Any]) -> int:
    """Show, follow or send the picture of a log."""
    from gatepost.cli import explain_log as log  # noqa: PLC0415 - a text needs none of it

    now = time.time_ns() // 1_000_000
    since = log.since_of(options["since"] or "", now)
    wanted = log.wanted_of(options["to"] or "", options["failure_class"] or "", options["top"] or MOST)
    system = (options["system"] or "") if options["send"] else None
    if options["follow"]:
        if len(sources) != 1:
            raise Refusal(tr("--follow takes one log; --summary takes several."), USAGE)
        from gatepost.cli.explain_follow import follow  # noqa: PLC0415 - for this alone

        return follow(state, sources[0], kind, wanted, since, system)
    try:
        reading = log.read_sources(sources, kind, now, since, state.say)
    except OSError as problem:
        raise _unreadable(problem.filename or sources[0], problem) from problem
    return log.show(reading, wanted, state, system)


class _Choice(NamedTuple):
    """Which failures are wanted; `since` in ms since 1970."""

    since: int = 0
    to: str = ""
    failure_class: str = ""
    top: int = 0


def _choice(options: Mapping[str, Any]) -> _Choice:
    if not any(options[name] for name in ("since", "to", "failure_class", "top")):
        return _Choice()
    from gatepost.cli import explain_log as log  # noqa: PLC0415 - most people ask for all

    since = log.since_of(options["since"] or "", time.time_ns() // 1_000_000) * 1000
    return _Choice(
        since,
        (options["to"] or "").lower(),
        log.class_of(options["failure_class"] or ""),
        options["top"] or 0,
    )


def _chosen(found: Iterator[Judgement], choice: _Choice) -> Iterator[Judgement]:
    """Yield the failures that are wanted, as many as are wanted."""
    wanted = (judgement for judgement in found if choice == _Choice() or _is_wanted(judgement, choice))
    yield from islice(wanted, choice.top or None)


def _is_wanted(judgement: Judgement, choice: _Choice) -> bool:
    record = judgement.record
    names = {record.recipient.lower(), record.recipient.lower().rpartition("@")[2], record.server.lower()}
    return (
        (not choice.to or choice.to in names)
        and choice.failure_class in ("", judgement.failure_class)
        and (not choice.since or record.at >= choice.since)
    )


def _unreadable(source: str, problem: OSError) -> Refusal:
    why = clean(problem.strerror or str(problem), TEXT)
    return Refusal(tr("{name} cannot be read: {why}."), USAGE, name=clean(source, TEXT), why=why)


def _print_json(found: Iterator[Judgement], lang: str) -> int:
    """Print a list as it grows, so that a long log needs no more memory than a short one."""
    count = 0
    for count, judgement in enumerate(found, 1):
        print("[" if count == 1 else ",")
        print(json.dumps(to_json(judgement, lang), indent=2), end="")
    print("\n]" if count else "[]")
    return count


def _print(found: Iterator[Judgement], state: State) -> int:
    shown: dict[tuple[object, ...], _Shown] = {}
    count = others = 0
    for judgement in found:
        count += 1
        record = judgement.record
        key = (judgement.failure_class, judgement.sub, record.server, record.enhanced)
        if key in shown:
            shown[key] = shown[key]._replace(times=shown[key].times + 1)
        elif len(shown) < MOST:
            shown[key] = _Shown(judgement, 1)
        else:
            others += 1
    failures = [
        entry for entry in shown.values() if entry.judgement.failure_class is not FailureClass.DELIVERED
    ]
    for number, entry in enumerate(sorted(failures or shown.values(), key=lambda entry: -entry.times)):
        if number:
            click.echo()
        _show(entry, state)
    if others:
        click.echo("\n" + state.say(tr("... and {count} more failures of other kinds.")).format(count=others))
    return count


def _show(entry: _Shown, state: State) -> None:
    judgement, say = entry.judgement, state.say
    advice = advice_for(judgement, state.language)
    title = click.style(advice.title, bold=True, fg=_COLOURS.get(advice.side, "yellow"))
    times = f"  x{entry.times}" if entry.times > 1 else ""
    click.echo(title + click.style(f"  {judgement.failure_class}", dim=True) + times)
    _paragraph(advice.explanation, INDENT)
    for name, value in _facts(judgement, advice.side, state):
        click.echo(f"{INDENT}{click.style(name, dim=True)}{' ' * max(1, 14 - width(name))}{value}")
    if judgement.failure_class is FailureClass.DELIVERED:
        return
    _list(say(tr("Likely causes")), [cause.text for cause in advice.causes[:FEW]])
    _list(say(tr("What to do")), [f"[{fix.owner_name}] {fix.text}" for fix in advice.fixes])


def _facts(judgement: Judgement, side: str, state: State) -> Iterator[tuple[str, str]]:
    record, say = judgement.record, state.say
    code = judgement.flow_code if judgement.flow_code not in ("other", "none") else ""
    said = " ".join(str(part) for part in (record.smtp, record.enhanced) if part)
    yield say(tr("Code")), " · ".join(part for part in (code, said) if part) or "-"
    yield say(tr("Phase")), say(_PHASES.get(judgement.phase, judgement.phase))
    if record.server or record.address:
        beside = f" ({record.address})" if record.address and record.address != record.server else ""
        yield say(tr("Server")), clean(f"{record.server}{beside}", TEXT)
    if record.recipient:
        yield say(tr("Recipient")), clean(record.recipient, TEXT)
    yield say(tr("Whose side")), say(_SIDES.get(side, side))
    yield say(tr("Final")), say(tr("yes")) if judgement.permanent else say(tr("no: it is tried again"))
    yield say(tr("Certainty")), _certainty(judgement, state.language, say)
    yield say(tr("Text")), clean(record.text, TEXT)


def _certainty(judgement: Judgement, lang: str, say: Translator) -> str:
    percent = f"{round(judgement.confidence * 100)} %"
    if judgement.confidence >= SURE or not judgement.also:
        return percent
    others = ", ".join(title_of(failure_class, lang) for failure_class in judgement.also)
    words = tr("{percent}; it could also be: {others}")
    if judgement.confidence < LIKELY:
        words = tr("{percent}, the text does not decide it; it could also be: {others}")
    return say(words).format(percent=percent, others=others)


def _list(title: str, entries: Sequence[str]) -> None:
    if entries:
        click.echo(f"{INDENT}{click.style(title, bold=True)}")
    for entry in entries:
        _paragraph(entry, INDENT * 2, "- ")


def _paragraph(text: str, indent: str, mark: str = "") -> None:
    """Print a text in lines that fit; Chinese, which has no blanks, is left to the terminal."""
    text = clean(text, 2000)
    if text.isascii():
        click.echo(click.wrap_text(text, _columns(), indent + mark, indent + " " * len(mark)))
    else:
        click.echo(indent + mark + text)


def _columns() -> int:
    import shutil  # noqa: PLC0415 - for people only

    return min(110, shutil.get_terminal_size().columns)
