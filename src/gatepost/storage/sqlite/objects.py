"""Objects of run-time configuration with their history: who, when, what, before, after."""

from collections.abc import Callable
from typing import Any, cast

import apsw

from gatepost.storage.interface import HistoryEntry, ObjectsChange, RevisionConflict, StoredObjects
from gatepost.storage.queries import Queries
from gatepost.storage.sqlite.rows import decode, encode


def save(execute: Callable[..., Any], sql: Queries, change: ObjectsChange) -> int:
    """Write a change made from the newest revision; return the revision that it makes."""
    found = int(execute(sql["revision"]).fetchall()[0][0])
    if found != change.expected:
        raise RevisionConflict(change.expected, found)
    revision = found + 1
    execute(sql["insert_audit"], (revision, change.at, change.who, change.what))
    for put in change.puts:
        old = execute(sql["object_data"], (put.kind, put.name)).fetchall()
        before = old[0][0] if old else None
        after = None if put.data is None else encode(put.data)
        if after is None:
            execute(sql["delete_object"], (put.kind, put.name))
        else:
            execute(sql["put_object"], (put.kind, put.name, after, revision))
        execute(sql["insert_history"], (revision, put.kind, put.name, before, after))
    return revision


def load(connection: apsw.Connection, read: Queries, write: Queries) -> StoredObjects:
    """Return all objects, of one moment."""
    kinds: dict[str, dict[str, dict[str, object]]] = {}
    with connection:
        found = connection.execute(read["objects"]).fetchall()
        revision = cast("int", connection.execute(write["revision"]).fetchall()[0][0])
    for kind, name, data in cast("list[tuple[str, str, str]]", found):
        kinds.setdefault(kind, {})[name] = dict(decode(data) or {})
    return StoredObjects(revision, kinds)


def history(execute: Callable[..., Any], sql: Queries, limit: int, before: int) -> list[HistoryEntry]:
    """Return changes, newest first."""
    found = execute(sql["history"], (before, before, limit)).fetchall()
    return [
        HistoryEntry(revision, at, who, what, kind, name, decode(old), decode(new))
        for revision, at, who, what, kind, name, old, new in found
    ]
