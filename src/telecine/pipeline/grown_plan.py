"""Plans of sources of which nobody knows the end: each begins with the one before."""

from dataclasses import replace
from fractions import Fraction
from math import floor

from telecine.pipeline import grid
from telecine.pipeline.model import Plan, Probe
from telecine.pipeline.plan import (
    PlanOptions,
    encoded_audio,
    plan,
    planned_frames,
)

HELD_BACK_S = Fraction(1)
"""What may still be missing before the last picture that is there: pictures are stored out
of order, and sound beside them, not with them."""

_FASTER = Fraction(11, 10)
_SLOWER = Fraction(2, 3)
"""How far a whole source's rate may be from that of its beginning before it is cut anew:
faster, and pictures are lost; slower, and some are shown twice."""


def grown_plan(probe: Probe, options: PlanOptions, before: Plan | None = None) -> Plan:
    """Return the plan of what is known of a source, or (`known_s` is None) of all of it.

    On the fine grid and without anything copied, because what is cut and named stays so.
    `before`: the plan that this one continues, at whose rate the probe must be. There
    may be no segments.

    Raises:
        ValueError: the source has no pictures.
    """
    video = probe.video
    if video is None:
        raise ValueError("only pictures can grow")
    base = before or plan(probe, replace(options, passthrough=False))
    rate, frames = base.frame_rate, planned_frames(video, options)
    step = max(rendition.rate_divisor for rendition in base.renditions)
    if probe.known_s is not None:
        known = floor((probe.known_s - HELD_BACK_S) * rate)
        cuts = grid.open_cuts(min(known, frames), rate, step)
    else:
        # Nothing is joined at the end: what is published has its length for ever.
        cuts = (*grid.open_cuts(frames - 1, rate, step), frames)
    pieces, firsts = grid.split(cuts, rate, step)
    audio = None
    if base.audio is not None and len(cuts) > 1:
        audio = encoded_audio([cut / rate for cut in cuts])
    return replace(
        base,
        frames=cuts[-1],
        piece_cuts=pieces,
        segment_pieces=firsts,
        chunk_segments=grid.chunks(cuts, rate, grid.CHUNK_S),
        audio=audio or base.audio,
        target_duration_s=grid.SEGMENT_S,
        segment_bytes=(),
        grown=True,
    )


def disagreement(announced: Probe, found: Probe, plan: Plan) -> str | None:
    """Return in what a source is not what its beginning was, None: in nothing that matters.

    `announced` is the probe that `plan` was made of; `found` a later one, at its rate.
    """
    before, video = announced.video, found.video
    if before is None or video is None:
        return "pictures"
    facts = {
        "container": announced.container == found.container,
        "start": before.start_s == video.start_s,
        "size": (before.width_px, before.height_px, before.rotation_deg, before.mirrored)
        == (video.width_px, video.height_px, video.rotation_deg, video.mirrored),
        "codec": before.codec == video.codec,
        "sound": (announced.audio is None) == (found.audio is None),
        "length": video.frames >= plan.frames,
        "rate": video.measured_rate is None
        or _SLOWER <= video.measured_rate / plan.frame_rate <= _FASTER,
    }
    return next((name for name, same in facts.items() if not same), None)
