"""How audio is cut into jobs and objects: whole segments, so that nothing straddles."""

from itertools import pairwise

from telecine.pipeline.model import Plan

SPAN_S = 300
"""Length of one audio encode: a seam every five minutes is inaudible."""

RUN_S = 10
"""Length of one stored object: playback never waits for a whole span."""

PACKET_SAMPLES = 1024
"""Samples of one AAC-LC packet (ISO/IEC 14496-3)."""


def audio_spans(plan: Plan) -> list[tuple[int, int]]:
    """Return the segments [first, end) of each audio job; empty without audio."""
    if plan.audio is None:
        return []
    if plan.grown:  # as it grew, chunk by chunk
        return list(pairwise(plan.chunk_segments))
    return _groups(plan, 0, plan.segments, SPAN_S)


def audio_runs(plan: Plan, first: int, end: int) -> list[tuple[int, int]]:
    """Return the segments [first, end) of each object of a span."""
    return _groups(plan, first, end, RUN_S)


def _groups(plan: Plan, first: int, end: int, length_s: int) -> list[tuple[int, int]]:
    if plan.audio is None or first >= end:
        return []
    packets = plan.audio.segment_packets
    enough = length_s * plan.audio.sample_rate_hz // PACKET_SAMPLES
    groups: list[tuple[int, int]] = []
    start = first
    for segment in range(first + 1, end + 1):
        if segment == end or packets[segment] - packets[start] >= enough:
            groups.append((start, segment))
            start = segment
    return groups
