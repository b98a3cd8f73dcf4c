"""Run the demo: start everything, keep mail coming, show what the gateway knows of it, judge at the end."""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from smtplib import SMTPException
from typing import Any

from rich.console import Console

from gatepost.demo.gateway import DemoTrouble, Gateway
from gatepost.demo.story import HEALTHY, SENDER, Part, Stage, letters, stage
from gatepost.demo.summary import Summary

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
    console = Console()
    try:
        with tempfile.TemporaryDirectory(prefix="gatepost-demo-") as name:
            return _play(Path(name), console, options.seconds)
    except DemoTrouble as problem:
        console.print(str(problem), markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        return 0


def _play(folder: Path, console: Console, for_seconds: float | None) -> int:
    with stage(folder) as scene, Gateway(folder, scene.dns_port) as gateway:
        objects = folder / "objects.toml"
        objects.write_text(scene.objects)
        gateway.json("apply", str(objects))
        _greet(console, gateway, folder)
        postman = Postman(gateway, scene.parts)
        postman.start()
        try:
            seen = _watch(console, gateway, scene, postman, for_seconds)
        finally:
            postman.stop()
        return _judge(console, scene, postman, seen)


def _greet(console: Console, gateway: Gateway, folder: Path) -> None:
    """Tell where everything is."""
    login = one_time_login(gateway)
    console.print(
        "[bold]Gatepost demo[/bold]: a gateway, and destination servers that fail in each known way."
    )
    console.print(f"  Admin centre    {gateway.admin_url}", highlight=False)
    console.print(f"  Sign in once    {login}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"  SMTP            127.0.0.1:{gateway.smtp_port}", highlight=False)
    console.print(f"  Command line    gatepost --config {gateway.config} queue list", soft_wrap=True)
    console.print(f"  Log             {folder / 'gateway.log'}", soft_wrap=True)
    console.print("  Ctrl-C ends it and removes everything.\n")


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
    console: Console, gateway: Gateway, scene: Stage, postman: Postman, for_seconds: float | None
) -> set[str]:
    """Show the queue as it changes; returns every code that was seen in it."""
    seen: set[str] = set()
    with Summary(console, scene.parts) as summary:
        for _ in _rounds(for_seconds):
            queue: list[dict[str, Any]] = gateway.json("queue", "list")
            for row in queue:
                error = row.get("last_error") or {}
                # The field's own code counts, and for remote replies the code that they carried.
                seen |= {str(error.get("code", "")), str(error.get("flow_code", ""))} - {""}
            summary.show(queue, postman.sent, scene.healthy.taken, postman.trouble)
    return seen


def _judge(console: Console, scene: Stage, postman: Postman, seen: set[str]) -> int:
    """Return the exit code: whether everything that was promised was seen."""
    # What was handed in a moment ago may still be on its way.
    for _ in range(50):
        if scene.healthy.taken >= postman.sent_healthy:
            break
        time.sleep(0.1)
    missing = [code for code in PROMISED if code not in seen]
    lost = postman.sent_healthy - scene.healthy.taken
    if missing:
        console.print(f"Not seen: {', '.join(missing)}", style="red", highlight=False)
    if lost or not postman.sent_healthy:
        console.print(f"Not delivered to the healthy server: {lost} of {postman.sent_healthy}", style="red")
    if missing or lost or not postman.sent_healthy:
        return 1
    console.print(
        f"Seen: {', '.join(PROMISED)}. Delivered to the healthy server: {scene.healthy.taken} of "
        f"{postman.sent_healthy}.",
        style="green",
        highlight=False,
        soft_wrap=True,
    )
    return 0
