from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.ffmpeg.errors import MediaError
from telecine.formats.mp4.fragment import read_moof
from telecine.pipeline import passthrough
from telecine.pipeline.clip import Clip, clipped
from telecine.pipeline.feed import excerpt
from telecine.pipeline.model import Plan, Probe
from telecine.pipeline.passthrough import SegmentIndex
from telecine.pipeline.plan import PlanOptions, passthrough_obstacles, plan
from telecine.pipeline.sample_index import SampleIndex
from tests.unit.pipeline import sources
from tests.unit.pipeline.test_passthrough import FRAMES, GOP, audio_track, video_track

KEYS = tuple(range(0, FRAMES, GOP))
SAMPLES = SampleIndex(video_track(), audio_track())
PROBE = sources.probe(
    sources.video(640, 360, seconds=10, key_frames=KEYS),
    sources.audio(start_s=Fraction(-1024, 48_000), packets=470, duration_s=Fraction(10)),
    duration_s=Fraction(10),
)


def cut(start_ms: int = 0, end_ms: int | None = None) -> tuple[Probe, SampleIndex]:
    probe, samples = clipped(PROBE, SAMPLES, Clip(start_ms=start_ms, end_ms=end_ms))
    assert samples is not None
    return probe, samples


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "first", "end"),
    [
        (0, None, 0, 300),
        (1000, None, 30, 300),
        (1000, 2000, 30, 60),
        (1001, 2001, 31, 61),
        (999, 1999, 30, 60),
        (66, 9999, 2, 300),
        (67, 9966, 2, 299),  # picture 2 is at 66.67 ms, 299 at 9966.67 ms
        (68, 9967, 3, 299),
        (0, 60_000, 0, 300),
    ],
)
def test_pictures_from_the_start_to_before_the_end(
    start_ms: int, end_ms: int | None, first: int, end: int
) -> None:
    probe, _ = cut(start_ms, end_ms)
    assert probe.video is not None
    assert probe.video.frames == end - first
    assert probe.video.start_s == Fraction(first, 30)
    assert probe.duration_s == Fraction(end - first, 30)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "reason"),
    [(10_000, None, "clip-outside"), (99_000, 100_000, "clip-outside"), (40, 60, "clip-empty")],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_a_clip_of_nothing_is_refused(
    start_ms: int, end_ms: int | None, reason: str, *, indexed: bool
) -> None:
    clip = Clip(start_ms=start_ms, end_ms=end_ms)
    with pytest.raises(MediaError) as refused:
        clipped(PROBE, SAMPLES if indexed else None, clip)
    assert refused.value.reason == reason


def test_the_whole_source_stays_as_it_is() -> None:
    assert clipped(PROBE, SAMPLES, Clip(end_ms=10_000)) == (PROBE, SAMPLES)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "obstacles"),
    [
        (2500, None, ()),
        (2500, 5000, ()),
        (0, 5000, ()),
        (2533, None, ("clip-start",)),
        (0, 5067, ("clip-end",)),  # pictures before the end need one behind it
        (0, 5033, ()),
        (100, 5067, ("clip-start", "clip-end")),
    ],
)
def test_what_can_still_be_copied(start_ms: int, end_ms: int, obstacles: tuple[str, ...]) -> None:
    probe, _ = cut(start_ms, end_ms)
    assert passthrough_obstacles(probe, PlanOptions()) == obstacles


@pytest.mark.parametrize(("start_ms", "end_ms"), [(2500, None), (2500, 7500), (0, 5000), (0, 5033)])
def test_copied_segments_are_the_samples_of_the_clip(start_ms: int, end_ms: int | None) -> None:
    probe, samples = cut(start_ms, end_ms)
    made = plan(probe)
    assert made.rendition("360p").passthrough
    index = SegmentIndex.from_bytes(passthrough.segment_index(made, samples, "video"))
    moofs = [read_moof(index.segment(number).moof) for number in range(len(index))]
    assert moofs[0].decode_time == 0
    assert sum(len(moof.samples.sizes) for moof in moofs) == made.frames
    assert index.starts()[-1] == made.ticks(made.frames)
    first = round(Fraction(start_ms, 1000) * 30)
    assert SAMPLES.video is not None
    copied = [offset for number in range(len(index)) for offset in index.segment(number).ranges]
    assert copied[0][0] == SAMPLES.video.offsets[first]


