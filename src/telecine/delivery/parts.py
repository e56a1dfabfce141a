"""What bodies are made of: bytes from memory, and stretches of stored objects."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter

import numpy as np

from telecine.delivery.scattered import Ints, Reads
from telecine.storage.extents import Extents


@dataclass(frozen=True, slots=True)
class StoredRange:
    """Bytes [offset, offset + size) of an object."""

    key: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class StoredRanges:
    """Stretches of one object, back to back in the body.

    A second of an interleaved film has dozens of them: an array, not a `StoredRange` each.
    """

    key: str
    table: Ints  # rows of (offset, size) in bytes
    size: int  # of all rows
    prepared: Reads | None = field(default=None, repr=False)

    @property
    def reads(self) -> Reads:
        """Return how they are read from a file."""
        return self.prepared or Reads(self.table)

    def cut(self, start: int, end: int) -> "StoredRanges":
        """Return bytes [start, end) of these."""
        ends = self.table[:, 1].cumsum()
        first = int(ends.searchsorted(start, "right"))
        last = int(ends.searchsorted(end, "left"))
        table = self.table[first : last + 1].copy()
        table[-1, 1] -= ends[last] - end
        skipped = start - (ends[first] - self.table[first, 1])
        table[0] += (skipped, -skipped)
        return StoredRanges(self.key, table, end - start)


Part = bytes | StoredRange | StoredRanges
"""A stretch of a response body: from memory or from the store."""


def stored(ranges: Iterable[tuple[str, int, int]]) -> list[Part]:
    """Return ranges (key, offset, size) as few parts, in their order."""
    parts: list[Part] = []
    for key, group in groupby(ranges, itemgetter(0)):
        rows = [row[1:] for row in group]
        if len(rows) == 1:
            parts.append(StoredRange(key, *rows[0]))
        else:
            table = np.array(rows, dtype=np.int64)
            parts.append(StoredRanges(key, table, int(table[:, 1].sum())))
    return parts


def out_of_file(file: Extents, table: Ints, size: int) -> list[Part]:
    """Return where rows of (offset, size) of a file lie in its objects; `size` is their sum.

    Raises:
        ValueError: a row reaches beyond the end of the file.
    """
    offsets = table[:, 0]
    holder = file.holder(int(offsets.min()), int((offsets + table[:, 1]).max()))
    if holder is None:
        return stored(each for row in table.tolist() for each in file.ranges(*row))
    key, start = holder
    return [StoredRanges(key, table - (start, 0) if start else table, size)]


def prepared(part: Part) -> Part:
    """Return a part that is quicker to read again and again."""
    return replace(part, prepared=part.reads) if isinstance(part, StoredRanges) else part


def body_size(parts: Sequence[Part]) -> int:
    """Return the number of bytes of a body."""
    return sum(len(part) if isinstance(part, bytes) else part.size for part in parts)


def slice_parts(parts: Sequence[Part], start: int, end: int) -> list[Part]:
    """Return the parts of bytes [start, end) of a body."""
    chosen: list[Part] = []
    position = 0
    for part in parts:
        size = len(part) if isinstance(part, bytes) else part.size
        first, last = max(start - position, 0), min(end - position, size)
        if first < last:
            whole = first == 0 and last == size
            chosen.append(part if whole else _cut(part, first, last))
        position += size
        if position >= end:
            break
    return chosen


def _cut(part: Part, first: int, last: int) -> Part:
    if isinstance(part, bytes):
        return part[first:last]
    if isinstance(part, StoredRanges):
        return part.cut(first, last)
    return StoredRange(part.key, part.offset + first, last - first)


def messages(parts: Sequence[Part], size: int) -> Iterator[list[Part]]:
    """Group parts into messages of at most `size` bytes; long ones are split."""
    message: list[Part] = []
    room = size
    for part in parts:
        length = len(part) if isinstance(part, bytes) else part.size
        start = 0
        while start < length:
            taken = min(room, length - start)
            message += slice_parts([part], start, start + taken)
            start += taken
            room -= taken
            if room == 0:
                yield message
                message, room = [], size
    if message:
        yield message
