"""A file in parts is the same file."""

import pytest

from telecine.storage.extents import Extent, Extents
from telecine.storage.store import Store

pytestmark = pytest.mark.anyio

PARTS = [b"0123", b"4", b"", b"56789"]
WHOLE = b"".join(PARTS)


@pytest.fixture
async def file(store: Store) -> Extents:
    for n, part in enumerate(PARTS):
        await store.put(f"part/{n}", part)
    return Extents(store, [Extent(f"part/{n}", len(part)) for n, part in enumerate(PARTS)])


async def test_every_range_is_the_same_as_of_the_whole(file: Extents) -> None:
    assert file.size_bytes == len(WHOLE)
    for offset in range(len(WHOLE) + 2):
        for size in range(len(WHOLE) + 2):
            assert await file.read(offset, size) == WHOLE[offset : offset + size]


async def test_it_streams_in_order(file: Extents) -> None:
    assert b"".join([piece async for piece in file.stream(2, 7)]) == WHOLE[2:9]


async def test_ranges_name_objects(file: Extents) -> None:
    assert file.ranges(3, 3) == [("part/0", 3, 1), ("part/1", 0, 1), ("part/3", 0, 1)]
    assert file.ranges(10, 0) == []
    with pytest.raises(ValueError, match="bytes 8\\+3 of a file of 10"):
        file.ranges(8, 3)
    with pytest.raises(ValueError, match="-1"):
        file.ranges(-1, 3)


async def test_only_a_single_local_object_is_a_file(store: Store, file: Extents) -> None:
    assert file.local_path is None
    assert Extents(store, [Extent("part/0", 4)]).local_path == store.local_path("part/0")
