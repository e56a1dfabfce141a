"""VP9: what the header of a key frame says (VP9 bitstream specification, 6.2)."""

from telecine.formats.codecs.bits import BitReader
from telecine.formats.errors import FormatError

_FRAME_MARKER = 2
_SYNC_CODE = 0x498342
_RGB = 7
_HEADER_BYTES = 16
"""The size is within these."""


def key_frame_size_px(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a key frame; None: it is none, or its header is broken."""
    reader = BitReader(data[:_HEADER_BYTES])
    try:
        return _size_px(reader)
    except FormatError:
        return None


def _size_px(reader: BitReader) -> tuple[int, int] | None:
    """Read an uncompressed header up to its size. Raises FormatError behind the end."""
    marker = reader.bits(2)
    profile = reader.bits(1) | reader.bits(1) << 1
    if profile == 3:
        reader.bits(1)  # reserved
    shown_again, inter = reader.flag(), reader.flag()
    reader.bits(2)  # show_frame, error_resilient_mode
    if marker != _FRAME_MARKER or shown_again or inter or reader.bits(24) != _SYNC_CODE:
        return None
    if profile >= 2:
        reader.bits(1)  # ten_or_twelve_bit
    if reader.bits(3) == _RGB:
        reader.bits(1 if profile & 1 else 0)  # reserved
    else:
        reader.bits(4 if profile & 1 else 1)  # color_range, subsampling, reserved
    return reader.bits(16) + 1, reader.bits(16) + 1
