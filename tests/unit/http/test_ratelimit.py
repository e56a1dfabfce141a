from datetime import UTC, datetime
from uuid import UUID

import pytest

from telecine import clock
from telecine.http.ratelimit import (
    NO_LIMIT,
    RateClass,
    RateLimiter,
    RateLimits,
    class_of,
    cost_of,
    rate_of,
)

PROJECT, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    now = [datetime(2024, 1, 1, 12, 0, 15, tzinfo=UTC)]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    return now


def test_a_window_holds_as_many_requests_as_its_limit(moment: list[datetime]) -> None:
    limiter = RateLimiter()
    rates = [limiter.take(PROJECT, RateClass.READS, 2) for _ in range(3)]
    assert [rate.remaining for rate in rates] == [1, 0, 0]
    assert [rate.exceeded for rate in rates] == [False, False, True]
    assert rates[2].headers() == [
        (b"x-ratelimit-limit", b"2"),
        (b"x-ratelimit-remaining", b"0"),
        (b"x-ratelimit-retry-after", b"45"),
    ]
    moment[0] = moment[0].replace(minute=1, second=0)
    assert limiter.take(PROJECT, RateClass.READS, 2).remaining == 1


def test_projects_and_classes_do_not_share_a_window() -> None:
    limiter = RateLimiter()
    limiter.take(PROJECT, RateClass.READS, 1)
    assert not limiter.take(PROJECT, RateClass.WRITES, 1).exceeded
    assert not limiter.take(OTHER, RateClass.READS, 1).exceeded


def test_without_a_limit_nothing_is_refused_but_all_is_counted() -> None:
    limiter = RateLimiter()
    for _ in range(3):
        rate = limiter.take(PROJECT, RateClass.READS, None)
    assert (rate.limit, rate.remaining, rate.exceeded) == (NO_LIMIT, NO_LIMIT - 3, False)


def test_later_chunks_are_free_even_when_nothing_is_left() -> None:
    limiter = RateLimiter()
    limiter.take(PROJECT, RateClass.UPLOADS, 1)
    assert not limiter.take(PROJECT, RateClass.UPLOADS, 1, cost=0).exceeded


@pytest.mark.parametrize(
    ("value", "cost"),
    [
        (None, 1),
        (b"part 1/1", 1),
        (b"part 1/*", 1),
        (b" Part 1/9", 1),
        (b"bytes 0-9/10", 1),
        (b"part 2/9", 0),
        (b"part 10/12", 0),
        (b"bytes 5-9/10", 0),
    ],
)
def test_an_upload_counts_by_its_first_chunk(value: bytes | None, cost: int) -> None:
    assert cost_of(value) == cost


def test_classes() -> None:
    assert class_of("GET", b"application/json") is RateClass.READS
    assert class_of("HEAD", b"") is RateClass.READS
    assert class_of("POST", b"Multipart/form-data; boundary=a") is RateClass.UPLOADS
    assert class_of("DELETE", b"application/json") is RateClass.WRITES


def test_limits_by_class() -> None:
    limits = RateLimits(reads=1, writes=2)
    assert [limits.of(each) for each in RateClass] == [1, 2, None]


def test_whoever_was_not_counted_has_everything_left() -> None:
    assert rate_of({}).remaining == NO_LIMIT
