from fractions import Fraction
from itertools import pairwise

import pytest

from telecine.pipeline.storyboard import chosen, sheet_urls, tile_size, to_vtt


@pytest.mark.parametrize("pieces", [1, 24, 25, 26, 500, 501, 999, 1001, 21_600])
def test_long_videos_get_fewer_tiles_a_minute_not_more_sheets(pieces: int) -> None:
    tiles = chosen(range(pieces))
    assert tiles[0] == 0
    assert min(pieces, 250) <= len(tiles) <= 500
    assert len({after - before for before, after in pairwise(tiles)}) <= 1
    assert len(sheet_urls("storyboard-1", len(tiles))) <= 20


@pytest.mark.parametrize(
    ("shown", "tile"),
    [
        ((1920, 1080), (160, 90)),
        ((426, 240), (160, 90)),
        ((1080, 1920), (51, 90)),  # a phone
        ((640, 480), (120, 90)),
        ((2560, 1080), (160, 68)),
        ((8000, 40), (160, 2)),
    ],
)
def test_tiles_have_the_shape_of_the_video(shown: tuple[int, int], tile: tuple[int, int]) -> None:
    assert tile_size(*shown) == tile


def test_the_list_names_a_place_on_a_sheet_for_every_time() -> None:
    starts_s = [Fraction(4 * number) for number in range(26)] + [Fraction(7201, 2)]
    sheets = sheet_urls("storyboard-3", 26)
    assert sheets == ["storyboard-3-0.jpg", "storyboard-3-1.jpg"]
    head, *cues = to_vtt(starts_s, sheets, (160, 90)).split("\n\n")
    assert head == "WEBVTT"
    assert cues[0] == "00:00:00.000 --> 00:00:04.000\nstoryboard-3-0.jpg#xywh=0,0,160,90"
    assert cues[7].endswith("\nstoryboard-3-0.jpg#xywh=320,90,160,90")
    assert cues[24].endswith("\nstoryboard-3-0.jpg#xywh=640,360,160,90")
    assert cues[25] == "00:01:40.000 --> 01:00:00.500\nstoryboard-3-1.jpg#xywh=0,0,160,90\n"
