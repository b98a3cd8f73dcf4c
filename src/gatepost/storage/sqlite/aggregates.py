"""Numbers over many rows, for reports and insights: always of a bounded number of them."""

from collections import Counter
from typing import cast

import apsw

from gatepost.model import ids
from gatepost.model.failure import iso
from gatepost.model.waiting import BUCKET_MS
from gatepost.storage.counters import IDS_OF_A_BUCKET
from gatepost.storage.interface import EndedCount, Facets, Traffic
from gatepost.storage.queries import Queries

SQL = Queries("sqlite", "read")
SAMPLES = 5  # messages named with each count
SAMPLED = 2000  # of the latest ones
DAY_MS = 86_400_000


def facets(connection: apsw.Connection, destination_id: int, limit: int) -> Facets:
    """Return whose mail waits at a destination, from its oldest rows."""
    with connection:
        domains = connection.execute(SQL["facet_domains"], (destination_id, limit + 1)).fetchall()
        senders = connection.execute(SQL["facet_senders"], (destination_id, limit + 1)).fetchall()
    rows = cast("list[tuple[str, int]]", domains)
    messages, octets = 0, 0
    by_domain: Counter[str] = Counter()
    for sender, count, size in cast("list[tuple[str, int, int]]", senders):
        messages, octets = messages + count, octets + size
        by_domain[sender.rpartition("@")[2].lower()] += count
    recipients = sum(count for _, count in rows)
    common = tuple(sorted(by_domain.items(), key=lambda entry: (-entry[1], entry[0])))
    return Facets(messages, recipients, octets, tuple(rows), common, recipients > limit)


def dated(connection: apsw.Connection, destination_id: int, limit: int) -> list[tuple[int, int, int]]:
    """Return messages with an expiry of their own, as (accepted, expires, messages) in five minutes each."""
    values = {
        "destination_id": destination_id,
        "limit": limit,
        "ids_of_a_bucket": IDS_OF_A_BUCKET,
        "bucket": BUCKET_MS,
    }
    found = cast("list[tuple[int, int, int]]", connection.execute(SQL["dated"], values).fetchall())
    return [(accepted * BUCKET_MS, expires * BUCKET_MS, count) for accepted, expires, count in found]


def ended_counts(connection: apsw.Connection, since: int, until: int, limit: int) -> list[EndedCount]:
    """Return what was not delivered, by day, code and destination, the latest day first."""
    values = {"since": since, "until": until, "limit": limit, "samples": min(limit, SAMPLED)}
    found = connection.execute(SQL["ended_counts"], values).fetchall()
    samples: dict[tuple[object, ...], dict[int, None]] = {}
    for *key, message_id in connection.execute(SQL["ended_samples"], values):
        seen = samples.setdefault(tuple(key), {})
        if len(seen) < SAMPLES:
            seen[cast("int", message_id)] = None
    rows = cast("list[tuple[int, str, int, str, str, int, int, int, str, int, int]]", found)
    return [
        EndedCount(_day(row[0]), *row[1:9], tuple(samples.get(row[:6]) or dict.fromkeys(row[9:])))
        for row in rows
    ]


def _day(number: int) -> str:
    return iso(number * DAY_MS)[:10]


def traffic(connection: apsw.Connection, since: int, limit: int) -> tuple[list[Traffic], bool]:
    """Return attempts by destination and TLS version, and whether there were more than `limit`."""
    values = {"first": ids.first_of(since), "limit": limit}
    found = cast(
        "list[tuple[int, str, int, int, int, int, int, float, int]]",
        connection.execute(SQL["traffic"], values).fetchall(),
    )
    rows = [Traffic(*row) for row in found]
    return rows, sum(row.attempts for row in rows) >= limit


def held_back(connection: apsw.Connection, since: int) -> dict[int, int]:
    """Return how many attempts concerned a whole destination, by destination."""
    found = connection.execute(SQL["held_back"], (ids.first_of(since),)).fetchall()
    return dict(cast("list[tuple[int, int]]", found))
