from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.codecs.aac import aac_stsd, parse_esds
from telecine.formats.mp4.fragment import read_init, read_moof
from telecine.pipeline import passthrough
from telecine.pipeline.model import TIMESCALE, Plan
from telecine.pipeline.passthrough import SegmentIndex, SegmentIndexError
from telecine.pipeline.plan import plan
from telecine.pipeline.sample_index import SampleIndex, SampleTrack
from telecine.pipeline.segment_index import read_record, record_range, row_range
from tests.unit.pipeline import sources

GOP = 75
FRAMES = 300
DELAY = 2  # frames


def video_track(timescale: int = 15_360, rate: Fraction = Fraction(30)) -> SampleTrack:
    """Closed GOPs in which pictures 2 and 3 of four are decoded behind the fourth."""
    order: list[int] = []
    for gop in range(0, FRAMES, GOP):
        order.append(gop)
        rest = list(range(gop + 1, gop + GOP))
        while rest:
            group, rest = rest[:4], rest[4:]
            order += [group[-1], *group[:-1]]
    pts = np.array([round(n / rate * timescale) for n in order], dtype=np.int64)
    sizes = np.arange(100, 100 + FRAMES, dtype=np.int64)
    # Sound lies between every ten pictures.
    offsets = np.cumsum(sizes) - sizes + np.arange(FRAMES) // 10 * 1000
    return SampleTrack(
        timescale=timescale,
        zero_ticks=Fraction(512),
        sizes=sizes,
        offsets=offsets,
        dts=np.sort(pts) - round(DELAY / rate * timescale) + 512,
        pts=pts + 512,
        keyframes=np.array([number % GOP == 0 for number in order]),
        stsd=b"stsd",
        width_px=640,
        height_px=360,
    )


def audio_track(packets: int = 470) -> SampleTrack:
    sizes = np.full(packets, 300, dtype=np.int64)
    times = np.arange(packets, dtype=np.int64) * 1024 - 1024
    return SampleTrack(
        timescale=48_000,
        zero_ticks=Fraction(0),
        sizes=sizes,
        offsets=np.cumsum(sizes) + 100_000,
        dts=times,
        pts=times,
        keyframes=np.broadcast_to(np.True_, packets),
        stsd=aac_stsd(48_000, 2),
    )


def copied_plan(rate: Fraction = Fraction(30)) -> Plan:
    keys = tuple(range(0, FRAMES, GOP))
    video = sources.video(640, 360, frame_rate=rate, seconds=FRAMES / rate, key_frames=keys)
    sound = sources.audio(start_s=Fraction(-1024, 48_000), packets=470)
    made = plan(sources.probe(video, sound))
    assert made.rendition("360p").passthrough
    return made


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(30000, 1001), Fraction(17)])
def test_segments_hold_every_sample_at_its_time(rate: Fraction) -> None:
    made, track = copied_plan(rate), video_track(rate=rate)
    data = passthrough.segment_index(made, SampleIndex(track, None), "video")
    index = SegmentIndex.from_bytes(data)
    assert index.timescale == TIMESCALE
    assert len(index) == made.segments
    moofs = [read_moof(index.segment(n).moof) for n in range(len(index))]
    assert [moof.sequence for moof in moofs] == list(range(1, len(index) + 1))
    assert sum(len(moof.samples) for moof in moofs) == FRAMES
    sizes = np.concatenate([moof.samples.sizes for moof in moofs])
    assert sizes.tolist() == track.sizes.tolist()
    pts: list[int] = []
    for n, moof in enumerate(moofs):
        samples = moof.samples
        dts = moof.decode_time + np.cumsum(samples.durations) - samples.durations
        shown = dts + samples.composition_offsets
        assert moof.decode_time == shown[0] == shown.min()  # tfdt is the first pts
        assert samples.keyframes[0]
        end = moofs[n + 1].decode_time if n + 1 < len(moofs) else made.ticks(made.frames)
        assert moof.decode_time + samples.ticks == end
        assert (samples.durations > 0).all()
        assert len(index.segment(n).head) == moof.payload_offset
        pts += shown.tolist()
    exact = [(int(p) - 512) * Fraction(TIMESCALE, track.timescale) for p in track.pts]
    assert all(abs(got - want) <= Fraction(1, 2) for got, want in zip(pts, exact, strict=True))


def test_ranges_are_the_samples_bytes_in_order() -> None:
    made, track = copied_plan(), video_track()
    data = passthrough.segment_index(made, SampleIndex(track, None), "video")
    index = SegmentIndex.from_bytes(data)
    got = [byte for n in range(len(index)) for o, s in index.segment(n).ranges for byte in (o, s)]
    ranges = list(zip(got[::2], got[1::2], strict=True))
    wanted: list[int] = []
    for offset, size in zip(track.offsets, track.sizes, strict=True):
        wanted += range(int(offset), int(offset + size))
    assert [byte for offset, size in ranges for byte in range(offset, offset + size)] == wanted
    assert len(ranges) < FRAMES // 5  # neighbours are joined


