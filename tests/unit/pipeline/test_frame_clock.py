from fractions import Fraction

import numpy as np
import pytest

from telecine.pipeline.frame_clock import frame_clock, frame_numbers, measured_rate


def ticks(rate: Fraction, count: int, timescale: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([round(n / rate * timescale) for n in range(count)], dtype=np.int64)


@pytest.mark.parametrize("timescale", [1000, 12800, 90_000, 10_000_000])
@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(24), Fraction(30000, 1001), Fraction(30), Fraction(60)]
)
def test_steady_video_is_recognised_on_any_clock(timescale: int, rate: Fraction) -> None:
    assert measured_rate(ticks(rate, 600, timescale), timescale) == rate


def test_dropped_pictures_do_not_lower_the_rate() -> None:
    pts = ticks(Fraction(30), 900, 90_000)
    kept = pts[[n for n in range(900) if n % 3]]
    assert measured_rate(kept, 90_000) == 30


def test_one_picture_gets_the_declared_rate() -> None:
    assert measured_rate(np.zeros(1, dtype=np.int64), 1000, Fraction(25)) == 25
    assert measured_rate(np.zeros(1, dtype=np.int64), 1000) == 30


def test_the_last_picture_has_a_frame_however_short_it_is() -> None:
    pts = ticks(Fraction(30), 31, 90_000)
    clock = frame_clock(pts, pts[:1], 90_000, end_ticks=int(pts[-1]) + 1)
    assert clock.frames == 31


def test_time_zero_is_the_first_picture() -> None:
    pts = ticks(Fraction(25), 50, 1000) + 1433
    clock = frame_clock(pts[::-1], pts[[0, 25]], 1000, end_ticks=1433 + 2000)
    assert (clock.zero_ticks, clock.frames, clock.key_frames) == (1433, 50, (0, 25))


def test_key_frames_next_to_each_other_are_thinned() -> None:
    pts = ticks(Fraction(30), 60, 1000)
    clock = frame_clock(pts, pts, 1000, end_ticks=2000)
    assert clock.key_frames == tuple(range(0, 60, 8))


def test_frame_numbers_do_not_drift_over_a_day() -> None:
    rate, timescale = Fraction(30000, 1001), 30_000
    frames = np.array([0, 1, 2_589_408], dtype=np.int64)
    assert frame_numbers(frames * 1001, timescale, rate).tolist() == frames.tolist()
