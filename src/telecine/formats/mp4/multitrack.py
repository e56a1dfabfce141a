"""Fragmented MP4 with several tracks, a few samples at a time: what live streams are made of.

`formats.mp4.fragment` does the same for one track of thousands of samples.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telecine.formats.mp4.boxes import FormatError, box, find, full_box, read
from telecine.formats.mp4.headers import TrackHeader, mvhd, trak
from telecine.formats.mp4.moofs import NON_SYNC, SYNC

_HEAD = struct.Struct(">I4s")
_MAX_BOX_BYTES = 16 << 20
"""So much is read of a box that holds no media; ours have some thousand bytes."""

_ROW = struct.Struct(">IIIi")
_MOOF = struct.Struct(">I4sI4sII")
"""`moof` and its `mfhd`: in one go, for live streams make many of few samples."""

_TRAF = struct.Struct(">I4s I4sII I4sIQ I4sIIi")
"""`traf`, its `tfhd`, its `tfdt`, and its `trun` up to the rows."""

_FIELDS = 0xF01  # of a row: duration, size, flags and offset; and where the first one lies
_FROM_MOOF = 0x020000


@dataclass(frozen=True, slots=True)
class Track:
    """A track of an init segment. `stsd`: the body of that box."""

    header: TrackHeader
    stsd: bytes


@dataclass(slots=True)  # freezing triples what it costs to make one
class Sample:
    """One sample; times in ticks of its track. `offset`: from its dts to its pts, signed."""

    duration: int
    offset: int
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of one track, back to back from `decode_time` on."""

    track_id: int
    decode_time: int
    samples: Sequence[Sample]


def movie_init(tracks: Sequence[Track]) -> bytes:
    """Return `ftyp` and `moov` of a movie whose samples all come in fragments."""
    traks, defaults = [], []
    for track in tracks:
        stbl = box(
            b"stbl",
            box(b"stsd", track.stsd),
            full_box(b"stts", 0, 0, bytes(4)),
            full_box(b"stsc", 0, 0, bytes(4)),
            full_box(b"stsz", 0, 0, bytes(8)),
            full_box(b"stco", 0, 0, bytes(4)),
        )
        traks.append(trak(track.header, stbl))
        trex = struct.pack(">IIIII", track.header.track_id, 1, 0, 0, 0)
        defaults.append(full_box(b"trex", 0, 0, trex))
    following = max(track.header.track_id for track in tracks) + 1
    ftyp = box(b"ftyp", b"iso6", bytes(4), b"iso6", b"cmfc", b"cmf2", b"mp41")
    moov = box(b"moov", mvhd(1000, 0, following), *traks, box(b"mvex", *defaults))
    return ftyp + moov


def movie_fragment(sequence: int, runs: Sequence[Run]) -> bytes:
    """Return a `moof` and the `mdat` behind it. Raises FormatError where it is too large."""
    moof_bytes = _MOOF.size + sum(_TRAF.size + _ROW.size * len(run.samples) for run in runs)
    offset = moof_bytes + 8
    heads, payload = [_MOOF.pack(moof_bytes, b"moof", 16, b"mfhd", 0, sequence)], []
    for run in runs:
        rows = b""
        size = 0
        for sample in run.samples:
            length = len(sample.data)
            flags = SYNC if sample.key else NON_SYNC
            rows += _ROW.pack(sample.duration, length, flags, sample.offset)
            payload.append(sample.data)
            size += length
        heads += (_traf(run, offset, len(rows)), rows)
        offset += size
    size = offset - moof_bytes
    if size > 0xFFFFFFFF:
        raise FormatError(f"a fragment of {size} bytes")
    return b"".join((*heads, struct.pack(">I4s", size, b"mdat"), *payload))


def _traf(run: Run, offset: int, rows_bytes: int) -> bytes:
    """Return the box of a run up to its rows, whose first sample lies at `offset`."""
    return _TRAF.pack(
        _TRAF.size + rows_bytes, b"traf",
        16, b"tfhd", _FROM_MOOF, run.track_id,
        20, b"tfdt", 1 << 24, run.decode_time,
        20 + rows_bytes, b"trun", 1 << 24 | _FIELDS, len(run.samples), offset,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Whole:
    """How much of a file that was being written is usable."""

    size_bytes: int
    duration_s: float


def whole_fragments(data: bytes) -> Whole:
    """Return what `whole_file` does of bytes in memory."""
    return whole_file(len(data), lambda at, size: data[at : at + size])


def whole_file(size_bytes: int, read_at: Callable[[int, int], bytes]) -> Whole:
    """Return where the last whole fragment ends: the writer may have been killed behind it.

    The duration is that of the first track, to the begin of its last fragment. `read_at` returns
    bytes of the file, by offset and size; it is asked for none of the media.

    Raises:
        FormatError: a box of it is broken.
    """
    at, end, timescale = 0, 0, 0
    moof = b""
    first = last = None
    while at + _HEAD.size <= size_bytes:
        size, kind = _HEAD.unpack(read_at(at, _HEAD.size))
        if size < 8 or at + size > size_bytes:
            break
        if kind == b"moov":
            timescale, end = _timescale(read_at(at, min(size, _MAX_BOX_BYTES))), at + size
        elif kind == b"moof":
            moof = read_at(at, min(size, _MAX_BOX_BYTES))
        elif kind == b"mdat" and moof:
            end = at + size
            last = _decode_time(moof)
            first = last if first is None else first
            moof = b""
        at += size
    if first is None or last is None or not timescale:
        return Whole(end, 0.0)
    return Whole(end, (last - first) / timescale)


def _timescale(data: bytes) -> int:
    mdhd = find(data, [b"moov", b"trak", b"mdia", b"mdhd"])
    if mdhd is None:
        return 0
    (version,) = read("B", data, mdhd.body, mdhd.end)
    return read("I", data, mdhd.body + (20 if version else 12), mdhd.end)[0]


def _decode_time(data: bytes) -> int | None:
    tfdt = find(data, [b"moof", b"traf", b"tfdt"])
    return read("Q", data, tfdt.body + 4, tfdt.end)[0] if tfdt else None
