"""How the confined probe program asks for bytes of a file that is not a local one.

Its input begins with what it is given (`GIVEN`, big-endian), which may come long after the
program's start: the size of the file (u64), whether that is all of it, the frame rate (two
u32) if it is not to be measured, and the first byte and the end (u64) of another stretch of
the file that is there, if there is one. It writes requests (offset u64, size u64) to one pipe
and reads exactly the bytes asked for from its input; a short answer means that the file ends
there and is never given: the sizes are known.
"""

import struct
from io import RawIOBase, UnsupportedOperation
from os import SEEK_CUR, SEEK_END, SEEK_SET
from typing import BinaryIO

GIVEN = struct.Struct(">Q?IIQQ")
REQUEST = struct.Struct(">QQ")

BLOCK_BYTES = 1 << 18


class AskedFile(RawIOBase):
    """A seekable, read-only file behind two pipes."""

    def __init__(
        self,
        requests: BinaryIO,
        answers: BinaryIO,
        size_bytes: int,
        apart: tuple[int, int] = (0, 0),
    ) -> None:
        """`apart`: the first byte and the end of a stretch behind the first `size_bytes`."""
        self._requests = requests
        self._answers = answers
        self._size = size_bytes
        self._apart = apart
        self._at = 0
        self._block_start = 0
        self._block = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Move; the position may lie behind the end."""
        bases = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}
        if whence not in bases:
            raise UnsupportedOperation(f"whence {whence}")
        self._at = max(0, bases[whence] + offset)
        return self._at

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes at `offset`, fewer where they end."""
        left = self._left(offset)
        wanted = min(size_bytes, left)
        if wanted <= 0:
            return b""
        start = offset - self._block_start
        if start >= 0 and start + wanted <= len(self._block):
            return self._block[start : start + wanted]
        if wanted >= BLOCK_BYTES:
            return self._ask(offset, wanted)
        self._block_start = offset
        self._block = self._ask(offset, min(BLOCK_BYTES, left))
        return self._block[:wanted]

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer
        """Fill `buffer` from the position, as `io` wants it."""
        data = self.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _left(self, offset: int) -> int:
        if self._apart[0] <= offset < self._apart[1]:
            return self._apart[1] - offset
        return self._size - offset

    def _ask(self, offset: int, size_bytes: int) -> bytes:
        self._requests.write(REQUEST.pack(offset, size_bytes))
        self._requests.flush()
        data = self._answers.read(size_bytes)
        if len(data) != size_bytes:
            raise OSError(f"{len(data)} bytes of {size_bytes} at {offset}")
        return data
