"""From the sample index of an MP4 or MOV to a probe: no demuxer, no decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from telecine.formats.mp4.index import MovieIndex, Track
from telecine.pipeline import grid
from telecine.pipeline.frame_clock import FrameClock, frame_clock, frame_numbers
from telecine.pipeline.limits import UnplayableError, check_rate, check_size
from telecine.pipeline.model import PACKET_SAMPLES, AudioTrack, Probe, VideoTrack
from telecine.pipeline.sample_index import SampleIndex, SampleTrack
from telecine.pipeline.track_facts import PictureFacts, SoundFacts, aac_facts, avc_facts

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MAX_TIMESCALE = 100_000_000  # 24 hours of it, times 120,000, fit 63 bits
_LONGEST_PICTURE_S = 1
_MAX_COPIED_HZ = Fraction(121, 2)
_IRREGULAR_S = 0.02
_MEDIAN_OF = 1000

# One still picture as a video track is cover art; many are Motion JPEG.
_STILLS = frozenset(("jpeg", "png ", "mjpa", "mjpb"))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tracks that are played, and their place among those of their kind."""

    video: Track | None
    video_ordinal: int
    audio: Track | None
    audio_ordinal: int

    @property
    def rearranged(self) -> bool:
        """Tell whether an edit list shows another film than the tables have."""
        tracks = (self.video, self.audio)
        return any(track is not None and track.rearranged for track in tracks)


def choose(index: MovieIndex) -> Chosen:
    """Pick the first enabled video and audio track. Raises UnplayableError."""
    video_ordinal, video = _first([t for t in index.tracks if t.kind == "video"])
    audio_ordinal, audio = _first([t for t in index.tracks if t.kind == "audio"])
    for track in (video, audio):
        if track is not None and track.encrypted:
            raise UnplayableError("encrypted", "the media is protected by DRM")
    if video is not None:
        check_size(video.width_px, video.height_px)
    if video is not None and video.dolby_vision_profile == 5:
        raise UnplayableError("dolby-vision", "profile 5 has no base layer that we can show")
    return Chosen(video, video_ordinal, audio, audio_ordinal)


def _first(tracks: Sequence[Track]) -> tuple[int, Track | None]:
    usable = [
        (ordinal, track)
        for ordinal, track in enumerate(tracks)
        if track.kind == "audio" or len(track.sizes) > (track.sample_entry in _STILLS)
    ]
    enabled = [(ordinal, track) for ordinal, track in usable if track.enabled]
    return next(iter(enabled or usable), (0, None))


def known_facts(chosen: Chosen) -> tuple[PictureFacts | None, SoundFacts | None]:
    """Return what the index alone tells; None for a track that a decoder must explain."""
    picture = avc_facts(chosen.video) if chosen.video is not None else None
    sound = aac_facts(chosen.audio) if chosen.audio is not None else None
    if chosen.audio is not None and not len(chosen.audio.sizes):
        sound = None
    return picture, sound


def probe_index(
    index: MovieIndex,
    chosen: Chosen,
    size_bytes: int,
    picture: PictureFacts | None,
    sound: SoundFacts | None,
    sound_duration_s: Fraction = Fraction(0),
    *,
    given_rate: Fraction | None = None,
) -> tuple[Probe, SampleIndex]:
    """Put facts and tables together, on a grid of the `given_rate` or the source's own.

    `sound_duration_s` stands in for audio that has no table (PCM). Raises
    UnplayableError.
    """
    video = samples = None
    video_obstacles: tuple[str, ...] = ()
    zero_s = Fraction(0)
    if chosen.video is not None and picture is not None:
        video, samples, video_obstacles = _video(index, chosen, picture, given_rate)
        zero_s = video.start_s
    elif chosen.audio is not None and len(chosen.audio.pts):
        zero_s = Fraction(int(chosen.audio.pts[0]), chosen.audio.timescale)
    audio = sound_samples = None
    audio_obstacles: tuple[str, ...] = ()
    if chosen.audio is not None and sound is not None:
        audio, sound_samples, audio_obstacles = _audio(chosen, sound, zero_s, sound_duration_s)
    duration_s = Fraction(0)
    if video is not None:
        duration_s = video.frames / video.frame_rate
    elif audio is not None:
        duration_s = audio.duration_s
    probe = Probe(
        container="mov",
        size_bytes=size_bytes,
        duration_s=duration_s,
        video=video,
        audio=audio,
        truncated=index.truncated,
        video_obstacles=video_obstacles,
        audio_obstacles=audio_obstacles,
        indexed=True,
        bit_rate_bps=round(size_bytes * 8 / duration_s) if duration_s else 0,
    )
    return probe, SampleIndex(samples, sound_samples)


