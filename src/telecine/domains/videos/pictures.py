"""Uploaded pictures: stored as JPEG."""

import io

from PIL import Image, ImageOps

from telecine.formats.pictures import opened

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 64_000_000
"""More than any camera of today makes; a bomb would decode to gigabytes."""

_KINDS = ("JPEG", "PNG", "WEBP")
_MAX_SIDE_PX = 4096
_QUALITY = 88


def to_jpeg(data: bytes) -> bytes:
    """Return the picture as JPEG, upright, without its metadata. Blocks: use a thread.

    Raises:
        NotAPicture: wrong kind.
        BrokenPicture: undecodable, or too many pixels.
    """
    with opened(data, _KINDS, MAX_PIXELS) as image:
        image.draft("RGB", (_MAX_SIDE_PX, _MAX_SIDE_PX))  # JPEG: decodes at a smaller scale
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX))
        output = io.BytesIO()
        _opaque(upright).save(output, "JPEG", quality=_QUALITY, progressive=True)
        return output.getvalue()


def _opaque(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, transparent parts on black as in the player."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "black")
    return Image.alpha_composite(ground, layered).convert("RGB")
