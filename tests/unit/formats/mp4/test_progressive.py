import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.mp4.boxes import FormatError, find, iter_boxes, read
from telecine.formats.mp4.progressive import by_time, layout
from tests.unit.formats.mp4.movies import audio_track, index, movie, video_track


def test_the_file_is_as_long_as_its_head_says() -> None:
    data, head = movie(video_track(), audio_track())
    assert len(data) == head.size_bytes
    assert [found.kind for found in iter_boxes(data)] == [b"ftyp", b"moov", b"mdat"]
    assert [*iter_boxes(data)][-1].end == len(data)
    ends = [chunk.offset + chunk.size_bytes for chunk in head.chunks]
    assert [chunk.offset for chunk in head.chunks] == [len(head.head), *ends[:-1]]


def test_every_sample_lies_where_the_index_says() -> None:
    tracks = video_track(), audio_track()
    data, _ = movie(*tracks)
    for number, (wanted, got) in enumerate(zip(tracks, index(data).tracks, strict=True)):
        assert got.sizes.tolist() == wanted.sizes.tolist()
        for sample, offset in enumerate(got.offsets.tolist()):
            assert struct.unpack_from(">BH", data, offset) == (number, sample)


def test_times_and_key_frames_come_back() -> None:
    video, audio = video_track(start_ticks=0), audio_track(start_ticks=0)
    for got, wanted in zip(index(movie(video, audio)[0]).tracks, (video, audio), strict=True):
        dts = np.cumsum(wanted.durations) - wanted.durations
        assert (got.pts - wanted.composition_offsets).tolist() == dts.tolist()
        assert got.durations.tolist() == wanted.durations.tolist()
        assert got.keyframes.tolist() == wanted.keyframes.tolist()
        assert got.edit_obstacle is None


def test_sound_before_the_start_is_hidden_not_lost() -> None:
    _, audio = index(movie(video_track(), audio_track(start_ticks=-512))[0]).tracks
    assert audio.pts.tolist()[:2] == [-512, 512]
    assert len(audio.sizes) == 20


def test_a_track_that_starts_late_waits() -> None:
    video, audio = index(
        movie(video_track(start_ticks=60_000), audio_track(start_ticks=24_000))[0]
    ).tracks
    assert audio.pts[0] == 24_000
    assert video.pts[0] == 60_000


def test_the_edit_lasts_for_all_frames() -> None:
    data, _ = movie(video_track(), audio_track(start_ticks=-1))
    found = find(data, [b"moov", b"trak", b"edts", b"elst"])
    assert found is not None
    # 12 frames of 1001/30000 s; the reorder delay is skipped, not taken off.
    assert read("IQq", data, found.body + 4) == (1, 12 * 3003, 4004)


def test_a_day_of_video_does_not_overflow() -> None:
    frames = 24 * 4
    quarter = 120_000 * 900
    track = replace(
        video_track(frames=frames, chunks=(frames,)), durations=np.full(frames, quarter, np.int64)
    )
    (got,) = index(movie(track)[0]).tracks
    assert got.dts[-1] - got.dts[0] == 95 * quarter


def test_what_no_table_holds_is_refused() -> None:
    track = video_track(frames=1, chunks=(1,))
    with pytest.raises(FormatError, match="32 bits"):
        layout([replace(track, durations=np.array([1 << 32], np.int64))])


@given(st.data())
def test_any_chunks_in_any_order_give_the_same_samples(draw: st.DataObject) -> None:
    counts = [draw.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6)) for _ in range(2)]
    order = draw.draw(st.permutations([0] * len(counts[0]) + [1] * len(counts[1])))
    tracks = (
        video_track(frames=sum(counts[0]), chunks=counts[0]),
        audio_track(packets=sum(counts[1]), chunks=counts[1]),
    )
    head = layout(tracks, order)
    assert [chunk.track for chunk in head.chunks] == list(order)
    got = index(head.head + bytes(head.size_bytes - len(head.head)))
    assert not got.truncated
    for track, wanted in zip(got.tracks, tracks, strict=True):
        assert track.sizes.tolist() == wanted.sizes.tolist()
        assert track.keyframes.tolist() == wanted.keyframes.tolist()
    for chunk in head.chunks:
        first = sum(counts[chunk.track][: chunk.number])
        assert got.tracks[chunk.track].offsets[first] == chunk.offset


def test_chunks_follow_each_other_in_time() -> None:
    # Video chunks at 0, 0.167 and 0.334 s; audio at 0, 0.149 and 0.299 s.
    assert by_time([video_track(), audio_track()]) == [0, 1, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "order",
    [[0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 2]],
)
def test_an_order_that_is_not_the_chunks_is_refused(order: list[int]) -> None:
    with pytest.raises(FormatError):
        layout([video_track(), audio_track()], order)


def test_tables_that_do_not_fit_are_refused() -> None:
    track = video_track()
    for broken in (
        replace(track, chunks=(5, 5, 3)),
        replace(track, chunks=(12, 0)),
        replace(track, durations=track.durations[1:]),
        replace(track, start_ticks=-12 * 4004),
        video_track(frames=0, chunks=()),
    ):
        with pytest.raises(FormatError):
            layout([broken])
