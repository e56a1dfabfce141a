"""Whether a stored rendition is what plan and playlists promise (pure).

Told from its bytes alone: the init segment, the `moof` of every fragment, and how each
fragment's payload begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from telecine.formats.codecs import aac
from telecine.formats.errors import FormatError
from telecine.formats.mp4.fragment import Moof, read_init
from telecine.pipeline.bitstream import codecs_of, coded_size, encoded_codecs, key_frame_test
from telecine.pipeline.model import TIMESCALE, Plan, VideoRendition

HEAD_BYTES = 4096
"""Of each payload: enough for parameter sets and messages before the first picture."""

LATEST_AUDIO_S = Fraction(1, 10)
"""Sound may end this much and a packet behind the last picture, never more."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it is kept, and the figures behind the verdict."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Track:
    """What is stored of a rendition. Lists by fragment; a fragment is `moof` and `mdat`."""

    init: bytes
    moofs: Sequence[Moof]
    sizes: Sequence[int]  # bytes of each, boxes included
    heads: Sequence[bytes]  # the first bytes of each payload; empty: not looked at


@dataclass(frozen=True, slots=True)
class Rates:
    """What the master playlist says of a rendition without its sound, bit/s."""

    peak_bps: int
    average_bps: int


def check_video(
    plan: Plan, rendition: VideoRendition, track: Track, declared: Rates
) -> list[Check]:
    """Check a complete video rendition: of ours by piece, of the source by segment."""
    if rendition.passthrough:
        cuts = [plan.piece_cuts[piece] for piece in plan.segment_pieces]
        edges = list(range(plan.segments + 1))
    else:
        cuts, edges = list(plan.piece_cuts), list(plan.segment_pieces)
    starts = [plan.ticks(cut) for cut in cuts]
    if len(track.moofs) != len(cuts) - 1:
        return [Check("fragments", False, f"{len(track.moofs)} of {len(cuts) - 1}")]
    tolerance = 0
    if rendition.passthrough:  # key frames lie where the source has them
        tolerance = int(TIMESCALE / plan.frame_rate / 2) + 1
    segment_starts = [plan.ticks(plan.piece_cuts[piece]) for piece in plan.segment_pieces]
    return [
        _frames(rendition, track, cuts),
        _starts(track, starts, tolerance),
        _decoding(track, TIMESCALE, starts[-1], tolerance),
        _presentation(track),
        _key_frames(track),
        _video_codec(rendition, track),
        *_rates(track, edges, [Fraction(tick, TIMESCALE) for tick in segment_starts], declared),
    ]


def check_audio(plan: Plan, track: Track, declared: Rates) -> list[Check]:
    """Check the complete audio rendition, and how it lies beside the pictures."""
    audio = plan.audio
    if audio is None:
        raise ValueError("the plan has no audio")
    starts = [audio.start_samples(packet) for packet in audio.segment_packets]
    if len(track.moofs) != plan.segments:
        return [Check("fragments", False, f"{len(track.moofs)} of {plan.segments}")]
    counts = [len(moof.samples) for moof in track.moofs]
    planned = [end - first for first, end in pairwise(audio.segment_packets)]
    wrong = [number for number, count in enumerate(counts) if count != planned[number]]
    times_s = [Fraction(start, audio.sample_rate_hz) for start in starts]
    checks = [
        Check("frames", not wrong, _told(wrong, f"{sum(counts)} packets of {sum(planned)}")),
        _starts(track, starts, 0),
        _decoding(track, audio.sample_rate_hz, starts[-1], 0),
        _audio_codec(audio.codecs, track),
        *_rates(track, list(range(plan.segments + 1)), times_s, declared),
    ]
    if plan.frames:
        checks.append(_beside(plan, track, audio.sample_rate_hz))
    return checks


def _told(wrong: Sequence[int], fine: str) -> str:
    """Return the figures, and the first few fragments that break the promise."""
    if not wrong:
        return fine
    first = ", ".join(map(str, wrong[:5]))
    return f"{fine}; wrong in {len(wrong)} fragments, the first: {first}"