def _video(
    index: MovieIndex, chosen: Chosen, picture: PictureFacts, given_rate: Fraction | None
) -> tuple[VideoTrack, SampleTrack, tuple[str, ...]]:
    track = chosen.video
    if track is None or not 0 < track.timescale <= _MAX_TIMESCALE:
        raise UnplayableError("unreadable", "a video track with an impossible clock")
    shown = _shown(track)
    closed = _closed_keys(track.pts, track.keyframes)
    keys = track.pts[np.flatnonzero(closed & shown)]
    clock = frame_clock(
        track.pts[shown],
        keys,
        track.timescale,
        end_ticks=int((track.pts + track.durations)[shown].max()),
        given_rate=given_rate,
    )
    check_rate(int(shown.sum()), Fraction(clock.frames) / clock.rate)
    width_px, height_px = picture.shown_size
    mean_bps, peak_bps = _rates_bps(track, closed & shown, clock)
    described = VideoTrack(
        codec=picture.codec,
        codecs=picture.codecs,
        width_px=width_px,
        height_px=height_px,
        coded_width_px=picture.width_px,
        coded_height_px=picture.height_px,
        sample_aspect=picture.sample_aspect,
        rotation_deg=picture.rotation_deg,
        mirrored=picture.mirrored,
        frame_rate=clock.rate,
        frames=clock.frames,
        start_s=Fraction(clock.zero_ticks, track.timescale),
        key_frames=clock.key_frames,
        interlaced=picture.interlaced,
        bit_depth=picture.bit_depth,
        chroma=picture.chroma,
        full_range=picture.full_range,
        transfer=picture.transfer,
        mean_bps=mean_bps,
        peak_bps=peak_bps,
        primaries=picture.primaries,
        matrix=picture.matrix,
        ordinal=chosen.video_ordinal,
        measured_rate=clock.measured_rate,
    )
    samples = SampleTrack(
        timescale=track.timescale,
        zero_ticks=Fraction(clock.zero_ticks),
        sizes=track.sizes,
        offsets=track.offsets,
        dts=track.dts,
        pts=track.pts,
        keyframes=track.keyframes,
        stsd=track.stsd,
        width_px=round(picture.width_px * picture.sample_aspect),
        height_px=picture.height_px,
    )
    obstacles = [*picture.obstacles, *_timing_obstacles(track, shown, closed, clock)]
    if index.truncated:
        obstacles.append("truncated")
    return described, samples, tuple(dict.fromkeys(obstacles))


def _shown(track: Track) -> Bools:
    """Pictures before the edit's start are decoded, not shown.

    Half a picture of tolerance: edit lists count in ticks of the movie's clock.
    """
    tolerance = int(np.median(track.durations[:_MEDIAN_OF])) // 2
    shown: Bools = track.pts >= -tolerance
    if not shown.any():
        raise UnplayableError("no-streams", "the edit list shows no picture")
    return shown


def _closed_keys(pts: Ints, keyframes: Bools) -> Bools:
    """Key frames at which a segment may begin: no picture crosses them."""
    before = np.maximum.accumulate(pts)
    behind = np.minimum.accumulate(pts[::-1])[::-1]
    crossed = np.zeros(len(pts), dtype=np.bool_)
    crossed[1:] = before[:-1] >= pts[1:]
    closed: Bools = keyframes & ~crossed & (behind >= pts)
    return closed


