"""Alerts: what fires, who was told, who looks after it."""

from typing import Any

from gatepost.cli.client import Client, path
from gatepost.cli.frame import DONE, NEGATIVE, Group, State, argument, flag, group, option, tr, verb
from gatepost.cli.output import line, pairs, print_json, table, when

alert: Group = group("alert", tr("What fires, who was told, who looks after it."), "gatepost alert list")

STATES = {
    "firing": tr("firing"),
    "acknowledged": tr("acknowledged"),
    "resolved": tr("over"),
    "pending": tr("pending"),
}


@verb(
    alert,
    "list",
    tr("List what fires, the loudest first."),
    "gatepost alert list --all --json",
    params=[flag("--all", "everything", text=tr("Also what is over."))],
)
def list_(state: State, everything: bool) -> int:
    """List alerts."""
    rows = Client(state).get(path("alerts"), all=everything)
    if state.as_json:
        print_json(rows)
        return DONE
    say = state.say
    for row in rows:
        mark = f"{say(STATES[row['state']])}, {row['severity']}"
        line(f"{row['id']}  [{mark}]  {row['sentence']}")
    if not rows:
        line(say(tr("Nothing fires.")))
    return DONE


@verb(
    alert,
    "show",
    tr("Show one with its causes, fixes and notices."),
    "gatepost alert show 38G96W38A0000",
    params=[argument("alert", metavar="ALERT")],
)
def show(state: State, alert: str) -> int:
    """Show an alert."""
    row = Client(state).get(path("alerts", alert))
    if state.as_json:
        print_json(row)
        return DONE
    say, about = state.say, row["about"]
    line(row["sentence"])
    pairs(
        [
            (say(tr("State")), say(STATES[row["state"]])),
            (say(tr("Policy")), row["policy"]),
            (say(tr("Since")), when(row["since"], say)),
            (say(tr("Acknowledged by")), row["acknowledged_by"]),
            (say(tr("Last error")), about.get("last_error")),
        ]
    )
    for cause in about.get("causes", []):
        line(f"- {cause['text']}")
        for because in cause["because"]:
            line(f"    {because}")
    for fix in about.get("fixes", []):
        line(f"> {fix['title']}:  {fix['command']}")
    for notice in row["notices"]:
        last = notice["log"][-1] if notice["log"] else {}
        words = f"{last.get('way', '')} {last.get('result', '')}".strip()
        line(
            f"  {notice['channel']}  {notice['kind']}  {notice['state']}  {when(notice['at'], say)}  {words}"
        )
    return DONE


@verb(
    alert,
    "ack",
    tr("Say that you look after an alert; nobody is told of it again."),
    "gatepost alert ack 38G96W38A0000",
    params=[argument("alert", metavar="ALERT")],
)
def ack(state: State, alert: str) -> int:
    """Acknowledge an alert."""
    row = Client(state).post(path("alerts", alert, "acknowledge"), {})
    if state.as_json:
        print_json(row)
    else:
        line(state.say(tr("Acknowledged by {who}.")).format(who=row["acknowledged_by"]))
    return DONE


@verb(
    alert,
    "silence",
    tr("Keep notices back until a time, with a reason."),
    'gatepost alert silence --connector to-office --until 4h --reason "maintenance"',
    params=[
        option("--policy", default="", metavar="NAME", text=tr("Of this policy (* matches anything).")),
        option("--connector", default="", metavar="NAME", text=tr("Of this connector (* matches anything).")),
        option("--until", required=True, metavar="WHEN", text=tr("A duration (4h) or a time.")),
        option("--reason", required=True, metavar="TEXT", text=tr("Why.")),
    ],
)
def silence(state: State, **given: Any) -> int:
    """Make a silence."""
    row = Client(state).post(path("alerts", "silences"), given)
    if state.as_json:
        print_json(row)
    else:
        sentence = state.say(tr("Silenced until {time}. End it: gatepost alert unsilence {id}"))
        line(sentence.format(time=when(row["until"], state.say), id=row["id"]))
    return DONE


@verb(alert, "silences", tr("List what is silenced."), "gatepost alert silences")
def silences(state: State) -> int:
    """List silences."""
    rows = Client(state).get(path("alerts", "silences"))
    if state.as_json:
        print_json(rows)
    elif rows:
        say = state.say
        titles = [tr("Id"), tr("Policy"), tr("Connector"), tr("Until"), tr("By"), tr("Reason")]
        cells = [
            [r["id"], r["policy"], r["connector"], when(r["until"], say), r["who"], r["reason"]] for r in rows
        ]
        table([say(title) for title in titles], cells)
    else:
        line(state.say(tr("Nothing is silenced.")))
    return DONE


@verb(
    alert,
    "unsilence",
    tr("End a silence."),
    "gatepost alert unsilence 38G96W38A0000",
    params=[argument("silence", metavar="SILENCE")],
)
def unsilence(state: State, silence: str) -> int:
    """End a silence."""
    answer = Client(state).delete(path("alerts", "silences", silence))
    if state.as_json:
        print_json(answer)
    else:
        line(state.say(tr("Notices go out again.")))
    return DONE


@verb(alert, "notices", tr("List what was told to whom, with every try."), "gatepost alert notices")
def notices(state: State) -> int:
    """List notices."""
    rows = Client(state).get(path("alerts", "notices"))
    if state.as_json:
        print_json(rows)
    elif rows:
        say = state.say
        titles = [tr("When"), tr("Channel"), tr("Kind"), tr("State"), tr("Tries"), tr("Result")]
        cells = [
            [
                when(row["at"], say),
                row["channel"],
                row["kind"],
                row["state"],
                row["tries"],
                row["log"][-1]["result"] if row["log"] else "",
            ]
            for row in rows
        ]
        table([say(title) for title in titles], cells)
    else:
        line(state.say(tr("Nothing was told yet.")))
    return DONE


@verb(
    alert,
    "test",
    tr("Send a test notice through a channel."),
    "gatepost alert test admins",
    params=[argument("channel", metavar="CHANNEL")],
)
def test(state: State, channel: str) -> int:
    """Send a test notice."""
    answer = Client(state).post(path("channels", channel, "test"), {})
    if state.as_json:
        print_json(answer)
    else:
        words = state.say(
            tr("It arrived ({way}: {result}).") if answer["ok"] else tr("It did not arrive: {result}")
        )
        line(words.format(**answer))
    return DONE if answer["ok"] else NEGATIVE
