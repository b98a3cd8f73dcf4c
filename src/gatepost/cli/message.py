"""Messages that wait: find, show, end, save."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import (
    DONE,
    NEGATIVE,
    USAGE,
    Group,
    Refusal,
    State,
    argument,
    dry_run,
    group,
    option,
    tr,
    verb,
)
from gatepost.cli.output import Progress, error_text, line, pairs, print_json, reroute_text, size, table, when

STATES = ["ready", "active", "retry", "suspended", "deferred"]

message: Group = group(
    "message", tr("Messages that wait: find, show, end, save."), "gatepost message list --code 4.4.316"
)


def filter_option() -> click.Option:
    """Return the option that takes a filter, the same everywhere."""
    return option(
        "--filter",
        metavar="TERMS",
        text=tr("Terms that must all hold: 'from:ann@a.example age>4h -to:@b.example' (docs/filters.md)."),
    )


def which() -> list[click.Parameter]:
    """Return the options that say which messages."""
    return [
        option("--connector", metavar="NAME", text=tr("Of this connector (* matches anything).")),
        option("--destination", metavar="NAME", text=tr("This destination: name, host or id.")),
        option("--sender", metavar="ADDRESS", text=tr("From this sender (<> is the null sender).")),
        option("--recipient", metavar="ADDRESS", text=tr("To this address, or @domain.")),
        option("--code", metavar="CODE", text=tr("With this last error, 4.4.316.")),
        option("--state", "in_state", type=click.Choice(STATES), text=tr("In this state.")),
        option("--older-than", metavar="DURATION", text=tr("Accepted longer ago than this, 4h.")),
        filter_option(),
    ]


def filters(given: dict[str, Any]) -> dict[str, Any]:
    """Return the filters that the options mean."""
    names = ("connector", "destination", "sender", "recipient", "code", "in_state", "older_than", "filter")
    found = {name: given[name] for name in names if given.get(name) is not None}
    if "in_state" in found:
        found["state"] = found.pop("in_state")
    if found.get("sender") == "<>":
        found["sender"] = ""
    return found


@verb(
    message,
    "list",
    tr("List messages that wait."),
    "gatepost message list --connector to-office --older-than 4h --json\n"
    "gatepost message list --filter 'code:4.4.316 age>4h size<1MB'",
    params=[
        *which(),
        option("--limit", type=click.IntRange(1, 1000), default=100, text=tr("At most so many.")),
        option("--after", metavar="PAGE", text=tr("The page behind: next of the answer before.")),
    ],
)
def list_(state: State, limit: int, after: str | None, **given: Any) -> int:
    """List messages."""
    answer = Client(state).get(path("messages"), **filters(given), limit=limit, after=after)
    if state.as_json:
        print_json(answer)
        return DONE
    say = state.say
    if answer["messages"]:
        titles = [
            say(tr("Id")),
            say(tr("Accepted")),
            say(tr("Sender")),
            say(tr("Recipients")),
            say(tr("Destination")),
            say(tr("State")),
            say(tr("Size")),
            say(tr("Expires")),
            say(tr("Last error")),
        ]
        table(titles, [_row(state, row) for row in answer["messages"]])
    else:
        line(say(tr("No message is like that.")))
    if answer["next"]:
        line(say(tr("There is more: --after {page}")).format(page=answer["next"]))
    return DONE


def _row(state: State, row: dict[str, Any]) -> list[object]:
    return [
        row["id"],
        when(row["accepted_at"], state.say),
        row["sender"] or "<>",
        row["recipients"],
        row["destination"],
        row["state"],
        size(row["size"]),
        when(row["expires_at"], state.say),
        error_text(row["last_error"]),
    ]


@verb(
    message,
    "show",
    tr("Show a message: recipients, what happened, all attempts."),
    "gatepost message show 01KXA7Q2M0000",
    params=[argument("id", metavar="ID")],
)
def show(state: State, **given: Any) -> int:
    """Show a message."""
    found = Client(state).get(path("messages", given["id"]))
    if state.as_json:
        print_json(found)
        return DONE
    say = state.say
    pairs(
        [
            (say(tr("Id")), found["id"]),
            (say(tr("State")), found["state"]),
            (say(tr("Sender")), found["sender"] or "<>"),
            (say(tr("Accepted")), when(found["accepted_at"], say)),
            (say(tr("Size")), size(found["size"])),
            (say(tr("Source")), found["source"]),
            ("Message-ID", found["header_id"]),
        ]
    )
    for recipient in found["recipients"]:
        line("")
        line(f"{recipient['address']}: {recipient['state']}  {recipient['destination']}")
        if recipient["expires_at"]:
            line("  " + say(tr("expires {time}")).format(time=when(recipient["expires_at"], say)))
        if recipient["rerouted"]:
            line("  " + reroute_text(recipient["rerouted"], say))
        if recipient["last_error"]:
            line("  " + recipient["last_error"]["text"])
    _events(state, found)
    _attempts(state, found)
    return DONE


def _events(state: State, found: dict[str, Any]) -> None:
    if found["events"]:
        line("")
        line(state.say(tr("Events")))
        for event in found["events"]:
            data = " ".join(f"{key}={value}" for key, value in event["data"].items())
            line(f"  {event['at']}  {event['kind']}  {data}".rstrip())


def _attempts(state: State, found: dict[str, Any]) -> None:
    line("")
    line(state.say(tr("Attempts")) if found["attempts"] else state.say(tr("No attempt yet.")))
    for attempt in found["attempts"]:
        error = attempt["error"]
        text = error["text"] if error else f"{attempt['outcome']} {attempt['reply']} {attempt['address']}"
        line(f"  {attempt['at']}  {attempt['recipient'] or '*'}  {text}".rstrip())


@verb(
    message,
    "test",
    tr("Send a test message by the ordinary route; follow it with message show."),
    "gatepost message test ann@contoso.example",
    params=[argument("recipient", metavar="ADDRESS")],
)
def test(state: State, recipient: str) -> int:
    """Send a test message."""
    answer = Client(state).post(path("messages", "test"), {"recipient": recipient})
    if state.as_json:
        print_json(answer)
        return DONE
    line(state.say(tr("Message {id} is on its way: gatepost message show {id}")).format(id=answer["id"]))
    return DONE


@verb(
    message,
    "export",
    tr("Save the content of messages that wait: one as an .eml file, those of a filter into a folder."),
    "gatepost message export 01KXA7Q2M0000 --output mail.eml\n"
    "gatepost message export --filter 'to:@gone.example' --output folder",
    params=[
        argument("id", metavar="ID", required=False),
        *which(),
        option(
            "--output", metavar="FILE", default="-", text=tr("The file or folder to write (- is stdout).")
        ),
        dry_run(),
    ],
)
def export(state: State, output: str, dry_run: bool, **given: Any) -> int:
    """Save one message, or every message that a filter means."""
    client = Client(state)
    if given["id"]:
        pieces = client.pieces(path("messages", given["id"], "content"))
        return DONE if dry_run else _save(pieces, output)
    if output == "-" and not dry_run:
        raise Refusal(tr("Several messages need a folder: give --output FOLDER."), USAGE)
    numbers = _numbers(client, filters(given))
    saved = 0
    with Progress(state.say) as progress:
        for done, number in enumerate(() if dry_run else numbers):
            progress.show(done, len(numbers))
            saved += _saved(client, number, output)
    if state.as_json:
        print_json({"dry_run": dry_run, "messages": len(numbers), "saved": saved})
    else:
        sentence = (
            tr("Would save {messages} messages.") if dry_run else tr("Saved {saved} of {messages} messages.")
        )
        line(state.say(sentence).format(messages=len(numbers), saved=saved))
    return DONE if numbers else NEGATIVE


def _numbers(client: Client, wanted: dict[str, Any]) -> list[str]:
    """Return the ids of all messages that a filter means."""
    found: dict[str, None] = {}
    after: str | None = None
    while True:
        answer = client.get(path("messages"), **wanted, limit=1000, after=after)
        found |= dict.fromkeys(row["id"] for row in answer["messages"])
        after = answer["next"]
        if not after:
            return list(found)


def _saved(client: Client, number: str, folder: str) -> int:
    """Save a message into a folder; one that is there already, or that has gone meanwhile, is left out."""
    file = Path(folder, f"{number}.eml")
    if file.exists():
        return 0
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")  # a name that says whole is given to what is whole
        with part.open("wb") as target:
            target.writelines(client.pieces(path("messages", number, "content")))
        part.rename(file)
    except OSError as problem:
        sentence = tr("{path} cannot be written: {why}.")
        raise Refusal(sentence, USAGE, path=str(file), why=problem.strerror) from None
    except Refusal as problem:
        if problem.code != NEGATIVE:
            raise
        part.unlink(missing_ok=True)
        return 0
    return 1


def _save(pieces: Iterator[bytes], output: str) -> int:
    """Write one message to a file that does not exist yet, or to stdout."""
    if output == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return DONE
    first = next(pieces, b"")
    try:
        with open(output, "xb") as file:
            file.write(first)
            file.writelines(pieces)
    except FileExistsError:
        raise Refusal(tr("{path} exists already: choose another name."), USAGE, path=output) from None
    except OSError as problem:
        sentence = tr("{path} cannot be written: {why}.")
        raise Refusal(sentence, USAGE, path=output, why=problem.strerror) from None
    return DONE
