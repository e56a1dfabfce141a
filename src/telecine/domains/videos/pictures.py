"""Uploaded pictures: recognised by their content, stored as JPEG."""

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 64_000_000
"""More than any camera of today makes; a bomb would decode to gigabytes."""

_MAX_SIDE_PX = 4096
_QUALITY = 88

_SIGNATURES = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"))


class NotAPicture(Exception):
    """The content is none of the accepted kinds."""


class BrokenPicture(Exception):
    """The content claims to be a picture, but cannot be used; the text says why."""


def kind_of(data: bytes) -> str | None:
    """Return "JPEG", "PNG" or "WEBP" by the first bytes, None for anything else."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    return "WEBP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def to_jpeg(data: bytes) -> bytes:
    """Return the picture as JPEG, upright, without its metadata. Blocks: use a thread.

    Raises:
        NotAPicture: wrong kind.
        BrokenPicture: undecodable, or too many pixels.
    """
    kind = kind_of(data)
    if kind is None:
        raise NotAPicture
    try:
        with warnings.catch_warnings():
            # Our own limit on pixels is below; Pillow's warning would say it twice.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _convert(data, kind)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BrokenPicture("The picture cannot be decoded.") from error
    except Image.DecompressionBombError as error:
        raise BrokenPicture("The picture has too many pixels.") from error


def _convert(data: bytes, kind: str) -> bytes:
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        if image.width * image.height > MAX_PIXELS:
            raise BrokenPicture("The picture has too many pixels.")
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
