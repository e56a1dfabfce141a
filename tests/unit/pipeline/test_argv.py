from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from telecine.ffmpeg.safety import ATTACHED_PICTURE_FLAGS, INPUT_FLAGS
from telecine.pipeline import argv
from telecine.pipeline.argv import Fed, Whole, whole_input
from telecine.pipeline.model import Plan, Probe
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.watermark import Length, Watermark
from tests.unit.pipeline import sources


def made(video: Any = None, **options: Any) -> tuple[Probe, Plan]:
    probe = sources.probe(video or sources.video(1280, 720))
    return probe, plan(probe, PlanOptions(passthrough=False, **options))


def arguments(probe: Probe, wanted: Plan, source: Fed | Whole, *names: str) -> list[str]:
    assert probe.video is not None
    renditions = [wanted.rendition(name) for name in names]
    return argv.encode(probe.video, wanted, renditions, [(120, 360)], source)


def after(arguments: list[str], flag: str) -> list[str]:
    return [following for each, following in pairwise(arguments) if each == flag]


def graph(arguments: list[str]) -> str:
    (text,) = after(arguments, "-filter_complex")
    return text


def test_the_grid_is_laid_by_frame_numbers() -> None:
    text = graph(arguments(*made(), Fed(-512, 100), "240p"))
    assert text.startswith(
        "[0:v:0]setpts='PTS-512',fps=30/1:round=near:start_time=3.333333:eof_action=pass,"
        "tpad=stop=-1:stop_mode=clone,trim=start_pts=120:end_pts=360,setpts=PTS-120,"
    )


def test_renditions_are_scaled_in_a_cascade() -> None:
    given = arguments(*made(), Fed(0, 0), "720p", "480p", "240p")
    text = graph(given)
    assert text.count("[0:v:0]") == 1
    assert "scale=1280:720" in text.split(";")[0]
    assert text.split(";")[1] == "[n0]scale=854:480:flags=bicubic,setsar=1,split=2[o1][n1]"
    assert text.split(";")[2] == "[n1]scale=426:240:flags=bicubic,setsar=1[o2]"
    assert after(given, "-map") == ["[o0]", "[o1]", "[o2]"]
    assert [each for each in given if each.startswith("pipe:")] == ["pipe:10", "pipe:11", "pipe:12"]


def test_settings_are_those_of_the_rung() -> None:
    given = arguments(*made(), Fed(0, 0), "720p", "480p", "240p")
    assert after(given, "-preset") == ["superfast", "veryfast", "veryfast"]
    assert after(given, "-maxrate") == ["2800000", "1400000", "400000"]
    assert after(given, "-bufsize") == ["5600000", "2800000", "800000"]
    assert after(given, "-level") == ["3.1", "3.1", "2.1"]
    always = "scenecut=0:stitchable=1"
    assert after(given, "-x264-params") == [
        f"trellis=1:mbtree=1:rc-lookahead=10:{always}",
        f"trellis=1:rc-lookahead=20:partitions=i8x8,i4x4:{always}",
        f"trellis=1:rc-lookahead=20:partitions=i8x8,i4x4:ref=2:subme=4:{always}",
    ]


def test_the_rate_table_is_this_one() -> None:
    """Size, frame rate, cap in bit/s, CRF; caps are half as large again above 33 Hz."""
    for rate, factor in ((Fraction(30), Fraction(1)), (Fraction(60), Fraction(3, 2))):
        _, wanted = made(sources.video(3840, 2160, frame_rate=rate))
        found = {
            rendition.name: (rendition.max_rate_bps, rendition.buffer_bits, rendition.crf)
            for rendition in wanted.renditions
        }
        fast = {"720p": 2_800_000, "1080p": 5_000_000, "2160p": 16_000_000}
        caps = {"240p": 400_000, "360p": 800_000, "480p": 1_400_000}
        caps |= {name: int(cap * factor) for name, cap in fast.items()}
        assert found == {
            name: (cap, 2 * cap, 24.0 if name == "2160p" else 23.0) for name, cap in caps.items()
        }


def test_key_frames_are_forced_at_piece_cuts_and_nowhere_else() -> None:
    given = arguments(*made(), Fed(0, 0), "240p")
    # Cut 240, relative to 120, half a frame early.
    assert after(given, "-force_key_frames") == [f"{119.5 / 30:.6f}"]


def test_encoders_of_their_own_overlap_by_the_key_frame_that_ends_a_piece() -> None:
    probe, wanted = made()
    assert probe.video is not None
    rungs = [wanted.rendition(name) for name in ("360p", "240p")]
    spans = [(60, 121), (120, 240)]
    given = argv.encode(probe.video, wanted, rungs, spans, Fed(0, 0))
    assert after(given, "-map") == ["[s0]", "[s1]", "[s2]", "[s3]"]
    assert after(given, "-force_key_frames") == [f"{59.5 / 30:.6f}"] * 2
    text = graph(given)
    assert "trim=start_pts=60:end_pts=240" in text
    assert "[o1]split=2[c2][c3];[c2]trim=start_pts=0:end_pts=61,setpts=PTS-0[s2]" in text
    assert text.endswith("[c3]trim=start_pts=60:end_pts=180,setpts=PTS-60[s3]")


