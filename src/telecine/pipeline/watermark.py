"""Where a picture lies on a video, at any size of the video (pure).

Positions are distances to the video's edges. Pixels count in the size of the source, so
that every rendition looks the same.
"""

from dataclasses import dataclass
from fractions import Fraction

_LONGEST_SIDE_PX = 8192
"""Of a picture as drawn: what is larger only takes memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """A number of pixels of the source, or of hundredths of the video's side."""

    value: Fraction
    percent: bool

    def of(self, side_px: int) -> Fraction:
        """Return it in pixels of the source, whose side is `side_px`."""
        return self.value * side_px / 100 if self.percent else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A picture, its own size, and what was said of its place and size.

    `top` wins over `bottom`, `left` over `right`; without either it is in the middle. A
    side that is not given follows from the other one, or is the picture's own.
    """

    picture_width_px: int
    picture_height_px: int
    top: Length | None = None
    left: Length | None = None
    bottom: Length | None = None
    right: Length | None = None
    width: Length | None = None
    height: Length | None = None
    opacity_percent: Fraction = Fraction(100)


@dataclass(frozen=True, slots=True)
class Placement:
    """The picture's rectangle in pixels of a rendition; it may reach beyond its edges."""

    x: int
    y: int
    width_px: int
    height_px: int


def place(
    watermark: Watermark, source_px: tuple[int, int], rendition_px: tuple[int, int]
) -> Placement | None:
    """Return where a rendition shows the picture; None: nowhere.

    Sizes are (width, height), of the source as shown and of the rendition.
    """
    width, height = _size(watermark, source_px)
    if not width or not height or not watermark.opacity_percent:
        return None
    left = _offset(watermark.left, watermark.right, width, source_px[0])
    top = _offset(watermark.top, watermark.bottom, height, source_px[1])
    # Edges are rounded, not sizes: what touches the video's edge does so at every size.
    x, width_px = _scaled(left, width, Fraction(rendition_px[0], source_px[0]))
    y, height_px = _scaled(top, height, Fraction(rendition_px[1], source_px[1]))
    if x >= rendition_px[0] or y >= rendition_px[1] or x + width_px <= 0 or y + height_px <= 0:
        return None
    return Placement(x, y, width_px, height_px)


def _size(watermark: Watermark, source_px: tuple[int, int]) -> tuple[Fraction, Fraction]:
    own_width, own_height = watermark.picture_width_px, watermark.picture_height_px
    shape = Fraction(own_width, own_height)
    if watermark.width is not None and watermark.height is not None:
        width, height = watermark.width.of(source_px[0]), watermark.height.of(source_px[1])
    elif watermark.width is not None:
        width = watermark.width.of(source_px[0])
        height = width / shape
    elif watermark.height is not None:
        height = watermark.height.of(source_px[1])
        width = height * shape
    else:
        width, height = Fraction(own_width), Fraction(own_height)
    excess = max(Fraction(1), width / _LONGEST_SIDE_PX, height / _LONGEST_SIDE_PX)
    return width / excess, height / excess


def _offset(near: Length | None, far: Length | None, size: Fraction, side_px: int) -> Fraction:
    if near is not None:
        return near.of(side_px)
    if far is not None:
        return side_px - far.of(side_px) - size
    return (side_px - size) / 2


def _scaled(start: Fraction, length: Fraction, scale: Fraction) -> tuple[int, int]:
    first, end = round(start * scale), round((start + length) * scale)
    return first, max(1, end - first)
