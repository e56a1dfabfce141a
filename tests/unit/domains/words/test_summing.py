import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.words.commands import CommandError
from telecine.domains.words.models import ATTRIBUTES
from telecine.domains.words.summing import Words, count, words_of


def test_words_are_trimmed_and_the_rest_is_left_out() -> None:
    answer = json.dumps({"title": "T", "abstract": " About it.\n", "takeaways": ["One ", "Two"]})
    assert words_of(answer.encode(), ATTRIBUTES) == Words("About it.", ["One", "Two"])
    assert words_of(answer.encode(), ["takeaways"]) == Words("", ["One", "Two"])
    assert words_of(b'{"abstract": "a", "takeaways": 1}', ["abstract"]) == Words("a", [])


@given(st.one_of(st.binary(), st.recursive(st.none() | st.text(), st.lists).map(json.dumps)))
def test_whatever_else_is_answered_is_refused(answer: bytes | str) -> None:
    with pytest.raises(CommandError, match="command-output"):
        words_of(answer if isinstance(answer, bytes) else answer.encode(), ATTRIBUTES)


def test_depth_is_no_trouble() -> None:
    with pytest.raises(CommandError):
        words_of(b"[" * 100_000, ATTRIBUTES)


@pytest.mark.parametrize(
    ("text", "words"), [("", 0), ("one two\nthree", 3), ("今日は tea", 4), ("お茶、どうぞ", 6)]
)
def test_words_are_counted(text: str, words: int) -> None:
    assert count(text) == words
