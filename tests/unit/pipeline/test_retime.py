from dataclasses import replace

import numpy as np
import pytest

from telecine.formats.mp4.fragment import Fragment, FragmentSplitter, Samples, moof, read_moof
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.retime import Retimer, WrongOutputError
from tests.unit.pipeline import sources

PLAN = plan(sources.probe(sources.video(640, 360, seconds=10)), PlanOptions(passthrough=False))
RETIMER = Retimer(PLAN, PLAN.rendition("360p"), 60)


def written(shown: list[int], sizes: list[int] | None = None, start: int = 0) -> Fragment:
    """A fragment as ffmpeg writes it: ticks are frames of the run."""
    count = len(shown)
    dts = start + np.arange(count)
    samples = Samples(
        sizes=np.array(sizes or [10] * count),
        durations=np.ones(count, dtype=np.int64),
        composition_offsets=np.array(shown) - dts,
        keyframes=np.arange(count) == 0,
    )
    return Fragment(moof(9, start, samples, video=True), bytes(10 * count))


def test_a_piece_is_stamped_with_the_plan_s_times() -> None:
    # Piece 2 is frames [120, 240); the run began at frame 60. B-frames: 4 before 1.
    order = [60, 64, 61, 62, 63, *range(65, 180)]
    data = RETIMER.piece(2, written(order, start=60))
    (part,) = FragmentSplitter().feed(data)
    assert isinstance(part, Fragment)
    head = read_moof(part.moof)
    assert head.sequence == 3
    assert head.decode_time == PLAN.ticks(120)
    dts = head.decode_time + np.cumsum(head.samples.durations) - head.samples.durations
    shown = dts + head.samples.composition_offsets
    assert shown.tolist() == [PLAN.ticks(60 + frame) for frame in order]
    assert head.decode_time + head.samples.ticks == PLAN.ticks(240)


@pytest.mark.parametrize(
    "fragment",
    [
        written([*range(60, 179)], start=60),  # one missing
        written([*range(60, 181)], start=60),  # one too many
        written([60, 60, *range(62, 180)], start=60),  # one twice
        written([*range(61, 181)], start=61),  # one off
        written([*range(60, 180)], sizes=[11] * 120, start=60),  # bytes missing
        replace(written([*range(60, 180)], start=60), moof=b"\0\0\0\x08moof"),
    ],
)
def test_anything_else_is_refused(fragment: Fragment) -> None:
    with pytest.raises(WrongOutputError):
        RETIMER.piece(2, fragment)


def test_half_rate_pieces_hold_the_even_frames_from_the_cut_on() -> None:
    odd = replace(PLAN, piece_cuts=(0, 61, 121, 300), segment_pieces=(0, 1, 2, 3))
    half = replace(PLAN.rendition("360p"), rate_divisor=2)
    retimer = Retimer(odd, half, 61)
    data = retimer.piece(1, written([*range(1, 60, 2)], start=1))
    (part,) = FragmentSplitter().feed(data)
    assert isinstance(part, Fragment)
    head = read_moof(part.moof)
    ends = head.decode_time + np.cumsum(head.samples.durations)
    assert head.decode_time == odd.ticks(61)
    assert ends[0] == odd.ticks(64)
    assert ends[-1] == odd.ticks(121)
