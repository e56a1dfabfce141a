"""Where each piece of a finished rendition lies, and every sample of it.

Written once as one immutable object when the last piece is stored. Delivery reads
the pieces of a segment from it; the computed MP4 is made from its sample tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from telecine.formats.mp4.fragment import Moof
from telecine.pipeline import tables

Ints = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """One piece on its way into the index: a moof and its mdat in an object."""

    key: str
    offset: int  # of the moof, bytes
    size: int  # of moof and mdat, bytes
    moof: Moof


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIndex:
    """Tables by piece (`piece_*`) and by sample, in presentation order of pieces."""

    timescale: int
    keys: tuple[str, ...]
    piece_object: Ints  # index into `keys`
    piece_offset: Ints  # bytes
    piece_bytes: Ints
    piece_payload: Ints  # offset of the first sample inside the piece, bytes
    piece_samples: Ints
    piece_time: Ints  # decode time, ticks
    sizes: Ints  # bytes
    durations: Ints  # ticks
    composition_offsets: Ints  # ticks, signed
    keyframes: Ints  # 0 | 1

    @classmethod
    def build(cls, timescale: int, pieces: Sequence[StoredPiece]) -> Self:
        """Collect the tables of all pieces of a rendition, in order."""
        keys = tuple(dict.fromkeys(piece.key for piece in pieces))
        number = {key: index for index, key in enumerate(keys)}
        samples = [piece.moof.samples for piece in pieces]

        def each(values: list[int], kind: str) -> Ints:
            return np.array(values, dtype=kind)

        return cls(
            timescale=timescale,
            keys=keys,
            piece_object=each([number[piece.key] for piece in pieces], "<u4"),
            piece_offset=each([piece.offset for piece in pieces], "<u8"),
            piece_bytes=each([piece.size for piece in pieces], "<u8"),
            piece_payload=each([piece.moof.payload_offset for piece in pieces], "<u4"),
            piece_samples=each([len(table.sizes) for table in samples], "<u4"),
            piece_time=each([piece.moof.decode_time for piece in pieces], "<i8"),
            sizes=np.concatenate([table.sizes for table in samples]).astype("<u4"),
            durations=np.concatenate([table.durations for table in samples]).astype("<u4"),
            composition_offsets=np.concatenate(
                [table.composition_offsets for table in samples]
            ).astype("<i4"),
            keyframes=np.concatenate([table.keyframes for table in samples]).astype("<u1"),
        )

    def to_bytes(self) -> bytes:
        """Return the object to store."""
        meta = {"timescale": self.timescale, "keys": self.keys}
        names = [name for name in self.__slots__ if name not in meta]
        return tables.pack(meta, {name: getattr(self, name) for name in names})

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Self:
        """Read a stored object. Raises tables.TableError."""
        meta, columns = tables.unpack(data)
        return cls(timescale=meta["timescale"], keys=tuple(meta["keys"]), **columns)

    @property
    def size_bytes(self) -> int:
        """Bytes of all tables."""
        columns = (getattr(self, name) for name in self.__slots__)
        return sum(each.nbytes for each in columns if isinstance(each, np.ndarray))

    def ranges(self, first_piece: int, end_piece: int) -> list[tuple[str, int, int]]:
        """Return (key, offset, size) of pieces [first, end), neighbours joined."""
        joined: list[tuple[str, int, int]] = []
        for piece in range(first_piece, end_piece):
            key = self.keys[int(self.piece_object[piece])]
            offset, size = int(self.piece_offset[piece]), int(self.piece_bytes[piece])
            if joined and joined[-1][0] == key and sum(joined[-1][1:]) == offset:
                offset, size = joined[-1][1], joined[-1][2] + size
                joined.pop()
            joined.append((key, offset, size))
        return joined

    def rates_bps(
        self, segment_pieces: Sequence[int], starts_s: Sequence[float]
    ) -> tuple[int, int]:
        """Return (peak over one segment, average) in bit/s, boxes included.

        `starts_s` are the start of each segment in seconds, and the end.
        """
        edges = np.asarray(segment_pieces)
        totals = np.concatenate([[0], np.cumsum(self.piece_bytes.astype(np.int64))])
        sizes = totals[edges[1:]] - totals[edges[:-1]]
        durations = np.diff(np.asarray(starts_s, dtype=float))
        peak = float((sizes * 8 / durations).max())
        return round(peak), round(float(totals[-1]) * 8 / float(sum(durations)))
