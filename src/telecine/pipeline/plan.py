"""From what is known of a source to everything about its renditions.

A pure function: the same probe and options give the same plan on every machine, so
a plan can be tested as a value and jobs can run anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil

from telecine.pipeline import grid
from telecine.pipeline.extra import extra_renditions
from telecine.pipeline.ladder import (
    Rung,
    encoded_rendition,
    max_rate_bps,
    rungs_for,
    source_rendition,
)
from telecine.pipeline.model import (
    PACKET_SAMPLES,
    PLAN_VERSION,
    TIMESCALE,
    AudioRendition,
    AudioTrack,
    Plan,
    Probe,
    VideoRendition,
    VideoTrack,
)
from telecine.pipeline.watermark import Watermark

LONGEST_COPIED_S = Fraction(21, 2)
"""x264's default GOP of 250 frames at 24 Hz; longer segments make switching slow."""

ENCODED_AUDIO_HZ = 48_000
ENCODED_AUDIO_BPS = 128_000
ENCODED_AUDIO_CHANNELS = 2
AAC_LC = "mp4a.40.2"

AUDIO_TAIL_S = Fraction(1, 10)
"""Audio is cut this long after the last picture."""

AUDIO_MISSING_S = Fraction(1, 2)
"""Audio that ends more than this before the picture is encoded, with silence behind."""

