"""Opening: the lock of the data folder, the pragmas, the version of SQLite, the migrations."""

import fcntl
import os
from pathlib import Path

import apsw

from gatepost.storage.interface import StoreLocked, StoreUnusable
from gatepost.storage.migrations import runner

PAGE = 8192
PATIENCE_MS = 5_000  # of the writer with whoever else holds the database: clients wait for it
# 3.7.0 to 3.51.2 can lose committed transactions where two connections meet a WAL reset.
OLDEST = (3, 51, 3)


def check_version(version: str) -> None:
    """Refuse an SQLite that can lose what was committed."""
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST:
        raise StoreUnusable(
            f"SQLite {version} can lose committed mail (WAL reset); 3.51.3 or newer is needed"
        )


def lock_folder(folder: Path) -> int:
    """Take the folder for this process; the lock goes with the process, however it dies."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 20, 0).strip()
        os.close(descriptor)
        raise StoreLocked(int(text) if text.isdigit() else 0) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def connect(path: Path, *, cache_kib: int, vfs: str | None = None) -> apsw.Connection:
    """Open a connection with our settings; the caller decides which thread owns it."""
    connection = apsw.Connection(str(path), vfs=vfs)
    connection.set_busy_timeout(30_000)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.pragma("page_size", PAGE)
    if connection.pragma("journal_mode", "wal") != "wal":
        raise StoreUnusable(f"{path}: this file system cannot hold a write-ahead log")
    connection.pragma("synchronous", "full")
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("temp_store", "memory")
    connection.wal_autocheckpoint(0)
    return connection


def migrate(connection: apsw.Connection) -> list[str]:
    """Bring the schema up to date in one transaction; return the names of what was applied."""
    available = runner.known("sqlite")
    with connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration"
            " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT"
        )
        found = connection.execute("SELECT number, checksum FROM migration").fetchall()
        todo = runner.pending(available, {int(str(n)): str(c) for n, c in found})
        for step in todo:
            connection.execute(step.sql)
            connection.execute(
                "INSERT INTO migration VALUES (?, ?, ?)", (step.number, step.name, step.checksum)
            )
    return [step.name for step in todo]
