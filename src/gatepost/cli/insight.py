"""Insights: what is broken, since when, how much waits, whose side it is, and what to do."""

from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, Group, State, argument, dry_run, flag, group, option, tr, verb
from gatepost.cli.output import error_text, line, print_json, size, table, when

STATES = ["open", "all", "new", "ongoing", "escalating", "resolved", "regressed"]
SEVERITIES = ["critical", "high", "medium", "low"]
SCOPES = ["destination", "hosts", "messages", "gateway", "foreign"]

insight: Group = group(
    "insight", tr("What is broken, since when, whose side it is, what to do."), "gatepost insight list"
)

_SEVERITY = {
    "critical": tr("critical"),
    "high": tr("high"),
    "medium": tr("medium"),
    "low": tr("low"),
}
_STATE = {
    "new": tr("new"),
    "ongoing": tr("ongoing"),
    "escalating": tr("escalating"),
    "resolved": tr("resolved"),
    "regressed": tr("regressed"),
}


@verb(
    insight,
    "list",
    tr("List what is broken, what matters most first, each in a sentence."),
    "gatepost insight list --severity high --json",
    params=[
        option(
            "--state",
            "in_state",
            type=click.Choice(STATES),
            default="open",
            text=tr("In this state (else open)."),
        ),
        option("--severity", type=click.Choice(SEVERITIES), text=tr("At least so severe.")),
        option("--class", "failure_class", metavar="CLASS", default="", text=tr("Of this class of failure.")),
        option("--code", metavar="CODE", default="", text=tr("With this code, like 4.4.316.")),
        option("--scope", type=click.Choice(SCOPES), text=tr("Of this scope.")),
        option("--connector", metavar="NAME", default="", text=tr("Of this connector (* matches anything).")),
        option("--destination", metavar="NAME", default="", text=tr("This destination: name, host or id.")),
        flag("--explained", text=tr("Also what another insight explains.")),
    ],
)
def list_(state: State, in_state: str, failure_class: str, **more: Any) -> int:
    """List insights."""
    more = {name: value or None for name, value in more.items()}
    rows = Client(state).get(path("insights"), state=in_state, **{"class": failure_class or None}, **more)
    if state.as_json:
        print_json(rows)
    elif rows:
        for row in rows:
            _row(state, row)
    else:
        line(state.say(tr("Nothing is broken.") if in_state == "open" else tr("There is no such insight.")))
    if not state.as_json and in_state == "open":
        _ahead(state)
    return DONE


def _ahead(state: State) -> None:
    """Say below what is broken how much more will be, if nobody does anything."""
    foreseen = Client(state).get(path("foresight"))
    if foreseen:
        text = tr("Foreseen, though mail flows still: {n} (gatepost insight foresight).")
        line(state.say(text).format(n=len(foreseen)))


def _row(state: State, row: dict[str, Any]) -> None:
    say = state.say
    words = [row["id"], say(_SEVERITY[row["severity"]]), say(_STATE[row["state"]])]
    words += [row["connector"]] if row["connector"] else []
    if row["acknowledged_by"]:
        words.append(say(tr("looked after by {who}")).format(who=row["acknowledged_by"]))
    line("  ".join(words))
    line(f"  {row['sentence']}")


@verb(
    insight,
    "foresight",
    tr(
        "What will stop mail if nobody does anything: certificates, last hosts, names, limits, invalid recipients."
    ),
    "gatepost insight foresight --json",
)
def foresight(state: State) -> int:
    """List forecasts."""
    rows = Client(state).get(path("foresight"))
    if state.as_json:
        print_json(rows)
    elif not rows:
        line(state.say(tr("Nothing is foreseen that would stop mail.")))
    for row in [] if state.as_json else rows:
        place = [row["connector"]] if row["connector"] else []
        line("  ".join([state.say(_SEVERITY[row["severity"]]), row["forecast"], *place]))
        for text in (row["sentence"], *row["evidence"]):
            line(f"  {text}")
        line(f"  {state.say(tr('Next step'))}: {row['next_step']}")
    return DONE


