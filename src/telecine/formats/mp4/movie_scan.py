"""Walks over the top level of an MP4/MOV file with few and bounded reads."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from telecine.formats.mp4.boxes import FormatError

ReadAt = Callable[[int, int], bytes]
"""Returns `size` bytes at `offset` of a file, fewer only at its end."""

WINDOW_BYTES = 16 << 10
MAX_MOOV_BYTES = 256 << 20
MAX_MOOF_BYTES = 512 << 20  # of all fragments together
MAX_TOP_BOXES = 1_000_000
LARGEST_BYTES = 1 << 40
"""No byte of a file that is not there yet can lie behind it."""


@dataclass(slots=True)
class TopLevel:
    """What lies in a file: the content of `moov`, every `moof` with its offset."""

    moov: bytes = b""
    moov_first: bool = False
    moofs: list[tuple[int, bytes]] = field(default_factory=list)
    cut_off: bool = False  # the last box reaches behind the end of the file


class _Window:
    """Reads a file through one buffer, so that small boxes cost no read each."""

    def __init__(self, read_at: ReadAt, size_bytes: int) -> None:
        self._read_at = read_at
        self._size = size_bytes
        self._start = 0
        self._data = b""

    def get(self, at: int, size: int) -> bytes:
        if at < self._start or at + size > self._start + len(self._data):
            if size > WINDOW_BYTES:
                return self._read_at(at, size)
            self._start = at
            self._data = self._read_at(at, min(WINDOW_BYTES, self._size - at))
        return self._data[at - self._start : at - self._start + size]


def scan(read_at: ReadAt, size_bytes: int) -> TopLevel:
    """Find `moov` and the fragments.

    Nonsense behind the `moov` ends the walk (recorders that lost power leave it).

    Raises:
        FormatError: no complete `moov`, or more than can be real.
    """
    window, found = _Window(read_at, size_bytes), TopLevel()
    at = boxes = fragment_bytes = 0
    seen_media = False
    while at + 8 <= size_bytes:
        boxes += 1
        if boxes > MAX_TOP_BOXES:
            raise FormatError(f"more than {MAX_TOP_BOXES} boxes")
        kind, header, size = _header(window.get(at, 16), size_bytes - at)
        if size < header:
            break
        found.cut_off = at + size > size_bytes
        if kind == b"moov" and not found.moov:
            if size > MAX_MOOV_BYTES:
                raise FormatError(f"a moov of {size} bytes")
            found.moov = window.get(at + header, size - header)
            found.moov_first = not seen_media
            if found.cut_off or len(found.moov) != size - header:
                raise FormatError("the file ends inside its moov")
        elif kind == b"moof" and not found.cut_off:
            fragment_bytes += size
            if fragment_bytes > MAX_MOOF_BYTES:
                raise FormatError(f"more than {MAX_MOOF_BYTES} bytes of moof")
            found.moofs.append((at, window.get(at, size)))
        seen_media = seen_media or kind in (b"mdat", b"moof")
        at += size
    if not found.moov:
        raise FormatError("no moov: not an MP4, or its recording never ended")
    return found


def moov_end(read_at: ReadAt) -> tuple[int, bool]:
    """Return how many bytes of a file must be there to have its `moov`, and whether they are.

    As far as can be told: `read_at` returns nothing where nothing is there yet.

    Raises:
        FormatError: there is no sense in what lies before it.
    """
    at = 0
    for _ in range(MAX_TOP_BOXES):
        head = read_at(at, 16)
        if len(head) < 16:
            return at + 16, False
        kind, header, size = _header(head, 0)
        if kind == b"moov" and header <= size <= MAX_MOOV_BYTES:
            return at + size, len(read_at(at, size)) == size
        if size == 0:
            return LARGEST_BYTES, False  # it lasts until the end of the file
        if size < header:
            raise FormatError(f"a box of {size} bytes before the moov")
        at += size
    raise FormatError(f"more than {MAX_TOP_BOXES} boxes")


def _header(head: bytes, left: int) -> tuple[bytes, int, int]:
    """Return kind, header bytes and size of the box that starts with `head`."""
    if len(head) < 8:
        raise FormatError("the file is shorter than it was said to be")
    size, kind = struct.unpack_from(">I4s", head)
    if size == 1 and len(head) >= 16:
        return kind, 16, struct.unpack_from(">Q", head, 8)[0]
    return kind, 8, size or left
