from itertools import accumulate, takewhile
from uuid import UUID

import pytest

from telecine.domains.webhooks.delivering import pause_s
from telecine.domains.webhooks.queries import BEGINNING, Cursor


def test_three_quick_attempts_follow_the_first() -> None:
    assert [pause_s(attempt) for attempt in (1, 2, 3)] == [3.0, 3.0, 3.0]


def test_pauses_grow_up_to_a_quarter_of_an_hour() -> None:
    pauses = [pause_s(attempt) for attempt in range(1, 30)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 900.0


def test_a_receiver_that_is_away_for_three_days_is_asked_a_few_hundred_times() -> None:
    times = accumulate(pause_s(attempt) for attempt in range(1, 1000))
    assert 250 < len(list(takewhile(lambda at_s: at_s < 72 * 3600, times))) < 350


def test_cursors_are_read_as_they_are_written() -> None:
    cursor = Cursor(0x1234, UUID(int=99))
    assert Cursor.parse(str(cursor)) == cursor
    assert Cursor.parse(str(BEGINNING)) == BEGINNING


@pytest.mark.parametrize(
    "text", ["", "-", "1", "x-" + "0" * 32, "1-" + "g" * 32, "1-12", "1" * 17 + "-" + "0" * 32]
)
def test_other_texts_are_no_cursors(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cursor.parse(text)
