"""Small movies for tests, made without any encoder."""

import struct
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from telecine.formats.codecs.aac import aac_stsd
from telecine.formats.mp4.boxes import box
from telecine.formats.mp4.fragment import Samples
from telecine.formats.mp4.index import MovieIndex, read_index
from telecine.formats.mp4.progressive import Head, ProgressiveTrack, layout


def video_stsd(*children: bytes, fourcc: bytes = b"avc1", entries: int = 1) -> bytes:
    fields = bytes(24) + struct.pack(">HH", 320, 180) + bytes(50)
    return struct.pack(">II", 0, entries) + box(fourcc, fields, *children) * entries


def video_track(
    *,
    frames: int = 12,
    chunks: Sequence[int] = (5, 5, 2),
    start_ticks: int = 0,
    stsd: bytes | None = None,
) -> ProgressiveTrack:
    """Pictures I P B B P B B …, each fifth decoded one a key frame."""
    number = np.arange(frames, dtype=np.int64)
    return ProgressiveTrack(
        video=True,
        stsd=stsd or video_stsd(),
        timescale=120_000,
        width_px=320,
        height_px=180,
        sizes=100 + number,
        durations=np.full(frames, 4004, np.int64),
        composition_offsets=_reordered(frames) * 4004,
        keyframes=number % 5 == 0,
        start_ticks=start_ticks,
        chunks=chunks,
    )


def _reordered(frames: int) -> npt.NDArray[np.int64]:
    """Return how many frames later each is shown than decoded."""
    number = np.arange(frames, dtype=np.int64)
    later = np.minimum(2, frames - 1 - number)
    return np.where(number == 0, 0, np.where(number % 3 == 1, later, -1))


def audio_track(
    *, packets: int = 20, chunks: Sequence[int] = (7, 7, 6), start_ticks: int = 0
) -> ProgressiveTrack:
    number = np.arange(packets, dtype=np.int64)
    return ProgressiveTrack(
        video=False,
        stsd=aac_stsd(48_000, 2),
        timescale=48_000,
        sizes=30 + number % 4,
        durations=np.full(packets, 1024, np.int64),
        composition_offsets=np.zeros(packets, np.int64),
        keyframes=np.ones(packets, np.bool_),
        start_ticks=start_ticks,
        chunks=chunks,
    )


def samples_of(track: ProgressiveTrack, first: int, end: int) -> Samples:
    return Samples(
        sizes=track.sizes[first:end],
        durations=track.durations[first:end],
        composition_offsets=track.composition_offsets[first:end],
        keyframes=track.keyframes[first:end],
    )


def payload(track: int, first: int, sizes: Sequence[int]) -> bytes:
    """Samples that know who they are: track, number, then filler."""
    return b"".join(
        struct.pack(">BH", track, first + n).ljust(size, b"\xaa") for n, size in enumerate(sizes)
    )


def movie(*tracks: ProgressiveTrack) -> tuple[bytes, Head]:
    """Return a whole progressive file and how it is laid out."""
    head = layout(tracks)
    parts = [head.head]
    for chunk in head.chunks:
        track = tracks[chunk.track]
        first = sum(track.chunks[: chunk.number])
        sizes = track.sizes[first : first + track.chunks[chunk.number]].tolist()
        parts.append(payload(chunk.track, first, sizes))
    return b"".join(parts), head


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def index(data: bytes) -> MovieIndex:
    return read_index(reader(data), len(data))
