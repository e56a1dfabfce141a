"""Streams in pieces: the splitters say FormatError or what they understood."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.codecs.adts import AdtsSplitter
from telecine.formats.errors import FormatError
from telecine.formats.mp4.fragment import (
    Fragment,
    FragmentSplitter,
    InitSegment,
    read_init,
    read_moof,
)
from tests.fuzz.test_mp4_index import MOVIES, damage, damaged

STREAM = MOVIES["fragmented.mp4"]
PACKETS = bytes.fromhex("fff14c8001fffc") * 3 + bytes.fromhex("fff14c80029ffcabcdef")


def split(data: bytes) -> list[InitSegment | Fragment]:
    splitter = FragmentSplitter()
    return [
        piece for at in range(0, len(data), 999) for piece in splitter.feed(data[at : at + 999])
    ]


def test_the_stream_is_whole() -> None:
    pieces = split(STREAM)
    assert isinstance(pieces[0], InitSegment)
    assert all(isinstance(piece, Fragment) for piece in pieces[1:])
    assert len(pieces) > 3


@given(st.lists(damage, min_size=1, max_size=4))
def test_damaged_fragments(wounds: list[tuple[str, int, int]]) -> None:
    data = STREAM
    for wound in wounds:
        data = damaged(data, *wound) or data
    with contextlib.suppress(FormatError):
        for piece in split(data):
            with contextlib.suppress(FormatError):
                if isinstance(piece, InitSegment):
                    read_init(piece.data)
                else:
                    read = read_moof(piece.moof)
                    assert len(read.samples.sizes) == len(read.samples.keyframes)


@given(st.lists(damage, min_size=1, max_size=4))
def test_damaged_adts(wounds: list[tuple[str, int, int]]) -> None:
    data = PACKETS
    for wound in wounds:
        data = damaged(data, *wound) or data
    with contextlib.suppress(FormatError):
        assert sum(map(len, AdtsSplitter().feed(data))) <= len(data)
