"""What each hardware encoder is told, at every rung; none was ever run on its hardware."""

from fractions import Fraction
from itertools import pairwise

import pytest

from telecine.formats.codecs.h264_levels import level_idc
from telecine.pipeline import argv
from telecine.pipeline.argv import Fed
from telecine.pipeline.encoders import Encoder, software
from telecine.pipeline.hardware import HARDWARE
from telecine.pipeline.model import VideoRendition
from telecine.pipeline.plan import PlanOptions, plan
from tests.unit.pipeline import sources

VIDEO = sources.video(3840, 2160, frame_rate=Fraction(60))
PLAN = plan(sources.probe(VIDEO), PlanOptions(passthrough=False))
RUNGS = list(reversed(PLAN.renditions))


def after(arguments: list[str], flag: str) -> list[str]:
    return [following for each, following in pairwise(arguments) if each == flag]


def option(arguments: list[str], flag: str) -> str:
    (value,) = after(arguments, flag)
    return value


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
@pytest.mark.parametrize("encoder", HARDWARE.values(), ids=lambda encoder: encoder.name)
def test_each_says_what_x264_is_told(encoder: Encoder, rung: VideoRendition) -> None:
    given = encoder.settings(rung)
    assert option(given, "-c:v") == f"h264_{encoder.name}"
    assert option(given, "-profile:v") == "high"
    assert option(given, "-level") == str(level_idc(rung.level))
    # Below the cap of the rung, measured by its buffer.
    assert option(given, "-maxrate") == str(rung.max_rate_bps)
    assert option(given, "-bufsize") == str(rung.buffer_bits)
    # Key frames where they are forced, and no picture that is shown across one.
    assert option(given, "-g") == "9999"
    assert option(given, "-bf") == "0"


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_quality_is_constant_below_the_cap(rung: VideoRendition) -> None:
    vaapi = HARDWARE["vaapi"].settings(rung)
    assert option(vaapi, "-rc_mode") == "QVBR"
    assert option(vaapi, "-global_quality") == f"{rung.crf:g}"
    assert option(vaapi, "-b:v") == str(rung.max_rate_bps)
    assert option(vaapi, "-idr_interval") == "0"
    nvenc = HARDWARE["nvenc"].settings(rung)
    assert (option(nvenc, "-rc"), option(nvenc, "-b:v")) == ("vbr", "0")
    assert option(nvenc, "-cq") == f"{rung.crf:g}"
    assert (option(nvenc, "-forced-idr"), option(nvenc, "-no-scenecut")) == ("1", "1")
    quality = int(option(HARDWARE["videotoolbox"].settings(rung), "-q:v"))
    assert quality == 100 - 2 * rung.crf


def encode(encoder: Encoder, rungs: list[VideoRendition]) -> list[str]:
    return argv.encode(VIDEO, PLAN, rungs, [(0, 480)], Fed(0, 0), encoder=encoder)


def test_pictures_are_brought_to_the_device() -> None:
    given = encode(HARDWARE["vaapi"], RUNGS)
    graph = option(given, "-filter_complex")
    for number in range(len(RUNGS)):
        assert f";[o{number}]format=nv12,hwupload[u{number}]" in graph
    assert after(given, "-map") == [f"[u{number}]" for number in range(len(RUNGS))]
    assert given.index("-init_hw_device") < given.index("-i")
    assert option(given, "-init_hw_device") == f"vaapi=gpu:{HARDWARE['vaapi'].devices[0]}"


@pytest.mark.parametrize("name", ["nvenc", "videotoolbox"])
def test_others_take_pictures_from_memory(name: str) -> None:
    given = encode(HARDWARE[name], RUNGS)
    assert "hwupload" not in option(given, "-filter_complex")
    assert after(given, "-map") == [f"[o{number}]" for number in range(len(RUNGS))]


@pytest.mark.parametrize("encoder", HARDWARE.values(), ids=lambda encoder: encoder.name)
def test_key_frames_are_forced_as_in_software(encoder: Encoder) -> None:
    given, usual = encode(encoder, RUNGS), encode(software(), RUNGS)
    assert after(given, "-force_key_frames") == after(usual, "-force_key_frames")
    assert len(after(given, "-force_key_frames")) == len(RUNGS)


def test_what_an_encoder_cannot_name_is_left_to_software() -> None:
    given = encode(HARDWARE["videotoolbox"], RUNGS)
    made_by = dict(zip([rung.name for rung in RUNGS], after(given, "-c:v"), strict=True))
    assert made_by["240p"] == "libx264"
    assert made_by["1080p"] == "h264_videotoolbox"
    assert set(after(encode(HARDWARE["nvenc"], RUNGS), "-c:v")) == {"h264_nvenc"}


def test_software_can_come_second() -> None:
    usual, second = software(), software(second={"240p"})
    for rung in RUNGS:
        added = ":sps-id=1" if rung.name == "240p" else ""
        words = option(usual.settings(rung), "-x264-params")
        assert option(second.settings(rung), "-x264-params") == words + added
