"""Reports to senders: how they look; nothing is sent."""

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, Group, State, argument, flag, group, option, tr, verb
from gatepost.cli.output import line, print_json

ndr: Group = group(
    "ndr",
    tr("Reports to senders: how they look."),
    "gatepost ndr preview connection_refused --language zh-CN",
)


@verb(
    ndr,
    "preview",
    tr("Show a report to a sender as it would leave; nothing is sent."),
    "gatepost ndr preview connection_refused --language zh-CN",
    params=[
        argument("failure_class", metavar="CLASS", required=False, default="connection_refused"),
        option(
            "--kind",
            type=click.Choice(["failure", "delay", "relayed", "over"]),
            default="failure",
            text=tr("failure: returned; delay: it waits; relayed: handed on; over: delivered after a delay."),
        ),
        option(
            "--language",
            type=click.Choice(["en", "zh-CN"]),
            default=None,
            text=tr("Else the one that the settings give to the sender's domain."),
        ),
        option("--sender", metavar="ADDRESS", default=None, text=tr("Who is told.")),
        option(
            "--to",
            type=click.Choice(["on-premises", "partner"]),
            default=None,
            text=tr("Whose servers failed."),
        ),
        flag("--raw", text=tr("Print the whole message as it would leave.")),
    ],
)
def preview(state: State, raw: bool, **asked: str | None) -> int:
    """Show a report."""
    found = Client(state).get(path("ndr", "preview"), **asked)
    if state.as_json:
        print_json(found)
    elif raw:
        line(found["raw"])
    else:
        line(f"Subject: {found['subject']}\n\n{found['human']}\n{found['machine']}")
    return DONE
