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
        ({"country": FRANCE}, "media-id", None),
        ({"referrer": [""]}, "country", None),
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
    assert (None if peak is None else peak.dimension) == expected
    unique = Question(begin=BEGIN, end=END, filters=filters, unique=True)
    viewers = cells_of(unique, own, "view")
    assert (None if viewers is None else viewers.dimension) == expected


def test_media_are_told_apart_by_how_their_ids_begin() -> None:
    filters = {"mediaType": ["live-stream"], "mediaId": TWO}
    found = cells_of(Question(begin=BEGIN, end=END, filters=filters), "", "play")
    assert found is not None
    assert found.values == {"rolled_mediaType": ["li"], "rolled_mediaId": TWO}
    assert found.daily