def test_who_keeps_a_segment_does_not_keep_the_index() -> None:
    made, track = copied_plan(), video_track()
    data = passthrough.segment_index(made, SampleIndex(track, None), "video")
    segment = SegmentIndex.from_bytes(memoryview(data)).segment(0)
    assert not np.shares_memory(segment.table, np.frombuffer(data, "u1"))


def test_one_segment_takes_two_small_reads() -> None:
    made, track = copied_plan(), video_track()
    data = passthrough.segment_index(made, SampleIndex(track, None), "video")
    index = SegmentIndex.from_bytes(memoryview(data))
    for n in range(len(index)):
        offset, size = row_range(n)
        row = data[offset : offset + size]
        offset, size = record_range(row)
        read, known = read_record(row, data[offset : offset + size]), index.segment(n)
        assert (read.head, read.ranges) == (known.head, known.ranges)
    with pytest.raises(IndexError):
        index.segment(len(index))


def test_copied_audio_begins_at_zero_and_follows_its_own_clock() -> None:
    made = copied_plan()
    data = passthrough.segment_index(made, SampleIndex(None, audio_track()), "audio")
    index = SegmentIndex.from_bytes(data)
    assert index.timescale == 48_000
    moofs = [read_moof(index.segment(n).moof) for n in range(len(index))]
    assert moofs[0].decode_time == 0
    assert index.segment(0).ranges[0][0] == 100_000 + 600  # without the priming packet
    assert made.audio is not None
    starts = [moof.decode_time for moof in moofs]
    assert starts == [made.audio.start_samples(p) for p in made.audio.segment_packets[:-1]]
    for moof, following in pairwise(moofs):
        assert moof.decode_time + moof.samples.ticks == following.decode_time
    assert index.starts() == [*starts, made.audio.start_samples(made.audio.packets)]


def test_rates_count_boxes_too() -> None:
    made, track = copied_plan(), video_track()
    data = passthrough.segment_index(made, SampleIndex(track, None), "video")
    index = SegmentIndex.from_bytes(data)
    sizes = [index.segment(n).size_bytes for n in range(len(index))]
    seconds = [(end - start) / TIMESCALE for start, end in pairwise(index.starts())]
    peak = max(size * 8 / length for size, length in zip(sizes, seconds, strict=True))
    assert index.rates_bps() == (round(peak), round(sum(sizes) * 8 / sum(seconds)))


def test_init_segments_say_our_clock() -> None:
    samples = SampleIndex(video_track(), audio_track())
    video = read_init(passthrough.video_init(samples))
    assert (video.timescale, video.width_px, video.height_px) == (TIMESCALE, 640, 360)
    assert video.stsd == b"stsd"
    audio = read_init(passthrough.audio_init(samples))
    assert audio.timescale == 48_000
    assert parse_esds(audio.stsd).channels == 2


def test_a_plan_of_another_source_is_refused() -> None:
    made = copied_plan()
    track = video_track(rate=Fraction(29))
    with pytest.raises(SegmentIndexError, match="no key frame at frame 150"):
        passthrough.segment_index(made, SampleIndex(track, None), "video")
    with pytest.raises(SegmentIndexError, match="no audio samples"):
        passthrough.segment_index(made, SampleIndex(video_track(), None), "audio")
    with pytest.raises(SegmentIndexError, match="do not fit"):
        passthrough.segment_index(made, SampleIndex(None, audio_track(100)), "audio")


@given(st.integers(0, 4000))
def test_a_cut_off_object_is_refused(length: int) -> None:
    made, track = copied_plan(), video_track()
    data = passthrough.segment_index(made, SampleIndex(track, None), "video")
    with pytest.raises(SegmentIndexError):
        SegmentIndex.from_bytes(data[:length])


def test_a_sample_index_comes_back_equal() -> None:
    video, audio = video_track(), audio_track()
    again = SampleIndex.from_bytes(memoryview(SampleIndex(video, audio).to_bytes()))
    for before, after in ((video, again.video), (audio, again.audio)):
        assert after is not None
        for name in ("sizes", "offsets", "dts", "pts", "keyframes"):
            assert getattr(after, name).tolist() == getattr(before, name).tolist()
        for name in ("timescale", "zero_ticks", "stsd", "width_px", "height_px"):
            assert getattr(after, name) == getattr(before, name)
    assert SampleIndex.from_bytes(SampleIndex(None, None).to_bytes()) == SampleIndex(None, None)
