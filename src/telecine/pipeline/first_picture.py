"""Which of a few pictures stands for a video: not black, not blank, not blurred (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]

SIZE_PX = (320, 180)
"""Large enough to tell a blurred picture from a sharp one."""

_DARKEST, _BRIGHTEST = 30.0, 232.0
_LEAST_SPREAD = 12.0
_SHARP_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a picture at first sight; luma 0 to 255."""

    mean: float
    spread: float  # standard deviation
    detail: float  # mean difference of a pixel from its neighbours'

    @property
    def tells(self) -> bool:
        """Tell whether there is anything to see."""
        return _DARKEST <= self.mean <= _BRIGHTEST and self.spread >= _LEAST_SPREAD


def look(luma: Luma) -> Look:
    """Look at one picture (height, width)."""
    values: npt.NDArray[Any] = luma.astype(np.float32)
    around = (values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]) / 4
    detail = np.abs(values[1:-1, 1:-1] - around).mean()
    return Look(float(values.mean()), float(values.std()), float(detail))


def most_telling(looks: Sequence[Look]) -> int:
    """Return which picture to show, by index.

    The first that shows something and has half of the detail of the most detailed one: of a
    fade or a blurred opening it is what follows. Where nothing tells, the one with the
    largest spread, and of equals the first.
    """
    telling = [number for number, each in enumerate(looks) if each.tells]
    if not telling:
        return max(range(len(looks)), key=lambda number: (looks[number].spread, -number), default=0)
    sharpest = max(looks[number].detail for number in telling)
    return next(n for n in telling if looks[n].detail >= _SHARP_ENOUGH * sharpest)
