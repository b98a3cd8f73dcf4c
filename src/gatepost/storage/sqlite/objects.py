"""Objects of run-time configuration with their history: who, when, what, before, after."""

from collections.abc import Callable
from typing import Any

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


def load(execute: Callable[..., Any], read: Queries, write: Queries) -> StoredObjects:
    """Return all objects; the caller's transaction makes revision and rows agree."""
    kinds: dict[str, dict[str, dict[str, object]]] = {}
    for kind, name, data in execute(read["objects"]):
        kinds.setdefault(kind, {})[name] = dict(decode(data) or {})
    return StoredObjects(int(execute(write["revision"]).fetchall()[0][0]), kinds)


def history(execute: Callable[..., Any], sql: Queries, limit: int, before: int) -> list[HistoryEntry]:
    """Return changes, newest first."""
    found = execute(sql["history"], (before, before, limit)).fetchall()
    return [
        HistoryEntry(revision, at, who, what, kind, name, decode(old), decode(new))
        for revision, at, who, what, kind, name, old, new in found
    ]
