"""From the times of a source's pictures to its frame rate and frame numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from telecine.pipeline.grid import standard_rate

Ints = npt.NDArray[np.int64]

# Deltas outside are errors of a muxer or gaps, not a frame rate.
_SHORTEST_DELTA_S = 0.004
_LONGEST_DELTA_S = 2.0
_STEADY_WITHIN = 0.12
_STEADY_SHARE = 0.9
_VARIABLE_PERCENTILE = 10
_FEWEST_DELTAS = 2
_MEDIAN_OF = 5000

KEYS_APART_S = Fraction(1, 4)
"""Key frames nearer to each other than this are of no use to a grid or a seek."""

_DEFAULT_RATE = Fraction(30)


@dataclass(frozen=True, slots=True)
class FrameClock:
    """The grid of a source's pictures: frame 0 is shown at `zero_ticks`."""

    rate: Fraction
    frames: int
    zero_ticks: int
    key_frames: tuple[int, ...]
    measured_rate: Fraction | None = None  # where `rate` was given


def frame_numbers(ticks: Ints, timescale: int, rate: Fraction) -> Ints:
    """Return the nearest frame of times that count from time 0."""
    numbers: Ints = np.rint(ticks * float(rate / timescale)).astype(np.int64)
    return numbers


def measured_rate(pts: Ints, timescale: int, declared: Fraction | None = None) -> Fraction:
    """Return the standard frame rate of presentation times, which must be sorted.

    Steady video: the mean of the deltas near their median, which forgives millisecond
    clocks. Variable: the tenth percentile, so that hardly a picture is dropped. What
    containers declare is wrong too often (90,000 Hz from phones) to be more than the
    last resort.
    """
    deltas_s = np.diff(pts) / timescale
    deltas_s = deltas_s[(deltas_s > _SHORTEST_DELTA_S) & (deltas_s < _LONGEST_DELTA_S)]
    if len(deltas_s) < _FEWEST_DELTAS:
        return standard_rate(declared or _DEFAULT_RATE)
    # Some thousand of them know the median of all.
    middle_s = np.median(deltas_s[:: max(1, len(deltas_s) // _MEDIAN_OF)])
    near = np.abs(deltas_s / middle_s - 1) < _STEADY_WITHIN
    if near.mean() > _STEADY_SHARE:
        delta_s = float(deltas_s[near].mean())
    else:
        delta_s = float(np.percentile(deltas_s, _VARIABLE_PERCENTILE))
    return standard_rate(Fraction(1 / delta_s).limit_denominator(100_000))


def frame_clock(
    pts: Ints,
    keys: Ints,
    timescale: int,
    *,
    end_ticks: int,
    declared_rate: Fraction | None = None,
    given_rate: Fraction | None = None,
) -> FrameClock:
    """Lay the frame grid over a source: of its own rate, or of a given one.

    `pts` are the times of all pictures that are shown, `keys` of the key frames, in
    any order; `end_ticks` is when the last picture ends. Neither may be empty.
    """
    shown = np.sort(pts, kind="stable")  # quick, because they are nearly in order
    zero = int(shown[0])
    measured = measured_rate(shown, timescale, declared_rate)
    rate = given_rate or measured
    last = int(frame_numbers(shown[-1:] - zero, timescale, rate)[0])
    frames = max(round(Fraction(end_ticks - zero, timescale) * rate), last + 1)
    numbers = frame_numbers(np.sort(keys, kind="stable") - zero, timescale, rate)
    key_frames = _thinned(numbers[numbers >= 0].tolist(), rate)
    return FrameClock(rate, frames, zero, key_frames, measured if given_rate else None)


def _thinned(numbers: Sequence[int], rate: Fraction) -> tuple[int, ...]:
    """Leave out key frames that follow another closely: intra codecs have only keys."""
    apart = KEYS_APART_S * rate
    kept: list[int] = []
    for number in numbers:
        if not kept or number - kept[-1] >= apart:
            kept.append(number)
    return tuple(kept)
