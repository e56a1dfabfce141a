"""Cuts the samples that an encode needs out of an MP4, and feeds them to ffmpeg.

ffmpeg then neither seeks nor reads the file: it gets fragmented MP4 from the key frame
before the first wanted picture to the last sample that can be shown.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from telecine.formats.mp4.fragment import Samples, mdat_header, moof, video_init
from telecine.pipeline import argv
from telecine.pipeline.frame_clock import frame_numbers
from telecine.pipeline.model import Plan, Probe
from telecine.pipeline.passthrough import joined_ranges
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.sample_index import SampleIndex, SampleTrack

Ints = npt.NDArray[np.int64]

_BATCH_BYTES = 2 << 20
_BATCH_SAMPLES = 64
_JOIN_GAP_BYTES = 64 << 10
"""Sound that lies between the pictures: cheaper to read than to skip."""


class FeedError(Exception):
    """The source does not give the bytes that its index promises."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Samples [first, end) in decode order, and their times as they are fed.

    libavformat adds the largest negative composition offset to every pts, so offsets
    are made positive here; `shift_ticks` takes that and the start back again.
    """

    track: SampleTrack
    first: int
    end: int
    dts: Ints
    end_ticks: int  # of the last picture, on the clock of `dts`
    composition_offsets: Ints
    shift_ticks: int
    start_frame: int


def excerpt(
    samples: SampleIndex,
    plan: Plan,
    first_frame: int,
    end_frame: int,
    earlier_keys: int = 0,
    later_keys: int = 0,
) -> Excerpt:
    """Choose what is needed to show frames [first, end), and some key frames more.

    Raises:
        FeedError: the source has no video samples.
    """
    track = samples.video
    if track is None or not len(track):
        raise FeedError("the source has no video samples")
    pts = np.asarray(track.pts, dtype=np.int64) - track.zero
    keys = np.flatnonzero(track.keyframes)
    # A picture is shown at the frame nearest to its time: so is its key frame.
    numbers = frame_numbers(pts[keys], track.timescale, plan.frame_rate)
    usable = keys[numbers <= first_frame]
    at = max(0, len(usable) - 1 - earlier_keys)
    first = int(usable[at]) if len(usable) else 0
    until = float(Fraction(end_frame) / plan.frame_rate * track.timescale)
    shown = np.flatnonzero(pts[first:] < until)
    end = first + int(shown[-1]) + 1 if len(shown) else first + 1
    if later_keys:
        # Up to the key frame behind the last one that is wanted, or to the end.
        later = keys[np.searchsorted(keys, end) :][later_keys : later_keys + 1]
        end = int(later[0]) if len(later) else len(pts)
        until = max(until, float(pts[first:end].max()) + 1)
    # Times of decoding that run backwards would wrap around in a fragment.
    dts = np.maximum.accumulate(np.asarray(track.dts[first:end], dtype=np.int64)) - track.zero
    offsets = pts[first:end] - dts
    late = max(0, -int(offsets.min()))
    start = int(dts[0])
    return Excerpt(
        track=track,
        first=first,
        end=end,
        dts=dts - start,
        # The last picture lasts until the excerpt ends, or it would not be shown at all
        # where nothing comes behind it.
        end_ticks=max(int(dts[-1]) + 1, round(until)) - start,
        composition_offsets=offsets + late,
        shift_ticks=start - late,
        start_frame=max(0, int(numbers[at])) if len(usable) else 0,
    )


def given(
    source: SourceReader,
    samples: SampleIndex | None,
    probe: Probe,
    plan: Plan,
    frames: tuple[int, int],
    reach: tuple[int, int],
) -> tuple[AsyncIterator[bytes] | None, argv.Fed | argv.Whole, bool]:
    """Return what ffmpeg is fed, how it reads that, and whether it is the source's beginning.

    `frames` [first, end) are shown; `reach`: as of `argv.REACHES`. Without `samples` it reads
    the source itself, which must be a local file of pictures.

    Raises:
        FeedError: the source has no video samples.
    """
    first_frame, end_frame = frames
    if samples is not None:
        chosen = excerpt(samples, plan, first_frame, end_frame, *reach)
        fed = argv.Fed(chosen.shift_ticks, chosen.start_frame)
        return feed_excerpt(source, chosen), fed, chosen.first == 0
    if source.local_path is None or probe.video is None:
        raise ValueError("without a sample index the source must be a local file of pictures")
    whole = argv.whole_input(probe.video, probe.container, first_frame, reach[0])
    return None, whole, whole.seek_s is None


async def feed(
    source: SourceReader, samples: SampleIndex, first_frame: int, end_frame: int, plan: Plan
) -> AsyncIterator[bytes]:
    """Yield fragmented MP4 that shows frames [first, end) of the plan."""
    async for data in feed_excerpt(source, excerpt(samples, plan, first_frame, end_frame)):
        yield data


async def feed_excerpt(source: SourceReader, chosen: Excerpt) -> AsyncIterator[bytes]:
    """Yield the init segment and the fragments of an excerpt.

    Raises:
        FeedError: the source ends early.
    """
    track = chosen.track
    yield video_init(
        track.stsd, timescale=track.timescale, width_px=track.width_px, height_px=track.height_px
    )
    sizes = track.sizes[chosen.first : chosen.end].astype(np.int64)
    durations = np.diff(chosen.dts, append=chosen.end_ticks)
    start, sequence = 0, 1
    while start < len(sizes):
        end = _batch_end(sizes, start)
        batch = Samples(
            sizes=sizes[start:end],
            durations=durations[start:end],
            composition_offsets=chosen.composition_offsets[start:end],
            keyframes=np.asarray(
                track.keyframes[chosen.first + start : chosen.first + end], dtype=np.bool_
            ),
        )
        yield moof(sequence, int(chosen.dts[start]), batch, video=True)
        yield mdat_header(batch.payload_bytes)
        for data in await _payload(source, track, chosen.first + start, chosen.first + end):
            yield data
        start, sequence = end, sequence + 1


def _batch_end(sizes: Ints, start: int) -> int:
    """A fragment is large enough for few reads, small enough for little memory."""
    window = np.cumsum(sizes[start : start + _BATCH_SAMPLES])
    return start + max(1, int(np.searchsorted(window, _BATCH_BYTES, side="right")))


async def _payload(source: SourceReader, track: SampleTrack, start: int, end: int) -> list[bytes]:
    ranges = joined_ranges(track, start, end)
    reads: list[tuple[int, int]] = []
    for offset, size in ranges:
        if reads and 0 <= offset - sum(reads[-1]) <= _JOIN_GAP_BYTES:
            reads[-1] = (reads[-1][0], offset + size - reads[-1][0])
        else:
            reads.append((offset, size))
    parts: list[bytes] = []
    remaining = iter(ranges)
    offset, size = next(remaining)
    for read_offset, read_size in reads:
        data = memoryview(await source.read(read_offset, read_size))
        if len(data) != read_size:
            raise FeedError(f"{len(data)} bytes of {read_size} at {read_offset}")
        while read_offset <= offset and offset + size <= read_offset + read_size:
            parts.append(bytes(data[offset - read_offset : offset - read_offset + size]))
            following = next(remaining, None)
            if following is None:
                return parts
            offset, size = following
    return parts
