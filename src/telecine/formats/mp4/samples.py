"""Tables of samples as numpy arrays: never one Python object per sample."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from telecine.formats.errors import FormatError

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples in decode order; times in ticks of their track's timescale."""

    sizes: Ints  # bytes
    durations: Ints
    composition_offsets: Ints  # pts - dts, signed
    keyframes: Bools

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.sizes)

    @property
    def payload_bytes(self) -> int:
        """Bytes of all samples together."""
        return int(self.sizes.sum())

    @property
    def ticks(self) -> int:
        """Duration of all samples together."""
        return int(self.durations.sum())


def run_lengths(values: Ints) -> tuple[Ints, Ints]:
    """Return (counts, values) of the runs of equal values."""
    if not len(values):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1))
    return np.diff(np.append(starts, len(values))), values[starts]


def to_uint32(values: Ints) -> npt.NDArray[np.uint32]:
    """Return the values as MP4's tables hold them. Raises FormatError where they do not fit."""
    if values.size and (int(values.min()) < 0 or int(values.max()) > 0xFFFFFFFF):
        raise FormatError(f"{int(values.min())} to {int(values.max())} in a table of 32 bits")
    return values.astype(">u4")


def expand(counts: Ints, values: Ints, length: int) -> Ints:
    """Repeat each value as often as its count says, cut to `length`.

    Safe for counts of a hostile file: nothing longer than `length` is allocated.
    """
    ends = np.minimum(np.cumsum(counts), length)
    return np.repeat(values, np.diff(ends, prepend=0))
