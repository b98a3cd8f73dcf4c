"""Which backend a store address means."""

from pathlib import Path

from gatepost.storage.interface import Store, StoreUnusable
from gatepost.storage.sqlite import open_sqlite


async def open_store(url: str, data_dir: Path) -> Store:
    """Open the store of `[store] url`: `sqlite:` is the file in the data folder."""
    if url == "sqlite:":
        return await open_sqlite(data_dir)
    raise StoreUnusable(f"no backend for the store address {url!r}: use sqlite:")
