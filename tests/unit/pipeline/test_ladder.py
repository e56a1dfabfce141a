from fractions import Fraction

import pytest

from telecine.pipeline.ladder import LADDER, encoded_rendition, rungs_for, scaled_size
from tests.unit.pipeline import sources


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (1080, 1920, [(240, 426), (360, 640), (480, 854), (720, 1280), (1080, 1920)]),
        (640, 482, [(318, 240), (478, 360), (638, 480)]),
        (161, 99, [(160, 98)]),
        (320, 180, [(320, 180)]),
        (2560, 1440, [(426, 240), (640, 360), (854, 480), (1280, 720), (1920, 1080)]),
        (1, 1, [(2, 2)]),
    ],
)
def test_sizes_are_even_and_never_upscaled(
    width: int, height: int, sizes: list[tuple[int, int]]
) -> None:
    video = sources.video(width, height)
    assert [scaled_size(video, rung) for rung in rungs_for(video)] == sizes


def test_a_source_below_every_rung_is_named_240p() -> None:
    assert [rung.name for rung in rungs_for(sources.video(320, 180))] == ["240p"]


def test_the_height_can_be_limited() -> None:
    names = [rung.name for rung in rungs_for(sources.video(), max_height_px=500)]
    assert names == ["240p", "360p", "480p"]


@pytest.mark.parametrize(
    ("rate", "divisors"),
    [
        (Fraction(60), (2, 2, 2, 1, 1)),
        (Fraction(60000, 1001), (2, 2, 2, 1, 1)),
        (Fraction(50), (2, 2, 2, 1, 1)),
        (Fraction(31), (1, 1, 1, 1, 1)),
        (Fraction(25), (1, 1, 1, 1, 1)),
    ],
)
def test_small_rungs_halve_fast_video(rate: Fraction, divisors: tuple[int, ...]) -> None:
    video = sources.video(frame_rate=rate)
    renditions = [encoded_rendition(video, rung) for rung in rungs_for(video)]
    assert tuple(rendition.rate_divisor for rendition in renditions) == divisors


def test_fast_video_gets_a_higher_cap() -> None:
    video = sources.video(frame_rate=Fraction(60))
    top = encoded_rendition(video, LADDER[4])
    assert (top.max_rate_bps, top.buffer_bits) == (7_500_000, 15_000_000)
    assert encoded_rendition(sources.video(), LADDER[4]).max_rate_bps == 5_000_000
    assert encoded_rendition(video, LADDER[0]).max_rate_bps == 400_000


def test_levels_are_those_of_the_table() -> None:
    video = sources.video(3840, 2160)
    levels = {
        rendition.name: (rendition.level, rendition.codecs, rendition.crf)
        for rendition in (encoded_rendition(video, rung) for rung in LADDER)
    }
    assert levels["720p"] == ("3.1", "avc1.64001f", 23.0)
    assert levels["1080p"] == ("4.0", "avc1.640028", 23.0)
    assert levels["2160p"] == ("5.1", "avc1.640033", 24.0)