def test_half_rate_rungs_take_the_even_frames() -> None:
    probe, wanted = made(sources.video(1280, 720, frame_rate=Fraction(60)))
    text = graph(arguments(probe, wanted, Fed(0, 0), "720p", "480p", "240p"))
    assert text.count("framestep=2") == 1
    assert text.split(";")[1].startswith("[n0]framestep=2,scale=854:480")
    assert probe.video is not None
    odd = argv.encode(probe.video, wanted, [wanted.rendition("240p")], [(121, 360)], Fed(0, 0))
    assert "trim=start_frame=1,framestep=2" in graph(odd)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"interlaced": True}, "bwdif=mode=send_frame:deint=interlaced,fps="),
        ({"rotation_deg": 90},
         "scale=240:426:flags=bicubic:out_range=tv,format=yuv420p,transpose=clock"),
        ({"rotation_deg": 180}, "hflip,vflip"),
        ({"rotation_deg": 90, "mirrored": True}, "format=yuv420p,hflip,transpose=clock"),
        ({"transfer": "smpte2084"}, "zscale=tin=smpte2084:pin=bt2020"),
        ({"transfer": "arib-std-b67"}, "zscale=tin=arib-std-b67"),
        ({"matrix": "gbr"}, "out_range=tv:out_color_matrix=bt709"),
        ({}, "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"),
        ({"matrix": "bt470bg", "primaries": "bt470bg"},
         "color_primaries=bt470bg:color_trc=bt709:colorspace=bt470bg"),
    ],
)  # fmt: skip
def test_conversions(changes: dict[str, Any], steps: str) -> None:
    probe, wanted = made(sources.video(1280, 720, **changes))
    text = graph(arguments(probe, wanted, Fed(0, 0), "240p"))
    assert steps in text


def test_small_pictures_without_tags_are_standard_definition() -> None:
    probe, wanted = made(sources.video(640, 360))
    assert "colorspace=smpte170m" in graph(arguments(probe, wanted, Fed(0, 0), "360p"))


def test_the_mark_is_drawn_before_the_first_split() -> None:
    probe, wanted = made(watermarked=True)
    first, second = graph(arguments(probe, wanted, Fed(0, 0), "720p", "240p")).split(";")
    assert "drawbox" in first
    assert "drawbox" not in second


def test_watermarks_are_drawn_before_the_mark_and_the_first_split() -> None:
    zero = Length(value=Fraction(0), percent=False)
    wide = Length(value=Fraction(150), percent=False)
    hidden = Watermark(picture_width_px=9, picture_height_px=9, opacity_percent=Fraction(0))
    seen = Watermark(
        picture_width_px=300, picture_height_px=200, top=zero, left=zero, width=wide,
        opacity_percent=Fraction(70),
    )  # fmt: skip
    probe, wanted = made(watermarked=True, watermarks=(hidden, seen))
    given = arguments(probe, wanted, Fed(0, 0), "480p", "240p")
    source, picture, drawn, small = graph(given).split(";")
    assert source.startswith("[0:v:0]")
    assert source.endswith("[v1]")
    # The second attachment; in the size of 480p, and in the video's own matrix.
    assert picture.startswith("[2:v:0]format=gbrap,premultiply=inplace=1,scale=100:67:")
    assert "colorchannelmixer=aa=0.7000" in picture
    assert "out_color_matrix=bt709" in picture
    assert drawn.startswith("[v1][w1]overlay=x=0:y=0:eof_action=repeat:format=yuv420,drawbox")
    assert drawn.endswith("split=2[o0][n0]")
    assert "overlay" not in small
    # Behind the two outputs, which are 10 and 11.
    assert after(given, "-fd") == ["9", "12", "13"]
    for at in [number for number, each in enumerate(given) if each == "-i"][1:]:
        assert tuple(given[at - len(ATTACHED_PICTURE_FLAGS) - 2 : at - 2]) == (
            ATTACHED_PICTURE_FLAGS
        )


def test_every_input_is_bounded() -> None:
    for source in (Fed(0, 0), Whole(Fraction(0), 0, None, 0)):
        given = arguments(*made(), source, "240p")
        at = given.index(INPUT_FLAGS[0])
        assert tuple(given[at : at + len(INPUT_FLAGS)]) == INPUT_FLAGS
        assert at < given.index("-i")


@pytest.mark.parametrize(
    ("container", "frame", "seek_s"),
    [
        ("matroska,webm", 0, None),
        ("matroska,webm", 59, None),
        ("matroska,webm", 60, Fraction(22, 10)),
        ("matroska,webm", 130, Fraction(42, 10)),
        ("mpegts", 130, Fraction(395, 100)),
    ],
)
def test_seeks_land_on_the_key_frame_before(
    container: str, frame: int, seek_s: Fraction | None
) -> None:
    assert whole_input(sources.video(), container, frame).seek_s == seek_s


def test_seeks_count_from_the_container_s_own_start() -> None:
    video = sources.video(start_s=Fraction(7, 5), ordinal=1)
    source = whole_input(video, "mpegts", 130)
    assert source == Whole(Fraction(7, 5), 1, Fraction(7, 5) + Fraction(395, 100), 120)
    probe = sources.probe(video)
    given = arguments(probe, plan(probe, PlanOptions(passthrough=False)), source, "240p")
    assert after(given, "-ss") == ["5.350000"]
    assert graph(given).startswith("[0:v:1]setpts='round(PTS-(7/5)/TB)'")
    assert "-noautorotate" in given


def test_dense_key_frames_do_not_make_a_seek_overshoot() -> None:
    video = sources.video(key_frames=tuple(range(0, 300, 8)))
    source = whole_input(video, "matroska", 64)
    assert source.seek_s is not None
    assert source.seek_s < Fraction(72, 30)


def test_a_damaged_stretch_is_entered_earlier() -> None:
    assert whole_input(sources.video(), "matroska", 310, earlier_keys=2).start_frame == 180
    assert whole_input(sources.video(), "matroska", 310, earlier_keys=9).seek_s is None
