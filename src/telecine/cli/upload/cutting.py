"""Which parts a file is sent in, and in which order (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

from telecine.processes.exits import CannotGoOn, Exit

MIB = 1 << 20
PART_MIB = 50
MIN_PART_MIB = 5
MAX_PART_MIB = 128
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Part `number` (from 1) of `total`: `size_bytes` bytes from `start` on."""

    number: int
    total: int
    start: int
    size_bytes: int

    @property
    def content_range(self) -> str | None:
        """Return the header that names it; a file in one piece needs none."""
        return None if self.total == 1 else f"part {self.number}/{self.total}"


def cut(size_bytes: int, part_bytes: int) -> list[Piece]:
    """Return the parts of a file in its order, all but the last of `part_bytes`.

    Raises:
        CannotGoOn: the file is empty, or these are more parts than a server takes.
    """
    if size_bytes == 0:
        raise CannotGoOn(Exit.FAILED, "The file is empty.")
    total = -(-size_bytes // part_bytes)
    if total > MAX_PARTS:
        least = -(-size_bytes // (MAX_PARTS * MIB))
        msg = f"That makes {total} parts, at most {MAX_PARTS} can be sent: --part-size {least}."
        raise CannotGoOn(Exit.FAILED, msg)
    starts = range(0, size_bytes, part_bytes)
    return [
        Piece(number, total, start, min(part_bytes, size_bytes - start))
        for number, start in enumerate(starts, 1)
    ]


def in_order_of_use(pieces: Sequence[Piece], index: tuple[int, int] | None) -> list[Piece]:
    """Return the parts that hold the bytes [start, end) of `index` first.

    With the index of a file a server knows what the rest of it is.
    """
    if index is None:
        return list(pieces)
    start, end = index
    return sorted(
        pieces, key=lambda piece: piece.start >= end or piece.start + piece.size_bytes <= start
    )
