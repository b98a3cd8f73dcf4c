"""Show what a change of objects does, as it comes back from the gateway."""

from collections.abc import Mapping
from typing import Any

from gatepost.cli.frame import DONE, State, tr
from gatepost.cli.output import cell_text, line, print_json

SIGNS = {"add": "+", "change": "~", "remove": "-"}


def show_changes(state: State, answer: Mapping[str, Any]) -> int:
    """Print a difference with its counts."""
    if state.as_json:
        print_json(answer)
        return DONE
    say = state.say
    for change in answer["changes"]:
        line(f"{SIGNS[change['action']]} {change['kind']} {change['name']}")
        for field, values in change["fields"].items():
            before, after = cell_text(values["before"]), cell_text(values["after"])
            line(f"    {field}: {before} -> {after}")
    show_effect(state, answer.get("effect"))
    counts = answer["counts"]
    if not answer["changes"]:
        line(say(tr("Nothing to change.")))
    elif answer["dry_run"]:
        sentence = say(tr("Would add {add}, change {change}, delete {remove}; nothing was changed."))
        line(sentence.format(**counts))
    else:
        sentence = say(
            tr("Added {add}, changed {change}, deleted {remove}; in force now (revision {revision}).")
        )
        line(sentence.format(**counts, revision=answer["revision"]))
    return DONE


FATES = {
    "delivered": tr("{n} recipients: into our own mailboxes"),
    "retried": tr("{n} recipients: tried again at once"),
    "rerouted": tr("{n} recipients: to another destination"),
    "returned": tr("{n} recipients: returned to the sender at once"),
    "held": tr("{n} recipients: held"),
    "deleted": tr("{n} recipients: deleted"),
    "unchanged": tr("{n} recipients: as before"),
}


def show_effect(state: State, effect: Mapping[str, Any] | None) -> None:
    """Print what becomes of queued mail: recipients by fate, with a few addresses of each."""
    for fate, sentence in FATES.items():
        if effect is None or not effect[fate]:
            continue
        line("  " + state.say(sentence).format(n=effect[fate]))
        samples = effect["samples"].get(fate, [])
        if samples and fate != "unchanged":
            line(f"    {', '.join(samples)}")
