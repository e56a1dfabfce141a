"""Distances and sizes as the API writes them: `10px`, `5%`, `initial` (pure)."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from telecine.pipeline.watermark import Length, Watermark

LENGTH = r"^\d{1,4}(?:\.\d{1,3})?(?:px|%)$"
SIZE = r"^(?:initial|\d{1,4}(?:\.\d{1,3})?(?:px|%))$"
OPACITY = r"^(?:100(?:\.0{1,3})?|\d{1,2}(?:\.\d{1,3})?)%$"

INITIAL = "initial"
"""The picture's own size."""

DISTANCES = ("top", "left", "bottom", "right")
SIZES = ("width", "height")

_LENGTH = re.compile(r"(?P<value>[0-9.]+)(?P<unit>px|%)")


def length(text: str) -> Length | None:
    """Return what a text says, None for `initial`. Raises ValueError."""
    if text == INITIAL:
        return None
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError("not a length")
    return Length(value=Fraction(match["value"]), percent=match["unit"] == "%")


def watermark(stored: Mapping[str, Any]) -> Watermark:
    """Return what the pipeline draws, of a wish that was stored with a video."""
    opacity = length(stored.get("opacity", "100%"))
    return Watermark(
        picture_width_px=stored["width_px"],
        picture_height_px=stored["height_px"],
        opacity_percent=Fraction(100) if opacity is None else opacity.value,
        **{name: length(stored[name]) for name in (*DISTANCES, *SIZES) if name in stored},
    )
