"""The sample index of an MP4 or MOV file, progressive or fragmented.

Reads what strangers upload: every size and count is checked before it is used.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from telecine.formats.mp4.boxes import Box, Buffer, FormatError, find, iter_boxes, read
from telecine.formats.mp4.edits import Presentation, presentation
from telecine.formats.mp4.fragment_table import append_fragments, read_defaults
from telecine.formats.mp4.movie_scan import LARGEST_BYTES, ReadAt, scan
from telecine.formats.mp4.sample_entry import (
    Colour,
    colour,
    dolby_vision_profile,
    entry_count,
    is_encrypted,
    picture_size,
    pixel_aspect,
)
from telecine.formats.mp4.sample_table import (
    SampleTable,
    cut,
    empty_table,
    read_stbl,
)
from telecine.formats.mp4.samples import Bools, Ints
from telecine.formats.mp4.track_box import TrackBox, read_trak

__all__ = ["Colour", "FormatError", "MovieIndex", "ReadAt", "Track", "read_index"]

MAX_SAMPLES = 11_000_000  # of all tracks: 24 hours of 60 Hz video and 48 kHz AAC
MAX_TRACKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One video or audio track; arrays in decode order, empty for PCM sound.

    `dts` and `pts` are presentation ticks of `timescale`: the edit list's shift is
    in them, so pre-roll is negative. What an edit list ends before is left out.
    """

    kind: str  # "video", "audio"
    track_id: int
    enabled: bool
    timescale: int
    sizes: Ints
    offsets: Ints
    dts: Ints
    pts: Ints
    durations: Ints
    keyframes: Bools
    stsd: bytes = field(repr=False)  # body of the box
    sample_entry: str  # fourcc
    sample_entries: int
    encrypted: bool
    edit_obstacle: str | None  # why the edit list is more than a shift
    rearranged: bool  # by an edit list of several stretches: `pts` are not what is shown
    # Video only.
    width_px: int = 0
    height_px: int = 0
    sample_aspect: Fraction = Fraction(1)
    rotation_deg: int | None = 0  # clockwise; None: the matrix is no rotation
    mirrored: bool = False  # left for right, before it is turned
    colour: Colour | None = None
    dolby_vision_profile: int | None = None


class TooManyTracksError(FormatError):
    """More tracks than anybody plays."""


@dataclass(frozen=True, slots=True)
class MovieIndex:
    """The tracks of a file, in its order.

    `truncated`: samples are missing because the file ends too early.
    `moov_first`: the index lies before the media.
    """

    tracks: tuple[Track, ...]
    fragmented: bool
    truncated: bool
    moov_first: bool


def read_index(read_at: ReadAt, size_bytes: int, *, whole: bool = True) -> MovieIndex:
    """Read the index of a file of `size_bytes`.

    Not `whole`: more will come, and samples may lie behind what is there.

    Raises:
        FormatError: not an MP4 or MOV, no complete `moov`, or contradictions in it.
    """
    top = scan(read_at, size_bytes)
    moov = top.moov
    fragmented = bool(top.moofs) or find(moov, [b"mvex"]) is not None
    if not whole and not fragmented:
        size_bytes = LARGEST_BYTES
    max_samples = min(MAX_SAMPLES, size_bytes)
    headers: list[TrackBox] = []
    tables: dict[int, SampleTable] = {}
    for trak in _tracks(moov):
        header = read_trak(moov, trak)
        if header is None:
            continue
        left = max_samples - sum(len(table.samples) for table in tables.values())
        if header.track_id in tables:
            raise FormatError(f"two tracks have the number {header.track_id}")
        tables[header.track_id] = (
            empty_table() if header.pcm else read_stbl(moov, header.stbl, left)
        )
        headers.append(header)
    if top.moofs:
        compressed = {
            header.track_id: tables[header.track_id] for header in headers if not header.pcm
        }
        tables |= append_fragments(compressed, top.moofs, read_defaults(moov), max_samples)
    movie_timescale = _movie_timescale(moov)
    truncated = fragmented and top.cut_off
    tracks = []
    for header in headers:
        inside = _inside(tables[header.track_id], size_bytes)
        truncated = truncated or len(inside.samples) < len(tables[header.track_id].samples)
        shown = presentation(header.edits, movie_timescale, header.timescale)
        if fragmented:
            shown = replace(shown, end_ticks=None)
        tracks.append(_track(header, inside, shown))
    return MovieIndex(tuple(tracks), fragmented, truncated, top.moov_first)


def _tracks(moov: Buffer) -> list[Box]:
    tracks = [child for child in iter_boxes(moov) if child.kind == b"trak"]
    if len(tracks) > MAX_TRACKS:
        raise TooManyTracksError(f"{len(tracks)} tracks")
    return tracks


def _movie_timescale(moov: Buffer) -> int:
    mvhd = find(moov, [b"mvhd"])
    if mvhd is None:
        raise FormatError("a moov without mvhd")
    (version,) = read("B", moov, mvhd.body, mvhd.end)
    (timescale,) = read("I", moov, mvhd.body + (20 if version else 12), mvhd.end)
    return timescale or 1


def _inside(table: SampleTable, size_bytes: int) -> SampleTable:
    """Return the samples before the first one that the file does not hold."""
    outside = (table.offsets < 0) | (table.offsets + table.samples.sizes > size_bytes)
    return cut(table, int(outside.argmax())) if outside.any() else table


def _track(header: TrackBox, table: SampleTable, shown: Presentation) -> Track:
    pts = table.dts + table.samples.composition_offsets + shown.shift_ticks
    obstacle = shown.obstacle
    if shown.end_ticks is not None and obstacle is None:
        # Nothing that is shown refers to samples behind the last shown one.
        seen = np.flatnonzero(pts < shown.end_ticks)
        table = cut(table, int(seen[-1]) + 1 if len(seen) else 0)
        pts = pts[: len(table.samples)]
        if (pts >= shown.end_ticks).any():
            obstacle = "the edit list ends among reordered frames"
    stsd, video = header.stsd, header.video
    width, height = picture_size(stsd) if video else (0, 0)
    return Track(
        kind="video" if video else "audio",
        track_id=header.track_id,
        enabled=header.enabled,
        timescale=header.timescale,
        sizes=table.samples.sizes,
        offsets=table.offsets,
        dts=table.dts + shown.shift_ticks,
        pts=pts,
        durations=table.samples.durations,
        keyframes=table.samples.keyframes,
        stsd=stsd,
        sample_entry=header.sample_entry,
        sample_entries=entry_count(stsd),
        encrypted=is_encrypted(stsd, video=video),
        edit_obstacle=obstacle,
        rearranged=shown.rearranged,
        width_px=width,
        height_px=height,
        sample_aspect=pixel_aspect(stsd) if video else Fraction(1),
        rotation_deg=header.rotation_deg,
        mirrored=header.mirrored,
        colour=colour(stsd) if video else None,
        dolby_vision_profile=dolby_vision_profile(stsd) if video else None,
    )
