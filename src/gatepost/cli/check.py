"""Check a destination: resolve, connect, banner, EHLO, STARTTLS, certificate, and with a recipient MAIL and RCPT."""

import os
from typing import Any

import click

from gatepost.cli.client import Client, bad_settings, path
from gatepost.cli.frame import (
    DONE,
    NEGATIVE,
    UNREACHABLE,
    USAGE,
    Refusal,
    State,
    argument,
    flag,
    option,
    tr,
    verb,
)
from gatepost.cli.output import line, print_json, width

MARKS = {"pass": "+", "warning": "!", "fail": "x", "skipped": "-", "unknown": "?"}
TLS = ["opportunistic", "encryption-only", "certificate-validation", "domain-validation"]
NAMES = {
    "resolve": tr("resolve"),
    "connect": tr("connect"),
    "banner": tr("banner"),
    "ehlo": tr("greeting"),
    "starttls": tr("STARTTLS"),
    "certificate": tr("certificate"),
    "auth": tr("login"),
    "mail": tr("sender"),
    "rcpt": tr("recipient"),
    "data": tr("message"),
}
WIDEST = 12


@verb(
    None,
    "check",
    tr("Check a connector or a host, stage by stage; nothing is delivered."),
    "gatepost check to-office\ngatepost check --smart-host mail.contoso.example:25 --rcpt ann@contoso.example",
    params=[
        argument("connector", metavar="[CONNECTOR]", required=False),
        option("--smart-host", default="", metavar="HOST[:PORT]", text=tr("A host that is no connector's.")),
        option("--tls", type=click.Choice(TLS), default="opportunistic", text=tr("What is demanded of TLS.")),
        option(
            "--tls-domain", default="", metavar="NAME", text=tr("The name that the certificate must have.")
        ),
        option("--rcpt", default="", metavar="ADDRESS", text=tr("Also ask whether this recipient is taken.")),
        flag("--no-auth", text=tr("Do not log in, also where the connector does.")),
    ],
)
def check(state: State, connector: str | None, **given: Any) -> int:
    """Run a check; its stages are printed as they happen."""
    if connector and given["smart_host"]:
        raise Refusal(tr("Name a connector or --smart-host, not both."), USAGE)
    if not (connector or given["smart_host"] or given["rcpt"]):
        raise Refusal(tr("Name a connector, a smart host or a recipient to check."), USAGE)
    body = {
        "connector": connector or "",
        "smart_host": given["smart_host"],
        "tls": given["tls"],
        "tls_domain": given["tls_domain"],
        "recipient": given["rcpt"],
        "auth": not given["no_auth"],
    }
    try:
        found = _inside(state, body)
    except Refusal as problem:
        here = given["smart_host"] and not (state.url or os.environ.get("GATEPOST_URL"))
        if problem.code != UNREACHABLE or not here:
            raise
        found = _from_here(state, body)
    if state.as_json:
        print_json(found)
    else:
        _conclude(state, found)
    return DONE if found["ok"] else NEGATIVE


def _inside(state: State, body: dict[str, Any]) -> dict[str, Any]:
    """Let the running gateway check."""
    for step in Client(state).lines(path("check", "stream"), body):
        if "result" in step:
            result: dict[str, Any] = step["result"]
            return result
        show_stage(state, step["stage"])
    raise Refusal(tr("The gateway ended the check before its result."), UNREACHABLE)


def _from_here(state: State, body: dict[str, Any]) -> dict[str, Any]:
    """Check from this process: no gateway runs."""
    from gatepost.admin.checks import Wanted  # noqa: PLC0415 - slow to import
    from gatepost.admin.errors import AdminError  # noqa: PLC0415
    from gatepost.app.offline import check_host  # noqa: PLC0415
    from gatepost.config.settings import BadSettings, load  # noqa: PLC0415

    if not state.as_json:
        line(state.say(tr("No gateway runs here; this process checks by itself.")))
    try:
        settings = load(state.config, os.environ)
        return check_host(settings, Wanted(**body), state.language, lambda stage: show_stage(state, stage))
    except BadSettings as problem:
        raise bad_settings(problem) from None
    except AdminError as problem:
        raise Refusal("{detail}", USAGE, detail=problem.text(state.say)) from None


def show_stage(state: State, stage: dict[str, Any]) -> None:
    """Print a stage in a line."""
    if state.as_json:
        return
    name = state.say(NAMES[stage["stage"]])
    padded = name + " " * (WIDEST - width(name))
    ms = f"{stage['ms']:.0f} ms"
    line(f"{MARKS[stage['verdict']]} {padded} {stage['target']}  {ms:>8}  {stage['text']}".rstrip())


def _conclude(state: State, found: dict[str, Any]) -> None:
    line("")
    line(found["sentence"])
    if found["last_error"]:
        line(found["last_error"]["text"])
    if found["advice"]:
        line(state.say(tr("What would help: {advice}")).format(advice=found["advice"]))
