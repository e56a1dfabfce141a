"""Where segments and pieces are cut: pure arithmetic on frame numbers.

All video playlists of an asset share one set of cuts, otherwise players freeze or
leave holes when they switch between them. With passthrough the cuts are key frames
of the source; without, every cut is ours to choose.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

FIRST_SEGMENTS_S = (2, 2)
"""The first two segments are short: they are what a viewer waits for."""

SEGMENT_S = 4
NEAREST_KEY_S = (Fraction(5, 2), Fraction(6))
PIECE_S = Fraction(23, 5)
"""Longest stretch between two IDR frames of a transcoded rendition."""

SHORTEST_S = Fraction(1, 2)
"""A last segment shorter than this joins its neighbour."""

CHUNK_S = 16
LONG_CHUNK_S = 32
LONG_VIDEO_S = 30 * 60

STANDARD_RATES = tuple(
    Fraction(*rate)
    for rate in (
        (10, 1),
        (12, 1),
        (15, 1),
        (20, 1),
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
    )
)


def standard_rate(measured: Fraction) -> Fraction:
    """Return the standard rate within 1.2 % of a measured one, at most 60 Hz.

    Faster sources are divided by a whole number, so that motion stays even; other
    rates keep a denominator of at most 1001.
    """
    rate = max(measured, Fraction(1))
    if rate > Fraction(121, 2):
        rate /= ceil(rate / Fraction(121, 2))
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard / rate - 1))
    if abs(nearest / rate - 1) < Fraction(12, 1000):
        return nearest
    return min(rate.limit_denominator(1001), Fraction(60))


def fine_cuts(frames: int, rate: Fraction, step: int = 1) -> tuple[int, ...]:
    """Cut at 2 s, 4 s and then every 4 s, on multiples of `step` frames."""
    return _join_short_end([*open_cuts(frames - 1, rate, step), frames], rate)


def open_cuts(frames: int, rate: Fraction, step: int = 1) -> tuple[int, ...]:
    """Return the fine cuts of a source of which the first `frames` are known.

    However many more there will be, these cuts are among theirs.
    """
    cuts, at_s = [0], 0
    while True:
        number = len(cuts) - 1
        at_s += FIRST_SEGMENTS_S[number] if number < len(FIRST_SEGMENTS_S) else SEGMENT_S
        cut = round(at_s * rate / step) * step
        if cut > frames:
            return tuple(cuts)
        cuts.append(cut)


def key_cuts(key_frames: Sequence[int], frames: int, rate: Fraction) -> tuple[int, ...]:
    """Cut at key frames: the one nearest 4 s within [2.5, 6] s of the last cut.

    Where there is none, the next key frame behind; `key_frames` are ascending frame
    numbers that begin with 0.
    """
    # Whole numbers: fractions would make this half of the time that a probe takes.
    earliest, latest = (bound_s * rate for bound_s in NEAREST_KEY_S)
    nearest, farthest = ceil(earliest), floor(latest)
    wanted = SEGMENT_S * rate
    cuts = [0]
    while True:
        last = cuts[-1]
        first = bisect_left(key_frames, last + nearest)
        end = bisect_right(key_frames, last + farthest)
        near = key_frames[first:end] or key_frames[end : end + 1]
        if not near or near[0] >= frames:
            break
        cut = min(
            near,
            key=lambda key: abs((key - last) * wanted.denominator - wanted.numerator),
        )
        if cut >= frames:
            break
        cuts.append(cut)
    return _join_short_end([*cuts, frames], rate)


def _join_short_end(cuts: list[int], rate: Fraction) -> tuple[int, ...]:
    if len(cuts) > 2 and cuts[-1] - cuts[-2] < SHORTEST_S * rate:
        del cuts[-2]
    return tuple(cuts)


def longest_s(cuts: Sequence[int], rate: Fraction) -> Fraction:
    """Return the length of the longest interval between cuts."""
    return max((end - start for start, end in pairwise(cuts)), default=0) / rate


def split(
    cuts: Sequence[int], rate: Fraction, step: int = 1
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Divide segments into equal pieces of at most 4.6 s.

    Returns (piece cuts, index of the first piece of each segment, and the end). Cuts
    inside a segment are multiples of `step` frames.
    """
    pieces, firsts = [cuts[0]], [0]
    counts: dict[int, int] = {}  # most segments have the same length
    for start, end in pairwise(cuts):
        length = end - start
        if length not in counts:
            counts[length] = ceil(length / rate / PIECE_S)
        count = counts[length]
        for number in range(1, count):
            inner = start + Fraction((end - start) * number, count)
            pieces.append(round(inner / step) * step)
        pieces.append(end)
        firsts.append(len(pieces) - 1)
    return tuple(pieces), tuple(firsts)


def chunks(cuts: Sequence[int], rate: Fraction, least_s: int | None = None) -> tuple[int, ...]:
    """Gather successive whole segments until a job has at least 16 s of video.

    32 s in videos over 30 minutes, if not told otherwise (`least_s`). Returns the first
    segment of each chunk, and the end.
    """
    if least_s is None:
        least_s = LONG_CHUNK_S if cuts[-1] / rate > LONG_VIDEO_S else CHUNK_S
    enough = least_s * rate
    firsts = [0]
    for segment in range(1, len(cuts)):
        if cuts[segment] - cuts[firsts[-1]] >= enough or segment == len(cuts) - 1:
            firsts.append(segment)
    return tuple(firsts)
