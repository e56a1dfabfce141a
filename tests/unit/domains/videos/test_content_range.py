import pytest

from telecine.domains.videos.content_range import ByteRange, PartRange, parse
from telecine.problems import Problem


@pytest.mark.parametrize(
    ("value", "expected", "whole"),
    [
        ("part 1/1", PartRange(1, 1), True),
        ("part 1/*", PartRange(1, None), False),
        ("PART  3 / 10000", PartRange(3, 10_000), False),
        ("bytes 0-9/10", ByteRange(0, 9, 10), True),
        ("bytes 0-8/10", ByteRange(0, 8, 10), False),
        ("bytes 0-9/*", ByteRange(0, 9, None), False),
        (" Bytes 5 - 9/10 ", ByteRange(5, 9, 10), False),
    ],
)
def test_ranges(value: str, expected: PartRange | ByteRange, whole: bool) -> None:
    assert parse(value) == expected
    assert parse(value).whole is whole


TOO_MUCH = 52_428_800_000


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        ("", "malformed"),
        ("part 1", "malformed"),
        ("part \u0661/1", "malformed"),
        ("bytes=0-9/10", "malformed"),
        ("bytes -9/10", "malformed"),
        ("part " + "9" * 5000 + "/1", "malformed"),
        ("part 0/1", "by-part-part-zero"),
        ("part 1/0", "by-part-total-parts-zero"),
        ("part 10001/*", "by-part-part-too-high-allowed"),
        ("part 1/10001", "by-part-total-parts-too-high"),
        ("part 3/2", "by-part-part-too-high-total"),
        ("bytes 0-9/0", "by-bytes-total-bytes-zero"),
        (f"bytes 0-{TOO_MUCH}/*", "by-bytes-to-byte-too-high-allowed"),
        (f"bytes 0-9/{TOO_MUCH + 1}", "by-bytes-total-bytes-too-high"),
        ("bytes 9-8/10", "by-bytes-from-byte-too-high"),
        ("bytes 0-10/10", "by-bytes-to-byte-too-high-total"),
    ],
)
def test_what_is_wrong_is_told_by_its_documented_name(value: str, slug: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(value)
    assert caught.value.status == 400
    assert caught.value.violations[0].slug == f"video-content-range-{slug}"


def test_a_file_has_the_size_of_its_range() -> None:
    parse("bytes 0-9/10").check_size(10)
    parse("part 1/1").check_size(3)
    with pytest.raises(Problem) as caught:
        parse("bytes 0-9/10").check_size(11)
    assert caught.value.violations[0].slug == "video-content-range-by-bytes-range-mismatch"
