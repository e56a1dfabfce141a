"""The settings of each encoder: pure tables, from a rendition to ffmpeg's arguments.

All say the same: constant quality below a cap, key frames where they are forced and nowhere
else, nothing across them, and headers that do not depend on what is encoded.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from telecine.formats.codecs.h264_levels import level_idc
from telecine.pipeline.model import VideoRendition

_SMALL_SIDE_PX = 480
_TINY_SIDE_PX = 360
THREADS = 2
"""Of one encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """What encodes, and what a run of ffmpeg needs for it."""

    name: str
    settings: Callable[[VideoRendition], list[str]]
    before_input: tuple[str, ...] = ()
    upload: str = ""
    """Filters that bring a picture to it."""

    devices: tuple[str, ...] = ()
    """Device files that it opens."""

    address_space_bytes: int = 0
    """What it maps on top of what a run takes."""

    least_level: int = 0
    """The lowest `level_idc` that it knows; what is below is left to software."""

    def suits(self, rendition: VideoRendition) -> bool:
        """Tell whether it can make a rendition as it was planned."""
        return not self.least_level or level_idc(rendition.level) >= self.least_level


def settings(rendition: VideoRendition, sps_id: int = 0) -> list[str]:
    """Return the arguments that every software encode of a rendition shares.

    `sps_id`: the number of its parameter sets, where 0 is taken by another encoder's.
    """
    arguments = [*_SOFTWARE[rendition.codec](rendition), *cap(rendition)]
    if sps_id:
        at = arguments.index("-x264-params") + 1
        arguments[at] += f":sps-id={sps_id}"
    return arguments


def software(second: Collection[str] = ()) -> Encoder:
    """Return the encoders of ffmpeg's libraries.

    `second`: renditions whose parameter sets have the number 1 instead of 0.
    """
    return Encoder(
        name="software",
        settings=lambda rendition: settings(rendition, int(rendition.name in second)),
    )


def cap(rendition: VideoRendition) -> list[str]:
    """Return what bounds the rate: the maximum, and the buffer that it is measured by."""
    return ["-maxrate", str(rendition.max_rate_bps), "-bufsize", str(rendition.buffer_bits)]


def _x264(rendition: VideoRendition) -> list[str]:
    side_px = min(rendition.width_px, rendition.height_px)
    # Best quality for the processor time at each size; mbtree and trellis give back what
    # superfast leaves out, partitions are where veryfast spends without gain. The lowest are
    # for those who have few bits, and cost little beside what decoding the source does.
    preset, tuning = "superfast", "trellis=1:mbtree=1:rc-lookahead=10"
    if side_px <= _SMALL_SIDE_PX:
        preset, tuning = "veryfast", "trellis=1:rc-lookahead=20:partitions=i8x8,i4x4"
    if side_px <= _TINY_SIDE_PX:
        tuning += ":ref=2:subme=4"
    return [
        "-c:v", "libx264",
        "-preset", preset,
        # Key frames where we say and nowhere else; headers that do not depend on CRF or
        # threads, so that one init segment fits all chunks.
        "-x264-params", f"{tuning}:scenecut=0:stitchable=1",
        "-profile:v", rendition.profile,
        "-level", rendition.level,
        "-crf", f"{rendition.crf:g}",
        # Only forced key frames; x264's own limit is out of reach.
        "-g", "9999",
        "-keyint_min", "1",
        "-threads", str(THREADS),
    ]  # fmt: skip


def _x265(rendition: VideoRendition) -> list[str]:
    words = {
        # Key frames where we say, and nothing that is shown before one but coded behind it.
        "scenecut": "0",
        "open-gop": "0",
        "keyint": "-1",
        # A second tier would be another name in CODECS; the level is the lowest that fits.
        "high-tier": "0",
        # No message with the settings in the header, which differ with the CRF.
        "info": "0",
        # Wavefronts are named in the header, and used where there are threads for them.
        "pools": str(THREADS),
        "frame-threads": "1",
        "wpp": "1",
        "log-level": "error",
    }
    return [
        "-c:v", "libx265",
        "-preset", "fast",
        "-x265-params", ":".join(f"{name}={value}" for name, value in words.items()),
        "-forced-idr", "1",
        "-profile:v", rendition.profile,
        "-crf", f"{rendition.crf:g}",
        # Parameter sets in the sample entry alone: what Apple's players ask for.
        "-tag:v", "hvc1",
    ]  # fmt: skip


def _svt_av1(rendition: VideoRendition) -> list[str]:
    words = {
        "scd": "0",
        "lp": str(THREADS),
        # Said, or it would be the lowest that fits this encode.
        "level": rendition.level.replace(".", ""),
    }
    return [
        "-c:v", "libsvtav1",
        # The fastest that is meant for people who watch.
        "-preset", "8",
        "-svtav1-params", ":".join(f"{name}={value}" for name, value in words.items()),
        "-crf", f"{rendition.crf:g}",
        "-g", "9999",
    ]  # fmt: skip


_SOFTWARE: dict[str, Callable[[VideoRendition], list[str]]] = {
    "h264": _x264,
    "hevc": _x265,
    "av1": _svt_av1,
}

ENCODERS = {"hevc": "libx265", "av1": "libsvtav1"}
"""ffmpeg's name of the encoder of each codec that is beside the ladder."""