@verb(
    insight,
    "show",
    tr("Show everything about an insight: the answer first, then evidence, hosts, fixes."),
    "gatepost insight show 4f1c",
    params=[argument("insight_id", metavar="INSIGHT")],
)
def show(state: State, insight_id: str) -> int:
    """Show an insight."""
    found = Client(state).get(path("insights", insight_id))
    if state.as_json:
        print_json(found)
        return DONE
    line(found["sentence"])
    line("")
    _fields(state, found)
    _causes(state, found)
    _fixes(state, found)
    _hosts(state, found)
    _waiting(state, found)
    return DONE


def _fields(state: State, found: dict[str, Any]) -> None:
    """Print the fields of a queue, and where the insight stands."""
    say = state.say
    entries = [
        (tr("Insight"), f"{found['id']}  {say(_SEVERITY[found['severity']])}  {say(_STATE[found['state']])}"),
        (
            tr("Messages queued"),
            "-" if found["messages"] is None else f"{found['messages']} ({size(found['bytes'])})",
        ),
        (tr("Connector"), found["connector"] or "-"),
        (tr("Queued since"), when(found["queued_since"], say)),
        (tr("Oldest expires"), when(found["oldest_expires_at"], say)),
        (tr("Destination server"), found["destination_server"] or "-"),
        (tr("Last address"), found["last_address"] or "-"),
        (tr("Last error"), found["last_error"]["text"] if found["last_error"] else "-"),
        (tr("How to fix"), found["how_to_fix"] or "-"),
        (tr("Seen"), f"{when(found['opened_at'], say)} - {when(found['last_seen'], say)}"),
        (tr("Grouped"), found["why"]["text"]),
    ]
    entries += [(tr("Note"), found["note"])] if found["note"] else []
    for name, value in entries:
        line(f"{say(name)}: {value}")


def _causes(state: State, found: dict[str, Any]) -> None:
    say = state.say
    ranking = found["ranking"]
    line("")
    if ranking is None:
        line(say(tr("Possible causes:")))
        for cause in found["known_causes"]:
            line(f"  - {cause['text']}")
        return
    line(
        say(
            tr("Causes, the likeliest first:")
            if ranking["decided"]
            else tr("Undecided between these causes:")
        )
    )
    for cause in ranking["causes"]:
        line(f"  {cause['weight']:.0%}  {cause['text']}")
        for because in cause["because"]:
            line(f"       {say(tr('because'))} {because}")
    if ranking["next_check"]:
        line(f"  {say(tr('What would decide it:'))} {ranking['next_check']}")


def _fixes(state: State, found: dict[str, Any]) -> None:
    if not found["fixes"]:
        return
    line("")
    line(state.say(tr("What helps:")))
    for offer in found["fixes"]:
        line(f"  {offer['title']}: {offer['does']}")
        line(f"    {offer['command']}")
        for warning in offer["warnings"]:
            line(f"    ! {warning}")


def _hosts(state: State, found: dict[str, Any]) -> None:
    rows = [row for row in found["hosts_known"] if row["current"]]
    if not rows:
        return
    say = state.say
    line("")
    titles = [
        tr("Host"),
        tr("Address"),
        tr("Works"),
        tr("Last success"),
        tr("Last failure"),
        tr("TLS"),
        tr("Certificate until"),
        tr("Last error"),
    ]
    cells = []
    for row in rows:
        certificate = row["certificate"]
        cells.append(
            [
                row["server"],
                row["address"],
                row["works"],
                when(row["last_success"], say),
                when(row["last_failure"], say),
                row["tls"],
                when(certificate["not_after"], say) if certificate else "-",
                error_text(row["last_error"]) if row["works"] is False else "-",
            ]
        )
    table([say(title) for title in titles], cells)