def test_copied_sound_begins_and_ends_with_the_clip() -> None:
    made = plan(cut(2500, 5000)[0])
    assert made.audio is not None
    assert made.audio.passthrough
    # 2.5 s is 120 000 samples: packet 118 covers [119 808, 120 832).
    assert made.audio.source_packet == 118
    assert made.audio.first_packet_samples == 832
    ends = [made.audio.start_samples(packet) for packet in (-1 + made.audio.packets,)]
    assert ends[0] < 120_000 <= made.audio.start_samples(made.audio.packets)
    index = passthrough.segment_index(made, cut(2500, 5000)[1], "audio")
    assert len(SegmentIndex.from_bytes(index)) == made.segments


@pytest.mark.parametrize(
    ("start_ms", "copied"),
    [(2500, True), (2000, False), (5000, False), (6400, True), (0, True)],
)
def test_sound_that_players_would_start_late_is_encoded(start_ms: int, *, copied: bool) -> None:
    """The packet that covers 2.5 s begins 4 ms before, those of 2 and 5 s 16 and 8 ms."""
    audio = plan(cut(start_ms, 9000)[0]).audio
    assert audio is not None
    assert audio.passthrough is copied


def test_sound_that_ended_before_the_clip_is_silence() -> None:
    sound = sources.audio(packets=94, duration_s=Fraction(2))
    probe = sources.probe(sources.video(640, 360, seconds=10), sound)
    for end_ms in (5200, None):
        shorter, _ = clipped(probe, None, Clip(start_ms=5000, end_ms=end_ms))
        made = plan(shorter)
        assert made.audio is not None
        assert not made.audio.passthrough


def test_the_limit_of_the_sandbox_counts_from_the_clip() -> None:
    probe, _ = cut(2000)
    made = plan(probe, PlanOptions(limit_s=5))
    assert (made.frames, made.segments) == (150, 3)


def test_sound_alone_is_cut_to_the_millisecond() -> None:
    track = sources.audio(duration_s=Fraction(10), packets=469)
    source = sources.probe(None, track, duration_s=Fraction(10))
    samples = SampleIndex(None, audio_track())
    probe, kept = clipped(source, samples, Clip(start_ms=1500, end_ms=4000))
    assert probe.duration_s == Fraction(5, 2)
    assert probe.audio is not None
    assert probe.audio.zero_s == Fraction(3, 2)
    made = plan(probe)
    assert made.audio is not None
    assert made.audio.source_packet == 70  # covers 72 000
    assert made.audio.start_samples(made.audio.packets) >= 120_000
    assert made.audio.start_samples(made.audio.packets - 1) < 120_000
    assert kept is not None
    with pytest.raises(MediaError, match="clip-outside"):
        clipped(source, samples, Clip(start_ms=10_000))
    assert clipped(source, samples, Clip(end_ms=11_000)) == (source, samples)


def _plan(probe: Probe) -> Plan:
    return plan(probe, PlanOptions(passthrough=False))


@given(st.integers(0, 9900), st.integers(34, 10_100), st.integers(0, 299))
def test_an_excerpt_of_a_clip_holds_what_is_shown(start_ms: int, length_ms: int, at: int) -> None:
    probe, samples = cut(start_ms, start_ms + length_ms)
    made = _plan(probe)
    first = at % made.frames
    end = min(made.frames, first + 40)
    chosen = excerpt(samples, made, first, end)
    assert samples.video is not None
    assert chosen.track.keyframes[chosen.first]
    fed = chosen.dts + chosen.composition_offsets + chosen.shift_ticks
    numbers = set(np.rint(fed * 30 / samples.video.timescale).astype(int).tolist())
    assert set(range(first, end)) <= numbers
    assert min(numbers) > first - GOP


@given(st.integers(1, 9960))
def test_what_ends_at_a_time_and_what_starts_there_are_the_source(at_ms: int) -> None:
    before, behind = cut(0, at_ms)[0].video, cut(at_ms)[0].video
    assert before is not None
    assert behind is not None
    assert behind.start_s == Fraction(before.frames, 30)
    assert before.frames + behind.frames == FRAMES
