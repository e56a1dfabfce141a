import uuid

import pytest

from telecine.domains.sources.models import Mode
from telecine.domains.sources.operations import Claim
from telecine.domains.sources.places import ENDLESS, Place
from telecine.domains.sources.receiving import Comparison, PartSink, receiving, same_bytes
from telecine.storage.extents import Extent, Extents
from telecine.storage.store import Store

pytestmark = pytest.mark.anyio


def claim(place: Place | None) -> Claim:
    return Claim(uuid.uuid4(), uuid.uuid4(), Mode.PARTS, 1, "shared", "own", place)


async def receive(store: Store, place: Place | None, *pieces: bytes) -> PartSink:
    async with receiving(store, claim(place)) as sink:
        for piece in pieces:
            await sink.write(piece)
    return sink


async def read(store: Store, sink: PartSink) -> bytes:
    return await Extents(store, sink.extents).read(0, sink.size_bytes)


@pytest.mark.parametrize("place", [None, Place(0, ENDLESS), Place(4, 8), Place(4, 10)])
async def test_what_is_received_is_there(store: Store, place: Place | None) -> None:
    sink = await receive(store, place, b"ab", b"cdef", b"", b"gh")
    assert sink.size_bytes == 8
    assert await read(store, sink) == b"abcdefgh"


@pytest.mark.parametrize("store", ["local"], indirect=True)
async def test_what_does_not_fit_in_place_has_an_object_of_its_own(store: Store) -> None:
    sink = await receive(store, Place(10, 15), b"abc", b"defg")
    assert sink.extents == [Extent("shared", 5, 10), Extent("own", 2, 0)]
    assert await read(store, sink) == b"abcdefg"


@pytest.mark.parametrize("store", ["s3"], indirect=True)
async def test_in_a_bucket_every_part_is_an_object(store: Store) -> None:
    sink = await receive(store, Place(10, 15), b"abc", b"defg")
    assert sink.extents == [Extent("own", 7, 0)]


async def test_nothing_received_is_nothing_stored(store: Store) -> None:
    sink = await receive(store, Place(0, ENDLESS))
    assert (sink.extents, sink.size_bytes) == ([], 0)


@pytest.mark.parametrize(
    ("pieces", "same"),
    [((b"abcdef",), True), ((b"ab", b"cdef"), True), ((b"abc",), False), ((b"abcdeX",), False),
     ((b"abcdef", b"g"), False), ((b"Xb", b"cdef"), False)],
)  # fmt: skip
async def test_a_repeated_part_is_compared(
    store: Store, pieces: tuple[bytes, ...], same: bool
) -> None:
    stored = await receive(store, None, b"abcdef")
    comparison = Comparison(Extents(store, stored.extents))
    for piece in pieces:
        await comparison.write(piece)
    assert comparison.same is same


async def test_files_are_the_same_however_they_lie(store: Store) -> None:
    await store.put("one", b"abcdef")
    await store.put("two", b"..def")
    one = Extents(store, [Extent("one", 6)])
    other = Extents(store, [Extent("one", 3), Extent("two", 3, 2)])
    assert await same_bytes(one, other)
    assert not await same_bytes(one, Extents(store, [Extent("two", 3, 2)]))
