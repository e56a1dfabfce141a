from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.videos import sessions

KEY = b"k" * 32
NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
SESSION = sessions.issue(KEY, "vi1", NOW)


def test_a_session_opens_its_own_media_for_a_day() -> None:
    second = timedelta(seconds=1)
    assert sessions.verify(KEY, "vi1", SESSION, NOW)
    assert sessions.verify(KEY, "vi1", SESSION, NOW + sessions.LIFETIME - second)
    assert not sessions.verify(KEY, "vi1", SESSION, NOW + sessions.LIFETIME)
    assert not sessions.verify(KEY, "vi2", SESSION, NOW)
    assert not sessions.verify(b"x" * 32, "vi1", SESSION, NOW)


def test_it_fits_into_a_query_as_it_is() -> None:
    assert len(SESSION) == 28
    assert set(SESSION) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_a_changed_character_is_noticed_wherever_it_is() -> None:
    for place, character in enumerate(SESSION):
        changed = SESSION[:place] + ("A" if character != "A" else "B") + SESSION[place + 1 :]
        assert not sessions.verify(KEY, "vi1", changed, NOW)


@pytest.mark.parametrize(
    "forged", ["", "é", SESSION[:-1], SESSION + "AAAA", SESSION + "=", "a b c"]
)
def test_nonsense_opens_nothing(forged: str) -> None:
    assert not sessions.verify(KEY, "vi1", forged, NOW)


@given(st.text(max_size=60))
def test_any_text_is_refused(forged: str) -> None:
    assert not sessions.verify(KEY, "vi1", forged, NOW)
