from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.pipeline.grown_plan import disagreement, grown_plan
from telecine.pipeline.model import Plan, Probe
from telecine.pipeline.plan import PlanOptions
from telecine.pipeline.spans import audio_spans
from tests.unit.pipeline.sources import audio, probe, video

RATES = [Fraction(30), Fraction(24000, 1001), Fraction(60000, 1001), Fraction(25), Fraction(10)]
ANY = PlanOptions()


def known(seconds: float | Fraction, rate: Fraction = Fraction(30), **changes: Any) -> Probe:
    length = Fraction(seconds)
    track = video(frame_rate=rate, seconds=length, **changes)
    return probe(track, audio(), known_s=length, duration_s=length)


def whole(seconds: float | Fraction, rate: Fraction = Fraction(30), **changes: Any) -> Probe:
    return replace(known(seconds, rate, **changes), known_s=None)


def assert_continues(before: Plan, after: Plan) -> None:
    assert after.piece_cuts[: len(before.piece_cuts)] == before.piece_cuts
    assert after.segment_pieces[: len(before.segment_pieces)] == before.segment_pieces
    assert after.chunk_segments[: len(before.chunk_segments) - 1] == before.chunk_segments[:-1]
    spans = audio_spans(before)[:-1]
    assert audio_spans(after)[: len(spans)] == spans
    if before.segments:
        assert before.audio is not None
        assert after.audio is not None
        packets = before.audio.segment_packets
        assert after.audio.segment_packets[: len(packets)] == packets
    assert after.target_duration_s == before.target_duration_s
    assert after.renditions == before.renditions


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(RATES),
    st.lists(st.fractions(min_value=3, max_value=90, max_denominator=50), min_size=2),
)
def test_a_plan_only_gets_longer(rate: Fraction, lengths: list[Fraction]) -> None:
    before: Plan | None = None
    for length in sorted(lengths):
        after = grown_plan(known(length, rate), ANY, before)
        if before is not None:
            assert_continues(before, after)
        before = after
    assert before is not None
    end = grown_plan(whole(max(lengths), rate), ANY, before)
    assert_continues(before, end)
    assert end.frames == round(max(lengths) * rate)
    assert end.arrived_chunks(end.segments, more=False) == len(end.chunk_segments) - 1


def test_a_second_is_held_back() -> None:
    plans = [grown_plan(known(length), ANY) for length in (2, 2.9, 3, 4.9, 5, 8.9, 9)]
    assert [plan.segments for plan in plans] == [0, 0, 1, 1, 2, 2, 3]


def test_nothing_is_copied_and_the_target_holds_for_ever() -> None:
    plan = grown_plan(known(9), ANY)
    assert not any(rendition.passthrough for rendition in plan.renditions)
    assert plan.audio is not None
    assert not plan.audio.passthrough
    assert plan.target_duration_s == 4
    assert plan.grown


def test_the_ladder_waits_for_whole_chunks_while_more_comes() -> None:
    plan = grown_plan(known(30), ANY)
    assert plan.chunk_segments == (0, 5, 8)  # 16 s, and the rest so far
    assert plan.arrived_chunks(plan.segments, more=True) == 1
    assert plan.arrived_chunks(plan.segments, more=False) == 2


def test_a_limit_ends_it() -> None:
    short = PlanOptions(limit_s=10)
    plan = grown_plan(known(40), short)
    assert plan.frames == 240  # the cut at 8 s; the rest is known at the end
    end = grown_plan(whole(60), short, plan)
    assert_continues(plan, end)
    assert end.frames == 300


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (whole(20), None),
        (whole(20, start_s=Fraction(1)), "start"),
        (whole(20, width=1280), "size"),
        (whole(20, codec="hevc"), "codec"),
        (whole(20, measured_rate=Fraction(25)), None),
        (whole(20, measured_rate=Fraction(60)), "rate"),
        (whole(20, measured_rate=Fraction(15)), "rate"),
        (whole(5), "length"),
        (replace(whole(20), audio=None), "sound"),
        (replace(whole(20), container="mpegts"), "container"),
        (replace(whole(20), video=None), "pictures"),
    ],
)
def test_an_end_that_is_not_what_was_announced(found: Probe, said: str | None) -> None:
    announced = known(10)
    assert disagreement(announced, found, grown_plan(announced, ANY)) == said
