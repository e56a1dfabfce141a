"""The rate table, and which of its rungs a source gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.formats.codecs.h264 import high_codecs, level_for
from telecine.pipeline.model import VideoRendition, VideoTrack


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One line of the table: the cap of a quality at up to 30 Hz."""

    short_side_px: int
    max_rate_hz: int
    max_rate_bps: int
    crf: float = 23.0

    @property
    def name(self) -> str:
        """The API's name of the quality."""
        return f"{self.short_side_px}p"


# Capped CRF: easy content stays far below the cap by itself, and chunks that know
# nothing of each other still look alike.
LADDER = (
    Rung(short_side_px=240, max_rate_hz=30, max_rate_bps=400_000),
    Rung(short_side_px=360, max_rate_hz=30, max_rate_bps=800_000),
    Rung(short_side_px=480, max_rate_hz=30, max_rate_bps=1_400_000),
    Rung(short_side_px=720, max_rate_hz=60, max_rate_bps=2_800_000),
    Rung(short_side_px=1080, max_rate_hz=60, max_rate_bps=5_000_000),
    Rung(short_side_px=2160, max_rate_hz=60, max_rate_bps=16_000_000, crf=24.0),
)

# A rate a little over a cap (31 Hz from a screen recorder) is not worth halving.
_TOLERANCE = Fraction(11, 10)

_FAST_RATE_HZ = 33
_FAST_FACTOR = Fraction(3, 2)
_BUFFER_S = 2


def rungs_for(
    video: VideoTrack, ladder: Sequence[Rung] = LADDER, max_height_px: int | None = None
) -> tuple[Rung, ...]:
    """Return the rungs of `ladder` (ascending) that fit a source; never upscale.

    A rung limits the short side: portrait 1080x1920 counts as 1080p. A source below
    every rung gets the lowest, at its own size.
    """
    short_side_px = min(video.width_px, video.height_px)
    if max_height_px is not None:
        short_side_px = min(short_side_px, max_height_px)
    return tuple(rung for rung in ladder if rung.short_side_px <= short_side_px) or (ladder[0],)


def scaled_size(video: VideoTrack, rung: Rung) -> tuple[int, int]:
    """Return the even size of a source at a rung, at most its own."""
    return (
        _scaled(video.width_px, video, rung.short_side_px),
        _scaled(video.height_px, video, rung.short_side_px),
    )


def _scaled(side_px: int, video: VideoTrack, rung_px: int) -> int:
    own_short_px = min(video.width_px, video.height_px)
    short_px = max(2, min(rung_px, own_short_px) // 2 * 2)
    nearest = round(Fraction(side_px * short_px, own_short_px * 2)) * 2
    return max(2, min(nearest, side_px // 2 * 2))


def rate_divisor(rate: Fraction, rung: Rung) -> int:
    """Return 2 where the rung takes every second frame only, else 1."""
    return 2 if rate > rung.max_rate_hz * _TOLERANCE else 1


def max_rate_bps(rate: Fraction, rung: Rung) -> int:
    """Return the cap of a rung for a frame rate: fast video gets half as much again."""
    shown = rate / rate_divisor(rate, rung)
    factor = _FAST_FACTOR if shown > _FAST_RATE_HZ else 1
    return round(rung.max_rate_bps * factor)


def encoded_rendition(video: VideoTrack, rung: Rung) -> VideoRendition:
    """Return the rendition that we encode at a rung."""
    width_px, height_px = scaled_size(video, rung)
    divisor = rate_divisor(video.frame_rate, rung)
    cap_bps = max_rate_bps(video.frame_rate, rung)
    buffer_bits = _BUFFER_S * cap_bps
    level = level_for(width_px, height_px, video.frame_rate / divisor, cap_bps, buffer_bits)
    return VideoRendition(
        name=rung.name,
        width_px=width_px,
        height_px=height_px,
        rate_divisor=divisor,
        passthrough=False,
        codecs=high_codecs(level),
        profile="high",
        level=level,
        max_rate_bps=cap_bps,
        buffer_bits=buffer_bits,
        crf=rung.crf,
    )


def source_rendition(video: VideoTrack, rung: Rung) -> VideoRendition:
    """Return the source itself as the rendition of a rung, at its own size."""
    if video.codecs is None:
        raise ValueError("passthrough of a codec without a name")
    return VideoRendition(
        name=rung.name,
        width_px=video.width_px,
        height_px=video.height_px,
        rate_divisor=1,
        passthrough=True,
        codecs=video.codecs,
        profile="",
        level="",
        max_rate_bps=video.peak_bps,
        buffer_bits=0,
        crf=0.0,
    )
