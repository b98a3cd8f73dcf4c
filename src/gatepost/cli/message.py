"""Messages that wait: find, show, end, save."""

import sys
from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import (
    DONE,
    USAGE,
    Group,
    Refusal,
    State,
    argument,
    group,
    option,
    tr,
    verb,
)
from gatepost.cli.output import error_text, line, pairs, print_json, size, table, when

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
    tr("Save the content of a message that waits as an .eml file."),
    "gatepost message export 01KXA7Q2M0000 --output mail.eml",
    params=[
        argument("id", metavar="ID"),
        option("--output", metavar="FILE", default="-", text=tr("The file to write (- is stdout).")),
    ],
)
def export(state: State, output: str, **given: Any) -> int:
    """Save a message."""
    pieces = Client(state).pieces(path("messages", given["id"], "content"))
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
