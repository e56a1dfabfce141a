from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.pipeline.model import Plan
from telecine.pipeline.plan import PlanOptions, audio_obstacles, passthrough_obstacles, plan
from tests.unit.pipeline import sources


def test_a_source_that_can_be_copied_keeps_its_size_under_the_rung_below() -> None:
    made = plan(sources.probe(sources.video(1600, 900)))
    assert [rendition.name for rendition in made.renditions] == ["240p", "360p", "480p", "720p"]
    top = made.rendition("720p")
    assert (top.passthrough, top.width_px, top.height_px) == (True, 1600, 900)
    assert top.codecs == "avc1.640028"


def test_a_source_between_rungs_is_transcoded_at_the_rung_below() -> None:
    made = plan(sources.probe(sources.video(1600, 900), video_obstacles=("interlaced",)))
    top = made.rendition("720p")
    assert (top.passthrough, top.width_px, top.height_px) == (False, 1280, 720)


def test_with_passthrough_segments_are_cut_at_keys_and_pieces_between() -> None:
    keys = (0, 125, 400)
    made = plan(sources.probe(sources.video(seconds=18, key_frames=keys)))
    assert made.piece_cuts == (0, 125, 262, 400, 470, 540)
    assert [made.segment_frames(n) for n in range(made.segments)] == [
        (0, 125),
        (125, 400),
        (400, 540),
    ]
    assert made.target_duration_s == 9


def test_without_passthrough_the_grid_is_fine() -> None:
    options = PlanOptions(passthrough=False)
    made = plan(sources.probe(sources.video(seconds=18)), options)
    assert made.piece_cuts == (0, 60, 120, 240, 360, 480, 540)
    assert made.target_duration_s == 4


@pytest.mark.parametrize(
    ("track", "facts", "options", "obstacle"),
    [
        ({}, {"video_obstacles": ("interlaced",)}, {}, "interlaced"),
        ({}, {}, {"watermarked": True}, "watermark"),
        ({}, {}, {"passthrough": False}, "not-wanted"),
        ({}, {}, {"limit_s": 30}, "shortened"),
        ({}, {}, {"max_height_px": 720}, "too-large"),
        ({}, {"indexed": False}, {}, "not-indexed"),
        ({"mean_bps": 7_600_000}, {}, {}, "rate-too-high"),
        ({"peak_bps": 15_100_000}, {}, {}, "rate-too-high"),
        ({"key_frames": (0, 316)}, {}, {}, "key-frames-too-rare"),
    ],
)
def test_what_forbids_passthrough(
    track: dict[str, Any], facts: dict[str, Any], options: dict[str, Any], obstacle: str
) -> None:
    wishes = PlanOptions(**options)
    source = sources.probe(sources.video(**track), **facts)
    assert passthrough_obstacles(source, wishes) == (obstacle,)
    assert not any(rendition.passthrough for rendition in plan(source, wishes).renditions)


def test_key_frames_ten_and_a_half_seconds_apart_are_still_copied() -> None:
    source = sources.probe(sources.video(seconds=21, key_frames=(0, 315)))
    assert passthrough_obstacles(source, PlanOptions()) == ()


def test_the_sandbox_cuts_the_video() -> None:
    source = sources.probe(sources.video(), sources.audio())
    made = plan(source, PlanOptions(limit_s=30, watermarked=True))
    assert made.frames == 900
    assert made.audio is not None
    assert made.audio.packets == 1411  # up to 30.1 s


def test_a_limit_longer_than_the_video_changes_nothing() -> None:
    source = sources.probe(sources.video())
    assert plan(source, PlanOptions(limit_s=90)) == plan(source)


def test_cuts_of_ours_are_even_where_a_rung_halves_the_rate() -> None:
    video = sources.video(1280, 720, frame_rate=Fraction(60), seconds=20, key_frames=(0, 601))
    made = plan(sources.probe(video))
    assert made.piece_cuts == (0, 200, 400, 601, 800, 1000, 1200)


def test_copied_audio_keeps_its_packets() -> None:
    made = plan(sources.probe(sources.video(), sources.audio()))
    assert made.audio is not None
    assert made.audio.passthrough
    assert made.audio.packets == 2813
    assert (made.audio.source_packet, made.audio.first_packet_samples) == (0, 1024)


