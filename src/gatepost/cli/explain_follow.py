"""Follow a log: a live table for people, a line of JSON at each change for programs, insights for a running gateway."""

import json
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from gatepost.cli.client import Client, path
from gatepost.cli.explain_log import print_summary
from gatepost.cli.frame import DONE, USAGE, Refusal, State, tr
from gatepost.explain.log.follow import Follower
from gatepost.explain.log.reading import Reading, reading_of
from gatepost.explain.log.summary import LogSummary, Wanted, summary_of
from gatepost.explain.sources import path_of
from gatepost.model.failure import clean

POLL_SECONDS = 1.0
SEND_SECONDS = 15.0
MOST_SENT = 200
TEXT = 300

Wait = Callable[[float], bool]


def follow(state: State, what: str, kind: str, wanted: Wanted, since: int, system: str | None) -> int:
    """Follow a file until somebody stops it."""
    where = path_of(what)
    if where is None or not where.is_file():
        raise Refusal(tr("{name} is no file that can be followed."), USAGE, name=clean(what, TEXT))
    follower = Follower(where)
    sender = Sender(Client(state), system) if system is not None else None
    try:
        _Following(follower, kind, wanted, since, state, sender).run(_sleep)
    except KeyboardInterrupt:
        click.echo()
    finally:
        follower.close()
    return DONE


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def send(summary: LogSummary, state: State, system: str) -> None:
    """Send the insights of a log to the gateway once."""
    body = foreign_body(system or socket.gethostname(), summary)
    answer = Client(state).post(path("foreign"), body)
    text = state.say(tr("Sent to the gateway as {system}: {count} insights."))
    click.echo(text.format(system=answer["system"], count=answer["insights"]), err=True)


class Sender:
    """Tells a gateway what a log says; a gateway that is away is told later."""

    def __init__(self, client: Client, system: str) -> None:
        self._client = client
        self.system = system or socket.gethostname()
        self._next = 0.0
        self.problem: Refusal | None = None

    def send(self, summary: LogSummary, now: float) -> bool:
        """Send insights where it is time; return whether they went."""
        if now < self._next:
            return False
        self._next = now + SEND_SECONDS
        try:
            self._client.post(path("foreign"), foreign_body(self.system, summary))
        except Refusal as problem:
            if problem.code == USAGE:
                raise
            self.problem = problem
            return False
        self.problem = None
        return True


def foreign_body(system: str, summary: LogSummary) -> dict[str, Any]:
    """Return what a gateway is told of a log."""
    outgoing = [insight for insight in summary.insights if not insight.incoming]
    keys = (
        "destination", "class", "sub", "phase", "stuck", "oldest_at", "attempts", "returned", "over", "server",
        "address", "text",
    )  # fmt: skip
    return {
        "system": system,
        "source_kind": summary.kind,
        "insights": [
            {key: value for key, value in insight.to_json().items() if key in keys} for insight in outgoing
        ],
    }


class _Following:
    """One run."""

    def __init__(
        self, follower: Follower, kind: str, wanted: Wanted, since: int, state: State, sender: Sender | None
    ) -> None:
        self._follower = follower
        self._kind = kind
        self._wanted = wanted
        self._since = since
        self._state = state
        self._sender = sender
        self._reading: Reading | None = None
        self._shown: dict[str, Any] = {}

    def run(self, wait: Wait) -> None:
        """Read what is written, show and send what changes; `wait` returns False when it is enough."""
        while True:
            while data := self._follower.read():
                if self._reading is None:
                    now = time.time_ns() // 1_000_000
                    self._reading = reading_of(data[:200_000], self._kind, now, self._since)
                self._reading.reader.block(data)
            if self._reading is not None:
                self._show(self._reading)
                self._send(self._reading)
            if not wait(POLL_SECONDS):
                return

    def _show(self, reading: Reading) -> None:
        summary = summary_of(reading, self._wanted)
        found = summary.to_json(self._state.language)
        if found == self._shown:
            return
        self._shown = found
        if self._state.as_json:
            print(json.dumps(found), flush=True)
            return
        if sys.stdout.isatty():
            click.echo("\x1b[H\x1b[2J", nl=False)
        print_summary(summary, self._state)
        if self._sender is not None and self._sender.problem is not None:
            click.echo(self._sender.problem.text(self._state.say), err=True)

    def _send(self, reading: Reading) -> None:
        if self._sender is not None:
            summary = summary_of(reading, Wanted(top=MOST_SENT))
            self._sender.send(summary, time.monotonic())
