"""Pictures that anybody may have made: recognised by content, decoded within limits."""

import io
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

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


@contextmanager
def opened(data: bytes, kinds: Collection[str], max_pixels: int) -> Iterator[Image.Image]:
    """Give a picture to a block that decodes it. Blocks: use a thread.

    Raises:
        NotAPicture: wrong kind.
        BrokenPicture: undecodable, or too many pixels.
    """
    kind = kind_of(data)
    if kind is None or kind not in kinds:
        raise NotAPicture
    try:
        with warnings.catch_warnings():
            # Our own limit on pixels is below; Pillow's warning would say it twice.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                if image.width * image.height > max_pixels:
                    raise BrokenPicture("The picture has too many pixels.")
                yield image
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BrokenPicture("The picture cannot be decoded.") from error
    except Image.DecompressionBombError as error:
        raise BrokenPicture("The picture has too many pixels.") from error
