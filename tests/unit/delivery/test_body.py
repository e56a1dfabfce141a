from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.delivery.body import MESSAGE_BYTES, body_size, slice_parts, stream_parts
from telecine.delivery.segments import Part, StoredRange
from telecine.storage.store import Entry, ObjectMissing

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


def expected(parts: list[Part]) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else OBJECT[part.offset : part.offset + part.size]
        for part in parts
    )


PARTS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(StoredRange, st.just("a"), st.integers(0, 5000), st.integers(0, 400_000)),
    ),
    max_size=8,
)


@given(PARTS, st.integers(0, 2_000_000), st.integers(0, 2_000_000))
def test_a_slice_of_parts_is_the_slice_of_the_body(parts: list[Part], one: int, two: int) -> None:
    start, end = sorted((one, two))
    assert expected(slice_parts(parts, start, end)) == expected(parts)[start:end]


@pytest.mark.parametrize("local", [True, False])
async def test_a_body_streams_whole_in_bounded_messages(tmp_path: Path, local: bool) -> None:
    store = FolderStore(tmp_path if local else None, {"a": OBJECT})
    parts: list[Part] = [b"head", StoredRange("a", 3, 700_001), b"x", StoredRange("a", 0, 9)]
    messages = [bytes(message) async for message in stream_parts(store, parts)]  # type: ignore[arg-type]
    assert b"".join(messages) == expected(parts)
    assert sum(map(len, messages)) == body_size(parts)
    assert max(map(len, messages)) <= MESSAGE_BYTES


@pytest.mark.parametrize("local", [True, False])
async def test_an_object_shorter_than_its_index_is_an_error(tmp_path: Path, local: bool) -> None:
    store = FolderStore(tmp_path if local else None, {"a": OBJECT[:100]})
    with pytest.raises(ObjectMissing):
        [m async for m in stream_parts(store, [StoredRange("a", 50, 100)])]  # type: ignore[arg-type]


async def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, {})
    with pytest.raises(ObjectMissing):
        [m async for m in stream_parts(store, [StoredRange("gone", 0, 1)])]  # type: ignore[arg-type]
