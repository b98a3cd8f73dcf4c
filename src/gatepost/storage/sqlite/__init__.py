"""The embedded backend: SQLite through apsw, in write-ahead mode, every commit synced."""

from gatepost.storage.sqlite.store import SqliteStore, open_sqlite

__all__ = ["SqliteStore", "open_sqlite"]
