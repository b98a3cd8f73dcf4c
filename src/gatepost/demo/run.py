"""Run the demo: start everything, keep mail coming, show what the gateway knows of it, judge at the end."""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from smtplib import SMTPException
from typing import Any

from rich.cells import cell_len
from rich.console import Console

from gatepost.demo.gateway import DemoTrouble, Gateway
from gatepost.demo.story import HEALTHY, SENDER, Part, Stage, letters, stage
from gatepost.demo.summary import Summary
from gatepost.i18n import Translator, tr, translator

PROMISED = ("4.4.312", "4.4.315", "4.4.316", "4.4.317", "4.4.318", "4.7.320")
LETTER_SECONDS = 0.5
LOOK_SECONDS = 2.0


class Postman(threading.Thread):
    """Hands mail to the gateway, one message after another, until it is told to stop."""

    def __init__(self, gateway: Gateway, story: list[Part]) -> None:
        super().__init__(daemon=True)
        self.gateway = gateway
        self.letters = letters(story)
        self.sent = 0
        self.sent_healthy = 0
        self.trouble = ""
        self.ended = threading.Event()

    def run(self) -> None:
        """Send until the end; the first half minute's worth of variety goes out at once."""
        quick = 2 * 10
        while not self.ended.is_set():
            recipient, connector = next(self.letters)
            try:
                self.gateway.send(SENDER, recipient, f"Demo message {self.sent + 1}")
            except (OSError, SMTPException) as problem:
                self.trouble = str(problem)
            else:
                self.sent += 1
                self.sent_healthy += connector == HEALTHY
            self.ended.wait(0 if self.sent < quick else LETTER_SECONDS)

    def stop(self) -> None:
        """Stop sending."""
        self.ended.set()
        self.join(15)


def main(arguments: Sequence[str] = ()) -> int:
    """Run until Ctrl-C, or for so many seconds; then 0 only if every promised error code was seen."""
    parser = argparse.ArgumentParser(prog="gatepost demo")
    parser.add_argument("--for", dest="seconds", type=float)
    parser.add_argument("--lang", default="en")
    options = parser.parse_args(list(arguments))
    console, say = Console(), translator(options.lang)
    try:
        with tempfile.TemporaryDirectory(prefix="gatepost-demo-") as name:
            return _play(Path(name), console, say, options.seconds)
    except DemoTrouble as problem:
        console.print(problem.text(say), markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        return 0


def _play(folder: Path, console: Console, say: Translator, for_seconds: float | None) -> int:
    with stage(folder) as scene, Gateway(folder, scene.dns_port) as gateway:
        objects = folder / "objects.toml"
        objects.write_text(scene.objects)
        gateway.json("apply", str(objects))
        _greet(console, say, gateway, folder)
        postman = Postman(gateway, scene.parts)
        postman.start()
        try:
            with Summary(console, say, scene.parts) as summary:
                seen = _watch(summary, gateway, scene, postman, for_seconds)
        finally:
            postman.stop()
        return _judge(console, say, scene, postman, seen)


def _greet(console: Console, say: Translator, gateway: Gateway, folder: Path) -> None:
    """Tell where everything is."""
    opening = say(tr("Gatepost demo: a gateway, and destination servers that fail in each known way."))
    console.print(opening, style="bold", highlight=False)
    places = (
        (say(tr("Admin centre")), gateway.admin_url),
        (say(tr("Sign in once")), one_time_login(gateway)),
        ("SMTP", f"127.0.0.1:{gateway.smtp_port}"),
        (say(tr("Command line")), f"{command()} --config {gateway.config} queue list"),
        (say(tr("Log")), str(folder / "gateway.log")),
    )
    width = max(cell_len(name) for name, _ in places)
    for name, place in places:
        text = f"  {name}{' ' * (width - cell_len(name))}    {place}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    console.print(f"  {say(tr('Ctrl-C ends it and removes everything.'))}\n")


def command() -> str:
    """Return how a person starts the command line of this very installation."""
    beside = Path(sys.executable).with_name("gatepost")
    return "gatepost" if shutil.which("gatepost") or not beside.exists() else str(beside)


def one_time_login(gateway: Gateway) -> str:
    """Return a link that signs one person in as an administrator of this run."""
    return str(gateway.json("user", "create", "demo", "--role", "administrator")["link"])


def _rounds(for_seconds: float | None) -> Iterator[None]:
    """Yield at once, then every few seconds until the time is over."""
    end = None if for_seconds is None else time.monotonic() + for_seconds
    while True:
        yield
        left = LOOK_SECONDS if end is None else min(LOOK_SECONDS, end - time.monotonic())
        if left <= 0:
            return
        time.sleep(left)


def _watch(
    summary: Summary, gateway: Gateway, scene: Stage, postman: Postman, for_seconds: float | None
) -> set[str]:
    """Show the queue as it changes; returns every code that was seen in it."""
    seen: set[str] = set()
    for _ in _rounds(for_seconds):
        queue: list[dict[str, Any]] = gateway.json("queue", "list")
        for row in queue:
            error = row.get("last_error") or {}
            # The field's own code counts, and for remote replies the code that they carried.
            seen |= {str(error.get("code", "")), str(error.get("flow_code", ""))} - {""}
        summary.show(queue, postman.sent, scene.healthy.taken, postman.trouble)
    return seen


def _judge(console: Console, say: Translator, scene: Stage, postman: Postman, seen: set[str]) -> int:
    """Return the exit code: whether everything that was promised was seen."""
    # What was handed in a moment ago may still be on its way.
    for _ in range(200):
        if scene.healthy.taken >= postman.sent_healthy:
            break
        time.sleep(0.1)
    missing = [code for code in PROMISED if code not in seen]
    lost = postman.sent_healthy - scene.healthy.taken
    if missing:
        text = say(tr("Not seen: {codes}")).format(codes=", ".join(missing))
        console.print(text, style="red", highlight=False)
    if lost or not postman.sent_healthy:
        text = say(tr("Not delivered to the healthy server: {lost} of {sent}"))
        console.print(text.format(lost=lost, sent=postman.sent_healthy), style="red", highlight=False)
    if missing or lost or not postman.sent_healthy:
        return 1
    text = say(tr("Seen: {codes}. Delivered to the healthy server: {taken} of {sent}.")).format(
        codes=", ".join(PROMISED), taken=scene.healthy.taken, sent=postman.sent_healthy
    )
    console.print(text, style="green", highlight=False, soft_wrap=True)
    return 0
