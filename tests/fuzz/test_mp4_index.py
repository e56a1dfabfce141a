"""Damaged movies: an index that holds together, or FormatError; nothing else.

`pytest tests/fuzz --hypothesis-profile=soak` looks for longer. The corpus was made
by libavformat; a `.head` is a file up to the first byte of its media.
"""

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.mp4.boxes import FormatError
from telecine.formats.mp4.index import MovieIndex, read_index

CORPUS = Path(__file__).parent / "corpus" / "mp4"
HOSTILE = (0, 1, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def whole(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".head":
        (media_bytes,) = struct.unpack_from(">I", data, len(data) - 8)
        data += bytes(media_bytes - 8)
    return data


MOVIES = {path.name: whole(path) for path in sorted(CORPUS.iterdir())}

damage = st.one_of(
    st.tuples(st.just("word"), st.integers(0), st.sampled_from(HOSTILE)),
    st.tuples(st.just("byte"), st.integers(0), st.integers(0, 255)),
    st.tuples(st.just("cut"), st.integers(0), st.integers(0, 64)),
    st.tuples(st.just("double"), st.integers(0), st.integers(1, 64)),
    st.tuples(st.just("end"), st.integers(0), st.just(0)),
)


def damaged(data: bytes, kind: str, where: int, value: int) -> bytes:
    at = where % len(data)
    if kind == "word":
        return data[:at] + struct.pack(">I", value) + data[at + 4 :]
    if kind == "byte":
        return data[:at] + bytes([value]) + data[at + 1 :]
    if kind == "cut":
        return data[:at] + data[at + value :]
    if kind == "double":
        return data[: at + value] + data[at:]
    return data[:at]


def index_or_refuse(data: bytes) -> MovieIndex | None:
    try:
        return read_index(lambda offset, size: data[offset : offset + size], len(data))
    except FormatError:
        return None


def assert_holds_together(found: MovieIndex, size_bytes: int) -> None:
    for track in found.tracks:
        count = len(track.sizes)
        for column in (track.offsets, track.dts, track.pts, track.durations, track.keyframes):
            assert len(column) == count
        assert count <= size_bytes
        if count:
            assert int(track.sizes.min()) >= 0
            assert int(track.offsets.min()) >= 0
            assert int((track.offsets + track.sizes).max()) <= size_bytes


@pytest.mark.parametrize("name", MOVIES)
def test_the_corpus_is_whole(name: str) -> None:
    found = index_or_refuse(MOVIES[name])
    assert found is not None
    assert not found.truncated
    assert [track.kind for track in found.tracks] == ["video", "audio"]
    assert len(found.tracks[0].sizes) == 30
    assert_holds_together(found, len(MOVIES[name]))


@given(st.sampled_from(sorted(MOVIES)), st.lists(damage, min_size=1, max_size=4))
def test_damaged_movies(name: str, wounds: list[tuple[str, int, int]]) -> None:
    data = MOVIES[name]
    # Most of a movie is media: aim at the boxes around them.
    heads = len(data) if name.endswith(".mp4") else (CORPUS / name).stat().st_size
    for kind, where, value in wounds:
        data = damaged(data, kind, where % heads, value) or data
    found = index_or_refuse(data)
    if found is not None:
        assert_holds_together(found, len(data))


@pytest.mark.parametrize("name", MOVIES)
def test_no_word_of_a_head_costs_memory(name: str) -> None:
    data = MOVIES[name]
    heads = (CORPUS / name).stat().st_size
    tracemalloc.start()
    try:
        for at in range(0, min(heads, 2500) - 4, 2):
            if data[at : at + 4] == bytes(4):
                continue
            index_or_refuse(data[:at] + b"\x7f\xff\xff\xff" + data[at + 4 :])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 << 20


@given(st.binary(max_size=400))
def test_noise_behind_a_good_beginning(noise: bytes) -> None:
    for start in (b"", b"\0\0\0\x10ftypisom\0\0\0\0", b"\0\0\0\0moov", b"\0\0\0\0moof"):
        data = start + noise
        found = index_or_refuse(data)
        if found is not None:
            assert_holds_together(found, len(data))
