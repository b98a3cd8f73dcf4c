"""What is done to any set of messages that wait: by id, by filter, or to all; with preview, progress and undo."""

import sys
from collections.abc import Mapping
from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, State, argument, dry_run, flag, option, tr, verb
from gatepost.cli.job import FAILED, follow, show_job
from gatepost.cli.message import filters, message, which
from gatepost.cli.output import line, print_json

UNTIL = tr("A duration from now (4h) or a time.")


def _targets() -> list[click.Parameter]:
    """Return the parameters that say which messages."""
    return [
        argument("ids", metavar="ID", nargs=-1),
        *which(),
        flag("--all", "everything", text=tr("Every message.")),
    ]


def _body(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that the parameters mean."""
    body = {**filters(dict(given)), "ids": list(given["ids"]), "all": given["everything"]}
    more = {name: given[name] for name in ("until", "by", "reason") if given.get(name)}
    return {**body, **more, "dry_run": given["dry_run"]}


def _act(state: State, action: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Do it (after a question where mail is destroyed and somebody can be asked) and wait for its end."""
    client = Client(state)
    where = path("messages", "actions", action)
    body = _body(given)
    if not body["dry_run"] and not given.get("yes") and sys.stdin.isatty():
        preview = follow(state, client, client.post(where, {**body, "dry_run": True}))
        if preview["destructive"] and preview["recipients"]:
            show_job(state, preview)
            if not click.confirm(state.say(tr("Do it?")), default=False):
                raise click.Abort
    return follow(state, client, client.post(where, body))


def _report(state: State, job: dict[str, Any]) -> int:
    """Print what became of a job; nothing found is a negative answer."""
    if state.as_json:
        print_json(job)
    else:
        show_job(state, job)
    return DONE if job["messages"] and job["state"] not in FAILED else NEGATIVE


def _add(name: str, action: str, text: str, example: str, *more: click.Parameter) -> None:
    @verb(
        message,
        name,
        text,
        example,
        params=[
            *_targets(),
            *more,
            option("--reason", metavar="TEXT", default="", text=tr("Why, for the audit.")),
            dry_run(),
        ],
    )
    def run(state: State, **given: Any) -> int:
        return _report(state, _act(state, action, given))


YES = ("--yes", tr("Do not ask before mail is returned or deleted."))
_add(
    "retry",
    "retry",
    tr("Try messages now instead of at their next time."),
    "gatepost message retry --filter 'code:4.2.1 age>1h'",
)
_add(
    "suspend",
    "suspend",
    tr("Hold messages back until they are resumed or the time is over."),
    "gatepost message suspend --filter 'from:@list.example size>5MB' --until 4h --reason \"line is full\"",
    option("--until", metavar="WHEN", default="", text=UNTIL),
)
_add(
    "resume",
    "resume",
    tr("Let messages that were held back go on."),
    "gatepost message resume --filter 'state:suspended'",
)
_add(
    "reroute",
    "reroute",
    tr("Send messages by another connector."),
    "gatepost message reroute --filter 'destination:old.example' --by backup --dry-run",
    option("--by", metavar="CONNECTOR", required=True, text=tr("The connector to send by.")),
)
_add(
    "expire",
    "expire",
    tr("Set when messages expire: later during an outage, or sooner."),
    "gatepost message expire --filter 'connector:to-office expires<6h' --until 3d",
    option("--until", metavar="WHEN", required=True, text=UNTIL),
)
_add(
    "return",
    "return_now",
    tr("Return messages to their senders now, each with a report."),
    "gatepost message return --filter 'to:@gone.example' --reason \"the domain is gone\"",
    flag(YES[0], text=YES[1]),
)
_add(
    "delete",
    "delete",
    tr("Delete messages without a word to their senders."),
    "gatepost message delete --filter 'from:robot@contoso.example age>2d' --dry-run",
    flag(YES[0], text=YES[1]),
)


@verb(
    message,
    "cancel",
    tr("End messages for good, with a report to their senders or without."),
    "gatepost message cancel 01KXA7Q2M0000 --no-ndr\ngatepost message cancel --recipient @gone.example --dry-run",
    params=[
        *_targets(),
        click.Option(["--ndr/--no-ndr"], default=True, help=tr("Send the senders a report (the default).")),
        flag(YES[0], text=YES[1]),
        dry_run(),
    ],
)
def cancel(state: State, ndr: bool, **given: Any) -> int:
    """End messages."""
    job = _act(state, "return_now" if ndr else "delete", given)
    if state.as_json:
        print_json(_counts(job, ndr=ndr))
    else:
        _cancelled(state, _counts(job, ndr=ndr))
    return DONE if job["messages"] and job["state"] not in FAILED else NEGATIVE


def _counts(job: dict[str, Any], *, ndr: bool) -> dict[str, Any]:
    """Return what the call for cancelling answers."""
    kept = {
        name: job[name]
        for name in ("dry_run", "messages", "recipients", "under_way", "reports", "bytes", "rows")
    }
    return {**kept, "ndr": ndr, "ended": job["done"], "job": job["id"], "state": job["state"]}


def _cancelled(state: State, answer: dict[str, Any]) -> None:
    say = state.say
    for row in answer["rows"]:
        line(f"  {row['connector'] or '-'}  {row['destination']}  {row['messages']}")
    if answer["dry_run"]:
        sentence = say(
            tr("Would end {messages} messages ({recipients} recipients), {reports} senders get a report.")
        )
    else:
        sentence = say(
            tr("Ended {ended} of {recipients} recipients ({messages} messages), {reports} reports.")
        )
    line(sentence.format(**{key: answer[key] for key in ("messages", "recipients", "reports", "ended")}))
    if answer["under_way"]:
        sentence = say(tr("{count} were under way just now and go on: look again."))
        line(sentence.format(count=answer["under_way"]))
