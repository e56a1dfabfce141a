from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, connect

Row = tuple[Any, ...]


def value(connection: Connection[Row], query: str, *arguments: object) -> Any:
    row = connection.execute(query, arguments).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("text", "trigrams"),
    [
        ("Abcab", ["abc", "bca", "cab"]),
        ("aaaa", ["aaa"]),
        ("ÉTÉ", ["été"]),
        ("日本語版", ["日本語", "本語版"]),
        ("a b", ["a b"]),
        ("ab", []),
        ("", []),
        (None, None),
    ],
)
def test_trigrams(database_url: str, text: str | None, trigrams: list[str] | None) -> None:
    with connect(database_url) as connection:
        found = value(connection, "SELECT telecine_trigrams(%s::text)", text)
    assert (sorted(found) if found is not None else None) == trigrams


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT, TEXT)
def test_a_text_holds_the_trigrams_of_its_parts(
    database_url: str, before: str, part: str, after: str
) -> None:
    with connect(database_url) as connection:
        held = value(
            connection,
            "SELECT telecine_trigrams(%s::text) @> telecine_trigrams(%s::text)",
            before + part + after,
            part,
        )
    assert held


@pytest.mark.parametrize(
    ("metadata", "pairs"),
    [
        ("[]", []),
        ('[{"key": "a", "value": "b"}, {"key": "a", "value": "c"}]', ["a\x1fb", "a\x1fc"]),
        ('[{"key": "a", "value": "b"}, {"key": "a", "value": "b"}]', ["a\x1fb"]),
        ('[{"key": "a", "value": null}]', []),
    ],
)
def test_pairs(database_url: str, metadata: str, pairs: list[str]) -> None:
    with connect(database_url) as connection:
        assert value(connection, "SELECT telecine_pairs(%s::jsonb)", metadata) == pairs
