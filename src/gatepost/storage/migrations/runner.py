"""Which migrations a database still needs; a changed or unknown one stops the start (pure)."""

import hashlib
import re
from importlib.resources import files
from typing import NamedTuple

from gatepost.storage.interface import StoreUnusable

_FILE = re.compile(r"(\d{4})_\w+\.sql")


class Migration(NamedTuple):
    """One step of the schema."""

    number: int
    name: str
    sql: str
    checksum: str


def known(backend: str) -> list[Migration]:
    """Return the migrations that this version brings, in order."""
    found = []
    for entry in files("gatepost.storage").joinpath("migrations", backend).iterdir():
        match = _FILE.fullmatch(entry.name)
        if match:
            sql = entry.read_text("utf-8")
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            found.append(Migration(int(match[1]), entry.name, sql, checksum))
    return sorted(found)


def pending(available: list[Migration], applied: dict[int, str]) -> list[Migration]:
    """Return what is to be applied; `applied` maps number to checksum."""
    by_number = {m.number: m for m in available}
    for number, checksum in applied.items():
        migration = by_number.get(number)
        if migration is None:
            raise StoreUnusable(f"the store has migration {number} of a newer version; use that version")
        if migration.checksum != checksum:
            raise StoreUnusable(f"migration {migration.name} was changed after it had been applied")
    newest = max(applied, default=0)
    todo = [m for m in available if m.number not in applied]
    if any(m.number < newest for m in todo):
        raise StoreUnusable("a migration is older than one that was applied: they only go forward")
    return todo
