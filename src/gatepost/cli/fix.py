"""Fixes: what would help, what it would do, doing it, undoing it."""

import sys
from typing import Any

import click

from gatepost.cli.changes import show_effect
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
    flag,
    group,
    option,
    tr,
    verb,
)
from gatepost.cli.objects import lines_of
from gatepost.cli.output import cell_text, line, pairs, print_json, table, when

fix: Group = group(
    "fix", tr("What would help, what it would do, doing it, undoing it."), "gatepost fix plan to-office"
)

UNDO = {
    "full": tr("It can be undone."),
    "partly": tr("It can be undone in part."),
    "none": tr("It cannot be undone."),
}
STATES = {
    "applied": tr("applied, not yet verified"),
    "verified": tr("verified: it works"),
    "failing": tr("still failing"),
    "undone": tr("undone"),
}


@verb(
    fix,
    "plan",
    tr("Say which fixes fit an insight, a connector or a destination."),
    "gatepost fix plan to-office",
    params=[argument("insight", metavar="INSIGHT")],
)
def plan(state: State, insight: str) -> int:
    """Show the offers."""
    answer = Client(state).get(path("fixes", "plan"), target=insight)
    if state.as_json:
        print_json(answer)
        return DONE if answer["offers"] else NEGATIVE
    say = state.say
    for number, offer in enumerate(answer["offers"], 1):
        mark = " (!)" if offer["destructive"] else ""
        line(f"{number}. {offer['title']}{mark}  [{offer['action']}]")
        line(f"   {offer['does']}")
        for because in offer["because"]:
            line(f"   - {because}")
        for warning in offer["warnings"]:
            line(f"   ! {warning}")
        line(f"   {say(UNDO[offer['undo']])}")
        line(f"   {offer['command']} --dry-run")
    if not answer["offers"]:
        line(say(tr("No fix fits.")))
        return NEGATIVE
    return DONE


@verb(
    fix,
    "apply",
    tr("Apply a fix; with --dry-run say exactly what it would do."),
    "gatepost fix apply to-office fix_now --dry-run\n"
    'gatepost fix apply to-office relax_tls --set hours=4 --reason "new certificate on its way"',
    params=[
        argument("insight", metavar="INSIGHT"),
        argument("action", metavar="ACTION"),
        option(
            "--set",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            text=tr("A parameter of the fix; @FILE reads it from a file, one value a line."),
        ),
        option("--reason", default="", metavar="TEXT", text=tr("Why, for the audit.")),
        click.Option(
            ["--probe/--no-probe"],
            default=None,
            help=tr("Probe the connector as it would be (the default with set_smart_hosts)."),
        ),
        flag("--yes", text=tr("Do not ask before mail is returned or deleted.")),
        dry_run(),
    ],
)
def apply(state: State, insight: str, action: str, **given: Any) -> int:
    """Apply a fix."""
    parameters = {}
    for setting in given["settings"]:
        name, separator, value = setting.partition("=")
        if not separator:
            raise Refusal(tr('"{text}" is not NAME=VALUE.'), USAGE, text=setting)
        parameters[name] = ",".join(lines_of(value[1:])) if value.startswith("@") else value
    client = Client(state)
    where = path("fixes", "apply", action)
    probed = given["probe"] if given["probe"] is not None else action == "set_smart_hosts"
    body = {"parameters": parameters, "reason": given["reason"], "dry_run": True, "probe": probed}
    if given["dry_run"] or _must_ask(given["yes"]):
        preview = client.post(where, body, target=insight)
        if given["dry_run"] or not _agreed(state, preview):
            return _show_preview(state, preview) if given["dry_run"] else NEGATIVE
    answer = client.post(where, {**body, "dry_run": False, "probe": False}, target=insight)
    return _show_applied(state, answer)


def _must_ask(agreed: bool) -> bool:
    return not agreed and sys.stdin.isatty()


def _agreed(state: State, answer: dict[str, Any]) -> bool:
    """Ask where mail is destroyed or a probe failed; whoever cannot be asked has said --yes by using a script."""
    effect, probe = answer["preview"]["effect"], answer.get("probe")
    if not effect["returned"] and not effect["deleted"] and (probe is None or probe["ok"]):
        return True
    _show(state, answer["preview"])
    _show_probe(state, probe)
    return click.confirm(state.say(tr("Do it?")), default=False)


