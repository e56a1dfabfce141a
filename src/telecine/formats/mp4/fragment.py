"""Fragmented MP4 as CMAF wants it (ISO/IEC 23000-19): init segments and fragments.

`tfdt` is the presentation time of a fragment's first sample and offsets are
signed (brand `cmf2`): browsers place media by `tfdt`, not by pts. No edit lists.
"""

import struct
from dataclasses import dataclass

import numpy as np

from telecine.formats.mp4.boxes import Box, FormatError, box, find, full_box, iter_boxes, read
from telecine.formats.mp4.headers import TrackHeader, mvhd, trak
from telecine.formats.mp4.moofs import moofs
from telecine.formats.mp4.runs import Defaults, read_traf
from telecine.formats.mp4.samples import Samples

__all__ = [
    "Fragment",
    "FragmentSplitter",
    "Init",
    "InitSegment",
    "Moof",
    "Samples",
    "audio_init",
    "fragment",
    "mdat_header",
    "moof",
    "read_init",
    "read_moof",
    "video_init",
]

MAX_FRAGMENT_BYTES = 1 << 30
MAX_SAMPLES = 1_000_000  # of one fragment


@dataclass(frozen=True, slots=True)
class Moof:
    """What a `moof` with one track says. `payload_offset` counts from its start."""

    sequence: int
    decode_time: int
    samples: Samples
    payload_offset: int


@dataclass(frozen=True, slots=True)
class Init:
    """What an init segment with one track says. `stsd` is that box's body."""

    stsd: bytes
    timescale: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class InitSegment:
    """`ftyp` and `moov`, as they came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Fragment:
    """One `moof` and the content of the `mdat` behind it."""

    moof: bytes
    payload: bytes


def moof(
    sequence: int, decode_time: int, samples: Samples, *, video: bool, track_id: int = 1
) -> bytes:
    """Return the `moof` whose samples lie in an `mdat` right behind it.

    Times in ticks of the track. A duration that all samples share is said once;
    composition offsets and sync flags are written for video only.

    Raises:
        FormatError: a size or a duration does not fit 32 bits.
    """
    bounds = (0, len(samples))
    [only] = moofs(sequence, [decode_time], samples, bounds, video=video, track_id=track_id)
    return only


def mdat_header(payload_bytes: int) -> bytes:
    """Return the 8 bytes that go between a `moof` and its samples."""
    if payload_bytes > 0xFFFFFFFF - 8:
        raise FormatError(f"a fragment of {payload_bytes} bytes")
    return struct.pack(">I4s", payload_bytes + 8, b"mdat")


def fragment(
    sequence: int, decode_time: int, samples: Samples, payload: bytes, *, video: bool
) -> bytes:
    """Return `moof` and `mdat`. Raises FormatError if `payload` is not the samples'."""
    if len(payload) != samples.payload_bytes:
        raise FormatError(f"{len(payload)} bytes for samples of {samples.payload_bytes}")
    head = moof(sequence, decode_time, samples, video=video)
    return b"".join((head, mdat_header(len(payload)), payload))


def read_moof(data: bytes) -> Moof:
    """Read a `moof` box with one `traf` whose samples lie back to back.

    Raises:
        FormatError: it is something else, or its base is not the `moof`.
    """
    outer = find(data, [b"moof"])
    if outer is None:
        raise FormatError("not a moof box")
    children = list(iter_boxes(data, outer.body, outer.end))
    trafs = [child for child in children if child.kind == b"traf"]
    headers = [child for child in children if child.kind == b"mfhd"]
    if len(trafs) != 1 or len(headers) != 1:
        raise FormatError(f"a moof with {len(trafs)} traf and {len(headers)} mfhd")
    (sequence,) = read("I", data, headers[0].body + 4, headers[0].end)
    traf = read_traf(
        data, trafs[0], Defaults(), moof_start=0, implicit_base=0, max_samples=MAX_SAMPLES
    )
    if traf.decode_time is None or not traf.runs:
        raise FormatError("a traf without tfdt or trun")
    for before, run in zip(traf.runs, traf.runs[1:], strict=False):
        if run.offset != before.end:
            raise FormatError("the samples of a fragment do not lie back to back")
    runs = [run.samples for run in traf.runs]
    samples = Samples(
        sizes=np.concatenate([run.sizes for run in runs]),
        durations=np.concatenate([run.durations for run in runs]),
        composition_offsets=np.concatenate([run.composition_offsets for run in runs]),
        keyframes=np.concatenate([run.keyframes for run in runs]),
    )
    return Moof(sequence, traf.decode_time, samples, traf.runs[0].offset)


