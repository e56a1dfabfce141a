"""Segments that are cut out of the source, byte for byte."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from telecine.formats.codecs.aac import parse_esds, stsd_of
from telecine.formats.mp4 import fragment
from telecine.formats.mp4.fragment import Samples
from telecine.formats.mp4.moofs import moofs
from telecine.pipeline.frame_clock import frame_numbers
from telecine.pipeline.model import PACKET_SAMPLES, TIMESCALE, AudioRendition, Plan
from telecine.pipeline.sample_index import SampleIndex, SampleTrack
from telecine.pipeline.segment_index import (
    CopiedSegment,
    SegmentIndex,
    SegmentIndexError,
    write_index,
)

__all__ = [
    "CopiedSegment",
    "SegmentIndex",
    "SegmentIndexError",
    "audio_init",
    "segment_index",
    "video_init",
]

Ints = npt.NDArray[np.int64]


def video_init(samples: SampleIndex) -> bytes:
    """Return the init segment of the copied video."""
    track = _track(samples, "video")
    return fragment.video_init(
        track.stsd, timescale=TIMESCALE, width_px=track.width_px, height_px=track.height_px
    )


def audio_init(samples: SampleIndex) -> bytes:
    """Return the init segment of the copied audio, with a plain sample entry."""
    config = parse_esds(_track(samples, "audio").stsd)
    rate_hz, channels = config.sample_rate_hz, config.channels
    stsd = stsd_of(config.specific, sample_rate_hz=rate_hz, channels=channels)
    return fragment.audio_init(stsd, timescale=rate_hz)


def segment_index(plan: Plan, samples: SampleIndex, kind: str) -> bytes:
    """Return the object of all segments of the copied `kind`: "video" or "audio".

    Raises:
        SegmentIndexError: the plan was not made for these samples.
    """
    track = _track(samples, kind)
    if kind == "video":
        return _write(TIMESCALE, track, *_video_samples(plan, track))
    if plan.audio is None:
        raise SegmentIndexError("the plan has no audio")
    return _write(plan.audio.sample_rate_hz, track, *_audio_samples(plan.audio))


def _track(samples: SampleIndex, kind: str) -> SampleTrack:
    track = samples.video if kind == "video" else samples.audio
    if track is None:
        raise SegmentIndexError(f"the source has no {kind} samples")
    return track


@dataclass(frozen=True, slots=True)
class _Timing:
    """Times of the samples up to the last served one, in ticks of the rendition."""

    pts: Ints
    dts: Ints
    end: int
    video: bool


def _video_samples(plan: Plan, track: SampleTrack) -> tuple[list[int], _Timing]:
    """Return the first sample of each segment (and the end) and their times.

    A segment's decode times are its presentation times in ascending order: they begin
    with the first pts, as `tfdt` must, end before the next segment and never run
    backwards, whatever the source's own decode times do.
    """
    keys = np.flatnonzero(track.keyframes)
    ticks = np.asarray(track.pts, dtype=np.int64) - track.zero
    numbers = frame_numbers(ticks[keys], track.timescale, plan.frame_rate)
    # Several keys may share a frame number: the first in decode order counts.
    first_of = dict(zip(numbers[::-1].tolist(), keys[::-1].tolist(), strict=True))
    cuts = [plan.piece_cuts[piece] for piece in plan.segment_pieces]
    try:
        bounds = [first_of[cut] for cut in cuts[:-1]] + [len(track)]
    except KeyError as error:
        raise SegmentIndexError(f"no key frame at frame {error.args[0]}") from error
    pts = (ticks * (2 * TIMESCALE) + track.timescale) // (2 * track.timescale)
    dts = pts.copy()
    for start, end in pairwise(bounds):
        dts[start:end].sort()
    return bounds, _Timing(pts, dts, plan.ticks(plan.frames), video=True)


def _audio_samples(audio: AudioRendition) -> tuple[list[int], _Timing]:
    packets = np.arange(audio.source_packet + audio.packets, dtype=np.int64)
    starts = (packets - audio.source_packet - 1) * PACKET_SAMPLES + audio.first_packet_samples
    starts[audio.source_packet] = 0
    bounds = [audio.source_packet + packet for packet in audio.segment_packets]
    return bounds, _Timing(starts, starts, audio.start_samples(audio.packets), video=False)


def _write(timescale: int, track: SampleTrack, bounds: Sequence[int], timing: _Timing) -> bytes:
    if bounds[-1] > len(track) or any(start >= end for start, end in pairwise(bounds)):
        raise SegmentIndexError("the segments of the plan do not fit the source")
    # Each sample lasts until the next is decoded, the last of a segment until the next
    # segment begins: rounded times never add up to a drift.
    durations = np.append(timing.dts[1:], timing.end) - timing.dts
    if (durations[bounds[0] :] <= 0).any():
        raise SegmentIndexError("two samples have the same time")
    served = slice(bounds[0], bounds[-1])
    decode_times = timing.dts[bounds[:-1]].tolist()
    samples = Samples(
        sizes=track.sizes[served].astype(np.int64),
        durations=durations[served],
        composition_offsets=(timing.pts - timing.dts)[served],
        keyframes=np.asarray(track.keyframes[served], dtype=np.bool_),
    )
    edges = [bound - bounds[0] for bound in bounds]
    heads = moofs(1, decode_times, samples, edges, video=timing.video)
    ranges, firsts = _segment_ranges(track, bounds)
    return write_index(timescale, heads, ranges, firsts, [*decode_times, timing.end])


def _segment_ranges(track: SampleTrack, bounds: Sequence[int]) -> tuple[Ints, Ints]:
    """Return the (offset, size) of all ranges in the source, and the first of each segment.

    For two hours of interleaved media they are hundreds of thousands: no Python per range.
    """
    first, end = bounds[0], bounds[-1]
    offsets = track.offsets[first:end].astype(np.int64)
    ends = offsets + track.sizes[first:end]
    begins = np.ones(len(offsets), dtype=np.bool_)
    begins[1:] = offsets[1:] != ends[:-1]
    begins[np.asarray(bounds[:-1]) - first] = True
    firsts = np.flatnonzero(begins)
    lasts = np.append(firsts[1:], len(offsets)) - 1
    ranges = np.stack((offsets[firsts], ends[lasts] - offsets[firsts]), axis=1)
    return ranges, np.searchsorted(firsts, np.asarray(bounds) - first)


def joined_ranges(track: SampleTrack, start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return (offset, size) of samples [start, end) in the source, neighbours joined."""
    offsets = track.offsets[start:end].astype(np.int64)
    ends = offsets + track.sizes[start:end]
    breaks = np.flatnonzero(offsets[1:] != ends[:-1]) + 1
    firsts = offsets[np.concatenate(([0], breaks))].tolist()
    lasts = ends[np.append(breaks - 1, len(offsets) - 1)].tolist()
    return tuple((first, last - first) for first, last in zip(firsts, lasts, strict=True))
