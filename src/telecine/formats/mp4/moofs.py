"""The `moof` boxes of a whole track at once: no numpy call for each of thousands."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.formats.mp4.samples import Bools, Ints, Samples, to_uint32

SYNC = 0x0200_0000  # depends on no other sample
NON_SYNC = 0x0101_0000

_BASE_IS_MOOF, _DEFAULT_DURATION, _DEFAULT_FLAGS = 0x020000, 0x08, 0x20
_OFFSET, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x01, 0x100, 0x200, 0x400, 0x800
_MDAT_HEADER_BYTES = 8


class _Layout:
    """The boxes of a track's fragments whose samples share their duration, or do not."""

    def __init__(self, samples: Samples, *, video: bool, uniform: bool, track_id: int) -> None:
        sizes, durations = to_uint32(samples.sizes), to_uint32(samples.durations)
        columns: list[tuple[str, str, int, npt.NDArray[np.integer[Any]]]] = [
            ("size", ">u4", _SIZE, sizes)
        ]
        if not uniform:
            columns.insert(0, ("duration", ">u4", _DURATION, durations))
        if video:
            flags = np.where(samples.keyframes, SYNC, NON_SYNC)
            columns.append(("flags", ">u4", _FLAGS, flags))
            columns.append(("offset", ">i4", _COMPOSITION, samples.composition_offsets))
        table = np.empty(len(samples), [(name, kind) for name, kind, _, _ in columns])
        self._trun_flags = 1 << 24 | _OFFSET
        for name, _, flag, values in columns:
            table[name] = values
            self._trun_flags |= flag
        self._rows, self._row_bytes = memoryview(table.tobytes()), table.itemsize
        self._tfhd_flags = (
            _BASE_IS_MOOF | _DEFAULT_DURATION * uniform | _DEFAULT_FLAGS * (not video)
        )
        self._track_id, self._uniform = track_id, uniform
        self._defaults = () if video else (SYNC,)
        self._tfhd_bytes = 16 + 4 * (uniform + (not video))
        # moof, mfhd with its sequence number, traf; tfhd; tfdt; trun without its rows.
        self._head = struct.Struct(
            ">I4s I4sII I4s I4sII" + "I" * (uniform + (not video)) + "I4sIQ I4sIIi"
        )

    def moof(self, sequence: int, decode_time: int, first: int, end: int, duration: int) -> bytes:
        rows = self._rows[first * self._row_bytes : end * self._row_bytes]
        size = self._head.size + len(rows)
        defaults = (duration, *self._defaults) if self._uniform else self._defaults
        head = self._head.pack(
            *(size, b"moof", 16, b"mfhd", 0, sequence, size - 24, b"traf"),
            *(self._tfhd_bytes, b"tfhd", self._tfhd_flags, self._track_id, *defaults),
            *(20, b"tfdt", 1 << 24, decode_time),
            *(20 + len(rows), b"trun", self._trun_flags, end - first, size + _MDAT_HEADER_BYTES),
        )
        return head + rows


def moofs(
    sequence: int,
    decode_times: Sequence[int],
    samples: Samples,
    bounds: Sequence[int],
    *,
    video: bool,
    track_id: int = 1,
) -> list[bytes]:
    """Return a `moof` for each stretch [bounds[n], bounds[n + 1]) of samples.

    Its samples lie in an `mdat` right behind it. Sequence numbers ascend from `sequence`,
    times are in ticks of the track. A duration that all samples of a stretch share is said
    once; composition offsets and sync flags are written for video only.

    Raises:
        FormatError: a size or a duration does not fit 32 bits.
    """
    uniform = _uniform(samples.durations, bounds)
    firsts = np.asarray(bounds[:-1])
    durations = np.zeros(len(uniform), np.int64)
    durations[uniform] = samples.durations[firsts[uniform]]
    layouts: dict[bool, _Layout] = {}
    made = []
    stretches = zip(
        uniform.tolist(), decode_times, pairwise(bounds), durations.tolist(), strict=True
    )
    for number, (same, decode_time, (first, end), duration) in enumerate(stretches, sequence):
        layout = layouts.get(same)
        if layout is None:
            layout = layouts[same] = _Layout(samples, video=video, uniform=same, track_id=track_id)
        made.append(layout.moof(number, decode_time, first, end, duration))
    return made


def _uniform(durations: Ints, bounds: Sequence[int]) -> Bools:
    """Tell for each stretch whether its samples share their duration; not if it is empty."""
    changes = np.zeros(len(durations) + 1, np.int64)  # before each sample
    changes[1:-1] = (durations[1:] != durations[:-1]).cumsum()
    edges = np.asarray(bounds)
    firsts, ends = edges[:-1], edges[1:]
    same: Bools = (ends > firsts) & (changes[ends - 1] == changes[firsts])
    return same
