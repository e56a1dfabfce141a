import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.codecs.aac import aac_stsd
from telecine.formats.mp4.boxes import FormatError, box, find, full_box
from telecine.formats.mp4.fragment import (
    Fragment,
    FragmentSplitter,
    Init,
    InitSegment,
    Samples,
    audio_init,
    fragment,
    mdat_header,
    moof,
    read_init,
    read_moof,
    video_init,
)

STSD = struct.pack(">II", 0, 1) + box(b"avc1", bytes(78))


def samples(*rows: tuple[int, int, int, bool]) -> Samples:
    table = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
    return Samples(
        sizes=table[:, 0],
        durations=table[:, 1],
        composition_offsets=table[:, 2],
        keyframes=np.array([row[3] for row in rows], np.bool_),
    )


def same(left: Samples, right: Samples) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name))
        for name in ("sizes", "durations", "composition_offsets", "keyframes")
    )


rows = st.lists(
    st.tuples(
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(-(2**31), 2**31 - 1),
        st.booleans(),
    ),
    min_size=1,
)


@given(rows, st.integers(0, 2**32 - 1), st.integers(0, 2**62 - 1))
def test_what_is_written_is_read_back(
    table: list[tuple[int, int, int, bool]], sequence: int, decode_time: int
) -> None:
    written = samples(*table)
    data = moof(sequence, decode_time, written, video=True)
    back = read_moof(data)
    assert (back.sequence, back.decode_time) == (sequence, decode_time)
    assert back.payload_offset == len(data) + 8
    assert same(back.samples, written)


def test_the_bytes_of_a_video_fragment() -> None:
    written = samples((5, 4004, 0, True), (3, 4004, 8008, False))
    data = fragment(7, 480_480, written, b"aaaaabbb", video=True)
    trun = full_box(
        b"trun",
        1,
        0x000E01,
        struct.pack(">Ii", 2, 124),
        struct.pack(">IIi", 5, 0x02000000, 0),
        struct.pack(">IIi", 3, 0x01010000, 8008),
    )
    traf = box(
        b"traf",
        full_box(b"tfhd", 0, 0x020008, struct.pack(">II", 1, 4004)),
        full_box(b"tfdt", 1, 0, struct.pack(">Q", 480_480)),
        trun,
    )
    head = box(b"moof", full_box(b"mfhd", 0, 0, struct.pack(">I", 7)), traf)
    assert len(head) == 124 - 8
    assert data == head + b"\0\0\0\x10mdataaaaabbb"


def test_durations_that_differ_stand_beside_each_sample() -> None:
    written = samples((5, 800, 0, True), (3, 1024, 0, True))
    data = moof(1, 0, written, video=False)
    assert same(read_moof(data).samples, written)
    assert len(data) == len(moof(1, 0, samples((5, 9, 0, True), (3, 9, 0, True)), video=False)) + 4


def test_a_payload_of_another_size_is_refused() -> None:
    with pytest.raises(FormatError, match="7 bytes for samples of 8"):
        fragment(1, 0, samples((8, 1, 0, True)), bytes(7), video=True)
    with pytest.raises(FormatError):
        mdat_header(1 << 32)


def test_what_no_field_holds_is_refused() -> None:
    for row in ((1 << 32, 1, 0, True), (1, 1 << 32, 0, True), (1, -1, 0, True)):
        with pytest.raises(FormatError, match="32 bits"):
            moof(1, 0, samples(row), video=True)


def test_fragments_that_we_cannot_slice_are_refused() -> None:
    good = moof(1, 0, samples((8, 1, 0, True)), video=True)
    body = good[8:]
    for broken in (
        b"",
        box(b"mdat", body),
        box(b"moof", body[:16]),  # no traf
        box(b"moof", body, body[16:]),  # two
        good.replace(b"tfdt", b"free"),
        good.replace(b"trun", b"free"),
        good.replace(b"tfhd", b"free"),
        good.replace(struct.pack(">Ii", 1, len(good) + 8), struct.pack(">Ii", 2, len(good) + 8)),
    ):
        with pytest.raises(FormatError):
            read_moof(broken)


def test_a_run_that_claims_samples_without_rows_is_bounded() -> None:
    trun = full_box(b"trun", 1, 1, struct.pack(">Ii", 0xFFFFFFFF, 0))
    traf = box(
        b"traf",
        full_box(b"tfhd", 0, 0x020008, struct.pack(">II", 1, 1)),
        full_box(b"tfdt", 1, 0, bytes(8)),
        trun,
    )
    with pytest.raises(FormatError, match="4294967295 samples"):
        read_moof(box(b"moof", full_box(b"mfhd", 0, 0, bytes(4)), traf))


def test_init_segments_are_read_back() -> None:
    video = video_init(STSD, timescale=120_000, width_px=1280, height_px=720)
    assert read_init(video) == Init(STSD, 120_000, 1280, 720)
    assert video[8:12] == b"iso6"
    assert b"cmfc" in video[:40]
    assert b"cmf2" in video[:40]
    assert find(video, [b"moov", b"mvex", b"trex"]) is not None
    assert find(video, [b"moov", b"trak", b"edts"]) is None
    stsd = aac_stsd(44_100, 2)
    assert read_init(audio_init(stsd, timescale=44_100)) == Init(stsd, 44_100, 0, 0)


def test_init_segments_with_other_than_one_track_are_refused() -> None:
    video = video_init(STSD, timescale=120_000, width_px=1280, height_px=720)
    for broken in (b"", video.replace(b"trak", b"free"), video.replace(b"stsd", b"free")):
        with pytest.raises(FormatError):
            read_init(broken)


def stream() -> tuple[bytes, list[InitSegment | Fragment]]:
    init = video_init(STSD, timescale=120_000, width_px=64, height_px=64)
    one, two = samples((4, 4000, 0, True)), samples((2, 4000, 0, True))
    moofs = moof(1, 0, one, video=True), moof(2, 4000, two, video=True)
    data = (
        init
        + box(b"styp", b"msdh")
        + moofs[0]
        + box(b"mdat", b"1234")
        + box(b"sidx", b"?")
        + moofs[1]
        + box(b"mdat", b"56")
        + box(b"mfra")
    )
    return data, [InitSegment(init), Fragment(moofs[0], b"1234"), Fragment(moofs[1], b"56")]


@given(st.lists(st.integers(1, 400)))
def test_any_split_of_the_stream_gives_the_same_fragments(reads: list[int]) -> None:
    data, expected = stream()
    splitter = FragmentSplitter()
    got: list[InitSegment | Fragment] = []
    for size in [*reads, len(data)]:
        got += splitter.feed(data[:size])
        data = data[size:]
    splitter.finish()
    assert got == expected


def test_a_stream_that_ends_inside_a_fragment_is_refused() -> None:
    data, _ = stream()
    for cut in (len(data) - 1, data.index(b"mdat") - 4, 10):
        splitter = FragmentSplitter()
        splitter.feed(data[:cut])
        with pytest.raises(FormatError):
            splitter.finish()


def test_a_stream_out_of_order_is_refused() -> None:
    head = moof(1, 0, samples((4, 4000, 0, True)), video=True)
    for data in (box(b"mdat", b"1234"), head + head, bytes(8), b"\xff" * 8):
        with pytest.raises(FormatError):
            FragmentSplitter().feed(data)


def test_totals_are_sums() -> None:
    table = samples((4, 4000, 0, True), (5, 4001, 0, False))
    assert (len(table), table.payload_bytes, table.ticks) == (2, 9, 8001)
    assert not same(table, replace(table, sizes=table.sizes + 1))
