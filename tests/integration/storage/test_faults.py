"""What the store does when the disk, the machine or an administrator fails it."""

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import apsw
import pytest
from tests.integration.storage import conformance as c
from tests.integration.storage.conformance import NOW, OFFICE, Maker, accept, put, settle

from gatepost.model import ids
from gatepost.model.mail import BodyMissing
from gatepost.storage import spool
from gatepost.storage.interface import Change, StoreBroken, StoreFailed, StoreFull, StoreLocked, StoreUnusable
from gatepost.storage.sqlite import connection, open_sqlite

ROOT = Path(__file__).parents[3]


class FaultyFile(apsw.VFSFile):
    """A file whose writes and syncs fail when its disk says so."""

    def __init__(self, disk: "FaultyDisk", name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.check("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._disk.check("sync")
        super().xSync(flags)


class FaultyDisk(apsw.VFS):
    """A disk that fails at the n-th operation of a kind, once or from then on."""

    def __init__(self) -> None:
        self.name = f"faulty-{next(_NUMBERS)}"
        self.operation, self.countdown, self.code, self.forever = "", -1, 0, False
        self.asked = 0
        super().__init__(self.name, "")

    def fail(self, operation: str, after: int, code: int, *, forever: bool = False) -> None:
        self.operation, self.countdown, self.code, self.forever = operation, after, code, forever
        self.asked = 0

    def check(self, operation: str) -> None:
        if operation != self.operation or self.countdown < 0:
            return
        self.asked += 1
        self.countdown -= 1
        if self.countdown < 0:
            if self.forever:
                self.countdown = 0
            raise apsw.exception_for(self.code)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> FaultyFile:
        return FaultyFile(self, name, flags)


_NUMBERS = count()


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    vfs = FaultyDisk()
    yield vfs
    vfs.unregister()


@pytest.mark.parametrize("nth", range(4))
def test_a_write_that_fails_loses_that_batch_only(disk: FaultyDisk, tmp_path: Path, nth: int) -> None:
    """R2: nothing of the batch is kept, nothing else is hurt, and the next change goes through."""

    async def main() -> None:
        store, make = await open_sqlite(tmp_path, vfs=disk.name), Maker()
        before, hit, after = make.message(), make.message(body=b"x" * 20_000, claimed=True), make.message()
        await accept(store, before)
        disk.fail("write", nth, apsw.SQLITE_IOERR_WRITE)
        with pytest.raises(StoreFailed):
            await accept(store, hit)
        await accept(store, after)
        assert store.health().ok
        assert await c.claimed(store) == [before.id, after.id]
        assert (await store.audit())["balanced"]
        await store.close()

    asyncio.run(main())


def test_a_full_disk_is_named_and_the_store_heals_when_there_is_room(
    disk: FaultyDisk, tmp_path: Path
) -> None:
    async def main() -> None:
        store, make = await open_sqlite(tmp_path, vfs=disk.name), Maker()
        disk.fail("write", 0, apsw.SQLITE_FULL, forever=True)
        for _ in range(3):
            with pytest.raises(StoreFull):
                await accept(store, make.message())
        disk.fail("", -1, 0)
        await accept(store, make.message())
        assert (await c.waiting(store))[0] == 1
        await store.close()

    asyncio.run(main())


def test_after_a_failed_sync_nothing_is_synced_or_promised_any_more(disk: FaultyDisk, tmp_path: Path) -> None:
    """R2: the kernel may report the second sync of lost pages as fine, so there is none."""

    async def main() -> None:
        store, make = await open_sqlite(tmp_path, vfs=disk.name), Maker()
        kept = make.message()
        await accept(store, kept)
        disk.fail("sync", 0, apsw.SQLITE_IOERR_FSYNC)
        with pytest.raises(StoreBroken):
            await accept(store, make.message())
        assert not store.health().ok
        assert "sync" in store.health().problem
        disk.fail("sync", 1_000_000, apsw.SQLITE_IOERR_FSYNC)
        with pytest.raises(StoreBroken):
            await accept(store, make.message())
        await store.close()
        assert disk.asked == 0
        again = await open_sqlite(tmp_path)
        assert kept.id in await c.claimed(again)
        await again.close()

    asyncio.run(main())


def test_a_folder_that_cannot_be_synced_breaks_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def main() -> None:
        store, make = await open_sqlite(tmp_path), Maker()
        monkeypatch.setattr(spool, "sync_folder", refuse)
        await accept(store, make.message())
        with pytest.raises(StoreBroken):
            await accept(store, make.message(spool=True))
        assert not store.health().ok
        await store.close()

    asyncio.run(main())


def test_the_second_owner_of_a_folder_is_told_who_has_it(tmp_path: Path) -> None:
    async def main() -> None:
        store = await open_sqlite(tmp_path)
        with pytest.raises(StoreLocked) as caught:
            await open_sqlite(tmp_path)
        assert caught.value.pid == os.getpid()
        await store.close()
        await (await open_sqlite(tmp_path)).close()

    asyncio.run(main())


def test_a_flipped_bit_in_a_body_hurts_that_message_only(tmp_path: Path) -> None:
    async def main() -> None:
        store, make = await open_sqlite(tmp_path), Maker()
        hurt, well = make.message(body=b"a" * 3000), make.message(body=b"b" * 3000)
        await accept(store, hurt, well)
        await store.close()
        path = tmp_path / "gatepost.db"
        path.write_bytes(path.read_bytes().replace(b"a" * 3000, b"a" * 1500 + b"c" + b"a" * 1499))
        store = await open_sqlite(tmp_path)
        first, second = await store.claim(OFFICE.id, 10, 1 << 20, NOW)
        assert first.body is None
        assert second.body == well.body
        pieces: list[bytes] = []
        with pytest.raises(BodyMissing):
            await c.read_into(pieces, store, hurt.id)
        assert pieces == []
        await store.close()

    asyncio.run(main())


def test_a_changed_migration_and_a_newer_database_stop_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        await (await open_sqlite(tmp_path)).close()
        plain = apsw.Connection(str(tmp_path / "gatepost.db"))
        plain.execute("INSERT INTO migration VALUES (9999, 'later', 'x')")
        with pytest.raises(StoreUnusable, match="newer version"):
            await open_sqlite(tmp_path)
        plain.execute("DELETE FROM migration WHERE number = 9999; UPDATE migration SET checksum = 'x'")
        plain.close()
        with pytest.raises(StoreUnusable, match="was changed"):
            await open_sqlite(tmp_path)

    asyncio.run(main())


def test_an_sqlite_that_can_lose_commits_is_refused() -> None:
    for version in ("3.40.1", "3.51.2"):
        with pytest.raises(StoreUnusable, match="WAL"):
            connection.check_version(version)
    connection.check_version("3.51.3")
    connection.check_version("3.100.0")


def test_nobody_else_may_read_the_mail(tmp_path: Path) -> None:
    """Rule 29."""

    async def main() -> None:
        folder = tmp_path / "data"
        store = await open_sqlite(folder)
        await accept(store, Maker().message())
        for path in (folder, *folder.iterdir()):
            assert path.stat().st_mode & 0o077 == 0, path
        await store.close()

    asyncio.run(main())


def test_the_log_does_not_grow_without_end_and_loses_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        store, make = await open_sqlite(tmp_path), Maker()
        for _ in range(60):
            batch = [make.message(body=random.randbytes(100_000)) for _ in range(20)]
            await accept(store, *batch)
            await put(store, Change(settles=tuple(settle(m) for m in batch)))
        assert (tmp_path / "gatepost.db-wal").stat().st_size < 110 << 20
        assert (await store.audit())["balanced"]
        await store.close()

    asyncio.run(main())


_VICTIM = """
import asyncio, sys
from pathlib import Path
from gatepost.storage.sqlite import open_sqlite
from gatepost.storage.interface import Change
from tests.integration.storage.conformance import Maker, settle, claimed
async def main():
    store = await open_sqlite(Path(sys.argv[1]))
    make = Maker(int(sys.argv[2]))
    def settled(message):
        return lambda error: print("end", message.id, flush=True)
    def kept(message):
        def done(error):
            print("kept", message.id, flush=True)
            if message.id % 2:
                store.write(Change(settles=(settle(message),)), settled(message))
            asyncio.get_running_loop().call_soon(more)
        return done
    def more():
        message = make.message(body=b"x" * 3000, claimed=True)
        store.write(Change(accepts=(message,)), kept(message))
    for _ in range(10):
        more()
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_killed_at_any_moment_no_kept_message_is_lost_and_none_ends_twice(tmp_path: Path) -> None:
    """R2: what was said to be kept is queued or has ended; what was said to have ended is not queued."""
    kept: set[int] = set()
    ended: set[int] = set()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    for round_ in range(4):
        arguments = [sys.executable, "-c", _VICTIM, str(tmp_path), str(NOW + round_ * 1_000_000)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as victim:
            assert victim.stdout is not None
            lines = [victim.stdout.readline()]
            time.sleep(0.1 + random.random() / 5)
            victim.send_signal(signal.SIGKILL)
            lines += victim.stdout.read().splitlines()
        for line in lines:
            word, _, number = line.strip().partition(" ")
            if number and len(number) == len(lines[0].split()[1]):
                (kept if word == "kept" else ended).add(int(number))

        async def check() -> None:
            store = await open_sqlite(tmp_path)
            queued = {i.message_id for i in await store.claim(OFFICE.id, 1_000_000, 1 << 30, NOW)}
            audit = await store.audit()
            assert audit["balanced"], audit
            assert audit["bodies_without_rows"] == audit["rows_without_bodies"] == 0
            assert not ended & queued
            for number in kept - ended - queued:
                view = await store.message(number)
                assert view is not None, ids.to_text(number)
                assert view.recipients[0].state == "delivered"
            await store.close()

        asyncio.run(check())
    assert len(kept) > 50
    assert ended
