import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.analytics.timeline import (
    SETTLED_AFTER_MS,
    Mark,
    Span,
    joined,
    settled,
    spans_of,
    watched_ms,
)

LINK_MS = 20_000
Ping = list[tuple[int, Mark]]


def watched(pings: list[Ping]) -> int:
    spans: list[Span] = []
    for ping in pings:
        spans = settled([*spans, *spans_of(ping, LINK_MS)], LINK_MS)
    return watched_ms(joined(spans, LINK_MS))


def viewing(stretches: list[tuple[int, int]]) -> Iterator[Ping]:
    """Yield the pings of a player that pauses and plays (milliseconds of each), every 10 s."""
    now_ms = 1_000_000
    for played_ms, paused_ms in stretches:
        marks: Ping = [(now_ms, Mark.GO)]
        end_ms = now_ms + played_ms
        for at_ms in range(now_ms + 10_000, end_ms, 10_000):
            yield [*marks, (at_ms, Mark.PLAYING)]
            marks = []
        yield [*marks, (end_ms, Mark.STOP)]
        now_ms = end_ms + paused_ms


STRETCHES = st.lists(
    st.tuples(st.integers(0, 60_000), st.integers(1, 60_000)), min_size=1, max_size=6
)


@given(STRETCHES)
def test_watch_time_is_what_was_played(stretches: list[tuple[int, int]]) -> None:
    assert watched(list(viewing(stretches))) == sum(played for played, _ in stretches)


@given(STRETCHES, st.randoms(use_true_random=False))
def test_pings_may_overtake_and_repeat_each_other(
    stretches: list[tuple[int, int]], choose: random.Random
) -> None:
    first_ms = next(viewing(stretches))[0][0]
    pings = [
        ping for ping in viewing(stretches) if ping[-1][0] - first_ms < SETTLED_AFTER_MS
    ]  # what came before is settled, and no longer changed
    sent = watched(pings)
    mixed = [*pings, *choose.sample(pings, len(pings) // 2)]
    choose.shuffle(mixed)
    assert watched(mixed) == sent


def test_one_lost_ping_costs_nothing_two_cost_their_time() -> None:
    pings = list(viewing([(60_000, 1)]))
    assert watched([*pings[:2], *pings[3:]]) == 60_000
    assert watched([*pings[:2], *pings[4:]]) == 30_000


def test_a_page_that_is_killed_was_watched_until_its_last_ping() -> None:
    assert watched(list(viewing([(60_000, 1)]))[:-1]) == 50_000


def test_a_computer_that_slept_did_not_watch() -> None:
    asleep: Ping = [(0, Mark.GO), (10_000, Mark.PLAYING), (9_000_000, Mark.PLAYING)]
    assert watched([asleep]) == 10_000


def test_a_goodbye_after_a_pause_is_no_playing() -> None:
    assert watched([[(0, Mark.GO), (5_000, Mark.STOP)], [(9_000, Mark.STOP)]]) == 5_000


@pytest.mark.parametrize("count", [1, 1000])
def test_what_is_kept_does_not_grow_with_the_length_of_a_video(count: int) -> None:
    spans: list[Span] = []
    for number in range(count):
        ping = [(number * 10_000, Mark.PLAYING)]
        spans = settled([*spans, *spans_of(ping, LINK_MS)], LINK_MS)
    assert len(spans) <= 14


def test_nor_with_how_long_it_is_paused() -> None:
    spans = spans_of([(0, Mark.GO), (5000, Mark.STOP)], LINK_MS)
    for at_ms in range(10_000, 10_000_000, 5000):
        spans = settled([*spans, *spans_of([(at_ms, Mark.STOP)], LINK_MS)], LINK_MS)
    assert len(spans) <= 30
    assert watched_ms(joined(spans, LINK_MS)) == 5000