_MEAN_FACTOR = Fraction(3, 2)
_PEAK_FACTOR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the owner of a video wants."""

    limit_s: int | None = None  # cut to this length (sandbox)
    watermarked: bool = False  # pictures change: nothing can be copied
    watermarks: tuple[Watermark, ...] = ()  # likewise
    passthrough: bool = True
    max_height_px: int | None = None  # of the short side
    extra_codecs: tuple[str, ...] = ()  # beside H.264: "hevc", "av1"


def plan(probe: Probe, options: PlanOptions = PlanOptions()) -> Plan:
    """Decide everything about the renditions of a source.

    Raises:
        ValueError: there is neither video nor audio.
    """
    if probe.video is not None:
        return _plan_video(probe, probe.video, options)
    if probe.audio is not None:
        return _plan_audio_only(probe, probe.audio, options)
    raise ValueError("a source without video and audio cannot be planned")


def passthrough_obstacles(probe: Probe, options: PlanOptions) -> tuple[str, ...]:
    """Return why the video cannot be served as it is; empty: it can."""
    video = probe.video
    if video is None:
        return ("no-video",)
    obstacles = list(probe.video_obstacles)
    if not options.passthrough:
        obstacles.append("not-wanted")
    if options.watermarked or options.watermarks:
        obstacles.append("watermark")
    if planned_frames(video, options) < video.frames:
        obstacles.append("shortened")
    if not probe.indexed or video.codecs is None:
        obstacles.append("not-indexed")
    rung = rungs_for(video)[-1]
    if options.max_height_px is not None and video_short_px(video) > options.max_height_px:
        obstacles.append("too-large")
    cap_bps = max_rate_bps(video.frame_rate, rung)
    if video.mean_bps > _MEAN_FACTOR * cap_bps or video.peak_bps > _PEAK_FACTOR * cap_bps:
        obstacles.append("rate-too-high")
    cuts = grid.key_cuts(video.key_frames, video.frames, video.frame_rate)
    if grid.longest_s(cuts, video.frame_rate) > LONGEST_COPIED_S:
        obstacles.append("key-frames-too-rare")
    return tuple(dict.fromkeys(obstacles))


def video_short_px(video: VideoTrack) -> int:
    """Return the short side of a source as shown."""
    return min(video.width_px, video.height_px)


def _plan_video(probe: Probe, video: VideoTrack, options: PlanOptions) -> Plan:
    rate, frames = video.frame_rate, planned_frames(video, options)
    rungs = rungs_for(video, max_height_px=options.max_height_px)
    copied = not passthrough_obstacles(probe, options)
    renditions = _renditions(video, rungs, copied=copied)
    # Cuts that are ours lie on frames that half-rate renditions have, too.
    step = max(rendition.rate_divisor for rendition in renditions)
    if copied:
        cuts = grid.key_cuts(video.key_frames, frames, rate)
    else:
        cuts = grid.fine_cuts(frames, rate, step)
    pieces, firsts = grid.split(cuts, rate, step)
    audio = None
    if probe.audio is not None:
        audio = _audio(probe, probe.audio, [cut / rate for cut in cuts])
    return Plan(
        version=PLAN_VERSION,
        frame_rate=rate,
        frames=frames,
        piece_cuts=pieces,
        segment_pieces=firsts,
        chunk_segments=grid.chunks(cuts, rate),
        renditions=renditions,
        audio=audio,
        target_duration_s=target_duration_s(cuts, rate, audio),
        width_px=video.width_px,
        height_px=video.height_px,
        watermarked=options.watermarked,
        watermarks=options.watermarks,
        extra=extra_renditions(video, rungs, options.extra_codecs),
    )


def planned_frames(video: VideoTrack, options: PlanOptions) -> int:
    """Return how many frames of a source are kept."""
    if options.limit_s is None:
        return video.frames
    return max(1, min(video.frames, round(options.limit_s * video.frame_rate)))


def _renditions(
    video: VideoTrack, rungs: Sequence[Rung], *, copied: bool
) -> tuple[VideoRendition, ...]:
    top = rungs[-1]
    below = tuple(encoded_rendition(video, rung) for rung in rungs[:-1])
    last = source_rendition(video, top) if copied else encoded_rendition(video, top)
    return (*below, last)


def _plan_audio_only(probe: Probe, track: AudioTrack, options: PlanOptions) -> Plan:
    duration_s = track.start_s + track.duration_s
    if options.limit_s is not None:
        duration_s = min(duration_s, Fraction(options.limit_s))
    # The fine grid, in ticks instead of frames.
    ticks = max(1, round(duration_s * TIMESCALE))
    cuts = [Fraction(cut, TIMESCALE) for cut in grid.fine_cuts(ticks, Fraction(TIMESCALE))]
    audio = _audio(probe, track, cuts)
    return Plan(
        version=PLAN_VERSION,
        frame_rate=Fraction(1),
        frames=0,
        piece_cuts=(),
        segment_pieces=(),
        chunk_segments=(),
        renditions=(),
        audio=audio,
        target_duration_s=target_duration_s((), Fraction(1), audio),
        width_px=0,
        height_px=0,
    )


def _audio(probe: Probe, track: AudioTrack, cuts_s: Sequence[Fraction]) -> AudioRendition:
    if track.packets and not audio_obstacles(probe, cuts_s[-1]):
        copied = _copied_audio(track, track.packets, cuts_s)
        if all(start < end for start, end in pairwise(copied.segment_packets)):
            return copied
    return encoded_audio(cuts_s)


def audio_obstacles(probe: Probe, end_s: Fraction) -> tuple[str, ...]:
    """Return why the audio of a timeline [0, end) cannot be copied; empty: it can."""
    track = probe.audio
    if track is None:
        return ("no-audio",)
    obstacles = list(probe.audio_obstacles)
    if not probe.indexed or not track.packets:
        obstacles.append("not-indexed")
    if track.start_s * track.sample_rate_hz > PACKET_SAMPLES:
        obstacles.append("starts-late")
    heard_s = track.start_s + track.duration_s
    if heard_s < end_s - AUDIO_MISSING_S or heard_s <= 0:
        obstacles.append("ends-early")
    return tuple(dict.fromkeys(obstacles))


def _copied_audio(
    track: AudioTrack, source_packets: int, cuts_s: Sequence[Fraction]
) -> AudioRendition:
    """Keep the packets from the one that covers time 0 to just after the last picture."""
    rate_hz = track.sample_rate_hz
    start = round(track.start_s * rate_hz)  # of the source's packet 0, in samples
    skipped = max(0, -start) // PACKET_SAMPLES
    first_samples = start + (skipped + 1) * PACKET_SAMPLES

    def first_from(time_s: Fraction) -> int:
        """The first served packet that starts at `time_s` or later."""
        samples, of = time_s.numerator * rate_hz, time_s.denominator
        if samples <= 0:
            return 0
        # Rounded up, in whole numbers: there are thousands of cuts.
        return max(1, 1 - (first_samples * of - samples) // (PACKET_SAMPLES * of))

    packets = min(source_packets - skipped, first_from(cuts_s[-1] + AUDIO_TAIL_S))
    firsts = [min(first_from(cut), packets) for cut in cuts_s[:-1]]
    return AudioRendition(
        passthrough=True,
        codecs=track.codecs or AAC_LC,
        sample_rate_hz=rate_hz,
        channels=track.channels,
        bit_rate_bps=track.mean_bps or ENCODED_AUDIO_BPS,
        packets=packets,
        segment_packets=(*firsts, packets),
        source_packet=skipped,
        first_packet_samples=first_samples,
    )


def encoded_audio(cuts_s: Sequence[Fraction]) -> AudioRendition:
    """Audio that we make covers the whole timeline, with silence where there is none."""
    firsts = [ceil(cut * ENCODED_AUDIO_HZ / PACKET_SAMPLES) for cut in cuts_s]
    for index in range(1, len(firsts)):
        firsts[index] = max(firsts[index], firsts[index - 1] + 1)
    return AudioRendition(
        passthrough=False,
        codecs=AAC_LC,
        sample_rate_hz=ENCODED_AUDIO_HZ,
        channels=ENCODED_AUDIO_CHANNELS,
        bit_rate_bps=ENCODED_AUDIO_BPS,
        packets=firsts[-1],
        segment_packets=tuple(firsts),
    )


def target_duration_s(cuts: Sequence[int], rate: Fraction, audio: AudioRendition | None) -> int:
    """Return the one EXT-X-TARGETDURATION of an asset (RFC 8216bis, 4.4.3.1).

    Every EXTINF, rounded to the nearest second, is at most that.
    """
    longest_s = grid.longest_s(cuts, rate)
    if audio is not None:
        starts = [audio.start_samples(packet) for packet in audio.segment_packets]
        longest = max(end - start for start, end in pairwise(starts))
        longest_s = max(longest_s, Fraction(longest, audio.sample_rate_hz))
    return max(1, int(longest_s + Fraction(1, 2)))
