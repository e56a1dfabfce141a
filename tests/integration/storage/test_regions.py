"""Objects with several writers, and copies that are not read."""

import pytest

from telecine.storage.extents import Extent, Extents, join
from telecine.storage.store import ObjectMissing, Store

pytestmark = pytest.mark.anyio


async def write(store: Store, offset: int, data: bytes) -> None:
    region = store.region("shared", offset)
    assert region is not None
    async with region as writer:
        for byte in data:
            await writer.write(bytes([byte]))


async def write_and_fail(store: Store, offset: int, data: bytes) -> None:
    region = store.region("shared", offset)
    assert region is not None
    async with region as writer:
        await writer.write(data)
        raise ZeroDivisionError


@pytest.mark.parametrize("store", ["local"], indirect=True)
async def test_writers_of_one_object_fill_it_in_any_order(store: Store) -> None:
    await write(store, 6, b"ghij")
    await write(store, 0, b"abc")
    await write(store, 3, b"def")
    assert await store.read("shared") == b"abcdefghij"


@pytest.mark.parametrize("store", ["local"], indirect=True)
async def test_an_abandoned_writer_leaves_what_others_wrote(store: Store) -> None:
    await write(store, 0, b"abc")
    with pytest.raises(ZeroDivisionError):
        await write_and_fail(store, 3, b"xyz")
    assert await store.read("shared", 0, 3) == b"abc"
    source = Extents(store, [Extent("shared", 3)])
    assert await source.read(0, 10) == b"abc"
    assert source.local_path is None, "the file on the disk is longer"


@pytest.mark.parametrize("store", ["s3"], indirect=True)
async def test_a_bucket_has_whole_objects_only(store: Store) -> None:
    assert store.region("shared", 0) is None


async def test_a_copy_outlives_the_original(store: Store) -> None:
    await store.put("a/original", b"media")
    await store.copy("a/original", "b/c/copy")
    await store.copy("a/original", "b/c/copy")
    await store.delete_prefix("a/")
    assert await store.read("b/c/copy") == b"media"
    with pytest.raises(ObjectMissing):
        await store.copy("a/original", "b/again")


async def test_extents_begin_anywhere_in_their_objects(store: Store) -> None:
    await store.put("one", b"..abc.....")
    await store.put("two", b"defg")
    source = Extents(store, [Extent("one", 3, 2), Extent("two", 2, 1)])
    assert await source.read(0, 99) == b"abcef"
    assert source.ranges(2, 2) == [("one", 4, 1), ("two", 1, 1)]
    assert source.local_path is None


def test_neighbours_become_one_extent() -> None:
    pieces = [Extent("a", 3, 0), Extent("a", 2, 3), Extent("b", 5), Extent("a", 0, 5)]
    assert join([*pieces, Extent("b", 1, 6), Extent("a", 4, 5)]) == [
        Extent("a", 5, 0),
        Extent("b", 5, 0),
        Extent("b", 1, 6),
        Extent("a", 4, 5),
    ]


def test_extents_survive_their_rows() -> None:
    extent = Extent("a", 3, 7)
    assert Extent.from_json(extent.as_json()) == extent
