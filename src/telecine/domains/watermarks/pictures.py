"""Uploaded watermarks: stored as PNG with an alpha channel, whatever they were."""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from telecine.formats.pictures import opened

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 35_389_440
"""A picture of 8K; a bomb would decode to gigabytes."""

_KINDS = ("JPEG", "PNG")
_MAX_SIDE_PX = 4096
_DEEP = ("I", "F")  # first letters of modes with more than 8 bits
_SHIFT = 1 / 256


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG of ours, and the size at which it is shown if nothing else is said."""

    png: bytes
    width_px: int
    height_px: int


def normalised(data: bytes) -> Picture:
    """Return the picture upright and without its metadata. Blocks: use a thread.

    Raises:
        NotAPicture: wrong kind.
        BrokenPicture: undecodable, or too many pixels.
    """
    with opened(data, _KINDS, MAX_PIXELS) as image:
        upright = ImageOps.exif_transpose(image)
        width_px, height_px = upright.size
        if upright.mode.startswith(_DEEP):
            upright = upright.convert("I").point(lambda value: value * _SHIFT).convert("L")
        plain = upright.convert("RGBA")
        plain.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX))
        # A new one: what comes along with a picture (profiles, texts) stays behind.
        clean = Image.new("RGBA", plain.size)
        clean.paste(plain)
        output = io.BytesIO()
        clean.save(output, "PNG")
        return Picture(output.getvalue(), width_px, height_px)
