# ruff: noqa: E501, ISC004 (a line of a log is one line)
"""Read a large log of Postfix with `gatepost explain --summary` and with pflogsumm, in turn, and print the ratio.

The log is made deterministically: 90 % of the recipients are reached at once, others later, never, or refused, at many
destinations. Usage: bench/explain_log.py [--megabytes 1000] [--keep FILE] [--runs 3]
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MB = 1_000_000
START = 1_795_680_000  # 2026-11-26 08:00 UTC
SPREAD = 30_000  # destinations
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DEFERRED = (
    ("4.4.1", "connect to mx{d}.dest{d}.example[192.0.2.{b}]:25: Connection timed out"),
    ("4.4.1", "connect to mx{d}.dest{d}.example[192.0.2.{b}]:25: Connection refused"),
    ("4.7.1", "host mx{d}.dest{d}.example[192.0.2.{b}] said: 450 4.7.1 <u{u}@dest{d}.example>: Recipient address rejected: "
     "Greylisted, see http://postgrey.example/help/dest{d}.example.html (in reply to RCPT TO command)"),
    ("4.4.3", "Host or domain name not found. Name service error for name=dest{d}.example type=MX: Host not found, try again"),
    ("4.4.2", "lost connection with mx{d}.dest{d}.example[192.0.2.{b}] while sending end of data -- message may be sent more than once"),
    ("4.2.2", "host mx{d}.dest{d}.example[192.0.2.{b}] said: 452 4.2.2 <u{u}@dest{d}.example>: Mailbox full {q} (in reply to RCPT TO command)"),
)  # fmt: skip
BOUNCED = (
    ("5.1.1", "host mx{d}.dest{d}.example[192.0.2.{b}] said: 550 5.1.1 <u{u}@dest{d}.example>: Recipient address rejected: User "
     "unknown in virtual mailbox table (in reply to RCPT TO command)"),
    ("5.7.1", "host mx{d}.dest{d}.example[192.0.2.{b}] said: 554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked "
     "using zen.spamhaus.org; https://www.spamhaus.org/query/ip/198.51.100.7 (in reply to RCPT TO command)"),
    ("5.4.4", "Host or domain name not found. Name service error for name=dest{d}.example type=AAAA: Host not found"),
)  # fmt: skip
REJECTED = "NOQUEUE: reject: RCPT from unknown[203.0.113.{b}]: 554 5.7.1 <u{u}@us.example>: Relay access denied; from=<s{u}@spam.example> to=<u{u}@us.example> proto=ESMTP helo=<x{u}>"


class Result(NamedTuple):
    """What a run took."""

    seconds: float
    processor: float  # seconds of processor time, which a busy machine does not change much
    memory_mb: float


def lines(seed: int = 7) -> Iterator[str]:
    """Yield the lines of a log without end."""
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        at = START + number // 40
        stamp = time.gmtime(at)
        head = f"{MONTHS[stamp.tm_mon - 1]} {stamp.tm_mday:2d} {stamp.tm_hour:02d}:{stamp.tm_min:02d}:{stamp.tm_sec:02d} mail"
        queue_id = f"{number * 2_654_435_761 % 0xFFFFFFFFFF:010X}"
        u, b = chance.randrange(1_000_000), chance.randrange(1, 255)
        d = int(SPREAD * chance.random() ** 3)
        yield f"{head} postfix/smtpd[{1000 + b}]: connect from client{b}.us.example[10.0.0.{b}]\n"
        if chance.random() < 0.05:
            yield f"{head} postfix/smtpd[{1000 + b}]: {REJECTED.format(b=b, u=u)}\n"
        yield f"{head} postfix/smtpd[{1000 + b}]: {queue_id}: client=client{b}.us.example[10.0.0.{b}]\n"
        yield f"{head} postfix/cleanup[{2000 + b}]: {queue_id}: message-id=<{u}.{number}@client{b}.us.example>\n"
        yield f"{head} postfix/qmgr[99]: {queue_id}: from=<s{u % 5000}@us.example>, size={u}, nrcpt=1 (queue active)\n"
        yield f"{head} postfix/smtpd[{1000 + b}]: disconnect from client{b}.us.example[10.0.0.{b}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5\n"
        yield from outcome(chance, head, queue_id, {"u": u, "b": b, "d": d, "q": queue_id})


def outcome(chance: random.Random, head: str, queue_id: str, names: dict[str, object]) -> Iterator[str]:
    """Yield how a message fares: most are sent at once."""
    drawn = chance.random()
    to = f"{head} postfix/smtp[{3000 + int(str(names['b']))}]: {queue_id}: to=<u{names['u']}@dest{names['d']}.example>,"
    relay = "relay=mx{d}.dest{d}.example[192.0.2.{b}]:25,".format(**names)
    if drawn >= 0.9:
        dsn, text = chance.choice(BOUNCED if drawn > 0.97 else DEFERRED)
        where = relay if " said: " in text or "lost" in text else "relay=none,"
        status = "bounced" if drawn > 0.97 else "deferred"
        yield f"{to} {where} delay=1.9, delays=0.1/0/1.2/0.6, dsn={dsn}, status={status} ({text.format(**names)})\n"
    if drawn < 0.95:
        yield f"{to} {relay} delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 OK  {names['u']} u{names['q']}.512 - gsmtp)\n"
    if drawn < 0.95 or drawn > 0.97:
        yield f"{head} postfix/qmgr[99]: {queue_id}: removed\n"


def make(path: Path, octets: int) -> None:
    """Write a log of that size."""
    written, source = 0, lines()
    with path.open("w") as file:
        while written < octets:
            written += file.write(next(source))


def measured(command: list[str]) -> Result:
    """Run a command to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed: {status}")
    return Result(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> int:
    """Measure in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="where to make the log; one that is there is read as it is")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = wanted.keep or Path(folder) / "mail.log"
        if not path.exists():
            make(path, wanted.megabytes * MB)
        size = path.stat().st_size / MB
        gatepost = shutil.which(
            "gatepost", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
        )
        commands = {"gatepost": [gatepost or "gatepost", "explain", "--summary", str(path)]}
        if other := shutil.which("pflogsumm"):
            commands["pflogsumm"] = [other, str(path)]
        results: dict[str, list[Result]] = {name: [] for name in commands}
        for _ in range(wanted.runs):
            for name, command in commands.items():
                results[name].append(measured(command))
        report(size, results)
    return 0


def report(size: float, results: dict[str, list[Result]]) -> None:
    """Print the median of each, and how much faster the first is than the second."""
    middle = {name: median(runs) for name, runs in results.items()}
    for name, run in middle.items():
        rate, busy = size / run.seconds, size / run.processor
        print(
            f"{name}: {size:.0f} MB in {run.seconds:.1f} s, {rate:.0f} MB/s; {run.processor:.1f} s of processor time, "
            f"{busy:.0f} MB/s; {run.memory_mb:.0f} MB of memory"
        )
    if len(middle) == 2:
        ours, theirs = middle["gatepost"], middle["pflogsumm"]
        times, busy = theirs.seconds / ours.seconds, theirs.processor / ours.processor
        print(f"ratio: {times:.1f} times as fast as pflogsumm ({busy:.1f} by processor time)")
    else:
        print("pflogsumm is not installed (apt-get install pflogsumm): no ratio")


def median(runs: list[Result]) -> Result:
    """Return the middle of each number; of the memory the most."""
    seconds, processor = sorted(run.seconds for run in runs), sorted(run.processor for run in runs)
    half = len(runs) // 2
    return Result(seconds[half], processor[half], max(run.memory_mb for run in runs))


if __name__ == "__main__":
    sys.exit(main())