def _waiting(state: State, found: dict[str, Any]) -> None:
    facets = found["facets"]
    if not facets:
        return
    say = state.say
    line("")
    shown = ", ".join(f"{row['domain']} {row['recipients']}" for row in facets["recipient_domains"][:5])
    line(say(tr("Recipients: {domains}")).format(domains=shown))
    shown = ", ".join(f"{row['domain'] or '<>'} {row['messages']}" for row in facets["sender_domains"][:5])
    line(say(tr("Senders: {domains}")).format(domains=shown))
    if facets["sampled"]:
        line(say(tr("(of the oldest {n} recipients)")).format(n=facets["recipients"]))


def _done(state: State, answer: dict[str, Any], sentence: str) -> int:
    if state.as_json:
        print_json(answer)
    else:
        would = state.say(tr("Would do: ")) if answer["dry_run"] else ""
        line(would + state.say(sentence).format(id=answer["id"]))
    return DONE


ONE = [argument("insight_id", metavar="INSIGHT"), dry_run()]


@verb(insight, "ack", tr("Say that you look after an insight."), "gatepost insight ack 4f1c", params=ONE)
def ack(state: State, insight_id: str, dry_run: bool) -> int:
    """Acknowledge."""
    answer = Client(state).post(path("insights", insight_id, "acknowledge"), {"dry_run": dry_run})
    return _done(state, answer, tr("{id} is looked after."))


@verb(
    insight, "unack", tr("Say that nobody looks after an insight."), "gatepost insight unack 4f1c", params=ONE
)
def unack(state: State, insight_id: str, dry_run: bool) -> int:
    """Take an acknowledgement back."""
    answer = Client(state).post(path("insights", insight_id, "unacknowledge"), {"dry_run": dry_run})
    return _done(state, answer, tr("Nobody looks after {id}."))


@verb(
    insight,
    "note",
    tr("Keep a note about an insight; an empty one takes it away."),
    'gatepost insight note 4f1c "the firewall team is on it"',
    params=[argument("insight_id", metavar="INSIGHT"), argument("text", metavar="TEXT"), dry_run()],
)
def note(state: State, insight_id: str, text: str, dry_run: bool) -> int:
    """Write a note."""
    body = {"text": text, "dry_run": dry_run}
    return _done(
        state, Client(state).post(path("insights", insight_id, "note"), body), tr("{id} has your note.")
    )


@verb(
    insight,
    "resolve",
    tr("Call an insight over; the next failure of its kind opens it again."),
    "gatepost insight resolve 4f1c",
    params=ONE,
)
def resolve(state: State, insight_id: str, dry_run: bool) -> int:
    """Resolve by hand."""
    answer = Client(state).post(path("insights", insight_id, "resolve"), {"dry_run": dry_run})
    return _done(state, answer, tr("{id} is over."))


@verb(
    insight,
    "why",
    tr("Tell why failures are counted as one insight."),
    "gatepost insight why 4f1c",
    params=[argument("insight_id", metavar="INSIGHT")],
)
def why(state: State, insight_id: str) -> int:
    """Explain the grouping."""
    found = Client(state).get(path("insights", insight_id, "why"))
    if state.as_json:
        print_json(found)
        return DONE
    line(found["text"])
    for name, value in found["parts"].items():
        line(f"  {name}: {value or '-'}")
    line(f"  rule: {found['rule']}")
    if found["parent"]:
        line(state.say(tr("It is explained by {id}.")).format(id=found["parent"]))
    return DONE


@verb(
    insight,
    "history",
    tr("Show when an insight was open before, and the latest attempts at its destination."),
    "gatepost insight history 4f1c",
    params=[argument("insight_id", metavar="INSIGHT")],
)
def history(state: State, insight_id: str) -> int:
    """Show the history."""
    found = Client(state).get(path("insights", insight_id, "history"))
    if state.as_json:
        print_json(found)
        return DONE
    say = state.say
    for episode in found["past"]:
        span = f"{when(episode['opened_at'], say)} - {when(episode['resolved_at'], say)}"
        line(f"{span}  {episode['attempts']}  {episode['why']}")
    for attempt in found["attempts"]:
        line(f"{when(attempt['at'], say)}  {attempt['outcome']}  {error_text(attempt['error'])}")
    return DONE if found["past"] or found["attempts"] else NEGATIVE
