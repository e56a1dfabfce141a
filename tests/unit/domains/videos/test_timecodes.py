from fractions import Fraction

import pytest

from telecine.domains.videos.timecodes import milliseconds


@pytest.mark.parametrize(
    ("timecode", "expected_ms"),
    [
        ("0", 0),
        ("124", 124_000),
        ("9999999", 9_999_999_000),
        ("00:15:22", 922_000),
        ("00:15:22.5", 922_500),
        ("00:15:22.05", 922_050),
        ("00:15:22.005", 922_005),
        ("01:00:00:12", 3_600_480),
        ("100:59:59", 363_599_000),
    ],
)
def test_timecodes(timecode: str, expected_ms: int) -> None:
    assert milliseconds(timecode, Fraction(25)) == expected_ms


def test_a_frame_number_counts_in_the_videos_own_rate() -> None:
    assert milliseconds("00:00:00:30", Fraction(30_000, 1001)) == 1001


@pytest.mark.parametrize("timecode", ["", "-1", "1.5", "1:2:3", "00:60:00", "00:00:00.1234", "٣"])
def test_what_is_no_timecode(timecode: str) -> None:
    with pytest.raises(ValueError, match="timecode"):
        milliseconds(timecode, Fraction(25))
