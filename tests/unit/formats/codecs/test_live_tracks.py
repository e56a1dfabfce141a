"""How tracks are described whose encoder announces them."""

import pytest

from telecine.formats.codecs.live_tracks import video_format

AV1 = bytes.fromhex("81000d00" + "0a0b0200000521e7f66017c012")  # 320x180
AV1_ALONE = AV1[:4]


@pytest.mark.parametrize(
    ("record", "told_px", "size_px"),
    [
        (AV1, (0, 0), (320, 180)),
        (AV1, (640, 360), (320, 180)),
        (AV1_ALONE, (640, 360), (640, 360)),
        (AV1_ALONE, (0, 0), (0, 0)),
    ],
)
def test_the_size_of_av1_is_that_of_its_sequence_header(
    record: bytes, told_px: tuple[int, int], size_px: tuple[int, int]
) -> None:
    track = video_format("av01", record, told_px)
    assert (track.width_px, track.height_px) == size_px
    assert track.codecs.startswith("av01.0.00M")
