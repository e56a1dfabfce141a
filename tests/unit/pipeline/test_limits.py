from fractions import Fraction
from typing import Any

import pytest

from telecine.pipeline.limits import UnplayableError, check
from tests.unit.pipeline import sources


@pytest.mark.parametrize(
    ("video", "audio", "facts", "reason"),
    [
        (None, None, {}, "no-streams"),
        ({"coded_width_px": 8200}, None, {}, "picture-too-large"),
        ({"coded_width_px": 8000, "coded_height_px": 8000}, None, {}, "picture-too-large"),
        ({"width_px": 1}, None, {}, "picture-too-small"),
        ({"width_px": 9000}, None, {}, "picture-too-large"),
        ({"frames": 24 * 3600 * 120 + 1}, None, {}, "too-long"),
        ({}, None, {"duration_s": Fraction(0)}, "no-duration"),
        (None, {}, {"duration_s": Fraction(0)}, "no-duration"),
        ({}, None, {"duration_s": Fraction(24 * 3600 + 1)}, "too-long"),
        ({}, {"channels": 9}, {}, "audio-too-complex"),
        (None, {"sample_rate_hz": 384_000}, {}, "audio-too-complex"),
    ],
)
def test_what_is_beyond_all_limits_is_refused(
    video: dict[str, Any] | None, audio: dict[str, Any] | None, facts: dict[str, Any], reason: str
) -> None:
    probe = sources.probe(
        None if video is None else sources.video(**video),
        None if audio is None else sources.audio(**audio),
        **facts,
    )
    with pytest.raises(UnplayableError) as refused:
        check(probe)
    assert refused.value.reason == reason


def test_a_day_of_8k_is_allowed() -> None:
    day = sources.video(8192, 4320, frame_rate=Fraction(60), seconds=24 * 3600, key_frames=(0,))
    check(sources.probe(day, sources.audio(), duration_s=Fraction(24 * 3600)))
