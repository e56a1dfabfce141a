from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.delivery import body
from telecine.delivery import scattered as vectors
from telecine.delivery.body import MESSAGE_BYTES, read_cached, stream_parts
from telecine.delivery.parts import (
    Part,
    StoredRange,
    StoredRanges,
    body_size,
    out_of_file,
    slice_parts,
)
from telecine.delivery.scattered import Reads
from telecine.storage.extents import Extent, Extents
from telecine.storage.store import Entry, ObjectMissing, Store

pytestmark = pytest.mark.anyio

OBJECT = bytes(range(256)) * 4096  # 1 MiB


class FolderStore:
    """The two reads that bodies need."""

    def __init__(self, folder: Path | None, objects: dict[str, bytes]) -> None:
        self.folder, self.objects = folder, objects
        for key, data in objects.items() if folder else ():
            assert folder is not None
            (folder / key).write_bytes(data)

    def local_path(self, key: str) -> Path | None:
        return self.folder / key if self.folder else None

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        return self.objects[key][start:end]

    async def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        return [self.objects[key][offset : offset + size] for offset, size in ranges]

    async def put(self, key: str, data: bytes) -> None:
        raise NotImplementedError

    def writer(self, key: str) -> None:
        raise NotImplementedError

    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def size(self, key: str) -> int | None:
        raise NotImplementedError

    def list(self, prefix: str) -> AsyncIterator[Entry]:
        raise NotImplementedError

    async def delete(self, keys: Iterable[str]) -> None:
        raise NotImplementedError

    async def delete_prefix(self, prefix: str) -> None:
        raise NotImplementedError

    async def free_bytes(self) -> int | None:
        raise NotImplementedError


def expected(parts: Sequence[Part]) -> bytes:
    joined = b""
    for part in parts:
        if isinstance(part, bytes):
            joined += part
        elif isinstance(part, StoredRange):
            joined += OBJECT[part.offset : part.offset + part.size]
        else:
            joined += b"".join(OBJECT[at : at + size] for at, size in part.table.tolist())
    return joined


def scattered(*rows: tuple[int, int]) -> StoredRanges:
    return StoredRanges("a", table(*rows), sum(size for _, size in rows))


def table(*rows: tuple[int, int]) -> npt.NDArray[np.int64]:
    return np.array(rows, dtype=np.int64)


ROWS = st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 5000)), min_size=1, max_size=40)
INTERLEAVED = ROWS.map(sorted).map(lambda rows: scattered(*rows))
PARTS: st.SearchStrategy[list[Part]] = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(StoredRange, st.just("a"), st.integers(0, 5000), st.integers(0, 400_000)),
        ROWS.map(lambda rows: scattered(*rows)),
        INTERLEAVED,
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return folder_store(tmp_path_factory.mktemp("objects"), {"a": OBJECT})


def folder_store(folder: Path | None, objects: dict[str, bytes]) -> Store:
    return cast("Store", FolderStore(folder, objects))


