"""What was seen of a clip whose pictures carry their number, by whoever recorded it."""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MOST_PICTURES = 2
"""How far a picture may be from its time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What is put up with: `freeze_s` between two pictures, and so many attempts."""

    freeze_s: float
    attempts: int


BUSY = Patience(freeze_s=1.0, attempts=3)
"""Cuts that differ between playlists froze the picture for three to six seconds; a busy
machine that decodes in software drops frames for some tenths. What is late once may be the
machine's, what is so again is ours."""

IDLE = Patience(freeze_s=0.3, attempts=1)


def misplaced(frames: Iterable[Sequence[Any]], rate_hz: int) -> list[Sequence[Any]]:
    """Return the pictures that were shown at another's time; `frames` as below."""
    return [each for each in frames if abs(each[2] - each[1] * rate_hz) > MOST_PICTURES]


def slipped(frames: Iterable[Sequence[Any]], rate_hz: int) -> list[float]:
    """Return by how many pictures seconds of the clip are at another's time, if any are.

    `frames` are (time shown, time in the clip in s, number, width). A busy machine is asked for
    a picture when it shows a later one already: half of those of a second have to be wrong.
    """
    seconds = itertools.groupby(frames, key=lambda frame: (frame[3], int(frame[1])))
    off = [statistics.median(each[2] - each[1] * rate_hz for each in group) for _, group in seconds]
    return [each for each in off if abs(each) > MOST_PICTURES]
