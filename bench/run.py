"""Compare Gatepost with Postfix, in turn inside each round, on this machine: `python bench/run.py [--quick]`.

Rule: the ratios of one round are compared, never figures of different rounds: the machine is shared.
Rule: both sync every message before they acknowledge it, as shipped; a lost message fails the run.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.paced import send_paced  # noqa: E402
from bench.relays import RELAYS, Relay, cpu_seconds, memory_mib, settle, source  # noqa: E402
from bench.sink import Sink, build  # noqa: E402
from tests.support.peers import free_port, wait_until  # noqa: E402

Figures = dict[str, float]


@dataclass(frozen=True)
class Place:
    """Where a case runs: a folder, a running sink, the port of a host that is dead for now."""

    folder: Path
    sink: Sink
    dead: int
    program: Path
    scale: float

    def count(self, messages: int, floor: int = 20) -> int:
        """Return a number of messages, scaled."""
        return max(floor, int(messages * self.scale))


@dataclass(frozen=True)
class Case:
    """One thing to measure; `better` tells which way its first figure is good."""

    name: str
    figure: str
    better: str
    run: Callable[[Place, Relay], Figures]


def through(place: Place, relay: Relay, messages: int, size: int, sessions: int, *, kept: bool) -> Figures:
    """Send messages through a relay and wait until the sink has them all."""
    place.sink.reset()
    cpu, begun = cpu_seconds(relay.pid()), time.time()
    source(relay.port, messages, size, "healthy.test", sessions, kept=kept)
    wait_until(lambda: place.sink.stat()["unique"] >= messages, 300, 0.02, "all messages at the sink")
    stat = place.sink.stat()
    assert stat["unique"] == messages, stat
    spent = cpu_seconds(relay.pid()) - cpu
    return {
        "msg/s": messages / (stat["last"] - begun),
        "cpu_ms/msg": spent * 1000 / messages,
        "memory_mib": memory_mib(relay.pid()),
        "duplicates": stat["duplicates"],
    }


def end_to_end(
    messages: int, size: int, sessions: int = 20, *, kept: bool = True
) -> Callable[[Place, Relay], Figures]:
    """Return a case: so many messages of a size, over kept sessions or one each."""

    def run(place: Place, relay: Relay) -> Figures:
        through(place, relay, place.count(messages // 10), size, sessions, kept=kept)
        return through(place, relay, place.count(messages), size, sessions, kept=kept)

    return run


def latency(place: Place, relay: Relay) -> Figures:
    """Return how long acknowledgements take at 500 messages a second."""
    send_paced(relay.port, 100, 100)
    p50, p99 = send_paced(relay.port, 500, place.count(5000))
    return {"p99_ms": p99, "p50_ms": p50}


def fill(place: Place, relay: Relay, messages: int) -> float:
    """Queue messages for the dead host; returns the seconds it took."""
    begun = time.monotonic()
    source(relay.port, messages, 1024, "dead.test", 20, kept=True)
    took = time.monotonic() - begun
    settle(relay, 600)
    return took


def dead_host(place: Place, relay: Relay) -> Figures:
    """Return the healthy flow beside a backlog for a dead host, relative to the flow without."""
    messages = place.count(5000)
    through(place, relay, messages // 5, 1024, 20, kept=True)
    before = through(place, relay, messages, 1024, 20, kept=True)["msg/s"]
    fill(place, relay, place.count(20000))
    beside = through(place, relay, messages, 1024, 20, kept=True)["msg/s"]
    return {"relative": beside / before, "msg/s": beside}


def drain(place: Place, relay: Relay) -> Figures:
    """Return how fast a queue leaves once its host is back."""
    messages = place.count(20000)
    took = fill(place, relay, messages)
    with Sink(place.program, place.dead) as back:
        begun = time.time()
        relay.flush()
        wait_until(lambda: back.stat()["unique"] >= messages, 600, 0.02, "the queue to drain")
        stat = back.stat()
    return {
        "msg/s": messages / (stat["last"] - begun),
        "fill_msg/s": messages / took,
        "duplicates": stat["duplicates"],
    }


def backlog(place: Place, relay: Relay) -> Figures:
    """Return start, listing and memory with many messages queued."""
    empty = memory_mib(relay.pid())
    messages = place.count(100_000)
    fill(place, relay, messages)
    full = memory_mib(relay.pid())
    begun = time.monotonic()
    listed = relay.listing()
    took = time.monotonic() - begun
    assert listed >= messages, f"{relay.name} listed {listed} of {messages}"
    relay.stop()
    started = relay.start()
    return {"start_s": started, "list_s": took, "memory_mib": full, "empty_mib": empty, "messages": messages}


CASES = [
    Case("1 KB, 20 kept sessions", "msg/s", "more", end_to_end(10_000, 1024)),
    Case("10 KB, 20 kept sessions", "msg/s", "more", end_to_end(10_000, 10_240)),
    Case("10 KB, a connection each", "msg/s", "more", end_to_end(5_000, 10_240, kept=False)),
    Case("100 KB, 20 kept sessions", "msg/s", "more", end_to_end(2_000, 102_400)),
    Case("10 MB, 5 kept sessions", "msg/s", "more", end_to_end(60, 10_485_760, 5)),
    Case("acknowledgement at 500/s", "p99_ms", "less", latency),
    Case("beside a dead host's 20k", "relative", "more", dead_host),
    Case("drain of 20k", "msg/s", "more", drain),
    Case("100k queued: start", "start_s", "less", backlog),
]


def measure(case: Case, relay_name: str, program: Path, scale: float) -> Figures:
    """Run one case on a fresh relay."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost-bench-"))
    try:
        with Sink(program, free_port()) as sink:
            place = Place(folder, sink, free_port(), program, scale)
            relay = RELAYS[relay_name](folder / relay_name, sink.port, place.dead)
            try:
                relay.start()
                return case.run(place, relay)
            finally:
                relay.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(results: dict[str, dict[str, list[Figures]]]) -> str:
    """Return medians and paired ratios as text."""
    lines = []
    for case in CASES:
        runs = results.get(case.name)
        if not runs:
            continue
        lines.append(f"{case.name}  ({case.figure}, {case.better} is better)")
        for relay, rounds in runs.items():
            shown = {
                key: statistics.median(figures[key] for figures in rounds)
                for key in (rounds[0] if rounds else {})
            }
            lines.append(f"  {relay:9} " + "  ".join(f"{key} {value:.4g}" for key, value in shown.items()))
        if {"postfix", "gatepost"} <= runs.keys():
            ratios = sorted(
                (ours[case.figure] / theirs[case.figure])
                if case.better == "more"
                else theirs[case.figure] / max(ours[case.figure], 1e-9)
                for ours, theirs in zip(runs["gatepost"], runs["postfix"], strict=True)
            )
            middle = statistics.median(ratios)
            lines.append(f"  times better, paired: {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    return "\n".join(lines)


def main() -> int:
    """Run the chosen cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth of the messages")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for the number of messages")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--relay", choices=sorted(RELAYS), action="append", help="only this relay")
    options = parser.parse_args()
    rounds, scale = (1, 0.1) if options.quick else (options.rounds, options.scale)
    relays = options.relay or list(RELAYS)
    results: dict[str, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory(prefix="gatepost-sink-") as name:
        program = build(Path(name))
        for number in range(rounds):
            for case in (case for case in CASES if options.only in case.name):
                # Who goes first alternates, so that neither always finds the warmer machine.
                for relay in relays if number % 2 == 0 else relays[::-1]:
                    figures = measure(case, relay, program, scale)
                    results.setdefault(case.name, {r: [] for r in relays})[relay].append(figures)
                    print(f"round {number + 1}  {case.name}  {relay}  {figures}", file=sys.stderr, flush=True)
    print(table(results))
    folder = ROOT / "bench" / "results"
    folder.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    document = {
        "at": stamp,
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "kernel": platform.release(),
        },
        "scale": scale,
        "results": results,
    }
    (folder / f"{stamp}.json").write_text(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
