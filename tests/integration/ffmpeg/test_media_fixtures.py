"""The clips of the tests say what they claim."""

from pathlib import Path

import numpy as np
import pytest

from tests.fixtures.media import barcode_mp4, draw_number, frame_numbers, make_clip, read_numbers


def test_frames_show_their_numbers(barcode_clip: Path) -> None:
    assert frame_numbers(barcode_clip) == list(range(150))


def test_bytes_are_decoded_as_well(barcode_clip: Path) -> None:
    assert frame_numbers(barcode_clip.read_bytes()) == list(range(150))


def test_numbers_survive_a_small_low_quality_copy(barcode_clip: Path) -> None:
    small = make_clip(
        "small.mp4", "-i", str(barcode_clip), "-an", "-vf", "scale=126:72", "-c:v", "libx264",
        "-crf", "35",
    )  # fmt: skip
    assert frame_numbers(small) == list(range(150))


def test_a_picture_without_a_number_is_unreadable() -> None:
    assert read_numbers(np.full((1, 108, 192), 128, dtype=np.uint8)) == [-1]


@pytest.mark.parametrize("number", [0, 1, 2048, 4095])
def test_a_drawn_number_is_read(number: int) -> None:
    picture = np.zeros((108, 192), dtype=np.uint8)
    draw_number(picture, number)
    assert read_numbers(picture[None]) == [number]


def test_the_index_is_where_the_name_says(barcode_clip: Path, moov_last_clip: Path) -> None:
    for clip, first, second in (
        (barcode_clip, b"moov", b"mdat"),
        (moov_last_clip, b"mdat", b"moov"),
    ):
        data = clip.read_bytes()
        assert data.index(first) < data.index(second)


def test_a_clip_is_made_once() -> None:
    clip = barcode_mp4(frames=10)
    assert barcode_mp4(frames=10) == clip
    assert barcode_mp4(frames=11) != clip
