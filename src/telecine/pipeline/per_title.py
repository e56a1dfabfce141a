"""What the first chunk tells of a title: renditions that can afford to look better (pure).

Capped CRF gives easy content few bits by itself. Where that leaves much of the cap, or
hardly anything between two neighbours, the rest of the video is encoded one CRF lower: all
encodes share one init segment, so the change is invisible to players.
"""

from collections.abc import Mapping
from dataclasses import replace

from telecine.pipeline.model import Plan

_EASY_SHARE = 0.35
_CLOSE_SHARE = 0.85
_STEP = 1.0


def better_crf(plan: Plan, means_bps: Mapping[str, float]) -> dict[str, float]:
    """Return the CRF of renditions that differ from the plan's, by name.

    `means_bps` are the mean rates of encoded renditions over the first chunk. A rendition
    gets a lower CRF when it needs less than 35 % of its cap (a talking head), or when the
    one below needs 85 % of its rate or more (so it adds little to that).
    """
    encoded = [each for each in plan.renditions if not each.passthrough]
    found = {}
    for number, rendition in enumerate(encoded):
        mean_bps = means_bps.get(rendition.name)
        if mean_bps is None:
            continue
        below_bps = means_bps.get(encoded[number - 1].name) if number else None
        easy = mean_bps < _EASY_SHARE * rendition.max_rate_bps
        close = below_bps is not None and below_bps >= _CLOSE_SHARE * mean_bps
        if easy or close:
            found[rendition.name] = rendition.crf - _STEP
    return found


def tuned(plan: Plan, crf: Mapping[str, float | None]) -> Plan:
    """Return the plan with the CRF of these renditions, where there is one."""
    renditions = []
    for rendition in plan.renditions:
        wanted = crf.get(rendition.name)
        renditions.append(rendition if wanted is None else replace(rendition, crf=wanted))
    return replace(plan, renditions=tuple(renditions))
