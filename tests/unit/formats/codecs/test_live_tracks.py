"""How tracks are described whose encoder announces them."""

import pytest

from telecine.formats.codecs.live_tracks import measured, video_format

AV1 = bytes.fromhex("81000d00" + "0a0b0200000521e7f66017c012")  # 320x180
AV1_ALONE = AV1[:4]
VP9 = bytes.fromhex("0014810202020000")
VP9_KEY = bytes.fromhex("824983420013f00b360438241c")  # 320x180


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


@pytest.mark.parametrize("told_px", [(0, 0), (640, 360), (320, 180)])
@pytest.mark.parametrize(
    ("codec", "record", "key"), [("vp09", VP9, VP9_KEY), ("av01", AV1_ALONE, AV1[4:])]
)
def test_the_size_is_that_of_the_key_frame_where_the_record_has_none(
    codec: str, record: bytes, key: bytes, told_px: tuple[int, int]
) -> None:
    track = video_format(codec, record, told_px)
    found = measured(track, key)
    if codec == "vp09" or told_px == (0, 0):
        assert (found.width_px, found.height_px) == (320, 180)
    assert found.codecs == track.codecs
    assert measured(found, key) is found
    assert measured(track, b"\x00") is track
    assert (found is track) == (found.width_px == told_px[0])
