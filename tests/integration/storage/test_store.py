"""What every store promises, asked of each kind."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from telecine import clock
from telecine.storage.store import ObjectMissing, Store, StoreError
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio

MIB = 1 << 20


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def keys(store: Store, prefix: str) -> list[str]:
    return sorted([entry.key async for entry in store.list(prefix)])


async def test_an_object_is_read_as_it_was_put(store: Store) -> None:
    await store.put("a/b", b"0123456789")
    assert await store.read("a/b") == b"0123456789"
    assert await store.size("a/b") == 10


async def test_a_later_put_replaces(store: Store) -> None:
    await store.put("a", b"one")
    await store.put("a", b"twelve")
    assert await store.read("a") == b"twelve"


async def test_an_empty_object_exists(store: Store) -> None:
    await store.put("empty", b"")
    assert await store.size("empty") == 0
    assert await store.read("empty") == b""
    assert await joined(store.stream("empty")) == b""


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 5, b"34"),
        (0, 1, b"0"),
        (9, 10, b"9"),
        (5, 5, b""),
        (5, 3, b""),
    ],
)
async def test_ranges(store: Store, start: int, end: int | None, expected: bytes) -> None:
    await store.put("a", b"0123456789")
    assert await store.read("a", start, end) == expected
    assert await joined(store.stream("a", start, end)) == expected


async def test_many_ranges_are_read_together(store: Store) -> None:
    data = bytes(range(251)) * (9 * MIB // 251)
    await store.put("film", data)
    near = [(at, 700) for at in range(0, 200_000, 900)]
    far = [(3 * MIB, 5), (3 * MIB + 5, 7), (8 * MIB, 100), (10, 20), (0, 6 * MIB)]
    for ranges in (near, far, far[:1], []):
        found = await store.read_ranges("film", ranges)
        assert [bytes(each) for each in found] == [data[at : at + size] for at, size in ranges]
    with pytest.raises(ObjectMissing):
        await store.read_ranges("nothing", near)


async def test_a_missing_object_is_told_apart(store: Store) -> None:
    await store.put("folder/a", b"x")
    for key in ("nothing", "folder", "folder/a/below", "no/such/folder"):
        assert await store.size(key) is None
        with pytest.raises(ObjectMissing):
            await store.read(key)
        with pytest.raises(ObjectMissing):
            await store.read(key, 0, 1)
        with pytest.raises(ObjectMissing):
            await joined(store.stream(key))


async def test_large_objects_come_in_bounded_pieces(store: Store) -> None:
    data = bytes(range(256)) * (20 * MIB // 256) + b"end"
    async with store.writer("large") as writer:
        for first in range(0, len(data), 3 * MIB):
            await writer.write(memoryview(data)[first : first + 3 * MIB])
    assert await store.size("large") == len(data)
    pieces = [piece async for piece in store.stream("large", 5)]
    assert max(len(piece) for piece in pieces) <= MIB
    assert b"".join(pieces) == data[5:]


async def test_an_object_appears_when_its_block_ends(store: Store) -> None:
    async with store.writer("a") as writer:
        await writer.write(b"begun")
        assert await store.size("a") is None
        assert await keys(store, "") == []
    assert await store.read("a") == b"begun"


@pytest.mark.parametrize("size", [0, 5, 20 * MIB])
async def test_after_an_exception_nothing_is_there(store: Store, size: int) -> None:
    async def fail() -> None:
        async with store.writer("a") as writer:
            await writer.write(bytes(size))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await store.size("a") is None
    assert await keys(store, "") == []


async def test_after_a_cancellation_nothing_is_there(store: Store) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with store.writer("a") as writer:
            begun.set()
            while True:
                await writer.write(bytes(MIB))

    task = asyncio.ensure_future(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.size("a") is None
    assert await keys(store, "") == []


async def test_list_names_whole_keys_with_their_sizes(store: Store) -> None:
    for key in ("v/1/a", "v/1/b", "v/10/c", "w"):
        await store.put(key, key.encode())
    found = [(entry.key, entry.size_bytes) async for entry in store.list("v/1/")]
    assert sorted(found) == [("v/1/a", 5), ("v/1/b", 5)]
    assert await keys(store, "v/1") == ["v/1/a", "v/1/b", "v/10/c"]
    assert await keys(store, "") == ["v/1/a", "v/1/b", "v/10/c", "w"]
    assert await keys(store, "nothing/") == []


async def test_list_keeps_folders_together(store: Store) -> None:
    for key in ("v/1/z", "v/10/a", "v/1/b/c", "v/2", "v/1/a"):
        await store.put(key, b"x")
    folders = [entry.key.split("/")[1] async for entry in store.list("v/")]
    changes = [one for one, before in zip(folders, [None, *folders], strict=False) if one != before]
    assert sorted(changes) == ["1", "10", "2"]


async def test_list_tells_when_an_object_was_written_or_named(store: Store) -> None:
    """Servers count in whole seconds, and their clock is that of this machine."""

    async def times() -> dict[str, datetime]:
        return {entry.key: entry.modified_at async for entry in store.list("")}

    begin = clock.now().replace(microsecond=0)
    await store.put("a", b"x")
    written = (await times())["a"]
    assert begin <= written <= clock.now()

    async def later() -> bool:
        await store.put("probe", b"x")
        return (await times())["probe"] > written

    await until(later)
    await store.copy("a", "b")
    assert (await times())["b"] > written
    await store.put("a", b"y")
    assert (await times())["a"] > written


async def test_delete_ignores_what_is_missing(store: Store) -> None:
    await store.put("a", b"x")
    await store.put("b", b"x")
    await store.delete(["missing", "a", "no/such/folder", "b/below"])
    assert await keys(store, "") == ["b"]
    await store.delete([])


async def test_delete_prefix_takes_the_folder_alone(store: Store) -> None:
    for key in ("v/1/a", "v/1/b/c", "v/10/d"):
        await store.put(key, b"x")
    await store.delete_prefix("v/1/")
    await store.delete_prefix("v/2/")
    assert await keys(store, "") == ["v/10/d"]
    await store.put("v/1/a", b"again")
    assert await store.read("v/1/a") == b"again"


@pytest.mark.parametrize("prefix", ["", "/", "v", "v//", "../", "v/../"])
async def test_only_folders_can_be_deleted(store: Store, prefix: str) -> None:
    with pytest.raises(StoreError):
        await store.delete_prefix(prefix)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", ".", "../a", "a/../b", "a\0", ".stage/a"])
async def test_what_is_no_key_is_refused(store: Store, key: str) -> None:
    with pytest.raises(StoreError, match="not a key"):
        await store.put(key, b"x")
    with pytest.raises(StoreError, match="not a key"):
        await store.read(key)


async def test_odd_keys_are_kept(store: Store) -> None:
    odd = ["a b", "ü", "a%20b", "a+b", "a=b&c", "~", "a.b-c_d"]
    for key in odd:
        await store.put(key, key.encode())
    assert await keys(store, "") == sorted(odd)
    for key in odd:
        assert await store.read(key) == key.encode()


async def test_many_at_once(store: Store) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(50):
            group.create_task(store.put(f"many/{n}", bytes([n]) * 1000))
    assert [await store.read(f"many/{n}") for n in range(50)] == [
        bytes([n]) * 1000 for n in range(50)
    ]
    await store.delete([f"many/{n}" for n in range(50)])
    assert await keys(store, "many/") == []
