import pytest

from telecine.domains.sources.models import Mode
from telecine.domains.sources.queries import Held
from telecine.domains.uploads.content_range import (
    ByteRange,
    PartRange,
    Range,
    check_held,
    parse,
    too_large,
)
from telecine.problems import Problem


@pytest.mark.parametrize(
    ("value", "expected", "last"),
    [
        ("part 1/1", PartRange(1, 1), True),
        ("part 1/*", PartRange(1, None), False),
        ("PART  3 / 10000", PartRange(3, 10_000), False),
        ("bytes 0-9/10", ByteRange(0, 9, 10), True),
        ("bytes 0-8/10", ByteRange(0, 8, 10), False),
        ("bytes 0-9/*", ByteRange(0, 9, None), False),
        (" Bytes 5 - 9/10 ", ByteRange(5, 9, 10), True),
    ],
)
def test_ranges(value: str, expected: Range, last: bool) -> None:
    assert parse(value) == expected
    assert parse(value).is_last(Held()) is last


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
        ("bytes 0-9/0", "by-bytes-total-bytes-zero"),
        (f"bytes 0-{TOO_MUCH}/*", "by-bytes-to-byte-too-high-allowed"),
        (f"bytes 0-9/{TOO_MUCH + 1}", "by-bytes-total-bytes-too-high"),
        ("bytes 9-8/10", "by-bytes-from-byte-too-high"),
        (f"bytes 0-9/{30 * 2**30 + 1}", "by-bytes-total-bytes-too-high"),
    ],
)
def test_what_is_wrong_is_told_by_its_documented_name(value: str, slug: str) -> None:
    with pytest.raises(Problem) as caught:
        parse(value)
    assert caught.value.status == 400
    assert caught.value.violations[0].slug == f"video-content-range-{slug}"


EMPTY = Held()
PARTS = Held(Mode.PARTS, None, parts=2, highest=4, size_bytes=12 << 20)
OF_FIVE = Held(Mode.PARTS, 5, parts=2, highest=4, size_bytes=12 << 20)
BYTES = Held(Mode.BYTES, None, parts=1, highest=99, size_bytes=100)
OF_HUNDRED = Held(Mode.BYTES, 120, parts=1, highest=99, size_bytes=100)


@pytest.mark.parametrize(
    ("value", "held", "slug", "detail"),
    [
        (None, PARTS, "already-initiated", None),
        (None, BYTES, "already-initiated", None),
        ("bytes 0-9/10", PARTS, "started-with-part", None),
        ("part 1/2", BYTES, "started-with-bytes", None),
        ("part 3/6", OF_FIVE, "by-part-different-total-parts", "5"),
        ("part 3/3", PARTS, "by-part-total-parts-too-low", "4"),
        ("part 3/2", EMPTY, "by-part-part-too-high-total", "2"),
        ("part 6/*", OF_FIVE, "by-part-part-too-high-total", "5"),
        ("bytes 100-119/121", OF_HUNDRED, "by-bytes-different-total-bytes", "120"),
        ("bytes 5-9/99", BYTES, "by-bytes-total-bytes-too-low", "99"),
        ("bytes 0-10/10", EMPTY, "by-bytes-to-byte-too-high-total", "10"),
        ("bytes 100-120/*", OF_HUNDRED, "by-bytes-to-byte-too-high-total", "120"),
    ],
)
def test_what_does_not_go_with_what_is_held_is_refused(
    value: str | None, held: Held, slug: str, detail: str | None
) -> None:
    with pytest.raises(Problem) as caught:
        check_held(None if value is None else parse(value), held)
    violation = caught.value.violations[0]
    assert violation.slug == f"video-content-range-{slug}"
    assert violation.detail == detail
    assert violation.name == "Content-Range"


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (None, EMPTY),
        ("part 3/*", EMPTY),
        ("part 1/4", PARTS),
        ("part 5/*", OF_FIVE),
        ("part 5/5", OF_FIVE),
        ("bytes 100-199/200", BYTES),
        ("bytes 100-119/*", OF_HUNDRED),
    ],
)
def test_what_goes_with_what_is_held_is_accepted(value: str | None, held: Held) -> None:
    check_held(None if value is None else parse(value), held)


MIN = 5 * 1024 * 1024


@pytest.mark.parametrize(
    ("value", "size_bytes", "held", "slug"),
    [
        ("bytes 0-9/10", 11, EMPTY, "video-content-range-by-bytes-range-mismatch"),
        (f"bytes 0-{MIN - 2}/*", MIN - 1, EMPTY, "video-content-range-by-bytes-range-too-small"),
        ("part 1/2", MIN - 1, EMPTY, "uploaded-file-too-small"),
        ("part 2/*", MIN - 1, EMPTY, "uploaded-file-too-small"),
        ("part 4/*", MIN - 1, OF_FIVE, "uploaded-file-too-small"),
    ],
)
def test_files_have_the_sizes_that_are_allowed(
    value: str, size_bytes: int, held: Held, slug: str
) -> None:
    with pytest.raises(Problem) as caught:
        parse(value).check_file(size_bytes, held)
    assert caught.value.violations[0].slug == slug


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        (None, "uploaded-file-too-large"),
        ("part 1/1", "uploaded-file-too-large"),
        (f"bytes 0-{40 * MIN}/*", "video-content-range-by-bytes-range-too-large"),
        (f"bytes 0-{40 * MIN - 1}/*", "video-content-range-by-bytes-range-mismatch"),
    ],
)
def test_what_is_wrong_with_a_file_that_never_ends(value: str | None, slug: str) -> None:
    given = None if value is None else parse(value)
    assert too_large(given, 40 * MIN).violations[0].slug == slug


def test_only_the_last_part_may_be_small() -> None:
    parse("bytes 0-9/10").check_file(10, EMPTY)
    parse("bytes 110-119/*").check_file(10, OF_HUNDRED)
    parse("part 1/1").check_file(3, EMPTY)
    parse("part 5/*").check_file(3, OF_FIVE)
    parse("part 1/2").check_file(MIN, EMPTY)
