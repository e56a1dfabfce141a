from fractions import Fraction
from itertools import pairwise

import pytest

from telecine.pipeline import encoders
from telecine.pipeline.codec import plan_from_json, plan_to_json
from telecine.pipeline.extra import codec_of, extra_renditions, is_extra
from telecine.pipeline.grown_plan import grown_plan
from telecine.pipeline.model import VideoRendition
from telecine.pipeline.plan import PlanOptions, plan
from tests.unit.pipeline import sources

BOTH = PlanOptions(extra_codecs=("hevc", "av1"))


def after(arguments: list[str], flag: str) -> list[str]:
    return [following for each, following in pairwise(arguments) if each == flag]


def test_every_rung_is_there_again_in_every_codec() -> None:
    made = plan(sources.probe(sources.video(1280, 720)), BOTH)
    rungs = [rendition.name for rendition in made.renditions]
    assert rungs == ["240p", "360p", "480p", "720p"]
    assert [each.name for each in made.extra] == [
        f"{rung}-{codec}" for codec in ("hevc", "av1") for rung in rungs
    ]
    for each in made.extra:
        assert made.rendition(each.name) is each
        assert codec_of(each.name) == each.codec
        assert is_extra(each.name)
        assert not each.passthrough
    assert not any(is_extra(name) for name in (*rungs, "audio"))


def test_without_the_wish_there_are_none_and_the_plan_is_the_same() -> None:
    probe = sources.probe(sources.video(1280, 720))
    with_both, without = plan(probe, BOTH), plan(probe)
    assert without.extra == ()
    assert with_both.renditions == without.renditions
    assert with_both.piece_cuts == without.piece_cuts
    assert with_both.target_duration_s == without.target_duration_s


def test_old_plans_have_none() -> None:
    made = plan(sources.probe(sources.video(1280, 720)), BOTH)
    assert plan_from_json(plan_to_json(made)) == made
    old = plan_to_json(plan(sources.probe(sources.video(1280, 720))))
    old = old.replace(b',"extra":[]', b"").replace(b',"codec":"h264"}', b"}")
    assert b"extra" not in old
    assert plan_from_json(old).extra == ()
    assert {each.codec for each in plan_from_json(old).renditions} == {"h264"}


def test_they_need_fewer_bits_than_the_ladder_at_the_same_size_and_rate() -> None:
    video = sources.video(1920, 1080, frame_rate=Fraction(60))
    made = plan(sources.probe(video), PlanOptions(extra_codecs=("av1", "hevc"), passthrough=False))
    for each in made.extra:
        rung = made.rendition(each.name.partition("-")[0])
        assert (each.size_px, each.rate_divisor) == (rung.size_px, rung.rate_divisor)
        assert each.max_rate_bps < rung.max_rate_bps
        assert each.buffer_bits == 2 * each.max_rate_bps


def test_tiny_pictures_have_none() -> None:
    assert extra_renditions(sources.video(320, 62), (), ("av1",)) == ()
    assert plan(sources.probe(sources.video(320, 62)), BOTH).extra == ()


def test_a_plan_that_grows_keeps_them() -> None:
    probe = sources.probe(sources.video(1280, 720), known_s=Fraction(20))
    begun = grown_plan(probe, BOTH)
    assert len(begun.extra) == 8
    # Whoever goes on may have been started with another setting.
    assert grown_plan(probe, PlanOptions(), begun).extra == begun.extra


def made(codec: str) -> list[VideoRendition]:
    video = sources.video(3840, 2160)
    options = PlanOptions(passthrough=False, extra_codecs=("hevc", "av1"))
    planned = plan(sources.probe(video), options)
    return [each for each in (*planned.renditions, *planned.extra) if each.codec == codec]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_every_rung_is_capped_and_has_no_key_frames_of_its_own(codec: str) -> None:
    renditions = made(codec)
    assert len(renditions) == 6
    for rendition in renditions:
        given = encoders.settings(rendition)
        assert after(given, "-crf") == [f"{rendition.crf:g}"]
        assert after(given, "-maxrate") == [str(rendition.max_rate_bps)]
        assert after(given, "-bufsize") == [str(rendition.buffer_bits)]
        (words,) = [following for each, following in pairwise(given) if each.endswith("-params")]
        settings = dict(word.split("=") for word in words.split(":"))
        assert settings["scd" if codec == "av1" else "scenecut"] == "0"
        assert after(given, "-g") == ["9999"] or settings["keyint"] == "-1"


def test_what_each_encoder_needs_beside() -> None:
    hevc, av1 = made("hevc")[-1], made("av1")[-1]
    given = encoders.settings(hevc)
    assert after(given, "-forced-idr") == ["1"]
    assert after(given, "-tag:v") == ["hvc1"]
    assert "open-gop=0" in after(given, "-x265-params")[0]
    assert ":level=50" in after(encoders.settings(av1), "-svtav1-params")[0]
