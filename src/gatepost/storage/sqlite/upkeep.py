"""Counting again, forgetting, copying: work beside the mail. Functions of a connection."""

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

import apsw

from gatepost.model import ids
from gatepost.storage import spool
from gatepost.storage.counters import IDS_OF_A_BUCKET, Counters, Place, Totals
from gatepost.storage.queries import Queries
from gatepost.storage.sqlite.apply import Applier, Effects

READ = Queries("sqlite", "read")
WRITE = Queries("sqlite", "write")
SLICE = 2000
AUDIT_TRIES = 3
AUDIT_PAUSE = 0.05


def counters(connection: apsw.Connection) -> dict[Place, Totals]:
    """Count the queue, once, at the start."""
    found = connection.execute(READ["counters"], (IDS_OF_A_BUCKET,)).fetchall()
    rows = cast("list[tuple[int, int, int, int, int]]", found)
    return {row[:2]: row[2:] for row in rows}


def spooled(connection: apsw.Connection) -> set[int]:
    """Return the messages whose body is a spool file that is still needed."""
    return {cast("int", row[0]) for row in connection.execute(READ["spooled"])}


def audit(connection: apsw.Connection, folder: Path, known: Counters) -> dict[str, object]:
    """Compare the ledger with what is there, all of one moment, and what is counted in memory with it."""
    with connection:
        ledger = {cast("str", name): cast("int", value) for name, value in connection.execute(READ["ledger"])}
        row = connection.execute(READ["audit_counts"]).fetchall()[0]
        needed = spooled(connection)
    queued, open_, stray_bodies, bodiless, stray_rows = cast("tuple[int, int, int, int, int]", row)
    missing = sum(1 for message_id in needed if not spool.file_of(folder, message_id).is_file())
    ended = sum(value for name, value in ledger.items() if name != "accepted")
    return {
        **ledger,
        "queued": queued,
        "balanced": ledger["accepted"] == ended + queued and open_ == queued,
        "bodies_without_rows": stray_bodies,
        "rows_without_bodies": bodiless + missing,
        "rows_without_message": stray_rows,
        "counters_differ": _differences(connection, known),
    }


def _differences(connection: apsw.Connection, known: Counters) -> int | None:
    """Return how many counters are wrong; None where mail came and went all the while, so that none can be compared."""
    for _ in range(AUDIT_TRIES):
        before, found, after = known.places(), counters(connection), known.places()
        if before == after and _messages(found) == before:
            return 0
        if before == after:
            time.sleep(AUDIT_PAUSE)  # what was just committed may not be counted yet
            if known.places() == before:
                again = _messages(counters(connection))
                return sum(before.get(place) != again.get(place) for place in before.keys() | again.keys())
    return None


def _messages(found: dict[Place, Totals]) -> dict[Place, int]:
    return {place: totals[0] for place, totals in found.items()}


def prune_slice(connection: apsw.Connection, after: int, before: int) -> tuple[int, int]:
    """Forget some finished messages; return how many and the last one's id."""
    found = connection.execute(WRITE["prune_pick"], (after, before, SLICE)).fetchall()
    text = cast("str", found[0][0])
    numbers = cast("list[int]", json.loads(text))
    if numbers:
        for name in ("prune_attempts", "prune_events", "prune_rerouted", "prune_messages"):
            connection.execute(WRITE[name], (text,))
    return len(numbers), numbers[-1] if numbers else 0


def prune_rest(connection: apsw.Connection, before: int) -> None:
    """Forget what does not hang on a message: attempts of destinations, sessions, the gateway's events."""
    connection.execute(WRITE["prune_gateway_events"], (before,))
    connection.execute(WRITE["prune_destination_attempts"], (before,))
    connection.execute(WRITE["prune_sessions"], (before, before))


def backup(connection: apsw.Connection, folder: Path, path: Path) -> None:
    """Copy the database as of one moment, and the large bodies that it names (linked where possible)."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # nobody else may read it, ever
    connection.execute("VACUUM INTO ?", (str(path),))
    copies = path.with_name(path.name + ".spool")
    copies.mkdir(mode=0o700)
    copy = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        for message_id in spooled(copy):
            with suppress(FileNotFoundError):  # delivered since the moment of the copy
                _link(spool.file_of(folder, message_id), copies / ids.to_text(message_id))
    finally:
        copy.close()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


class PruneSlice:
    """One slice of pruning, for the writer."""

    def __init__(self, after: int, before: int) -> None:
        self._after = after
        self._before = before

    def __call__(self, applier: Applier, _effects: Effects) -> tuple[int, int]:
        """Forget a slice; where nothing is left, what does not hang on messages too."""
        count, last = prune_slice(applier.connection, self._after, self._before)
        if not count:
            prune_rest(applier.connection, self._before)
        return count, last