def test_the_packet_that_covers_zero_is_shortened() -> None:
    # 1.5 packets before the picture: the first is dropped, half of the second is left.
    start = Fraction(-1536, 48_000)
    made = plan(sources.probe(sources.video(), sources.audio(start_s=start, packets=2900)))
    assert made.audio is not None
    assert (made.audio.source_packet, made.audio.first_packet_samples) == (1, 512)
    assert [made.audio.start_samples(n) for n in range(3)] == [0, 512, 1536]


def test_a_priming_packet_that_ends_at_zero_is_dropped() -> None:
    start = Fraction(-1024, 48_000)
    made = plan(sources.probe(sources.video(), sources.audio(start_s=start)))
    assert made.audio is not None
    assert (made.audio.source_packet, made.audio.first_packet_samples) == (1, 1024)


def test_audio_that_starts_within_one_packet_is_stretched_to_zero() -> None:
    start = Fraction(700, 48_000)
    made = plan(sources.probe(sources.video(), sources.audio(start_s=start)))
    assert made.audio is not None
    assert (made.audio.source_packet, made.audio.first_packet_samples) == (0, 1724)


@pytest.mark.parametrize(
    ("track", "facts", "obstacle"),
    [
        ({"start_s": Fraction(1025, 48_000)}, {}, "starts-late"),
        ({"duration_s": Fraction(59)}, {}, "ends-early"),
        ({"packets": None}, {}, "not-indexed"),
        ({}, {"audio_obstacles": ("codec",)}, "codec"),
    ],
)
def test_audio_that_cannot_be_copied_is_encoded(
    track: dict[str, Any], facts: dict[str, Any], obstacle: str
) -> None:
    source = sources.probe(sources.video(), sources.audio(**track), **facts)
    assert audio_obstacles(source, Fraction(60)) == (obstacle,)
    made = plan(source)
    assert made.audio is not None
    assert not made.audio.passthrough
    assert (made.audio.sample_rate_hz, made.audio.channels) == (48_000, 2)
    assert made.audio.packets == 2813  # ceil(60 s): silence fills what is missing


def test_long_audio_ends_with_the_picture() -> None:
    made = plan(sources.probe(sources.video(), sources.audio(packets=9000)))
    assert made.audio is not None
    end_s = made.audio.start_samples(made.audio.packets) / 48_000
    assert 60.1 <= end_s < 60.1 + 1024 / 48_000


def test_audio_alone_is_cut_by_its_own_clock() -> None:
    track = sources.audio(duration_s=Fraction(10), packets=469)
    made = plan(sources.probe(None, track))
    assert made.frames == 0
    assert made.renditions == ()
    assert made.audio is not None
    assert made.audio.segment_packets == (0, 94, 188, 375, 469)
    assert made.segments == 4
    assert made.target_duration_s == 4


def test_without_tracks_there_is_no_plan() -> None:
    with pytest.raises(ValueError, match="without video and audio"):
        plan(sources.probe(None))


def _segment_lengths_s(made: Plan) -> list[Fraction]:
    frames = [made.segment_frames(n) for n in range(made.segments)]
    return [(end - start) / made.frame_rate for start, end in frames]


@given(
    st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001), Fraction(17)]),
    st.integers(1, 7000),
    st.integers(-5000, 1024),
    st.booleans(),
)
def test_every_segment_has_audio_and_fits_the_target(
    rate: Fraction, frames: int, start: int, copied: bool
) -> None:
    seconds = frames / rate
    video = sources.video(frame_rate=rate, seconds=seconds, frames=frames)
    packets = int((seconds + Fraction(1, 5)) * 48_000 - start) // 1024 + 1
    sound = sources.audio(
        start_s=Fraction(start, 48_000),
        packets=packets,
        duration_s=Fraction(packets * 1024, 48_000),
    )
    obstacles = () if copied else ("codec",)
    made = plan(sources.probe(video, sound, audio_obstacles=obstacles))
    assert made.audio is not None
    assert made.audio.passthrough is copied
    assert len(made.audio.segment_packets) == made.segments + 1
    assert made.audio.segment_packets[-1] == made.audio.packets
    for n, (first, end) in enumerate(pairwise(made.audio.segment_packets)):
        assert first < end
        cut_s = made.segment_frames(n)[0] / rate
        starts_s = Fraction(made.audio.start_samples(first), 48_000)
        assert cut_s <= starts_s
        if first > 0:
            before_s = Fraction(made.audio.start_samples(first - 1), 48_000)
            assert before_s < cut_s or first == 1
    assert all(
        int(length + Fraction(1, 2)) <= made.target_duration_s
        for length in _segment_lengths_s(made)
    )
