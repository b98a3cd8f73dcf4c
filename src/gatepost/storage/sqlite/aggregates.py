"""Numbers over many rows, for reports and insights: always of a bounded number of them."""

from collections import Counter
from typing import cast

import apsw

from gatepost.model.waiting import BUCKET_MS
from gatepost.storage.counters import IDS_OF_A_BUCKET
from gatepost.storage.interface import Facets
from gatepost.storage.queries import Queries

SQL = Queries("sqlite", "read")


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
