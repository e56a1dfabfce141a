from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from telecine.domains.analytics.questions import QUALITY, Kind, Question, ask
from telecine.domains.analytics.store import quality
from telecine.problems import Problem

NOW = datetime(2026, 5, 20, 12, 30, tzinfo=UTC)
OLDEST = NOW - timedelta(days=30)
NUMBER, BREAKDOWN, SERIES = Kind.NUMBER, Kind.BREAKDOWN, Kind.SERIES


def asked(kind: Kind, metric: str, *items: tuple[str, str]) -> Question:
    return ask(list(items), kind, metric, NOW, OLDEST)


def test_the_last_day_is_meant_unless_another_time_is_named() -> None:
    question = asked(NUMBER, "play")
    assert (question.begin, question.end) == (NOW - timedelta(days=1), NOW)
    question = asked(NUMBER, "play", ("to", "2026-05-10T00:00:00 02:00"))
    assert question.end == datetime(2026, 5, 9, 22, tzinfo=UTC)
    assert question.end - question.begin == timedelta(days=1)
    question = asked(NUMBER, "play", ("from", "2026-05-01 00:00:00+00:00"))
    assert (question.begin, question.end) == (datetime(2026, 5, 1, tzinfo=UTC), NOW)


def test_what_is_older_than_what_is_kept_counts_as_the_oldest() -> None:
    assert asked(NUMBER, "play", ("from", "2001-01-01T00:00:00Z")).begin == OLDEST
    question = asked(NUMBER, "play", ("to", "2001-01-01T00:00:00Z"))
    assert question.begin == question.end


@pytest.mark.parametrize(
    ("hours", "interval"), [(1, "hour"), (48, "hour"), (49, "day"), (700, "day")]
)
def test_intervals_follow_the_length(hours: int, interval: str) -> None:
    begin = (NOW - timedelta(hours=hours)).isoformat()
    assert asked(SERIES, "play", ("from", begin)).interval == interval


def test_minutes_go_up_to_an_hour() -> None:
    minutes = ("interval", "minute")
    for begin in ("2026-05-20T11:30:00Z", "2026-05-20T12:29:00Z"):
        assert asked(SERIES, "play", ("from", begin), minutes).interval == "minute"


def test_orders() -> None:
    assert asked(BREAKDOWN, "play") == asked(
        BREAKDOWN, "play", ("sortBy", "metricValue"), ("sortOrder", "desc")
    )
    by_value = asked(BREAKDOWN, "play", ("sortBy", "dimensionValue"))
    assert (by_value.by_value, by_value.descending) == (False, False)
    series = asked(SERIES, "play")
    assert (series.by_value, series.descending) == (False, False)
    assert asked(SERIES, "play", ("sortBy", "metricValue")).descending


def test_filters_in_all_dialects() -> None:
    question = asked(
        NUMBER,
        "view",
        ("filterBy[mediaId][]", "a"),
        ("filterBy[mediaId][1]", "b"),
        ("filterBy[country]", "FR"),
        ("filterBy[referrer][]", ""),
        ("unique", "True"),
        ("viewDuration", "30s"),
    )
    assert question.filters == {"mediaId": ["a", "b"], "country": ["FR"], "referrer": [""]}
    assert (question.unique, question.view_s) == (True, 30)


UNEXPECTED = "This field was not expected."
LONG = "https://example.com/" + "x" * 2048


@pytest.mark.parametrize(
    ("kind", "metric", "key", "value", "name", "detail"),
    [
        (NUMBER, "play", "unique", "true", "unique:true", UNEXPECTED),
        (NUMBER, "play", "viewDuration", "5s", "viewDuration:5s", UNEXPECTED),
        (NUMBER, "ccv", "viewDuration", "5s", "viewDuration:5s", UNEXPECTED),
        (NUMBER, "play", "interval", "hour", "interval:hour", UNEXPECTED),
        (NUMBER, "play", "currentPage", "1", "currentPage:1", UNEXPECTED),
        (NUMBER, "play", "filterBy", "x", "filterBy:x", UNEXPECTED),
        (NUMBER, "play", "filterBy[city]", "Paris", "filterBy[city]:Paris", UNEXPECTED),
        (BREAKDOWN, "play", "interval", "day", "interval:day", UNEXPECTED),
        (NUMBER, "play", "filterBy[rendition]", "720p", "filterBy[rendition]:720p", UNEXPECTED),
        (BREAKDOWN, "play-total", "filterBy[tag]", "x", "filterBy[tag]:x", UNEXPECTED),
        (NUMBER, "play", "from", "2024-05-20", "from", "This value must be a ISO-8601 date."),
        (NUMBER, "play", "from", "2027-01-01T00:00:00Z", "from",
         'This value must be before the value of "to".'),
        (SERIES, "play", "interval", "week", "interval",
         'This interval is invalid. Use one of "minute", "hour", "day".'),
        (SERIES, "play", "interval", "minute", "interval",
         "This interval cannot be used with a timeframe over 60 minutes."),
        (NUMBER, "view", "viewDuration", "6s", "viewDuration",
         'This view duration is invalid. Use one of "3s", "5s", "10s", "30s".'),
        (NUMBER, "view", "unique", "maybe", "unique", "This value must be of type boolean."),
        (SERIES, "play", "sortBy", "dimensionValue", "sortBy",
         "This value must be part of the following values: metricValue,emittedAt"),
        (BREAKDOWN, "play", "sortOrder", "up", "sortOrder",
         "This value must be part of the following values: asc,desc"),
        (NUMBER, "play", "filterBy[referrer][]", LONG, "filterBy[referrer]",
         "This value should not contain more than 2048 characters."),
        (NUMBER, "play", "filterBy[mediaType]", "image", "filterBy[mediaType]",
         "This value must be part of the following values: video,live-stream"),
        (NUMBER, "play", "filterBy[country]", "fr", "filterBy[country]",
         "This value must be a country in the ISO 3166-1 alpha-2 format."),
        (NUMBER, "play", "filterBy[tag]", "\0", "filterBy[tag]",
         "This value must not contain NUL characters."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(
    kind: Kind, metric: str, key: str, value: str, name: str, detail: str
) -> None:
    with pytest.raises(Problem) as raised:
        asked(kind, metric, (key, value))
    told: dict[str, Any] = raised.value.as_json()
    assert told == {
        "type": "https://docs.api.video/reference/request-invalid-query-parameter",
        "title": "A query parameter is invalid.",
        "status": 400,
        "name": name,
        "detail": detail,
    }


def test_the_quality_has_a_filter_more() -> None:
    found = asked(NUMBER, "quality-score", ("filterBy[rendition]", "720p"))
    assert found.filters == {"rendition": ["720p"]}
    assert set(quality.METRICS) == set(QUALITY)
