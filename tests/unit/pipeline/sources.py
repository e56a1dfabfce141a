"""Probes of sources that never were files."""

from fractions import Fraction
from typing import Any

from telecine.pipeline.model import AudioTrack, Probe, VideoTrack


def video(width: int = 1920, height: int = 1080, **changes: Any) -> VideoTrack:
    rate = changes.pop("frame_rate", Fraction(30))
    seconds = changes.pop("seconds", 60)
    frames = round(seconds * rate)
    facts: dict[str, Any] = {
        "codec": "h264",
        "codecs": "avc1.640028",
        "width_px": width,
        "height_px": height,
        "coded_width_px": width,
        "coded_height_px": height,
        "sample_aspect": Fraction(1),
        "rotation_deg": 0,
        "frame_rate": rate,
        "frames": frames,
        "start_s": Fraction(0),
        "key_frames": tuple(range(0, frames, round(2 * rate))),
        "interlaced": False,
        "bit_depth": 8,
        "chroma": "420",
        "full_range": False,
        "transfer": None,
        "mean_bps": 300_000,
        "peak_bps": 500_000,
    }
    return VideoTrack(**(facts | changes))


def audio(**changes: Any) -> AudioTrack:
    facts: dict[str, Any] = {
        "codec": "aac",
        "codecs": "mp4a.40.2",
        "sample_rate_hz": 48_000,
        "channels": 2,
        "start_s": Fraction(0),
        "duration_s": Fraction(60),
        "packets": 2813,
    }
    return AudioTrack(**(facts | changes))


def probe(
    video_track: VideoTrack | None, audio_track: AudioTrack | None = None, **changes: Any
) -> Probe:
    facts: dict[str, Any] = {
        "container": "mov",
        "size_bytes": 10_000_000,
        "duration_s": Fraction(60),
        "video": video_track,
        "audio": audio_track,
        "truncated": False,
        "video_obstacles": (),
        "audio_obstacles": (),
        "indexed": True,
        "bit_rate_bps": 1_000_000,
    }
    return Probe(**(facts | changes))
