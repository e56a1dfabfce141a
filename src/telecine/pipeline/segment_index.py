"""The object that tells how to serve the segments of a copied rendition.

At ingest each segment's `moof` and the ranges of its samples are written into one
object; serving a segment is then one small read of it and ranged reads of the source.

Layout: magic (4 bytes), segments (u32), timescale (u32), 4 zero bytes, one `_ROW` per
segment and one for the end; then per segment its `moof` and its ranges (offset u64,
size u64). All little-endian.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from telecine.formats.mp4.fragment import mdat_header

MAGIC = b"TCP1"
_HEADER = struct.Struct("<4sIII")
_ROW = np.dtype(
    [
        ("start", "<i8"),  # time of the first sample, ticks
        ("position", "<u8"),  # of the moof in this object
        ("payload_bytes", "<u8"),
        ("moof_bytes", "<u4"),
        ("ranges", "<u4"),
    ]
)
_ONE_ROW = struct.Struct("<qQQII")
"""The same for one row: ten times quicker than an array's fields."""

_RANGE_BYTES = 16


class SegmentIndexError(ValueError):
    """The bytes are not such an object, or the plan does not fit the source."""


@dataclass(frozen=True, slots=True, eq=False)
class CopiedSegment:
    """One segment: its `moof`, and where its samples lie in the source."""

    moof: bytes
    table: npt.NDArray[np.int64]  # rows of (offset, size) in bytes
    payload_bytes: int
    """Bytes of all samples."""

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Return (offset, size) of each stretch of samples in the source."""
        return tuple((offset, size) for offset, size in self.table.tolist())

    @property
    def head(self) -> bytes:
        """What goes before the samples: `moof` and the header of `mdat`."""
        return self.moof + mdat_header(self.payload_bytes)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole segment."""
        return len(self.head) + self.payload_bytes


def row_range(segment: int) -> tuple[int, int]:
    """Return (offset, size) of what must be read first to find one segment."""
    return _HEADER.size + segment * _ROW.itemsize, _ROW.itemsize


def record_range(row: bytes) -> tuple[int, int]:
    """Return (offset, size) of a segment's record, from the bytes of `row_range`."""
    _, position, _, moof_bytes, ranges = _ONE_ROW.unpack(row)
    return position, moof_bytes + _RANGE_BYTES * ranges


def read_record(row: bytes, record: bytes | memoryview) -> CopiedSegment:
    """Return a segment from the bytes of `row_range` and `record_range`."""
    _, _, payload_bytes, end, _ = _ONE_ROW.unpack(row)
    # A copy: what is kept of a segment must not hold the whole index in memory.
    table = np.frombuffer(record, "<i8", offset=end).reshape(-1, 2).copy()
    return CopiedSegment(bytes(record[:end]), table, payload_bytes)


@dataclass(frozen=True, slots=True)
class SegmentIndex:
    """A whole object in memory."""

    timescale: int
    data: memoryview

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Self:
        """Read a stored object; nothing is copied. Raises SegmentIndexError."""
        view = memoryview(data)
        if len(view) < _HEADER.size:
            raise SegmentIndexError("a segment index ends early")
        magic, segments, timescale, _ = _HEADER.unpack_from(view)
        if magic != MAGIC or len(view) < sum(row_range(segments)):
            raise SegmentIndexError("not a segment index")
        index = cls(timescale, view)
        if int(index._rows["position"][-1]) != len(view):
            raise SegmentIndexError("a segment index ends early")
        return index

    @property
    def _rows(self) -> npt.NDArray[np.void]:
        segments = _HEADER.unpack_from(self.data)[1]
        return np.frombuffer(self.data, _ROW, segments + 1, _HEADER.size)

    def __len__(self) -> int:
        """Return the number of segments."""
        return int(_HEADER.unpack_from(self.data)[1])

    def segment(self, number: int) -> CopiedSegment:
        """Return one segment. Raises IndexError."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        offset, size = row_range(number)
        row = bytes(self.data[offset : offset + size])
        offset, size = record_range(row)
        return read_record(row, self.data[offset : offset + size])

    def starts(self) -> list[int]:
        """Return the time of each segment's first sample, and the end, in ticks."""
        return [int(start) for start in self._rows["start"]]

    def rates_bps(self) -> tuple[int, int]:
        """Return (peak over one segment, average) in bit/s, boxes included."""
        rows = self._rows
        sizes = (rows["payload_bytes"] + rows["moof_bytes"])[:-1].astype(np.int64) + 8
        ticks = np.diff(rows["start"])
        peak = float((sizes * 8 * self.timescale / ticks).max())
        return round(peak), round(float(sizes.sum() * 8 * self.timescale / ticks.sum()))


def write_index(
    timescale: int,
    moofs: Sequence[bytes],
    ranges: npt.NDArray[np.int64],
    firsts: npt.NDArray[np.int64],
    starts: Sequence[int],
) -> bytes:
    """Return the object; `ranges` are rows of (offset, size), of all segments in their order.

    `firsts` are the first row of each segment, and the end; `starts` are the segments'
    times, and the end, in ticks.
    """
    rows = np.zeros(len(moofs) + 1, _ROW)
    rows["start"] = starts
    rows["moof_bytes"][:-1] = list(map(len, moofs))
    rows["ranges"][:-1] = np.diff(firsts)
    totals = np.concatenate(([0], ranges[:, 1].cumsum()))
    rows["payload_bytes"][:-1] = np.diff(totals[firsts])
    sizes = rows["moof_bytes"].astype(np.int64) + _RANGE_BYTES * rows["ranges"].astype(np.int64)
    rows["position"] = _HEADER.size + rows.nbytes + sizes.cumsum() - sizes
    tables = memoryview(ranges.astype("<i8").tobytes())
    edges = (firsts * _RANGE_BYTES).tolist()
    parts: list[bytes | memoryview] = [
        _HEADER.pack(MAGIC, len(moofs), timescale, 0),
        rows.tobytes(),
    ]
    for head, (first, end) in zip(moofs, pairwise(edges), strict=True):
        parts += (head, tables[first:end])
    return b"".join(parts)
