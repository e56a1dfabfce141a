"""What a source that still arrives can be played of: how many bytes each segment needs."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from telecine.pipeline.model import TIMESCALE, Plan
from telecine.pipeline.sample_index import SampleIndex, SampleTrack

Ints = npt.NDArray[np.int64]

_SOUND_AHEAD_S = Fraction(1, 2)
"""Sound is read a little further than it is heard."""


class NotIndexedError(ValueError):
    """The index does not say where everything that is played will lie."""


def segment_bytes(plan: Plan, samples: SampleIndex) -> tuple[int, ...]:
    """Return for each segment how many bytes of the source it needs, from the first on.

    Ascending; with the last one everything that is played has arrived.

    Raises:
        NotIndexedError: nothing is known about the place of the sound.
    """
    if plan.audio is not None and samples.audio is None:
        raise NotIndexedError("the sound has no index")
    needed = np.zeros(plan.segments, dtype=np.int64)
    if plan.frames and samples.video is not None:
        cuts = [plan.piece_cuts[piece] for piece in plan.segment_pieces[1:]]
        ends = [Fraction(plan.ticks(cut), TIMESCALE) for cut in cuts]
        needed = np.maximum(needed, _needed(samples.video, ends, Fraction(0)))
    if plan.audio is not None and samples.audio is not None:
        if not plan.frames:
            rate_hz = plan.audio.sample_rate_hz
            packets = plan.audio.segment_packets[1:]
            ends = [Fraction(plan.audio.start_samples(each), rate_hz) for each in packets]
        needed = np.maximum(needed, _needed(samples.audio, ends, _SOUND_AHEAD_S))
    return tuple(np.maximum.accumulate(needed).tolist())


def _needed(track: SampleTrack, ends: list[Fraction], ahead_s: Fraction) -> Ints:
    """Return how far a track must be there for everything before each of `ends` (s)."""
    numerator, denominator = track.zero_ticks.numerator, track.zero_ticks.denominator
    ticks = np.asarray(track.pts, dtype=np.int64) * denominator - numerator
    scale = track.timescale * denominator
    bounds = np.array([int((end + ahead_s) * scale) for end in ends], dtype=np.int64)
    segment = np.searchsorted(bounds, ticks, side="right")
    # In decode order: what is shown early may need what is shown late.
    last = np.full(len(ends) + 1, -1, dtype=np.int64)
    np.maximum.at(last, np.minimum(segment, len(ends) - 1), np.arange(len(ticks)))
    reached = np.maximum.accumulate(last[:-1])
    ends_bytes = np.maximum.accumulate(track.offsets.astype(np.int64) + track.sizes)
    return np.where(reached >= 0, ends_bytes[np.maximum(reached, 0)], 0)
