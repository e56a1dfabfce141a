import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.videos.clips import Span
from telecine.domains.videos.naming import is_video_id

MOMENTS = st.integers(0, 100)
SPANS = st.builds(Span, MOMENTS, st.none() | MOMENTS).filter(lambda span: not span.empty)


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        (None, None, Span()),
        ("0", None, Span()),
        ("90", "00:02:00", Span(90_000, 120_000)),
        (None, "00:00:00.5", Span(0, 500)),
        ("00:00:01:24", None, Span(1960)),
        ("100:00:00", "9999999", Span(360_000_000, 9_999_999_000)),
    ],
)
def test_timecodes_become_milliseconds(start: str | None, end: str | None, span: Span) -> None:
    assert Span.of(start, end) == span


@pytest.mark.parametrize(
    "text", ["", "1.5", "-1", "00:00:60", "1:00:00", "12345678", "00:00:00.1234"]
)
def test_other_text_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="timecode"):
        Span.of(text, None)


def test_the_whole_file_is_not_stored() -> None:
    assert Span().as_json() is None
    assert Span.from_json(None) == Span()


@given(SPANS)
def test_a_span_survives_the_row(span: Span) -> None:
    assert Span.from_json(span.as_json()) == span


@given(SPANS, SPANS)
def test_a_part_of_a_part_shows_what_both_show(inner: Span, outer: Span) -> None:
    def shows(span: Span, moment: int) -> bool:
        return span.start_ms <= moment and (span.end_ms is None or moment < span.end_ms)

    both = inner.within(outer)
    for moment in range(220):
        wanted = shows(outer, moment) and shows(inner, moment - outer.start_ms)
        assert shows(both, moment) is wanted
    assert both.empty == (not any(shows(both, moment) for moment in range(220)))


@pytest.mark.parametrize("text", ["vi4k0jvEUuaTdRAEjQ4Jfrgz", "vi1"])
def test_ids_are_no_urls(text: str) -> None:
    assert is_video_id(text)


@pytest.mark.parametrize("text", ["vi", "vi-1", "https://vi.example", "vi1\n", "vi٣", "xvi1"])
def test_urls_are_no_ids(text: str) -> None:
    assert not is_video_id(text)