@given(PARTS, st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_a_slice_of_parts_is_the_slice_of_the_body(parts: list[Part], one: int, two: int) -> None:
    start, end = sorted((one, two))
    assert expected(slice_parts(parts, start, end)) == expected(parts)[start:end]


@given(PARTS)
def test_what_is_cached_is_read_at_once(store: Store, parts: list[Part]) -> None:
    room = bytearray(body_size(parts))
    assert read_cached(store, parts, memoryview(room))
    assert room == expected(parts)


@pytest.mark.parametrize("local", [True, False])
async def test_a_body_streams_whole_in_bounded_messages(tmp_path: Path, local: bool) -> None:
    store = folder_store(tmp_path if local else None, {"a": OBJECT})
    frames = [(at, 700) for at in range(5, 900_000, 900)]
    backwards = [(900_000, 70_000), (10, 20), (500_000, 30), (500_100, 1)]
    parts: list[Part] = [b"head", StoredRange("a", 3, 700_001), b"x", StoredRange("a", 0, 9)]
    parts += [scattered(*frames), scattered(*backwards)]
    messages = [bytes(message) async for message in stream_parts(store, parts)]
    assert b"".join(messages) == expected(parts)
    assert sum(map(len, messages)) == body_size(parts)
    assert max(map(len, messages)) <= MESSAGE_BYTES


def test_pictures_between_sound_are_read_by_one_call() -> None:
    second = table(*((at, 1500) for at in range(0, 192_000, 1600)))
    [call] = Reads(second).into(memoryview(bytearray(120 * 1500)))
    assert (call.offset, call.size, len(call.vector)) == (0, 191_900, 239)


def test_wide_gaps_steps_back_and_long_vectors_end_a_call() -> None:
    rows = [(0, 5), (10, 5), (60_000, 5), (100, 5), *((at, 1) for at in range(200, 1400))]
    room = memoryview(bytearray(sum(size for _, size in rows)))
    made = list(Reads(table(*rows)).into(room))
    assert [(call.offset, call.size) for call in made[:2]] == [(0, 15), (60_000, 5)]
    assert len(made) == 5
    assert max(len(call.vector) for call in made) < 1024


@pytest.mark.parametrize("room", [0, 14, 16])
def test_nothing_is_read_past_the_room_for_it(room: int) -> None:
    with pytest.raises(ValueError, match="a room of"):
        next(Reads(table((0, 5), (10, 10))).into(memoryview(bytearray(room))))


@pytest.mark.parametrize("rows", [[(0, 30), (10, -15)], [(0, 1 << 62), (0, 1 << 62)]])
def test_impossible_rows_are_refused(rows: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="longer than all"):
        Reads(table(*rows))


@pytest.mark.parametrize("linux", [True, False])
async def test_what_the_disk_has_to_be_asked_for_is_read_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linux: bool
) -> None:
    monkeypatch.setattr(vectors, "_NOWAIT", None)
    monkeypatch.setattr(body, "_NOWAIT", None)
    if not linux:
        monkeypatch.setattr(vectors, "_preadv2", None)
    store = folder_store(tmp_path, {"a": OBJECT})
    parts: list[Part] = [scattered((0, 10), (20, 30), (60, 5), (65, 40)), StoredRange("a", 9, 9)]
    assert not read_cached(store, parts, memoryview(bytearray(body_size(parts))))
    assert b"".join([bytes(m) async for m in stream_parts(store, parts)]) == expected(parts)


@pytest.mark.parametrize("part", [StoredRange("a", 50, 100), scattered((0, 10), (20, 81))])
@pytest.mark.parametrize("local", [True, False])
async def test_an_object_shorter_than_its_index_is_an_error(
    tmp_path: Path, local: bool, part: Part
) -> None:
    store = folder_store(tmp_path if local else None, {"a": OBJECT[:100]})
    with pytest.raises(ObjectMissing):
        [m async for m in stream_parts(store, [part])]
    assert not read_cached(store, [part], memoryview(bytearray(body_size([part]))))


async def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    store = folder_store(tmp_path, {})
    with pytest.raises(ObjectMissing):
        [m async for m in stream_parts(store, [StoredRange("gone", 0, 1)])]


def test_ranges_of_a_file_are_those_of_its_objects() -> None:
    file = Extents(folder_store(None, {}), [Extent("a", 100, 7), Extent("b", 50), Extent("a", 9)])

    def placed(*rows: tuple[int, int]) -> list[tuple[str, list[list[int]]]]:
        found = out_of_file(file, table(*rows), sum(size for _, size in rows))
        assert body_size(found) == sum(size for _, size in rows)
        return [
            (part.key, part.table.tolist())
            if isinstance(part, StoredRanges)
            else (part.key, [[part.offset, part.size]])
            for part in found
            if not isinstance(part, bytes)
        ]

    assert placed((10, 20), (40, 60)) == [("a", [[17, 20], [47, 60]])]
    assert placed((110, 20)) == [("b", [[10, 20]])]
    assert placed((90, 20), (120, 5), (149, 3)) == [
        ("a", [[97, 10]]),
        ("b", [[0, 10], [20, 5], [49, 1]]),
        ("a", [[0, 2]]),
    ]
