"""Look for what would stop mail; inside the running gateway where there is one, else from here."""

import os
from typing import Any

from gatepost.cli.client import Client, bad_settings, path
from gatepost.cli.frame import DONE, NEGATIVE, UNREACHABLE, Refusal, State, tr, verb
from gatepost.cli.output import line, print_json

MARKS = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


@verb(
    None,
    "doctor",
    tr(
        "Check settings, disk, DNS, ports, SQLite, certificates, clock and store; exit 1 if something stops mail."
    ),
    "gatepost doctor --json",
)
def doctor(state: State) -> int:
    """Examine the machine."""
    try:
        answer = Client(state).get(path("doctor"))
        answer["gateway"] = True
    except Refusal as problem:
        # with an address that was named, an examination of this machine would answer another question
        if problem.code != UNREACHABLE or state.url or os.environ.get("GATEPOST_URL"):
            raise
        answer = _from_here(state)
    if state.as_json:
        print_json(answer)
    else:
        _show(state, answer)
    return DONE if answer["ok"] else NEGATIVE


def _from_here(state: State) -> dict[str, Any]:
    from gatepost.admin.doctor import examine, good  # noqa: PLC0415 - slow to import
    from gatepost.config.settings import BadSettings, load  # noqa: PLC0415

    try:
        settings = load(state.config, os.environ)
    except BadSettings as problem:
        raise bad_settings(problem) from None
    checks = [finding.to_json(state.say) for finding in examine(settings, running=False)]
    return {"ok": good(checks), "checks": checks, "gateway": False}


def _show(state: State, answer: dict[str, Any]) -> None:
    for check in answer["checks"]:
        line(f"{MARKS[check['level']]}  {check['check']}: {check['message']}")
        if check["hint"]:
            line(f"         {check['hint']}")
    if not answer["gateway"]:
        line(state.say(tr("No gateway runs with these settings; its store was not looked at.")))
