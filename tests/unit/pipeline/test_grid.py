from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.pipeline import grid

RATES = st.sampled_from(grid.STANDARD_RATES)


@pytest.mark.parametrize(
    ("measured", "rate"),
    [
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(30), Fraction(30)),
        (Fraction(119880, 1001), Fraction(60000, 1001)),
        (Fraction(240), Fraction(60)),
        (Fraction(100), Fraction(50)),
        (Fraction(144), Fraction(48)),
        (Fraction(90), Fraction(45)),
        (Fraction(37), Fraction(37)),
        (Fraction(1, 5), Fraction(1)),
        (Fraction(90000), Fraction(60)),
    ],
)
def test_a_rate_becomes_the_standard_one_near_it(measured: Fraction, rate: Fraction) -> None:
    assert grid.standard_rate(measured) == rate


def test_the_fine_grid_begins_with_two_short_segments() -> None:
    assert grid.fine_cuts(600, Fraction(30)) == (0, 60, 120, 240, 360, 480, 600)


def test_fractional_rates_do_not_drift() -> None:
    rate = Fraction(24000, 1001)
    cuts = grid.fine_cuts(round(7200 * rate), rate)
    errors_s = [abs(cut / rate - round(cut / rate / 2) * 2) for cut in cuts[:-1]]
    assert max(errors_s) <= 1 / rate / 2


def test_a_last_segment_under_half_a_second_joins_its_neighbour() -> None:
    assert grid.fine_cuts(134, Fraction(30)) == (0, 60, 134)
    assert grid.fine_cuts(135, Fraction(30)) == (0, 60, 120, 135)
    assert grid.fine_cuts(3, Fraction(30)) == (0, 3)


def test_half_rate_renditions_get_even_cuts() -> None:
    rate = Fraction(60000, 1001)
    cuts = grid.fine_cuts(1001, rate, step=2)
    assert all(cut % 2 == 0 for cut in cuts[:-1])
    assert cuts[-1] == 1001


def test_key_cuts_take_the_key_nearest_four_seconds() -> None:
    keys = (0, 60, 110, 170, 400, 420, 550)
    # 110 (3.7 s) beats 170 (5.7 s); then none within 6 s: 400; 420 is too near.
    assert grid.key_cuts(keys, 700, Fraction(30)) == (0, 110, 400, 550, 700)


def test_a_video_with_one_key_is_one_segment() -> None:
    assert grid.key_cuts((0,), 290, Fraction(30)) == (0, 290)


def test_long_segments_are_divided_into_equal_pieces() -> None:
    pieces, firsts = grid.split((0, 120, 420, 500), Fraction(30))
    assert pieces == (0, 120, 220, 320, 420, 500)
    assert firsts == (0, 1, 4, 5)


def test_chunks_are_whole_segments_of_sixteen_seconds() -> None:
    cuts = grid.fine_cuts(60 * 30, Fraction(30))
    firsts = grid.chunks(cuts, Fraction(30))
    lengths_s = [(cuts[end] - cuts[start]) / 30 for start, end in pairwise(firsts)]
    assert lengths_s == [16, 16, 16, 12]


def test_chunks_of_long_videos_are_twice_as_long() -> None:
    cuts = grid.fine_cuts(31 * 60 * 30, Fraction(30))
    firsts = grid.chunks(cuts, Fraction(30))
    assert (cuts[firsts[1]] - cuts[0]) / 30 == 32
    assert firsts[-1] == len(cuts) - 1


@given(RATES, st.lists(st.integers(1, 900), max_size=60), st.integers(1, 20_000))
def test_key_cuts_are_keys_and_cover_the_video(
    rate: Fraction, gaps: list[int], frames: int
) -> None:
    keys = [0]
    for gap in gaps:
        keys.append(keys[-1] + gap)
    cuts = grid.key_cuts(tuple(keys), frames, rate)
    assert cuts[0] == 0
    assert cuts[-1] == frames
    assert set(cuts[:-1]) <= set(keys)
    assert all(start < end for start, end in pairwise(cuts))
    earliest, _ = grid.NEAREST_KEY_S
    assert all(end - start >= earliest * rate for start, end in pairwise(cuts[:-1]))


@given(RATES, st.integers(1, 200_000), st.sampled_from((1, 2)))
def test_pieces_nest_in_segments_and_are_short(rate: Fraction, frames: int, step: int) -> None:
    cuts = grid.fine_cuts(frames, rate, step)
    pieces, firsts = grid.split(cuts, rate, step)
    assert [pieces[first] for first in firsts] == list(cuts)
    assert all(start < end for start, end in pairwise(pieces))
    assert grid.longest_s(pieces, rate) <= grid.PIECE_S + 2 / rate
    chunks = grid.chunks(cuts, rate)
    assert (chunks[0], chunks[-1]) == (0, len(cuts) - 1)
