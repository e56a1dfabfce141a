import pytest

from telecine.pipeline.encoders import settings
from telecine.pipeline.per_title import better_crf, tuned
from telecine.pipeline.plan import PlanOptions, plan
from tests.unit.pipeline.sources import probe, video

PLAN = plan(probe(video(1280, 720)), PlanOptions(passthrough=False))
CAPS = {rendition.name: rendition.max_rate_bps for rendition in PLAN.renditions}


def shares(**share: float) -> dict[str, float]:
    """Mean rates as parts of the caps."""
    return {f"{name[1:]}p": CAPS[f"{name[1:]}p"] * part for name, part in share.items()}


@pytest.mark.parametrize(
    ("means_bps", "lower"),
    [
        (shares(_240=0.9, _360=0.9, _480=0.9, _720=0.9), set()),
        (shares(_240=0.34, _360=0.36, _480=0.9, _720=0.9), {"240p"}),
        (shares(_240=0.2, _360=0.2, _480=0.2, _720=0.2), {"240p", "360p", "480p", "720p"}),
        ({"240p": 390_000, "360p": 440_000, "480p": 1_300_000, "720p": 2_500_000}, {"360p"}),
        ({"240p": 370_000, "360p": 440_000, "480p": 1_300_000, "720p": 2_500_000}, set()),
        ({"720p": 100_000}, {"720p"}),
        ({}, set()),
    ],
)
def test_who_needs_few_bits_gets_better_pictures(
    means_bps: dict[str, float], lower: set[str]
) -> None:
    assert better_crf(PLAN, means_bps) == dict.fromkeys(lower, 22.0)


def test_what_is_copied_has_no_crf() -> None:
    copied = plan(probe(video(1280, 720)))
    assert copied.renditions[-1].passthrough
    assert "720p" not in better_crf(copied, {"720p": 1.0, "480p": 1.0})


def test_only_the_encoder_hears_of_it() -> None:
    better = tuned(PLAN, {"360p": 22.0, "480p": None})
    for before, after in zip(PLAN.renditions, better.renditions, strict=True):
        expected = settings(before)
        if before.name == "360p":
            expected[expected.index("-crf") + 1] = "22"
        assert settings(after) == expected
    assert tuned(PLAN, {}) == PLAN
