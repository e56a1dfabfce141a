"""A part of a source, described as if it were a source of its own.

What comes behind (grid, feed, sound, stills) then counts from the part's start. Key
frames and samples before it stay known, at negative frame numbers and times: decoding
begins there.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np

from telecine.ffmpeg.errors import MediaError
from telecine.pipeline.frame_clock import frame_numbers
from telecine.pipeline.model import PACKET_SAMPLES, AudioTrack, Probe, VideoTrack
from telecine.pipeline.sample_index import SampleIndex, SampleTrack

_HALF_MS = Fraction(1, 2)

_LATEST_S = Fraction(5, 1000)
"""Players let the first packet sound as a whole, and by what of it lies before the start
all sound is late: more than this, and it is encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """From the first picture at `start_ms` or later to the last before `end_ms`.

    Times count from the source's first picture; `end_ms` None is its end. They are
    compared in whole milliseconds, which is what timecodes and some containers have:
    a picture at 66.67 ms is at 67 ms.
    """

    start_ms: int = 0
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """Seconds of the source: where the part begins and what of it there is at most."""

    start_s: Fraction
    length_s: Fraction


def clipped(
    probe: Probe, samples: SampleIndex | None, clip: Clip
) -> tuple[Probe, SampleIndex | None]:
    """Return what `clip` leaves of a source; an end behind the source's is its end.

    Raises:
        MediaError: nothing is left.
    """
    if probe.video is None:
        return _clipped_sound(probe, samples, clip)
    video, track = probe.video, None if samples is None else samples.video
    first = _frame_at(clip.start_ms, video.frame_rate)
    end = video.frames
    if clip.end_ms is not None:
        end = min(end, _frame_at(clip.end_ms, video.frame_rate))
    if (first, end) == (0, video.frames):
        return probe, samples
    _check(clip, outside=first >= video.frames, empty=first >= end, length_s=probe.duration_s)
    part = _Part(_origin_s(video, track, first), (end - first) / video.frame_rate)
    keys = tuple(key - first for key in video.key_frames if key < end)
    obstacles = [] if first in video.key_frames else ["clip-start"]
    if track is not None:
        track, keys, whole = _clipped_samples(video, track, part, keys)
        obstacles += [] if whole else ["clip-end"]
    video = replace(
        video, start_s=video.start_s + part.start_s, frames=end - first, key_frames=keys
    )
    audio = None if probe.audio is None else _clipped_audio(probe.audio, part)
    late = audio is not None and first > 0 and _lateness_s(audio) > _LATEST_S
    changed = replace(
        probe,
        video=video,
        audio=audio,
        duration_s=part.length_s,
        video_obstacles=(*probe.video_obstacles, *obstacles),
        audio_obstacles=(*probe.audio_obstacles, *(["clip-start"] if late else [])),
    )
    if samples is None:
        return changed, None
    sound = None if samples.audio is None else _moved(samples.audio, part)
    return changed, SampleIndex(track, sound)


def _frame_at(time_ms: int, rate: Fraction) -> int:
    """Return the first frame whose time, rounded to milliseconds, is `time_ms` or later."""
    return max(0, ceil((time_ms - _HALF_MS) * rate / 1000))


def _check(clip: Clip, *, outside: bool, empty: bool, length_s: Fraction) -> None:
    start_s = clip.start_ms / 1000
    if outside:
        ends = f"the source ends at {float(length_s):.3f} s"
        raise MediaError("clip-outside", f"the clip starts at {start_s:.3f} s, {ends}")
    if empty:
        end_s = (clip.end_ms or 0) / 1000
        raise MediaError("clip-empty", f"nothing is between {start_s:.3f} s and {end_s:.3f} s")


def _origin_s(video: VideoTrack, track: SampleTrack | None, first: int) -> Fraction:
    """Return when frame `first` is shown: exactly, where a segment may begin with it."""
    if track is None:
        return first / video.frame_rate
    times = np.asarray(track.pts, dtype=np.int64) - track.zero
    if first in video.key_frames:
        keys = np.flatnonzero(track.keyframes)
        numbers = frame_numbers(times[keys], track.timescale, video.frame_rate)
        found = keys[numbers == first]
        if len(found):
            return Fraction(int(times[found[0]]), track.timescale)
    return Fraction(round(first / video.frame_rate * track.timescale), track.timescale)


def _clipped_samples(
    video: VideoTrack, track: SampleTrack, part: _Part, keys: tuple[int, ...]
) -> tuple[SampleTrack, tuple[int, ...], bool]:
    """Return the samples up to the last shown one, and the key frames on their grid.

    Also whether all of them are shown: then no picture behind the end is needed by one
    before it, and they can be copied.
    """
    rate, moved = video.frame_rate, _moved(track, part)
    times = np.asarray(moved.pts, dtype=np.int64) - moved.zero
    shown = frame_numbers(times, moved.timescale, rate) < round(part.length_s * rate)
    end = int(np.flatnonzero(shown)[-1]) + 1 if shown.any() else len(shown)
    before = np.asarray(track.pts, dtype=np.int64) - track.zero
    numbers = frame_numbers(before, track.timescale, rate)
    usable = np.asarray(track.keyframes) & np.isin(numbers, np.array(video.key_frames))
    if usable[:end].any():
        # Counted again from the new start, as segments will be: pictures of a jittery
        # clock may lie half a frame off.
        on_grid = frame_numbers(times[:end][usable[:end]], moved.timescale, rate)
        keys = tuple(np.unique(on_grid).tolist())
    kept = replace(
        moved,
        sizes=track.sizes[:end],
        offsets=track.offsets[:end],
        dts=track.dts[:end],
        pts=track.pts[:end],
        keyframes=track.keyframes[:end],
    )
    return kept, keys, bool(shown[:end].all())


def _lateness_s(audio: AudioTrack) -> Fraction:
    """Return how much of the packet that covers our time 0 lies before it."""
    return max(Fraction(0), -audio.start_s) % Fraction(PACKET_SAMPLES, audio.sample_rate_hz)


def _moved(track: SampleTrack, part: _Part) -> SampleTrack:
    return replace(track, zero_ticks=track.zero_ticks + part.start_s * track.timescale)


def _clipped_sound(
    probe: Probe, samples: SampleIndex | None, clip: Clip
) -> tuple[Probe, SampleIndex | None]:
    track = probe.audio
    if track is None:
        return probe, samples
    start_s = Fraction(clip.start_ms, 1000)
    end_s = probe.duration_s
    if clip.end_ms is not None:
        end_s = min(end_s, Fraction(clip.end_ms, 1000))
    if not start_s and end_s == probe.duration_s:
        return probe, samples
    outside = start_s >= probe.duration_s
    _check(clip, outside=outside, empty=start_s >= end_s, length_s=probe.duration_s)
    part = _Part(start_s, end_s - start_s)
    audio = replace(_clipped_audio(track, part), zero_s=track.zero_s + start_s)
    changed = replace(probe, audio=audio, duration_s=part.length_s)
    if samples is None or samples.audio is None:
        return changed, samples
    return changed, SampleIndex(None, _moved(samples.audio, part))


def _clipped_audio(track: AudioTrack, part: _Part) -> AudioTrack:
    """Return sound that ends with the part; what lies before it stays, at negative times."""
    start_s = track.start_s - part.start_s
    duration_s = max(Fraction(0), min(track.duration_s, part.length_s - start_s))
    packets = track.packets
    if packets is not None:
        packets = min(packets, ceil(duration_s * track.sample_rate_hz / PACKET_SAMPLES))
    return replace(track, start_s=start_s, duration_s=duration_s, packets=packets)
