import pytest

from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.similarity import SAMPLE, WHOLE, sampled_segment
from tests.unit.pipeline.sources import probe, video


@pytest.mark.parametrize(
    ("seconds", "key_frames", "segment", "first_frame"),
    [
        (60, range(0, 1800, 60), 8, 840),  # all alike: the middle
        (60, range(0, 1800, 250), 10, 1080),  # 80 pictures behind a key frame
        (60, [0], 4, 360),  # the earlier the better, of the middle half
        (60, [], 4, 360),
        (1, [0], 0, 0),
    ],
)
def test_what_is_sampled_is_near_the_middle_and_cheap(
    seconds: int, key_frames: list[int], segment: int, first_frame: int
) -> None:
    made = plan(probe(video(seconds=seconds)), PlanOptions(passthrough=False))
    assert sampled_segment(made, key_frames) == segment
    assert made.segment_frames(segment)[0] == first_frame


def test_a_sample_ends_with_its_segment_at_the_latest() -> None:
    assert SAMPLE.end_frame(840, 960) == 870
    assert SAMPLE.end_frame(840, 850) == 850
    assert WHOLE.end_frame(840, 960) == 960