def video_init(stsd: bytes, *, timescale: int, width_px: int, height_px: int) -> bytes:
    """Return the init segment of a video track; sizes as shown (pixel aspect applied)."""
    return _init(
        TrackHeader(
            track_id=1, video=True, timescale=timescale, width_px=width_px, height_px=height_px
        ),
        stsd,
    )


def audio_init(stsd: bytes, *, timescale: int) -> bytes:
    """Return the init segment of an audio track."""
    return _init(TrackHeader(track_id=1, video=False, timescale=timescale), stsd)


def _init(header: TrackHeader, stsd: bytes) -> bytes:
    ftyp = box(b"ftyp", b"iso6", bytes(4), b"iso6", b"cmfc", b"cmf2", b"mp41")
    stbl = box(
        b"stbl",
        box(b"stsd", stsd),
        full_box(b"stts", 0, 0, bytes(4)),
        full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)),
        full_box(b"stco", 0, 0, bytes(4)),
    )
    trex = full_box(b"trex", 0, 0, struct.pack(">IIIII", header.track_id, 1, 0, 0, 0))
    moov = box(
        b"moov",
        mvhd(header.timescale, 0, header.track_id + 1),
        trak(header, stbl),
        box(b"mvex", trex),
    )
    return ftyp + moov


def read_init(init: bytes) -> Init:
    """Read an init segment. Raises FormatError unless it has exactly one track."""
    moov = find(init, [b"moov"])
    if moov is None:
        raise FormatError("an init segment without moov")
    tracks = [child for child in iter_boxes(init, moov.body, moov.end) if child.kind == b"trak"]
    if len(tracks) != 1:
        raise FormatError(f"an init segment with {len(tracks)} tracks")

    def part(*path: bytes) -> Box:
        found = find(init, path, tracks[0].body, tracks[0].end)
        if found is None:
            raise FormatError(f"an init segment without {path[-1]!r}")
        return found

    mdhd, tkhd = part(b"mdia", b"mdhd"), part(b"tkhd")
    stsd = part(b"mdia", b"minf", b"stbl", b"stsd")
    (version,) = read("B", init, mdhd.body, mdhd.end)
    (timescale,) = read("I", init, mdhd.body + (20 if version else 12), mdhd.end)
    width, height = read("II", init, tkhd.end - 8, tkhd.end)
    return Init(init[stsd.body : stsd.end], timescale, width >> 16, height >> 16)


class FragmentSplitter:
    """Cuts a stream of fragmented MP4 into init segment and fragments as it comes.

    Other boxes (`styp`, `sidx`, `mfra`, …) are dropped. Holds at most one fragment
    of `MAX_FRAGMENT_BYTES` and one read.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ftyp = b""
        self._moof = b""

    def feed(self, data: bytes) -> list[InitSegment | Fragment]:
        """Take bytes; return what they complete. Raises FormatError."""
        self._buffer += data
        done: list[InitSegment | Fragment] = []
        at = 0
        while len(self._buffer) - at >= 8:
            size, kind = struct.unpack_from(">I4s", self._buffer, at)
            if size < 8 or size > MAX_FRAGMENT_BYTES:
                raise FormatError(f"box {kind!r} has the size {size}")
            if at + size > len(self._buffer):
                break
            piece = self._take(kind, bytes(memoryview(self._buffer)[at : at + size]))
            if piece is not None:
                done.append(piece)
            at += size
        del self._buffer[:at]
        return done

    def finish(self) -> None:
        """Check that the stream ended between fragments. Raises FormatError."""
        if self._buffer or self._moof or self._ftyp:
            raise FormatError("the stream ends inside a fragment")

    def _take(self, kind: bytes, whole: bytes) -> InitSegment | Fragment | None:
        if self._moof and kind != b"mdat":
            raise FormatError(f"{kind!r} where the mdat of a moof belongs")
        if kind == b"ftyp":
            self._ftyp = whole
        elif kind == b"moov":
            init, self._ftyp = InitSegment(self._ftyp + whole), b""
            return init
        elif kind == b"moof":
            self._moof = whole
        elif kind == b"mdat":
            if not self._moof:
                raise FormatError("an mdat without moof")
            piece, self._moof = Fragment(self._moof, whole[8:]), b""
            return piece
        return None