def _show_preview(state: State, answer: dict[str, Any]) -> int:
    if state.as_json:
        print_json(answer)
    else:
        _show(state, answer["preview"])
        _show_probe(state, answer.get("probe"))
        line(state.say(tr("Nothing was changed.")))
    return DONE


def _show_probe(state: State, probe: dict[str, Any] | None) -> None:
    """Print what a probe of the new values saw."""
    if probe is None:
        return
    if probe["ok"]:
        line("  " + state.say(tr("A probe of it: {working} of {hosts} hosts take mail.")).format(**probe))
    else:
        error = probe["last_error"]
        line(
            "  ! "
            + state.say(tr("A probe of it fails: {error}")).format(error=error["text"] if error else "-")
        )


def _show(state: State, preview: dict[str, Any]) -> None:
    say = state.say
    line(f"{preview['title']}: {preview['does']}")
    for change in preview["objects"]:
        line(f"  {change['kind']} {change['name']}")
        for name, values in change["fields"].items():
            line(f"    {name}: {cell_text(values['before'])} -> {cell_text(values['after'])}")
    show_effect(state, preview["effect"])
    for warning in preview["warnings"]:
        line(f"  ! {warning}")
    line("  " + say(UNDO[preview["undo"]]))
    for text in preview["not_undone"]:
        line(f"    {text}")


def _show_applied(state: State, answer: dict[str, Any]) -> int:
    if state.as_json:
        print_json(answer)
        return DONE
    _show(state, answer["preview"])
    change = answer["fix"]["id"]
    line(state.say(tr("Done, in force now. Undo: gatepost fix undo {change}")).format(change=change))
    return DONE


@verb(
    fix,
    "undo",
    tr("Put back what a fix changed."),
    "gatepost fix undo 01KPB0Q6X8R2M",
    params=[argument("change", metavar="CHANGE")],
)
def undo(state: State, change: str) -> int:
    """Undo a fix."""
    answer = Client(state).post(path("fixes", change, "undo"), {})
    if state.as_json:
        print_json(answer)
    else:
        line(state.say(tr("Undone: what the fix changed is as it was.")))
    return DONE


@verb(
    fix,
    "verify",
    tr("Look now, by a probe, whether the error that a fix was for is gone."),
    "gatepost fix verify 01KPB0Q6X8R2M",
    params=[argument("change", metavar="CHANGE")],
)
def verify(state: State, change: str) -> int:
    """Verify a fix."""
    answer = Client(state).post(path("fixes", change, "verify"), {})
    if state.as_json:
        print_json(answer)
    else:
        line(state.say(STATES[answer["fix"]["state"]]))
    return DONE if answer["fix"]["state"] == "verified" else NEGATIVE


@verb(fix, "list", tr("List what was applied, newest first."), "gatepost fix list", params=[])
def list_(state: State) -> int:
    """List applied fixes."""
    rows = Client(state).get(path("fixes"))
    if state.as_json:
        print_json(rows)
    elif rows:
        say = state.say
        titles = [tr("Change"), tr("When"), tr("Fix"), tr("Connector"), tr("By"), tr("State"), tr("Reason")]
        table(
            [say(title) for title in titles],
            [
                [
                    row["id"],
                    when(row["at"], say),
                    row["title"],
                    row["connector"],
                    row["who"],
                    say(STATES[row["state"]]),
                    row["reason"],
                ]
                for row in rows
            ],
        )
    else:
        line(state.say(tr("No fix was applied yet.")))
    return DONE


@verb(
    fix,
    "show",
    tr("Show a fix that was applied: what it changed, and whether it works."),
    "gatepost fix show 01KPB0Q6X8R2M",
    params=[argument("change", metavar="CHANGE")],
)
def show(state: State, change: str) -> int:
    """Show one fix."""
    answer = Client(state).get(path("fixes", change))
    if state.as_json:
        print_json(answer)
        return DONE
    say = state.say
    pairs(
        [
            (say(tr("State")), say(STATES[answer["state"]])),
            (say(tr("When")), when(answer["at"], say)),
            (say(tr("By")), answer["who"]),
            (say(tr("Reason")), answer["reason"]),
        ]
    )
    _show(state, answer["preview"])
    return DONE