def _frames(rendition: VideoRendition, track: Track, cuts: Sequence[int]) -> Check:
    counts = [len(moof.samples) for moof in track.moofs]
    if rendition.passthrough:
        # The source's own pictures: their number is what it is, none may be empty.
        wrong = [number for number, count in enumerate(counts) if count == 0]
        return Check("frames", not wrong, _told(wrong, f"{sum(counts)} of the source"))
    step = rendition.rate_divisor
    planned = [len(range(-(-first // step) * step, end, step)) for first, end in pairwise(cuts)]
    wrong = [number for number, count in enumerate(counts) if count != planned[number]]
    return Check("frames", not wrong, _told(wrong, f"{sum(counts)} of {sum(planned)}"))


def _starts(track: Track, starts: Sequence[int], tolerance: int) -> Check:
    """Each fragment begins at its time of the plan (`tfdt`)."""
    off = [abs(moof.decode_time - start) for moof, start in zip(track.moofs, starts, strict=False)]
    wrong = [number for number, ticks in enumerate(off) if ticks > tolerance]
    return Check("starts", not wrong, _told(wrong, f"off by {max(off, default=0)} ticks at most"))


def _decoding(track: Track, timescale: int, end: int, tolerance: int) -> Check:
    """Decode times rise by more than nothing, without gap or overlap at the seams."""
    wrong, gap = [], 0
    ends = [moof.decode_time + moof.samples.ticks for moof in track.moofs]
    follows = [*(moof.decode_time for moof in track.moofs[1:]), end]
    for number, moof in enumerate(track.moofs):
        slack = tolerance if number == len(ends) - 1 else 0
        gap = max(gap, abs(ends[number] - follows[number]))
        if (moof.samples.durations <= 0).any() or abs(ends[number] - follows[number]) > slack:
            wrong.append(number)
    return Check("decoding order", not wrong, _told(wrong, f"gaps of {gap}/{timescale} s at most"))


def _presentation(track: Track) -> Check:
    """Pictures have times of their own, and none leaves the fragment it is in."""
    wrong = []
    for number, moof in enumerate(track.moofs):
        pts = np.sort(_pts(moof))
        begin, end = moof.decode_time, moof.decode_time + moof.samples.ticks
        inside = len(pts) > 0 and pts[0] == begin and pts[-1] < end
        if not inside or (np.diff(pts) <= 0).any():
            wrong.append(number)
    return Check("presentation order", not wrong, _told(wrong, f"{len(track.moofs)} fragments"))


def _pts(moof: Moof) -> Ints:
    samples = moof.samples
    decoded = moof.decode_time + np.cumsum(samples.durations) - samples.durations
    times: Ints = (decoded + samples.composition_offsets).astype(np.int64)
    return times


def _key_frames(track: Track) -> Check:
    """Each fragment begins with a key frame (IDR), in its table and in its bytes."""
    wrong = []
    try:
        begins_with_key = key_frame_test(read_init(track.init).stsd)
    except FormatError as error:
        return Check("key frames", False, f"unreadable: {error}")
    for number, (moof, head) in enumerate(zip(track.moofs, track.heads, strict=True)):
        if not moof.samples.keyframes[:1].any() or not begins_with_key(head):
            wrong.append(number)
    return Check("key frames", not wrong, _told(wrong, f"{len(track.moofs)} fragments"))


def _video_codec(rendition: VideoRendition, track: Track) -> Check:
    """Profile, level and size are those that the playlist named before the encode."""
    try:
        init = read_init(track.init)
        made = codecs_of(init.stsd) if rendition.passthrough else encoded_codecs(init.stsd)
        coded_px = coded_size(init.stsd)
    except FormatError as error:
        return Check("codecs", False, f"unreadable: {error}")
    told = f"{made}, {init.width_px}x{init.height_px}, {coded_px[0]}x{coded_px[1]} coded"
    right = made == rendition.codecs and init.timescale == TIMESCALE
    right = right and (init.width_px, init.height_px) == rendition.size_px
    return Check("codecs", right, told)


def _audio_codec(codecs: str, track: Track) -> Check:
    try:
        made = aac.codecs_string(aac.parse_esds(read_init(track.init).stsd))
    except FormatError as error:
        return Check("codecs", False, f"unreadable: {error}")
    return Check("codecs", made == codecs, made)


def _rates(
    track: Track, edges: Sequence[int], starts_s: Sequence[Fraction], declared: Rates
) -> list[Check]:
    """BANDWIDTH holds for every segment, AVERAGE-BANDWIDTH for the whole (RFC 8216bis, 4.4.6.2)."""
    totals = np.concatenate([[0], np.cumsum(np.asarray(track.sizes, dtype=np.int64))])
    rates_bps = [
        int(totals[end] - totals[first]) * 8 / (after - before)
        for (first, end), (before, after) in zip(pairwise(edges), pairwise(starts_s), strict=True)
    ]
    peak_bps = round(max(rates_bps))
    average_bps = round(int(totals[-1]) * 8 / (starts_s[-1] - starts_s[0]))
    peak = f"{peak_bps} bit/s at most, {declared.peak_bps} declared"
    average = f"{average_bps} bit/s, {declared.average_bps} declared"
    near = abs(average_bps - declared.average_bps) <= max(1, average_bps // 100)
    return [
        Check("bandwidth", peak_bps <= declared.peak_bps + 1, peak),
        Check("average bandwidth", near, average),
    ]


def _beside(plan: Plan, track: Track, rate_hz: int) -> Check:
    """Sound begins with the first picture and does not outlast the last one by much."""
    last = track.moofs[-1]
    start_s = Fraction(track.moofs[0].decode_time, rate_hz)
    end_s = Fraction(last.decode_time + last.samples.ticks, rate_hz)
    late_s = end_s - Fraction(plan.frames) / plan.frame_rate
    start_ms, late_ms = float(start_s * 1000), float(late_s * 1000)
    told = f"begins {start_ms:.1f} ms after the pictures, ends {late_ms:.1f} ms after them"
    right = start_s == 0 and late_s <= LATEST_AUDIO_S + Fraction(2 * 1024, rate_hz)
    return Check("audio offset", right, told)
