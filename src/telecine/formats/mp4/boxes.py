"""Boxes of the ISO base media file format (ISO/IEC 14496-12, 4.2)."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telecine.formats.errors import FormatError

__all__ = ["Box", "Buffer", "FormatError", "box", "find", "full_box", "iter_boxes", "read"]

Buffer = bytes | bytearray | memoryview

# A box that holds more children than this is an attack on our time: real ones
# hold dozens (a `moov` with 10,000 tags in `udta` is the largest seen).
MAX_CHILDREN = 65_536


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies in its buffer: header at `start`, content [body, end)."""

    kind: bytes
    start: int
    body: int
    end: int


def box(kind: bytes, *payload: bytes) -> bytes:
    """Return a box with a 32-bit size. Raises FormatError from 4 GiB on."""
    size = 8 + sum(map(len, payload))
    if size > 0xFFFFFFFF:
        raise FormatError(f"a {kind!r} box of {size} bytes needs a 64-bit size")
    return b"".join((struct.pack(">I4s", size, kind), *payload))


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """Return a box that begins with a version and 24 bits of flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def iter_boxes(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes that lie back to back in [start, end).

    Fewer than 8 bytes behind the last box are ignored (QuickTime ends some lists
    with 32 zero bits).

    Raises:
        FormatError: a size is impossible, or there are more than 65,536 boxes.
    """
    end = len(data) if end is None else end
    at, seen = start, 0
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            header = 16
        elif size == 0:
            size = end - at
        if size < header or at + size > end:
            raise FormatError(f"box {kind!r} at {at} has the size {size}")
        seen += 1
        if seen > MAX_CHILDREN:
            raise FormatError(f"more than {MAX_CHILDREN} boxes in a row")
        yield Box(kind, at, at + header, at + size)
        at += size


def find(data: Buffer, path: Sequence[bytes], start: int = 0, end: int | None = None) -> Box | None:
    """Return the first box below `path` (names from the outside in), or None."""
    found: Box | None = None
    for kind in path:
        found = next((child for child in iter_boxes(data, start, end) if child.kind == kind), None)
        if found is None:
            return None
        start, end = found.body, found.end
    return found


def read(layout: str, data: Buffer, at: int, end: int | None = None) -> tuple[int, ...]:
    """Unpack big-endian integers at `at`. Raises FormatError where they do not fit."""
    if at < 0 or at + struct.calcsize(">" + layout) > (len(data) if end is None else end):
        raise FormatError(f"a box ends early at byte {at}")
    return struct.unpack_from(">" + layout, data, at)
