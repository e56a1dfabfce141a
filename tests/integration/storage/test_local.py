"""What only a disk can do wrong."""

import asyncio
import errno
import os
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from telecine import clock
from telecine.storage.local import LocalStore
from telecine.storage.store import OutOfSpace, StoreError
from tests.fixtures.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def files(local: LocalStore) -> list[str]:
    return sorted(str(p.relative_to(local.root)) for p in local.root.rglob("*") if p.is_file())


async def test_the_object_is_the_file(local: LocalStore) -> None:
    await local.put("a/b", b"x")
    assert local.local_path("a/b").read_bytes() == b"x"
    assert files(local) == ["a/b"]


@pytest.mark.parametrize("call", ["writev", "fsync"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_leaves_nothing(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    await local.put("a", b"old")

    def fail(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OutOfSpace):
            await local.put("a", b"new")
    assert await local.read("a") == b"old"
    assert files(local) == ["a"]


async def test_a_really_full_disk(local: LocalStore) -> None:
    """/dev/full stands for the staged file: the kernel itself says ENOSPC."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    local._create = lambda *_: os.open("/dev/full", os.O_WRONLY)  # type: ignore[method-assign]
    with pytest.raises(OutOfSpace):
        await local.put("a", b"x")


def test_room_can_be_asked_for_before_there_is_a_folder(tmp_path: Path) -> None:
    LocalStore(tmp_path / "roomy", 1).check_room()
    with pytest.raises(OutOfSpace, match="reserve"):
        LocalStore(tmp_path / "full", 1 << 62).check_room()


async def test_the_reserve_is_not_used(tmp_path: Path) -> None:
    roomy = LocalStore(tmp_path / "store", 1)
    await roomy.put("a", b"old")
    roomy.check_room()
    full = LocalStore(tmp_path / "store", 1 << 62)
    for write in (full.writer("a"), full.region("a", 1)):
        with pytest.raises(OutOfSpace, match="reserve"):
            async with write as writer:
                await writer.write(b"new")
    with pytest.raises(OutOfSpace):
        full.check_room()
    assert await full.read("a") == b"old"
    assert files(full) == ["a"]
    await full.delete(["a"])
    assert files(full) == []


async def test_other_errors_of_the_disk_are_the_stores(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="Input/output error") as caught:
        await local.put("a", b"x")
    assert not isinstance(caught.value, OutOfSpace)


async def test_data_and_names_are_synced_before_put_returns(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await local.put("there", b"x")
    synced = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    await local.put("new/folder/a", b"x")
    assert synced[0].parent == local.root / ".stage"
    assert set(synced[1:]) == {local.root, local.root / "new", local.root / "new" / "folder"}


async def test_all_pieces_arrive_however_few_bytes_a_call_takes(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.writev

    def little(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
        return write(descriptor, [memoryview(pieces[0])[:2]])

    monkeypatch.setattr(os, "writev", little)
    async with local.writer("a") as writer:
        await writer.write(b"12345", b"", memoryview(b"678"))
        await writer.write(*[b"9"] * 2000)  # more than one call may bring
    assert await local.read("a") == b"12345678" + b"9" * 2000


async def test_a_region_is_durable_when_its_block_ends(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    sync = os.fdatasync

    def record(descriptor: int) -> None:
        sync(descriptor)
        synced.append(local.local_path("a").read_bytes())

    monkeypatch.setattr(os, "fdatasync", record)
    async with local.region("a", 3) as writer:
        await writer.write(b"12", b"3")
        assert synced == []
    assert synced == [b"\0\0\x00123"]


async def test_a_cancelled_write_keeps_its_descriptor_until_it_ends(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed too early, its number would soon be another file's."""
    begun, go = threading.Event(), threading.Event()
    write = os.writev
    results: list[int] = []

    def slow(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
        begun.set()
        go.wait(PATIENCE_S)
        results.append(write(descriptor, pieces))
        return results[-1]

    monkeypatch.setattr(os, "writev", slow)
    task = asyncio.ensure_future(local.put("a", b"12345"))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    asyncio.get_running_loop().call_later(0.05, task.cancel)
    asyncio.get_running_loop().call_later(0.1, go.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert results == [5]
    assert files(local) == []


async def test_what_a_killed_process_staged_is_cleared(local: LocalStore) -> None:
    await local.put("a", b"x")
    (local.root / ".stage" / "left").write_bytes(b"half")
    assert [entry.key async for entry in local.list("")] == ["a"]
    local.clear_stage()
    assert files(local) == ["a"]
    await local.put("b", b"x")


async def test_free_space_is_known_before_the_first_object(local: LocalStore) -> None:
    assert await local.free_bytes() > 0


async def test_what_a_killed_process_staged_is_swept_while_others_write(
    local: LocalStore,
) -> None:
    async with local.writer("a") as writer:
        await writer.write(b"half")
        left = local.root / ".stage" / "left"
        left.write_bytes(b"half")
        old = clock.now() - timedelta(days=1)
        os.utime(left, (old.timestamp(), old.timestamp()))
        assert await local.sweep_unfinished(old) == []
        assert await local.sweep_unfinished(old + timedelta(hours=1)) == ["left"]
        await writer.write(b" and half")
    assert await local.read("a") == b"half and half"
    assert files(local) == ["a"]


async def test_there_need_not_be_a_stage(local: LocalStore) -> None:
    assert await local.sweep_unfinished(clock.now()) == []


async def test_a_long_list_is_read_in_pieces(
    local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telecine.storage.local._LISTED", 2)
    for n in range(5):
        await local.put(f"a/{n}", b"x")
    found = []
    async for entry in local.list("a/"):
        found.append(entry.key)
        await local.delete([entry.key])
    assert found == [f"a/{n}" for n in range(5)]
