"""Reading of track fragments (ISO/IEC 14496-12, 8.8): `traf`, `tfhd`, `trun`."""

from dataclasses import dataclass

import numpy as np

from telecine.formats.mp4.boxes import Box, Buffer, FormatError, iter_boxes, read
from telecine.formats.mp4.samples import Samples

NOT_SYNC = 0x0101_0000
"""Sample flags: depends on others, is not a sync sample (either one tells)."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What `trex` and `tfhd` say of samples whose `trun` is silent."""

    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class TrackRun:
    """One `trun`: its samples, and where their bytes begin in the file."""

    samples: Samples
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class TrackFragment:
    """One `traf`. `decode_time` is None where there is no `tfdt`."""

    track_id: int
    decode_time: int | None
    runs: tuple[TrackRun, ...]


def track_id_of(data: Buffer, traf: Box) -> int:
    """Return the track of a `traf` box. Raises FormatError without `tfhd`."""
    for child in iter_boxes(data, traf.body, traf.end):
        if child.kind == b"tfhd":
            return read("I", data, child.body + 4, child.end)[0]
    raise FormatError("a traf box has no tfhd")


def read_traf(
    data: Buffer,
    traf: Box,
    trex: Defaults,
    *,
    moof_start: int,
    implicit_base: int,
    max_samples: int,
) -> TrackFragment:
    """Read a `traf` box.

    `moof_start` is the file offset of the `moof`; `implicit_base` is where data
    begin when `tfhd` gives no base (the `moof`, or the end of the last `traf`).
    A `trun` of 20 bytes can claim 2**32 samples: `max_samples` bounds them all.

    Raises:
        FormatError: the boxes contradict themselves or exceed the bound.
    """
    track_id, defaults, base = 0, trex, implicit_base
    decode_time: int | None = None
    runs: list[TrackRun] = []
    for child in iter_boxes(data, traf.body, traf.end):
        if child.kind == b"tfhd":
            track_id, defaults, base = _tfhd(data, child, trex, moof_start, implicit_base)
            implicit_base = base
        elif child.kind == b"tfdt":
            (version,) = read("B", data, child.body, child.end)
            (decode_time,) = read("Q" if version else "I", data, child.body + 4, child.end)
        elif child.kind == b"trun":
            run = _trun(data, child, defaults, base, implicit_base, max_samples)
            implicit_base = run.end
            max_samples -= len(run.samples)
            runs.append(run)
    if not track_id:
        raise FormatError("a traf box has no tfhd")
    if decode_time is not None and decode_time >= 1 << 62:
        raise FormatError(f"decode time {decode_time}")
    return TrackFragment(track_id, decode_time, tuple(runs))


def _tfhd(
    data: Buffer, tfhd: Box, trex: Defaults, moof_start: int, implicit_base: int
) -> tuple[int, Defaults, int]:
    flags, track_id = read("II", data, tfhd.body, tfhd.end)
    at = tfhd.body + 8
    base = moof_start if flags & 0x020000 else implicit_base
    if flags & 0x01:
        (base,) = read("Q", data, at, tfhd.end)
        at += 8
    if flags & 0x02:
        at += 4
    fields = [trex.duration, trex.size, trex.flags]
    for index, flag in enumerate((0x08, 0x10, 0x20)):
        if flags & flag:
            (fields[index],) = read("I", data, at, tfhd.end)
            at += 4
    return track_id, Defaults(*fields), min(base, 1 << 62)


def _trun(
    data: Buffer, trun: Box, defaults: Defaults, base: int, follows: int, max_samples: int
) -> TrackRun:
    flags, count = read("II", data, trun.body, trun.end)
    version, at, offset = flags >> 24, trun.body + 8, follows
    first_flags: int | None = None
    if flags & 0x01:
        offset = base + read("i", data, at, trun.end)[0]
        at += 4
    if flags & 0x04:
        (first_flags,) = read("I", data, at, trun.end)
        at += 4
    signed = ">i4" if version else ">u4"
    columns = [
        (name, kind)
        for name, kind, flag in (
            ("duration", ">u4", 0x100),
            ("size", ">u4", 0x200),
            ("flags", ">u4", 0x400),
            ("offset", signed, 0x800),
        )
        if flags & flag
    ]
    layout = np.dtype(columns)
    if count > max_samples or count * layout.itemsize > trun.end - at:
        raise FormatError(f"a trun box of {trun.end - trun.start} bytes claims {count} samples")
    given = {name for name, _ in columns}
    table = np.frombuffer(data, layout, count, at) if columns else np.zeros(count, layout)

    def column(name: str, default: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return table[name].astype(np.int64) if name in given else np.full(count, default, np.int64)

    sample_flags = column("flags", defaults.flags)
    if first_flags is not None and count:
        sample_flags[0] = first_flags
    samples = Samples(
        sizes=column("size", defaults.size),
        durations=column("duration", defaults.duration),
        composition_offsets=column("offset", 0),
        keyframes=(sample_flags & NOT_SYNC) == 0,
    )
    return TrackRun(samples, offset, offset + samples.payload_bytes)
