"""What an error of the database means for us: one change, one batch, or the end of trust in the disk."""

import apsw

from gatepost.storage.interface import ChangeRejected, StoreBroken, StoreError, StoreFailed, StoreFull

# After a failed sync the kernel may have dropped the pages and will report the next sync as fine.
_SYNC = frozenset({apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC})
_BATCH = (
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.NoMemError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.NotADBError,
    apsw.InterruptError,
    MemoryError,
)


class SyncFailed(StoreError):
    """The folder of large bodies could not be synced."""


def meaning(error: BaseException) -> StoreError:
    """Translate: `StoreBroken`, `StoreFull`, `StoreFailed` for a batch; anything else concerns one change."""
    if isinstance(error, SyncFailed):
        return StoreBroken(str(error))
    if isinstance(error, StoreError):
        return error
    if isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) in _SYNC:
        return StoreBroken(f"the disk failed at a sync: {error}")
    if isinstance(error, apsw.FullError):
        return StoreFull(f"no room: {error}")
    if isinstance(error, _BATCH):
        return StoreFailed(f"the store refused: {error}")
    return ChangeRejected(f"{type(error).__name__}: {error}")


def concerns_batch(error: StoreError) -> bool:
    """Return whether trying the changes one by one is of no use."""
    return isinstance(error, (StoreBroken, StoreFailed))
