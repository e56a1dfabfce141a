"""The ladder once more, in codecs that say the same with fewer bits.

Every rung of the ladder is there again, at the same cuts and rates of pictures: players
choose a codec before they choose a quality, and stay with it. What a rung is passed through
or not does not matter here, since nothing of this is ever copied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.formats.codecs import av1, av1_levels, hevc, hevc_levels
from telecine.pipeline.ladder import Rung, max_rate_bps, rate_divisor, scaled_size
from telecine.pipeline.model import VideoRendition, VideoTrack

LEAST_SIDE_PX = 64
"""Smaller pictures are nothing to the encoders, and save nothing."""

_BUFFER_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraCodec:
    """A codec beside H.264: its share of that one's rates, and its own scale of quality."""

    name: str
    rate_share: Fraction
    crf: float


EXTRA_CODECS = (
    ExtraCodec(name="hevc", rate_share=Fraction(7, 10), crf=26.0),
    ExtraCodec(name="av1", rate_share=Fraction(3, 5), crf=35.0),
)


def is_extra(name: str) -> bool:
    """Tell whether a rendition of that name lies beside the ladder: "720p-av1"."""
    return "-" in name


def codec_of(name: str) -> str:
    """Return the codec in the name of such a rendition."""
    return name.partition("-")[2]


def extra_renditions(
    video: VideoTrack, rungs: Sequence[Rung], codecs: Sequence[str]
) -> tuple[VideoRendition, ...]:
    """Return the renditions of `rungs` in these codecs, by codec, lowest first."""
    if min(video.width_px, video.height_px) < LEAST_SIDE_PX:
        return ()
    return tuple(
        _rendition(video, rung, codec)
        for codec in EXTRA_CODECS
        if codec.name in codecs
        for rung in rungs
    )


def _rendition(video: VideoTrack, rung: Rung, codec: ExtraCodec) -> VideoRendition:
    width_px, height_px = scaled_size(video, rung)
    divisor = rate_divisor(video.frame_rate, rung)
    rate_hz = video.frame_rate / divisor
    cap_bps = round(codec.rate_share * max_rate_bps(video.frame_rate, rung))
    buffer_bits = _BUFFER_S * cap_bps
    if codec.name == "hevc":
        idc = hevc_levels.level_for(width_px, height_px, rate_hz, cap_bps, buffer_bits)
        codecs, level = hevc.main_codecs(idc), f"{idc / 30:.1f}"
    else:
        row = av1_levels.level_for(width_px, height_px, rate_hz, cap_bps)
        codecs, level = av1.main_codecs(row.index), row.name
    return VideoRendition(
        name=f"{rung.name}-{codec.name}",
        width_px=width_px,
        height_px=height_px,
        rate_divisor=divisor,
        passthrough=False,
        codecs=codecs,
        profile="main",
        level=level,
        max_rate_bps=cap_bps,
        buffer_bits=buffer_bits,
        crf=codec.crf,
        codec=codec.name,
    )
