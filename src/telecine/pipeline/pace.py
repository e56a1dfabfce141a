"""Whether a rendition can be made as fast as it is watched."""

from fractions import Fraction

from telecine.pipeline.model import Plan, VideoRendition

DECODING_SHARE = Fraction(1, 4)
"""What decoding a pixel costs beside encoding one: 0.21 of it with H.264, 0.24 with HEVC, 1080p."""

RESERVE = Fraction(6, 5)
"""How much faster than it is watched: seeks, and the pictures before a cut, come on top."""


def needed_px_per_s(plan: Plan, rendition: VideoRendition) -> Fraction:
    """Return what making a rendition while it is watched takes, in pixels encoded a second."""
    pictures_hz = plan.frame_rate / rendition.rate_divisor
    encoded = rendition.width_px * rendition.height_px * pictures_hz
    decoded = plan.width_px * plan.height_px * plan.frame_rate
    return (encoded + DECODING_SHARE * decoded) * RESERVE


def in_time(plan: Plan, rendition: VideoRendition, px_per_s: int | None) -> bool:
    """Tell whether a rendition can be promised before it is stored.

    `px_per_s` is what a machine encodes for one viewer, None if nobody has measured yet. The
    lowest rung always can: somebody who waits a little sees something.
    """
    if px_per_s is None or rendition == plan.renditions[0]:
        return True
    return needed_px_per_s(plan, rendition) <= px_per_s
