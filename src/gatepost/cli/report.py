"""Reports: what is queued, what was returned, how connectors and domains fare."""

import sys
from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, Group, State, flag, group, option, tr, verb
from gatepost.cli.output import line, print_json, size, table, when

report: Group = group(
    "report",
    tr("What is queued, what was returned, how connectors and domains fare."),
    "gatepost report queued",
)

SINCE = option(
    "--since", metavar="WHEN", default="", text=tr("A duration before now (7d) or a time; else 7 days.")
)
UNTIL = option("--until", metavar="WHEN", default="", text=tr("A duration before now or a time; else now."))
WINDOW = option("--window", metavar="TIME", default="24h", text=tr("1h, 4h, 24h or 7d back from now."))
TIMES = {
    "queued_since", "oldest_expires_at", "next_attempt_at", "last_success", "until", "not_after", "last_seen",
}  # fmt: skip
SAID = ("dimension", "level", "direction", "version")  # columns whose words are our own
DIMENSIONS = ["organisation", "domain", "connector", "source", "client", "sender"]
WORDS = {
    "organisation": tr("organisation"),
    "domain": tr("domain"),
    "connector": tr("connector"),
    "source": tr("source"),
    "client": tr("client"),
    "sender": tr("sender"),
    "fine": tr("fine"),
    "warned": tr("warned"),
    "limited": tr("limited"),
    "received": tr("received"),
    "sent": tr("sent"),
    "clear": tr("in clear"),
}


def csv_flag() -> click.Option:
    """Return the switch for spreadsheets."""
    return flag("--csv", "as_csv", text=tr("Print CSV, for spreadsheets."))


def _print(state: State, name: str, columns: dict[str, str], as_csv: bool, **query: Any) -> int:
    """Print a report as CSV, JSON, or a table of some of its columns under their titles."""
    client = Client(state)
    if as_csv:
        for piece in client.pieces(path("reports", name) + client.query(**query, format="csv")):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return DONE
    found = client.get(path("reports", name), **query)
    if state.as_json:
        print_json(found)
        return DONE
    say = state.say
    if not found["rows"]:
        line(say(tr("There is nothing to report.")))
        return DONE
    table(
        [say(title) for title in columns.values()],
        [[_cell(row, key, say) for key in columns] for row in found["rows"]],
    )
    if found["sampled"]:
        line(say(tr("(Only the latest part of the history was looked at: choose a shorter time.)")))
    return DONE


def _cell(row: dict[str, Any], key: str, say: Any) -> object:
    if key in SAID:
        return say(WORDS.get(row[key], row[key]))
    if key == "share":
        return f"{row[key]:.1%}"
    if key in TIMES:
        return when(row[key], say)
    return size(row[key]) if key == "bytes" else row[key]


@verb(
    report,
    "queued",
    tr(
        "What waits by connector and destination: number, since when, expiry, server, last error, how to fix."
    ),
    "gatepost report queued --csv > queued.csv",
    params=[csv_flag()],
)
def queued(state: State, as_csv: bool) -> int:
    """Report what waits."""
    columns = {
        "messages": tr("Messages queued"),
        "connector": tr("Connector"),
        "queued_since": tr("Queued since"),
        "oldest_expires_at": tr("Oldest expires"),
        "destination_server": tr("Destination server"),
        "last_address": tr("Last address"),
        "last_error": tr("Last error"),
        "how_to_fix": tr("How to fix"),
    }
    return _print(state, "queued", columns, as_csv)


@verb(
    report,
    "ndr",
    tr("What was returned to senders, by day and code, with messages as samples."),
    "gatepost report ndr --since 30d --json",
    params=[SINCE, UNTIL, csv_flag()],
)
def ndr(state: State, since: str, until: str, as_csv: bool) -> int:
    """Report returned mail."""
    columns = {
        "date": tr("Date"),
        "code": tr("Code"),
        "title": tr("Title"),
        "connector": tr("Connector"),
        "destination": tr("Destination"),
        "recipients": tr("Recipients"),
        "returned": tr("Returned"),
        "samples": tr("Samples"),
    }
    return _print(state, "ndr", columns, as_csv, since=since or None, until=until or None)


