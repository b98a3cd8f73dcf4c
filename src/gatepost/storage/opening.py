"""Which backend a store address means."""

from pathlib import Path

from gatepost.storage.interface import Store, StoreUnusable
from gatepost.storage.sqlite import open_sqlite
from gatepost.storage.sqlite.store import DATABASE


async def open_store(url: str, data_dir: Path) -> Store:
    """Open the store of `[store] url`: `sqlite:` is `gatepost.db` in the data folder, `sqlite:PATH` that file."""
    if url.startswith("sqlite:"):
        path = Path(url.removeprefix("sqlite:") or data_dir / DATABASE)
        return await open_sqlite(path.parent, name=path.name)
    raise StoreUnusable(f"no backend for the store address {url!r}: use sqlite:")
