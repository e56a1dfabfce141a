"""Copies on disk: made once, kept while anybody uses them, dropped by whoever needs room."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from telecine import clock
from telecine.storage.extents import Extent, Extents
from telecine.storage.local import LocalStore
from telecine.storage.spool import LocalFile, Spool
from telecine.storage.store import ObjectMissing, OutOfSpace
from tests.fixtures.server import environment_without_settings

pytestmark = pytest.mark.anyio

A_DAY = timedelta(days=1)
PART = 1000
SIZE = 2 * PART


class Counting(LocalStore):
    """Counts what is read from it; fails or waits where a test asks for it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.streams = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        self.streams += 1
        self.waiting.set()
        await self.gate.wait()
        async for piece in super().stream(key, start, end):
            yield piece


@pytest.fixture
def remote(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "store")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", limit_bytes=2 * SIZE)


async def source(store: LocalStore, number: int) -> Extents:
    """Return a source in two objects, which is therefore no file yet."""
    extents = []
    for half in range(2):
        await store.put(f"{number}/{half}", bytes([number, half]) * (PART // 2))
        extents.append(Extent(f"{number}/{half}", PART))
    return Extents(store, extents)


def content(number: int) -> bytes:
    return bytes([number, 0]) * (PART // 2) + bytes([number, 1]) * (PART // 2)


def copies(spool: Spool) -> list[Path]:
    return sorted(file for file in spool.folder.iterdir() if file.name != "lock")


def path_of(held: Extents | LocalFile) -> Path:
    assert held.local_path is not None
    return held.local_path


async def keep(spool: Spool, source: Extents) -> Path:
    async with spool.local(source) as held:
        return path_of(held)


async def test_what_is_a_file_already_is_not_copied(spool: Spool, remote: Counting) -> None:
    await remote.put("one", b"whole")
    whole = Extents(remote, [Extent("one", 5)])
    async with spool.local(whole) as held:
        assert held is whole
    assert not spool.folder.exists()


async def test_a_copy_is_the_same_file_and_made_once(spool: Spool, remote: Counting) -> None:
    first = await source(remote, 1)
    for _ in range(2):
        async with spool.local(first) as held:
            assert path_of(held).read_bytes() == content(1)
            assert await held.read(PART - 1, 2) == bytes([0, 1])
    assert remote.streams == 2  # one for each half


async def test_many_who_want_one_copy_wait_for_one_download(spool: Spool, remote: Counting) -> None:
    first = await source(remote, 1)
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(keep(spool, first))
    assert remote.streams == 2


async def test_two_processes_that_download_the_same_end_with_one_copy(
    spool: Spool, remote: Counting
) -> None:
    first = await source(remote, 1)
    other = Spool(spool.folder, spool.limit_bytes)
    remote.gate.clear()
    async with asyncio.TaskGroup() as group:
        for each in (spool, other):
            group.create_task(keep(each, first))
        while remote.streams < 2:
            remote.waiting.clear()
            await remote.waiting.wait()
        remote.gate.set()
    assert [file.read_bytes() for file in copies(spool)] == [content(1)]


async def test_the_least_recently_used_copy_makes_room(spool: Spool, remote: Counting) -> None:
    one, two, three = [await source(remote, number) for number in (1, 2, 3)]
    paths = [await keep(spool, each) for each in (one, two)]
    for age_s, path in ((200, paths[0]), (100, paths[1])):
        os.utime(path, (0, clock.now().timestamp() - age_s))
    await keep(spool, one)
    last = await keep(spool, three)
    assert copies(spool) == sorted([paths[0], last])


async def test_a_copy_in_use_stays(spool: Spool, remote: Counting) -> None:
    one, two, three = [await source(remote, number) for number in (1, 2, 3)]
    other = Spool(spool.folder, spool.limit_bytes)
    async with spool.local(one) as first, other.local(two) as second:
        async with spool.local(three) as third:
            for number, held in enumerate((first, second, third), start=1):
                assert path_of(held).read_bytes() == content(number)
        # Nothing of ours could be dropped for it, so the limit was passed.
        assert len(copies(spool)) == 3


async def test_copies_may_come_and_go_under_their_users(spool: Spool, remote: Counting) -> None:
    """Three processes' worth of spools over one folder with room for one copy of six."""
    sources = [await source(remote, number) for number in range(6)]
    spools = [Spool(spool.folder, limit_bytes=SIZE) for _ in range(3)]

    async def use(own: Spool, start: int) -> None:
        for turn in range(40):
            number = (start + turn) % len(sources)
            async with own.local(sources[number]) as held:
                await asyncio.sleep(0)
                # By its name, as programs open it.
                assert await held.read(0, SIZE) == content(number)

    async with asyncio.TaskGroup() as group:
        for start, own in enumerate(spools):
            group.create_task(use(own, start))
    assert remote.streams > len(sources) * 2, "nothing ever had to make room"
    assert [file for file in copies(spool) if file.suffix] == []


async def test_a_download_that_fails_leaves_nothing(spool: Spool, remote: Counting) -> None:
    first = await source(remote, 1)
    await remote.delete(["1/1"])
    with pytest.raises(ObjectMissing):
        await keep(spool, first)
    assert copies(spool) == []


async def test_a_download_that_is_cancelled_leaves_nothing(spool: Spool, remote: Counting) -> None:
    first = await source(remote, 1)
    remote.gate.clear()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keep(spool, first))
        await remote.waiting.wait()
        assert [file.suffix for file in copies(spool)] == [".part"]
        task.cancel()
    assert copies(spool) == []
    remote.gate.set()
    assert (await keep(spool, first)).read_bytes() == content(1)


async def test_a_disk_without_room_is_said_and_copies_are_dropped_for_it(
    spool: Spool, remote: Counting
) -> None:
    one, two = [await source(remote, number) for number in (1, 2)]
    await keep(spool, one)
    greedy = Spool(spool.folder, spool.limit_bytes, reserve_bytes=1 << 60)
    with pytest.raises(OutOfSpace):
        await keep(greedy, two)
    assert copies(spool) == []


async def test_old_copies_are_swept_and_those_in_use_are_not(
    spool: Spool, remote: Counting
) -> None:
    one, two, three = [await source(remote, number) for number in (1, 2, 3)]
    wide = Spool(spool.folder, limit_bytes=10 * SIZE)
    fresh = await keep(wide, three)
    old = await keep(wide, two)
    async with wide.local(one) as held:
        for path in (path_of(held), old):
            os.utime(path, (0, (clock.now() - 2 * A_DAY).timestamp()))
        assert await wide.sweep(clock.now() - A_DAY) == [old.name]
        assert copies(wide) == sorted([fresh, path_of(held)])


async def test_sweeping_makes_no_folder(spool: Spool) -> None:
    assert await spool.sweep(clock.now()) == []
    assert not spool.folder.exists()


KILLED = """
import asyncio, sys
from pathlib import Path
from telecine.storage.extents import Extent, Extents
from telecine.storage.local import LocalStore
from telecine.storage.spool import Spool

class Stuck(LocalStore):
    async def stream(self, key, start=0, end=None):
        yield await self.read(key)
        print("downloading", flush=True)
        await asyncio.Event().wait()

async def main():
    spool = Spool(Path(sys.argv[1]))
    store = LocalStore(Path(sys.argv[2]))
    def one(of, number):
        return Extents(of, [Extent(f"{number}/{half}", 1000) for half in range(2)])
    async with spool.local(one(store, 1)):
        await spool.local(one(Stuck(store.root), 2)).__aenter__()

asyncio.run(main())
"""


async def test_what_a_killed_process_held_is_free_and_its_halves_are_swept(
    spool: Spool, remote: Counting
) -> None:
    one, _ = [await source(remote, number) for number in (1, 2)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, str(spool.folder), str(remote.root)),
        stdout=subprocess.PIPE,
        env=environment_without_settings(),
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"downloading\n"
    await spool.sweep(clock.now() - A_DAY)
    assert len(copies(spool)) == 2, "it lives and downloads"
    process.kill()
    await process.wait()
    await spool.sweep(clock.now() - A_DAY)
    whole = await keep(spool, one)
    assert copies(spool) == [whole]
    os.utime(whole, (0, (clock.now() - 2 * A_DAY).timestamp()))
    await spool.sweep(clock.now() - A_DAY)
    assert copies(spool) == []