@verb(
    report,
    "connectors",
    tr("How connectors fare: attempts, deliveries, TLS, latency, last success."),
    "gatepost report connectors --since 24h",
    params=[SINCE, csv_flag()],
)
def connectors(state: State, since: str, as_csv: bool) -> int:
    """Report connectors."""
    columns = {
        "connector": tr("Connector"),
        "delivered": tr("Delivered"),
        "deferred": tr("Deferred"),
        "failed": tr("Failed"),
        "failed_connections": tr("Failed connections"),
        "tls": tr("TLS"),
        "average_ms": tr("Average ms"),
        "last_success": tr("Last success"),
        "queued": tr("Queued"),
        "insights": tr("Insights"),
    }
    return _print(state, "connectors", columns, as_csv, since=since or None)


@verb(
    report,
    "flow",
    tr("Which way mail went: source, accepted domain, connector, destination, outcome."),
    "gatepost report flow --window 24h",
    params=[WINDOW, csv_flag()],
)
def flow(state: State, window: str, as_csv: bool) -> int:
    """Report the ways of mail."""
    columns = {
        "source": tr("Source"),
        "domain": tr("Domain"),
        "connector": tr("Connector"),
        "destination": tr("Destination"),
        "outcome": tr("Outcome"),
        "recipients": tr("Recipients"),
    }
    return _print(state, "flow", columns, as_csv, window=window)


@verb(
    report,
    "certificates",
    tr("Every certificate of servers and of our own listeners, those that end first at the top."),
    "gatepost report certificates --within 30d",
    params=[
        option("--within", metavar="DURATION", default="", text=tr("Only those that end within (30d).")),
        csv_flag(),
    ],
)
def certificates(state: State, within: str, as_csv: bool) -> int:
    """Report certificates."""
    columns = {
        "days_left": tr("Days left"),
        "not_after": tr("Valid until"),
        "host": tr("Host"),
        "connector": tr("Connector"),
        "subject": tr("Certificate"),
        "issuer": tr("Issuer"),
        "tls": tr("TLS"),
        "verdict": tr("Verdict"),
        "last_seen": tr("Last seen"),
    }
    return _print(state, "certificates", columns, as_csv, within=within or None)


@verb(
    report,
    "tls",
    tr("How much mail travels under TLS: by source or connector, domain and version."),
    "gatepost report tls --window 7d",
    params=[WINDOW, csv_flag()],
)
def tls(state: State, window: str, as_csv: bool) -> int:
    """Report TLS."""
    columns = {
        "direction": tr("Direction"),
        "source": tr("Source"),
        "connector": tr("Connector"),
        "domain": tr("Domain"),
        "version": tr("Version"),
        "recipients": tr("Recipients"),
        "share": tr("Share"),
    }
    return _print(state, "tls", columns, as_csv, window=window)


@verb(
    report,
    "domains",
    tr("Where the mail of our accepted domains goes, and whether it arrives."),
    "gatepost report domains",
    params=[csv_flag()],
)
def domains(state: State, as_csv: bool) -> int:
    """Report accepted domains."""
    columns = {
        "domain": tr("Domain"),
        "type": tr("Type"),
        "connector": tr("Connector"),
        "destination": tr("Destination"),
        "status": tr("Status"),
        "last_success": tr("Last success"),
        "queued": tr("Queued"),
        "mx_now": tr("MX now"),
        "mx_before": tr("MX before"),
        "reason": tr("Reason"),
    }
    return _print(state, "domains", columns, as_csv)


@verb(
    report,
    "quota",
    tr("Recipients that do not exist: who names how many, who is near the limit, who has to wait."),
    "gatepost report quota --dimension client",
    params=[
        option("--dimension", type=click.Choice(DIMENSIONS), text=tr("Only these.")),
        csv_flag(),
    ],
)
def quota(state: State, dimension: str | None, as_csv: bool) -> int:
    """Report the quota."""
    columns = {
        "dimension": tr("Counted for"),
        "name": tr("Name"),
        "total": tr("Invalid recipients"),
        "level": tr("Level"),
        "refused": tr("Refused here"),
        "rejected": tr("Rejected there"),
        "returned": tr("Returned"),
        "warned_at": tr("Warned at"),
        "limited_at": tr("Limited at"),
        "until": tr("Limited until"),
    }
    return _print(state, "quota", columns, as_csv, dimension=dimension)
