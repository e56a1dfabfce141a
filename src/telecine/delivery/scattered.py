"""Many stretches of a file by one system call, without Python for each of them.

The pictures of an interleaved film lie in dozens of places a second, sound between them.
`preadv2(2)` takes a vector of places in memory; made by numpy, it sends each gap to a place
that nobody reads. `os.preadv` would want an object for each.
"""

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

GAP_BYTES = 32 * 1024
"""To copy so much and throw it away costs less than another call."""

_STRETCHES = 512  # in a call, each with a gap: the system takes 1024 (IOV_MAX)
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)  # Linux only
_WOULD_BLOCK = {errno.EAGAIN, errno.EOPNOTSUPP}

_waste = np.empty(GAP_BYTES, np.uint8)
_WASTE_AT: int = _waste.ctypes.data
_libc = ctypes.CDLL(None, use_errno=True)
_preadv2 = getattr(_libc, "preadv2", None) if sys.maxsize > 1 << 32 else None
if _preadv2 is not None:
    _preadv2.argtypes = (
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_longlong,
        ctypes.c_int,
    )
    _preadv2.restype = ctypes.c_ssize_t


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call: `size` bytes from `offset` on, into a vector of (address, length)."""

    offset: int
    size: int
    vector: npt.NDArray[np.uint64]
    _memory: npt.NDArray[np.uint8] = field(repr=False)  # what the vector points into

    def now(self, descriptor: int) -> bool:
        """Read if the page cache holds all of it."""
        if _NOWAIT is None or _preadv2 is None:
            return False
        try:
            return self._read(descriptor, _NOWAIT) == self.size
        except OSError as error:
            if error.errno in _WOULD_BLOCK:
                return False
            raise

    def wait(self, descriptor: int) -> bool:
        """Read; False if the file ends too early."""
        return self._read(descriptor, 0) == self.size

    def _read(self, descriptor: int, flags: int) -> int:
        if _preadv2 is None:
            return os.preadv(descriptor, cast("Any", list(self._buffers())), self.offset)
        count: int = _preadv2(
            descriptor, _address(self.vector), len(self.vector), self.offset, flags
        )
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return count

    def _buffers(self) -> Iterator[npt.NDArray[np.uint8]]:
        start = _address(self._memory)
        for address, size in self.vector.tolist():
            place, at = (_waste, 0) if address == _WASTE_AT else (self._memory, address - start)
            yield place[at : at + size]


class Reads:
    """The calls for rows of (offset, size) of a file, in order; good for many targets."""

    def __init__(self, table: Ints) -> None:
        offsets, sizes = table[:, 0], table[:, 1]
        ends = sizes.cumsum()
        self._size = int(ends[-1])
        # What is written to is computed here: nothing may lie outside of the target.
        # Negative numbers are large ones without a sign.
        if int(sizes.view(np.uint64).max()) > self._size:
            msg = f"a stretch is longer than all: {self._size} bytes"
            raise ValueError(msg)
        gaps = offsets[1:] - offsets[:-1] - sizes[:-1]
        self._vector = np.empty((2 * len(table) - 1, 2), np.uint64)
        self._vector[::2, 0] = ends - sizes
        self._vector[::2, 1] = sizes
        self._vector[1::2, 0] = _WASTE_AT
        self._vector[1::2, 1] = gaps
        apart = gaps.view(np.uint64) > GAP_BYTES
        apart[_STRETCHES - 1 :: _STRETCHES] = True
        lasts = np.flatnonzero(apart).tolist() if np.count_nonzero(apart) else ()
        self._calls: list[tuple[int, int, slice]] = []
        first = 0
        for last in (*lasts, len(gaps)):
            start = int(offsets[first])
            size = int(offsets[last] + sizes[last]) - start
            self._calls.append((start, size, slice(2 * first, 2 * last + 1)))
            first = last + 1

    def into(self, target: memoryview) -> Iterator[Call]:
        """Yield the calls that fill `target`.

        Raises:
            ValueError: the rows are not what it has room for.
        """
        if len(target) != self._size:
            msg = f"{self._size} bytes for a room of {len(target)}"
            raise ValueError(msg)
        memory = np.frombuffer(target, np.uint8)
        vector = self._vector.copy()
        vector[::2, 0] += np.uint64(_address(memory))
        for offset, size, rows in self._calls:
            yield Call(offset, size, vector[rows], memory)


def _address(memory: npt.NDArray[Any]) -> int:
    return int(memory.__array_interface__["data"][0])  # `ctypes.data` takes thrice as long