def _timing_obstacles(track: Track, shown: Bools, closed: Bools, clock: FrameClock) -> list[str]:
    ordered = np.sort(track.pts[shown], kind="stable")
    deltas = np.diff(ordered)
    starts = np.flatnonzero(closed & (track.pts == clock.zero_ticks))
    # Everything hidden must lie before the key frame at which showing begins.
    begins_at_key = len(starts) > 0 and bool(shown[int(starts[0]) :].all())
    wrong = {
        "first-picture": not begins_at_key or clock.key_frames[:1] != (0,),
        "decode-times": bool((np.diff(track.dts) <= 0).any()),
        "equal-times": bool((deltas == 0).any()),
        "gaps": bool((deltas > _LONGEST_PICTURE_S * track.timescale).any()),
        "frame-rate": len(deltas) > 0
        and Fraction(track.timescale * len(deltas), max(1, int(deltas.sum()))) > _MAX_COPIED_HZ,
        "empty-samples": bool((track.sizes == 0).any()),
    }
    return [slug for slug, is_so in wrong.items() if is_so]


def _rates_bps(track: Track, keys: Bools, clock: FrameClock) -> tuple[int, int]:
    """Return (mean, peak over one segment cut at key frames) in bit/s."""
    total = int(track.sizes.sum())
    mean = round(total * 8 * clock.rate / clock.frames)
    cuts = grid.key_cuts(clock.key_frames or (0,), clock.frames, clock.rate)
    where = np.flatnonzero(keys)
    numbers = frame_numbers(track.pts[where] - clock.zero_ticks, track.timescale, clock.rate)
    at_cut = where[np.searchsorted(numbers, cuts[1:-1])] if len(where) else where
    bounds = np.concatenate(([0], at_cut, [len(track.sizes)]))
    if len(bounds) != len(cuts):
        return mean, mean
    sums = np.concatenate(([0], np.cumsum(track.sizes)))
    return mean, round(float((np.diff(sums[bounds]) / np.diff(cuts)).max() * 8 * float(clock.rate)))


def _audio(
    chosen: Chosen, sound: SoundFacts, zero_s: Fraction, duration_s: Fraction
) -> tuple[AudioTrack, SampleTrack | None, tuple[str, ...]]:
    track = chosen.audio
    if track is None or not 0 < track.timescale <= _MAX_TIMESCALE:
        raise UnplayableError("unreadable", "an audio track with an impossible clock")
    start_s, obstacles = -zero_s, list(sound.obstacles)
    total = int(track.sizes.sum())
    if len(track.pts):
        first, end = int(track.pts[0]), int(track.pts[-1] + track.durations[-1])
        start_s += Fraction(first, track.timescale)
        duration_s = Fraction(max(0, end - first), track.timescale)
        if not _regular(track, sound.sample_rate_hz):
            obstacles.append("irregular")
    exact = len(track.sizes) > 0 and not obstacles
    described = AudioTrack(
        codec=sound.codec,
        codecs=sound.codecs,
        sample_rate_hz=sound.sample_rate_hz,
        channels=sound.channels,
        start_s=start_s,
        duration_s=duration_s,
        packets=len(track.sizes) if exact else None,
        ordinal=chosen.audio_ordinal,
        mean_bps=round(total * 8 / duration_s) if duration_s else 0,
        zero_s=zero_s if chosen.video is None else Fraction(0),
    )
    samples = None
    if exact:
        samples = SampleTrack(
            timescale=track.timescale,
            zero_ticks=zero_s * track.timescale,
            sizes=track.sizes,
            offsets=track.offsets,
            dts=track.pts,
            pts=track.pts,
            keyframes=np.broadcast_to(np.True_, len(track.sizes)),
            stsd=track.stsd,
        )
    return described, samples, tuple(dict.fromkeys(obstacles))


def _regular(track: Track, sample_rate_hz: int) -> bool:
    """Whether packets follow each other without gaps, as we stamp them when copied."""
    packets = np.arange(len(track.pts))
    expected_s = packets * (PACKET_SAMPLES / sample_rate_hz)
    errors_s = (track.pts - track.pts[0]) / track.timescale - expected_s
    return bool((np.abs(errors_s) <= _IRREGULAR_S).all())
