"""Where every sample of an MP4 or MOV lies: the source's own index, made flat.

Written once beside the source. Jobs read it instead of the `moov`, which may be
large, hostile and at the end of the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from telecine.pipeline import tables

Table = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTrack:
    """One track in decode order; times in ticks of `timescale`, edit list applied.

    `zero_ticks` is our time 0, the first shown picture, on this track's clock; it is
    a fraction where the clocks of picture and sound do not meet.
    """

    timescale: int
    zero_ticks: Fraction
    sizes: Table
    offsets: Table
    dts: Table
    pts: Table
    keyframes: Table
    stsd: bytes  # body of the box
    width_px: int = 0  # as shown, but not rotated
    height_px: int = 0

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.sizes)

    @property
    def zero(self) -> int:
        """Time 0 in whole ticks; exact for the video track."""
        return round(self.zero_ticks)


@dataclass(frozen=True, slots=True)
class SampleIndex:
    """The video and the audio track of a source, as far as it has them."""

    video: SampleTrack | None
    audio: SampleTrack | None

    def to_bytes(self) -> bytes:
        """Return the object to store."""
        meta: dict[str, Any] = {}
        columns: dict[str, Table] = {}
        for kind, track in (("video", self.video), ("audio", self.audio)):
            if track is None:
                continue
            meta[kind] = {
                "timescale": track.timescale,
                "zero_ticks": f"{track.zero_ticks.numerator}/{track.zero_ticks.denominator}",
                "stsd": track.stsd.hex(),
                "width_px": track.width_px,
                "height_px": track.height_px,
            }
            columns[f"{kind}.sizes"] = track.sizes.astype("<u4")
            columns[f"{kind}.offsets"] = track.offsets.astype("<i8")
            columns[f"{kind}.pts"] = track.pts.astype("<i8")
            if track.dts is not track.pts:
                columns[f"{kind}.dts"] = track.dts.astype("<i8")
            if not track.keyframes.all():
                columns[f"{kind}.keyframes"] = track.keyframes.astype("?")
        return tables.pack(meta, columns)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Self:
        """Read a stored object; the tables are views of `data`. Raises TableError."""
        meta, columns = tables.unpack(data)
        return cls(_track("video", meta, columns), _track("audio", meta, columns))


def _track(kind: str, meta: Mapping[str, Any], columns: Mapping[str, Table]) -> SampleTrack | None:
    if kind not in meta:
        return None
    facts, pts = meta[kind], columns[f"{kind}.pts"]
    return SampleTrack(
        timescale=facts["timescale"],
        zero_ticks=Fraction(facts["zero_ticks"]),
        sizes=columns[f"{kind}.sizes"],
        offsets=columns[f"{kind}.offsets"],
        dts=columns.get(f"{kind}.dts", pts),
        pts=pts,
        # All-intra video and sound: one shared True instead of a table.
        keyframes=columns.get(f"{kind}.keyframes", np.broadcast_to(np.True_, len(pts))),
        stsd=bytes.fromhex(facts["stsd"]),
        width_px=facts["width_px"],
        height_px=facts["height_px"],
    )
