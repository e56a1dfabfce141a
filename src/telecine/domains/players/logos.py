"""Uploaded logos: small pictures, stored as PNG of the height at which they are shown."""

import io

from PIL import Image, ImageOps

from telecine.formats.pictures import BrokenPicture, opened

MAX_BYTES = 200 * 1024
MAX_WIDTH_PX, MAX_HEIGHT_PX = 200, 100
HEIGHT_PX = 30

_KINDS = ("JPEG", "PNG")
# Nothing that is refused for its size is decoded, so this only spares a bomb the reading.
_MAX_PIXELS = 100_000_000


def normalised(data: bytes) -> bytes:
    """Return the picture as PNG, upright, without its metadata, not higher than it is shown.

    Raises:
        NotAPicture: wrong kind.
        BrokenPicture: undecodable, or larger than allowed.
    """
    with opened(data, _KINDS, _MAX_PIXELS) as image:
        if image.width > MAX_WIDTH_PX or image.height > MAX_HEIGHT_PX:
            raise BrokenPicture(
                f"The logo has at most {MAX_WIDTH_PX}x{MAX_HEIGHT_PX} pixels; "
                f"this one has {image.width}x{image.height}."
            )
        plain = ImageOps.exif_transpose(image).convert("RGBA")
        if plain.height > HEIGHT_PX:
            width_px = max(1, round(plain.width * HEIGHT_PX / plain.height))
            plain = plain.resize((width_px, HEIGHT_PX), Image.Resampling.LANCZOS)
        # A new one: what comes along with a picture (profiles, texts) stays behind.
        clean = Image.new("RGBA", plain.size)
        clean.paste(plain)
        output = io.BytesIO()
        clean.save(output, "PNG", optimize=True)
        return output.getvalue()
