"""Check a destination: resolve, connect, banner, EHLO, STARTTLS, certificate, and with a recipient MAIL and RCPT."""

from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, USAGE, Refusal, State, argument, option, tr, verb
from gatepost.cli.output import line, print_json

MARKS = {"pass": "+", "warning": "!", "fail": "x", "skipped": "-", "unknown": "?"}
TLS = ["opportunistic", "encryption-only", "certificate-validation", "domain-validation"]
VERDICTS = {
    "pass": tr("It works: {working} of {hosts} addresses take mail."),
    "warning": tr("It works, with a remark: {working} of {hosts} addresses take mail."),
    "fail": tr("It does not work: {working} of {hosts} addresses take mail."),
}


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
    ],
)
def check(state: State, connector: str | None, **given: Any) -> int:
    """Run a check."""
    if not (connector or given["smart_host"] or given["rcpt"]):
        raise Refusal(tr("Name a connector, a smart host or a recipient to check."), USAGE)
    body = {
        "connector": connector or "",
        "smart_host": given["smart_host"],
        "tls": given["tls"],
        "tls_domain": given["tls_domain"],
        "recipient": given["rcpt"],
    }
    found = Client(state).post(path("check"), body)
    if state.as_json:
        print_json(found)
        return DONE if found["ok"] else NEGATIVE
    for stage in found["stages"]:
        line(
            f"{MARKS[stage['verdict']]} {stage['stage']:<12}{stage['target']}  {stage['ms']:.0f} ms  {_words(stage)}"
        )
    line(state.say(VERDICTS[found["verdict"]]).format(**found))
    if found["last_error"]:
        line(found["last_error"]["text"])
    return DONE if found["ok"] else NEGATIVE


def _words(stage: dict[str, Any]) -> str:
    """Return the evidence of a stage in a few words."""
    evidence = stage["evidence"]
    if stage["verdict"] == "fail":
        return str(evidence.get("detail", ""))
    if "addresses" in evidence:
        return ", ".join(evidence["addresses"])
    if "banner" in evidence:
        return str(evidence["banner"])
    if "version" in evidence:
        return f"{evidence['version']} {evidence['cipher']}"
    if evidence.get("chain"):
        leaf = evidence["chain"][0]
        return f"{evidence['verdict']} {leaf['subject']}, {leaf['not_after'][:10]}".strip()
    return ""
