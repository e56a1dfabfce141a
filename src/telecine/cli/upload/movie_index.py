"""Where the index of an MP4 or MOV file lies (ISO/IEC 14496-12, 4.2)."""

import struct
from collections.abc import Callable

ReadAt = Callable[[int, int], bytes]
"""Returns `size` bytes at `offset` of a file, fewer only at its end."""

_FIRST = {b"ftyp", b"wide", b"mdat", b"moov", b"free", b"skip", b"pnot"}
_MAX_BOXES = 1000
"""Of fragmented files, which have as many as they like, the index is in front."""


def find(read_at: ReadAt, size_bytes: int) -> tuple[int, int] | None:
    """Return the bytes [start, end) of the `moov` box; None in a file that has none.

    It is only a hint about which part to send first, so nonsense is no error.
    """
    at = 0
    for number in range(_MAX_BOXES):
        head = read_at(at, 16)
        if len(head) < 8:
            return None
        length, kind = struct.unpack_from(">I4s", head)
        if number == 0 and kind not in _FIRST:
            return None
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        elif length == 0:
            length = size_bytes - at
        if length < 8:
            return None
        if kind == b"moov":
            return at, min(at + length, size_bytes)
        at += length
        if at >= size_bytes:
            return None
    return None
