from datetime import UTC, datetime

import pytest

from telecine.domains.analytics.questions import Question
from telecine.domains.analytics.store.cells import cells_of
from telecine.domains.analytics.store.rollups import AUDIENCE

BEGIN, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 9, tzinfo=UTC)
ONE, TWO = ["a"], ["a", "b"]
VIDEO, FRANCE, BOTH = ["video"], ["FR"], ["FR", "DE"]


@pytest.mark.parametrize(
    ("filters", "own", "expected"),
    [
        ({}, "", ""),
        ({}, "browser", "browser"),
        ({"country": FRANCE}, "", "country"),
        ({"country": BOTH}, "country", "country"),
        ({"mediaId": TWO}, "", "media-id"),
        ({"tag": ONE}, "media-id", "media-id"),
        ({"tag": ONE, "mediaId": ONE}, "", "media-id"),
        ({"mediaType": VIDEO}, "media-id", "media-id"),
        ({"mediaType": VIDEO, "mediaId": TWO}, "", "media-id"),
        ({"mediaType": VIDEO, "mediaId": TWO}, "media-type", None),
        ({"mediaType": VIDEO}, "country", AUDIENCE),
        ({"country": BOTH, "deviceType": ["phone"]}, "", AUDIENCE),
        ({"country": BOTH, "deviceType": ["phone"]}, "operating-system", AUDIENCE),
        ({"country": FRANCE}, "media-id", "media-id"),
        ({"mediaId": ONE, "country": FRANCE}, "media-id", None),
        ({"referrer": [""]}, "country", "referrer"),
        ({"referrer": [""]}, "media-id", None),
        ({"rendition": ["720p"]}, "", "rendition"),
        ({"rendition": ["720p"]}, "country", None),
    ],
)
def test_which_rollups_tell_of_sums(
    filters: dict[str, list[str]], own: str, expected: str | None
) -> None:
    found = cells_of(Question(begin=BEGIN, end=END, filters=filters), own, "play")
    assert (None if found is None else found.dimension) == expected


@pytest.mark.parametrize(
    ("filters", "own", "expected"),
    [
        ({}, "", ""),
        ({"country": FRANCE}, "", "country"),
        ({"country": BOTH}, "", None),
        ({"country": BOTH}, "country", "country"),
        ({"tag": ONE}, "", None),
        ({"tag": ONE}, "media-id", "media-id"),
        ({"mediaId": ONE, "mediaType": VIDEO}, "", "media-id"),
        ({"mediaType": VIDEO}, "media-id", "media-id"),
        ({"mediaType": VIDEO}, "country", None),
        ({"country": FRANCE, "browser": ONE}, "", None),
    ],
)
def test_who_may_be_in_two_values_is_counted_by_one_alone(
    filters: dict[str, list[str]], own: str, expected: str | None
) -> None:
    peak = cells_of(Question(begin=BEGIN, end=END, filters=filters), own, "ccv-peak")
    assert peak is not None
    assert (None if peak.changes else peak.dimension) == expected
    unique = Question(begin=BEGIN, end=END, filters=filters, unique=True)
    viewers = cells_of(unique, own, "view")
    assert (None if viewers is None else viewers.dimension) == expected


def test_views_by_media_and_country_are_in_no_rollup() -> None:
    question = Question(begin=BEGIN, end=END, filters={"country": FRANCE})
    assert cells_of(question, "media-id", "view") is None


@pytest.mark.parametrize(
    ("filters", "own", "expected"),
    [
        ({"country": BOTH}, "", ("country", AUDIENCE)),
        ({"country": BOTH}, "browser", (AUDIENCE, AUDIENCE)),
        ({"tag": ONE}, "", ("media-id", "media-id")),
        ({"referrer": TWO}, "", ("referrer", "referrer")),
    ],
)
def test_peaks_of_several_values_are_made_of_moments(
    filters: dict[str, list[str]], own: str, expected: tuple[str, str]
) -> None:
    peak = cells_of(Question(begin=BEGIN, end=END, filters=filters), own, "ccv-peak")
    assert peak is not None
    assert peak.changes is not None
    assert (peak.dimension, peak.changes.dimension) == expected


def test_media_are_told_apart_by_how_their_ids_begin() -> None:
    filters = {"mediaType": ["live-stream"], "mediaId": TWO}
    found = cells_of(Question(begin=BEGIN, end=END, filters=filters), "", "play")
    assert found is not None
    assert found.values == {"rolled_mediaType": ["li"], "rolled_mediaId": TWO}
    assert found.daily
