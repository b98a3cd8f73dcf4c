"""Jobs: actions on many messages, how far they are, stopping and undoing them."""

from collections.abc import Iterator
from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, Group, State, argument, group, option, tr, verb
from gatepost.cli.output import Progress, line, pairs, print_json, size, table, when

job: Group = group("job", tr("Actions on many messages: progress, stop, undo."), "gatepost job list")

FAILED = ("failed", "stopped")
STATES = {
    "running": tr("running"),
    "done": tr("done"),
    "stopped": tr("stopped"),
    "failed": tr("failed"),
    "undoing": tr("being undone"),
    "undone": tr("undone"),
}
WOULD = {
    "retry": tr("Would try {recipients} recipients of {messages} messages now."),
    "suspend": tr("Would hold {recipients} recipients of {messages} messages back."),
    "resume": tr("Would let {recipients} recipients of {messages} messages go on."),
    "reroute": tr("Would send {recipients} recipients of {messages} messages by {by}."),
    "expire": tr("Would set the expiry of {recipients} recipients of {messages} messages."),
    "return_now": tr("Would return {recipients} recipients of {messages} messages to their senders."),
    "delete": tr("Would delete {recipients} recipients of {messages} messages."),
}
DID = {
    "retry": tr("Trying {done} of {recipients} recipients ({messages} messages) now."),
    "suspend": tr("Held {done} of {recipients} recipients ({messages} messages) back."),
    "resume": tr("Let {done} of {recipients} recipients ({messages} messages) go on."),
    "reroute": tr("Sent {done} of {recipients} recipients ({messages} messages) by {by}."),
    "expire": tr("Set the expiry of {done} of {recipients} recipients ({messages} messages)."),
    "return_now": tr("Returned {done} of {recipients} recipients ({messages} messages) to their senders."),
    "delete": tr("Deleted {done} of {recipients} recipients ({messages} messages)."),
}
UNDO = {"full": tr("It can be undone."), "none": tr("It cannot be undone.")}


def follow(state: State, client: Client, found: dict[str, Any]) -> dict[str, Any]:
    """Wait for the end of a job, with its progress where somebody watches."""
    with Progress(state.say) as progress:
        ended: dict[str, Any] = progress.result(_steps(client, found))
    return ended


def _steps(client: Client, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    while found["state"] in ("running", "undoing"):
        yield {"progress": {"done": found["looked_at"], "of": found["to_look_at"]}}
        found = client.get(path("jobs", found["id"]), wait=2)
    yield {"result": found}


def show_job(state: State, found: dict[str, Any]) -> None:
    """Print what a job would do, or did."""
    say = state.say
    for row in found["rows"]:
        line(f"  {row['connector'] or '-'}  {row['destination']}  {row['messages']}")
    if found["samples"]:
        line("  " + ", ".join(found["samples"]))
    if found["known"] or found["unknown"]:
        sentence = tr("{known} recipients are known to our mailboxes, {unknown} are not; {size} in all.")
        line(
            "  "
            + say(sentence).format(known=found["known"], unknown=found["unknown"], size=size(found["bytes"]))
        )
    words = (WOULD if found["dry_run"] else DID)[found["action"]]
    values = {name: found[name] for name in ("recipients", "messages", "done")}
    line(say(words).format(**values, by=found["parameters"].get("by", "")))
    if found["under_way"]:
        line(
            say(tr("{count} were under way just now and go on: look again.")).format(count=found["under_way"])
        )
    line(say(UNDO[found["undo"]]))
    if found["problem"]:
        line(say(tr("It failed: {problem}.")).format(problem=found["problem"]))
    if not found["dry_run"] and found["undo"] == "full":
        line(say(tr("Undo: gatepost job undo {id}")).format(id=found["id"]))


@verb(
    job,
    "list",
    tr("List jobs, newest first."),
    "gatepost job list",
    params=[option("--limit", type=click.IntRange(1, 1000), default=100, text=tr("At most so many."))],
)
def list_(state: State, limit: int) -> int:
    """List jobs."""
    rows = Client(state).get(path("jobs"), limit=limit)
    if state.as_json:
        print_json(rows)
        return DONE
    say = state.say
    titles = [tr("Job"), tr("When"), tr("Action"), tr("Filter"), tr("By"), tr("State"), tr("Recipients")]
    cells = [
        [r["id"], when(r["at"], say), r["title"], r["filter"], r["who"], say(STATES[r["state"]]), r["done"]]
        for r in rows
    ]
    if cells:
        table([say(title) for title in titles], cells)
    else:
        line(say(tr("No job was begun yet.")))
    return DONE


def _shown(state: State, found: dict[str, Any]) -> int:
    if state.as_json:
        print_json(found)
        return DONE
    say = state.say
    pairs(
        [
            (say(tr("Action")), found["title"]),
            (say(tr("Filter")), found["filter"]),
            (say(tr("State")), say(STATES[found["state"]])),
            (say(tr("Progress")), f"{found['progress']:.0%}"),
            (say(tr("When")), when(found["at"], say)),
            (say(tr("By")), found["who"]),
            (say(tr("Reason")), found["reason"]),
        ]
    )
    show_job(state, found)
    return DONE


def _add(name: str, text: str, *, changes: bool) -> None:
    @verb(job, name, text, f"gatepost job {name} 01KPB0Q6X8R2M", params=[argument("id", metavar="JOB")])
    def run(state: State, **given: Any) -> int:
        client = Client(state)
        if changes:
            found = client.post(path("jobs", given["id"], name), {})
            return _shown(state, follow(state, client, found) if name == "undo" else found)
        return _shown(state, client.get(path("jobs", given["id"])))


_add("show", tr("Show a job with how far it is."), changes=False)
_add("stop", tr("Stop a job; what it has done so far stays done."), changes=True)
_add("undo", tr("Put back what a job changed, where the mail still waits."), changes=True)
