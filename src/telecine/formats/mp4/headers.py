"""Boxes that every movie we write begins with (ISO/IEC 14496-12, 8.2 to 8.7).

Version 1 throughout: 24 hours are more than 2**32 ticks of 1/120,000 s.
"""

import struct
from dataclasses import dataclass

from telecine.formats.mp4.boxes import box, full_box

UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
UNDETERMINED = 0x55C4  # the language "und", packed as mdhd wants it


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackHeader:
    """What `tkhd`, `mdhd` and `hdlr` tell of a track.

    `movie_ticks` is its duration in the movie's timescale, `media_ticks` in its own
    (both 0 in an init segment). Sizes are as shown, 0 for audio.
    """

    track_id: int
    video: bool
    timescale: int
    media_ticks: int = 0
    movie_ticks: int = 0
    width_px: int = 0
    height_px: int = 0


def mvhd(timescale: int, duration_ticks: int, next_track_id: int) -> bytes:
    """Return the movie header."""
    return full_box(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQIH", 0, 0, timescale, duration_ticks, 0x10000, 0x100),
        bytes(10),
        UNITY_MATRIX,
        bytes(24),
        struct.pack(">I", next_track_id),
    )


def trak(header: TrackHeader, stbl: bytes, edts: bytes = b"") -> bytes:
    """Return a whole track around its sample table and edit list."""
    volume = 0 if header.video else 0x100
    tkhd = full_box(
        b"tkhd",
        1,
        3,  # enabled, in the movie
        struct.pack(">QQIIQ", 0, 0, header.track_id, 0, header.movie_ticks),
        bytes(8),
        struct.pack(">hhHH", 0, 0, volume, 0),
        UNITY_MATRIX,
        struct.pack(">II", header.width_px << 16, header.height_px << 16),
    )
    mdhd = full_box(
        b"mdhd",
        1,
        0,
        struct.pack(">QQIQHH", 0, 0, header.timescale, header.media_ticks, UNDETERMINED, 0),
    )
    kind, name = (b"vide", b"Video\0") if header.video else (b"soun", b"Audio\0")
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), kind, bytes(12), name)
    media_header = (
        full_box(b"vmhd", 0, 1, bytes(8)) if header.video else full_box(b"smhd", 0, 0, bytes(4))
    )
    # One data reference with flag 1: the media are in this file.
    dref = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    minf = box(b"minf", media_header, box(b"dinf", dref), stbl)
    return box(b"trak", tkhd, edts, box(b"mdia", mdhd, hdlr, minf))
