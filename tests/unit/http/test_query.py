from datetime import UTC, datetime

import pytest

from telecine.http import query


@pytest.mark.parametrize(
    "items",
    [
        [("tags[]", "a"), ("tags[]", "b")],
        [("tags", "a"), ("tags", "b")],
        [("tags[0]", "a"), ("tags[1]", "b")],
        [("tags[]", "a"), ("tags", ""), ("tags[x]", "c"), ("tag", "d"), ("tags", "b")],
    ],
)
def test_every_dialect_of_a_list_is_understood(items: query.Items) -> None:
    assert query.string_array(items, "tags") == ["a", "b"]


def test_a_deep_object_keeps_its_keys_and_their_order() -> None:
    items = [
        ("metadata[b]", "1"),
        ("metadata[a[0]]", "2"),
        ("metadata[]", '[{"key": "c", "value": "3"}]'),
        ("metadata", '{"key": "d", "value": "4"}'),
        ("metadatax[e]", "5"),
        ("metadata", ""),
    ]
    expected = [("b", "1"), ("a[0]", "2"), ("c", "3"), ("d", "4")]
    assert query.deep_object(items, "metadata") == expected


@pytest.mark.parametrize(
    "text", ["a", "[1]", '{"key": "a"}', "[" * 10_000, '{"key":1,"value":"a"}']
)
def test_text_that_is_no_list_of_pairs_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        query.deep_object([("metadata", text)], "metadata")


def test_filters_of_every_client() -> None:
    items = [
        ("filterBy[mediaId][]", "a"),
        ("filterBy[mediaId][1]", "b"),
        ("filterBy[mediaId]", "c"),
        ("filterBy[country]", "d"),
        ("filterBy", "e"),
        ("filterBy[a][b]", "f"),
    ]
    assert query.filters(items) == {"mediaId": ["a", "b", "c"], "country": ["d"]}


def test_booleans() -> None:
    assert [query.boolean(text) for text in ("true", "True", "1")] == [True] * 3
    assert [query.boolean(text) for text in ("false", "False", "0")] == [False] * 3
    with pytest.raises(ValueError, match="boolean"):
        query.boolean("yes")


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-05T00:00:00+00:00",
        "2024-02-05T00:00:00Z",
        "2024-02-05T00:00:00",
        "2024-02-05T01:00:00 01:00",
        "2024-02-05T01:00:00+0100",
        "2024-02-05T00:00:00.000Z",
    ],
)
def test_times_of_every_client(text: str) -> None:
    assert query.date_time(text) == datetime(2024, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2024-02-05", "now", "2024-13-05T00:00:00", "T"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        query.date_time(text)


def test_a_time_that_its_offset_moves_out_of_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        query.date_time("9999-12-31T23:59:59-14:00")
