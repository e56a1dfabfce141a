from datetime import UTC, datetime

import pytest
from starlette.datastructures import Headers

from telecine.http.ranges import (
    Span,
    Unsatisfiable,
    Validators,
    parse_range,
    wanted_span,
)

MODIFIED = datetime(2024, 7, 14, 23, 36, 7, 500_000, tzinfo=UTC)
HTTP_DATE = "Sun, 14 Jul 2024 23:36:07 GMT"
VALIDATORS = Validators('"tag"', MODIFIED)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-", Span(0, 100)),
        ("bytes=90-200", Span(90, 100)),
        ("bytes=-10", Span(90, 100)),
        ("bytes=-200", Span(0, 100)),
        ("bytes= 5-6 ", Span(5, 7)),
        ("bytes=6-5", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_ranges(value: str, expected: Span | None) -> None:
    assert parse_range(value, 100) == expected


@pytest.mark.parametrize(
    ("value", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=-1", 0)]
)
def test_a_range_behind_the_end_cannot_be_served(value: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(value, size)


@pytest.mark.parametrize(
    ("if_range", "partial"),
    [
        (None, True),
        ('"tag"', True),
        ('"other"', False),
        ('W/"tag"', False),
        (HTTP_DATE, True),
        ("Sun, 14 Jul 2024 23:36:08 GMT", False),
        ("yesterday", False),
    ],
)
def test_if_range_guards_against_a_changed_file(if_range: str | None, partial: bool) -> None:
    given = {"range": "bytes=0-1"} | ({} if if_range is None else {"if-range": if_range})
    assert (wanted_span(Headers(given), VALIDATORS, 100) is not None) is partial


def test_validators_are_told() -> None:
    assert VALIDATORS.headers() == {"etag": '"tag"', "last-modified": HTTP_DATE}
