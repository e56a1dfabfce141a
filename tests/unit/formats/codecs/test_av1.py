from fractions import Fraction

import pytest

from telecine.formats.codecs import av1
from telecine.formats.codecs.av1_levels import level_for
from telecine.formats.errors import FormatError

HEADER = bytes.fromhex("0a0b0200000521e7f66017c012")  # 320x180 at level 2.0
RECORD = bytes.fromhex("81000d00") + HEADER
KEY_FRAME = HEADER + bytes.fromhex("3288261000866080820410")  # cut short, as heads are


def test_a_record_and_its_sequence_header_say_the_same() -> None:
    assert av1.codecs_string(RECORD) == av1.main_codecs(0) == "av01.0.00M.08"
    assert av1.parse_av1c(RECORD) == av1.SequenceHeader(0, 0, 0, 320, 180)


def test_a_level_with_two_tiers() -> None:
    record = bytes.fromhex("81080c000a0c02000042b313fd9c02f80040")
    assert av1.codecs_string(record) == "av01.0.08M.08"
    assert av1.parse_av1c(record) == av1.SequenceHeader(0, 8, 0, 640, 360)


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", RECORD[:4], RECORD[:9]])
def test_what_is_no_record_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        av1.parse_av1c(body)


@pytest.mark.parametrize(
    ("head", "is_key"),
    [
        (KEY_FRAME, True),
        (b"\x12\x00" + KEY_FRAME, True),  # behind a temporal delimiter
        (KEY_FRAME[len(HEADER) :], False),  # nothing says how to read it
        (HEADER + bytes.fromhex("32042000000000"), False),  # an inter frame
        (HEADER + bytes.fromhex("32048000000000"), False),  # one shown again
        (HEADER, False),
        (HEADER + b"\x32", False),
        (b"", False),
    ],
)
def test_the_first_frame_decides(head: bytes, is_key: bool) -> None:
    assert av1.begins_with_key_frame(head) is is_key


@pytest.mark.parametrize(
    ("size", "rate_hz", "bps", "index"),
    [
        ((426, 240), 30, 240_000, 0),
        ((426, 240), 60, 240_000, 1),
        ((854, 480), 30, 840_000, 4),
        ((1280, 720), 30, 1_680_000, 5),
        ((1280, 720), 60, 2_520_000, 8),
        ((1920, 1080), 30, 3_000_000, 8),
        ((1920, 1080), 60, 4_500_000, 9),
        ((3840, 2160), 30, 9_600_000, 12),
        ((3840, 2160), 60, 14_400_000, 13),
        ((2400, 60), 30, 240_000, 1),  # for its width
        ((320, 180), 30, 2_000_000, 1),  # for its rate
    ],
)
def test_the_lowest_level_that_holds_it(
    size: tuple[int, int], rate_hz: int, bps: int, index: int
) -> None:
    assert level_for(*size, Fraction(rate_hz), bps).index == index


def test_no_level_holds_everything() -> None:
    with pytest.raises(ValueError, match="no level"):
        level_for(20_000, 20_000, Fraction(30), 1)
