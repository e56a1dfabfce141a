"""The head of a progressive MP4 whose media lie elsewhere, in the order it names.

`head` and then the chunks, in their order, are a whole "faststart" file: nobody
has to write it, its size is exact, and ranges of it map to ranges of the chunks.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from telecine.formats.mp4.boxes import FormatError, box, full_box
from telecine.formats.mp4.headers import TrackHeader, mvhd, trak
from telecine.formats.mp4.samples import Bools, Ints, run_lengths, to_uint32

MOVIE_TIMESCALE = 90_000
"""Of the edit lists: with 1,000 ticks a second players lost the last samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressiveTrack:
    """One track; arrays in decode order, times in ticks of `timescale`.

    `composition_offsets` are signed and count from decode times that begin with
    `start_ticks`, as in our fragments. Of sound that starts below 0 the edit list
    hides what lies before 0. `chunks` says how many samples lie back to back.
    """

    video: bool
    stsd: bytes
    timescale: int
    width_px: int = 0
    height_px: int = 0
    sizes: Ints
    durations: Ints
    composition_offsets: Ints
    keyframes: Bools
    start_ticks: int = 0
    chunks: Sequence[int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples of one track that lie back to back at `offset` of the file."""

    track: int  # which of the tracks given
    number: int  # which of its chunks
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Head:
    """`head` and the chunks behind it are the file of `size_bytes`."""

    head: bytes
    chunks: tuple[Chunk, ...]
    size_bytes: int


def by_time(tracks: Sequence[ProgressiveTrack]) -> list[int]:
    """Return whose chunk comes next, over all chunks: ordered by their decode times.

    Raises:
        FormatError: a track's chunks are not its samples.
    """
    starts, owners = [], []
    for index, track in enumerate(tracks):
        _check(track)
        dts = np.cumsum(track.durations) - track.durations + track.start_ticks
        starts.append(dts[_first_samples(track)] / track.timescale)
        owners.append(np.full(len(track.chunks), index))
    order = np.argsort(np.concatenate(starts), kind="stable")
    return [int(owner) for owner in np.concatenate(owners)[order]]


def layout(tracks: Sequence[ProgressiveTrack], interleave: Sequence[int] | None = None) -> Head:
    """Compute the head of a file with these tracks.

    `interleave` names the track of each successive chunk (None: ordered by time).

    Raises:
        FormatError: chunks, samples and order do not belong together.
    """
    for track in tracks:
        _check(track)
    interleave = by_time(tracks) if interleave is None else interleave
    counts = np.bincount(np.asarray(interleave, np.int64), minlength=len(tracks)).tolist()
    if counts != [len(track.chunks) for track in tracks]:
        raise FormatError(f"an order of {counts} chunks for other tracks")
    chunk_bytes = [_chunk_bytes(track) for track in tracks]
    media_bytes = sum(int(sizes.sum()) for sizes in chunk_bytes)
    # co64 throughout, so that the head's size does not depend on where it ends.
    head_bytes = len(_head(tracks, [np.zeros(len(t.chunks), np.int64) for t in tracks], 0))
    chunks = tuple(_place(interleave, chunk_bytes, head_bytes))
    offsets = [np.zeros(len(track.chunks), np.int64) for track in tracks]
    for chunk in chunks:
        offsets[chunk.track][chunk.number] = chunk.offset
    return Head(_head(tracks, offsets, media_bytes), chunks, head_bytes + media_bytes)


def _check(track: ProgressiveTrack) -> None:
    count = len(track.sizes)
    lengths = {
        len(track.durations),
        len(track.composition_offsets),
        len(track.keyframes),
        sum(track.chunks),
    }
    if lengths != {count}:
        raise FormatError(f"tables of {sorted(lengths)} rows for {count} samples")
    if not count or min(track.chunks) <= 0:
        raise FormatError("a track or a chunk without samples")


def _chunk_bytes(track: ProgressiveTrack) -> Ints:
    sums: Ints = np.add.reduceat(track.sizes, _first_samples(track))
    return sums


def _first_samples(track: ProgressiveTrack) -> Ints:
    counts = np.asarray(track.chunks, np.int64)
    return np.cumsum(counts) - counts


def _place(interleave: Sequence[int], chunk_bytes: Sequence[Ints], offset: int) -> Iterator[Chunk]:
    following = [0] * len(chunk_bytes)
    for track in interleave:
        number = following[track]
        following[track] += 1
        size = int(chunk_bytes[track][number])
        yield Chunk(track, number, offset, size)
        offset += size


def _head(tracks: Sequence[ProgressiveTrack], offsets: Sequence[Ints], media_bytes: int) -> bytes:
    ftyp = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isom", b"iso2", b"avc1", b"mp41")
    edits = [_Edit.of(track) for track in tracks]
    traks = [
        _trak(number, track, places, edit)
        for number, (track, places, edit) in enumerate(
            zip(tracks, offsets, edits, strict=True), start=1
        )
    ]
    duration = max(edit.movie_ticks for edit in edits)
    moov = box(b"moov", mvhd(MOVIE_TIMESCALE, duration, len(tracks) + 1), *traks)
    # Always the 64-bit form of mdat: one size of head for every size of media.
    return ftyp + moov + struct.pack(">I4sQ", 1, b"mdat", media_bytes + 16)


@dataclass(frozen=True, slots=True)
class _Edit:
    """The one stretch of a track that is shown, after an optional pause."""

    offset_shift: int  # makes all composition offsets positive or 0
    media_start: int  # ticks of the track, from its first decode time
    pause_ticks: int  # of the movie
    shown_ticks: int  # of the movie

    @property
    def movie_ticks(self) -> int:
        return self.pause_ticks + self.shown_ticks

    @classmethod
    def of(cls, track: ProgressiveTrack) -> "_Edit":
        shift = max(0, -int(track.composition_offsets.min()))
        hidden = max(0, -track.start_ticks)
        ends = np.cumsum(track.durations)
        # The last picture may be one that was decoded before others.
        last = int((ends + track.composition_offsets).max())
        shown = max(int(ends[-1]), last) - hidden
        if shown <= 0:
            raise FormatError("a track that ends before the movie starts")
        return cls(
            shift,
            shift + hidden,
            _movie_ticks(max(0, track.start_ticks), track.timescale),
            # Not less by the reorder delay: players would drop the last frames.
            _movie_ticks(shown, track.timescale),
        )


def _movie_ticks(ticks: int, timescale: int) -> int:
    """Round up: an edit that ends early by a fraction would cut a sample."""
    return -(-ticks * MOVIE_TIMESCALE // timescale)


def _trak(number: int, track: ProgressiveTrack, offsets: Ints, edit: _Edit) -> bytes:
    rows = [(edit.shown_ticks, edit.media_start)]
    if edit.pause_ticks:
        rows.insert(0, (edit.pause_ticks, -1))
    lines = b"".join(struct.pack(">QqHH", *row, 1, 0) for row in rows)
    elst = full_box(b"elst", 1, 0, struct.pack(">I", len(rows)), lines)
    header = TrackHeader(
        track_id=number,
        video=track.video,
        timescale=track.timescale,
        media_ticks=int(track.durations.sum()),
        movie_ticks=edit.movie_ticks,
        width_px=track.width_px,
        height_px=track.height_px,
    )
    return trak(header, _stbl(track, offsets, edit.offset_shift), box(b"edts", elst))


def _stbl(track: ProgressiveTrack, offsets: Ints, offset_shift: int) -> bytes:
    shifted = track.composition_offsets + offset_shift
    per_chunk = np.asarray(track.chunks, np.int64)
    runs, samples = run_lengths(per_chunk)
    firsts = np.cumsum(runs) - runs + 1
    tables = [box(b"stsd", track.stsd), _table(b"stts", *run_lengths(track.durations))]
    if shifted.any():
        tables.append(_table(b"ctts", *run_lengths(shifted)))
    if not track.keyframes.all():
        tables.append(_table(b"stss", np.flatnonzero(track.keyframes) + 1))
    tables.append(_table(b"stsc", firsts, samples, np.ones_like(firsts)))
    uniform = int(track.sizes[0]) if (track.sizes == track.sizes[0]).all() else 0
    sizes = b"" if uniform else to_uint32(track.sizes).tobytes()
    tables.append(full_box(b"stsz", 0, 0, struct.pack(">II", uniform, len(track.sizes)), sizes))
    places = offsets.astype(">u8").tobytes()
    tables.append(full_box(b"co64", 0, 0, struct.pack(">I", len(offsets)), places))
    return box(b"stbl", *tables)


def _table(kind: bytes, *columns: Ints) -> bytes:
    rows = to_uint32(np.stack(columns, 1))
    return full_box(kind, 0, 0, struct.pack(">I", len(rows)), rows.tobytes())
