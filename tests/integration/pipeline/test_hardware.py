"""What hardware cannot do is done in software, and nobody who watches sees where.

There is no hardware here. In its place stands x264 with other settings, whose parameter sets
are as different from ours as those of hardware.
"""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.meter import metered
from telecine.ffmpeg.runner import Runner
from telecine.formats.codecs.h264 import parse_avcc
from telecine.formats.mp4.boxes import iter_boxes
from telecine.formats.mp4.fragment import read_init, read_moof
from telecine.formats.mp4.sample_entry import entry_box
from telecine.formats.mpegts import muxer as transport
from telecine.formats.mpegts.muxer import CLOCK_HZ, Sample, decode_times
from telecine.pipeline.collector import EncodedRendition, Piece
from telecine.pipeline.conformance import Rates, check_video
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.encoders import Encoder, cap, software
from telecine.pipeline.hardware import HARDWARE
from telecine.pipeline.model import TIMESCALE, Plan, VideoRendition
from telecine.pipeline.parameter_sets import is_joined
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import Probed, probe
from telecine.pipeline.trial import obstacle
from tests.integration.pipeline.clips import Clip, decode
from tests.integration.pipeline.test_encode import check_times, index_of, local, write
from tests.integration.pipeline.test_extra import track_of

pytestmark = pytest.mark.anyio

PICTURES = 280


def other_settings(rendition: VideoRendition) -> list[str]:
    level = rendition.level
    return ["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "8x8dct=1:scenecut=0:ref=3",
            "-profile:v", "high", "-level", level, "-g", "9999", "-bf", "0", "-crf", "20",
            *cap(rendition)]  # fmt: skip


STAND_IN = Encoder(name="stand-in", settings=other_settings, upload="format=nv12")
BROKEN = Encoder(name="broken", settings=lambda _: ["-c:v", "h264_of_nobody"])


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


async def test_an_encoder_that_works_is_used(runner: Runner) -> None:
    assert await obstacle(runner, software()) is None
    assert await obstacle(runner, STAND_IN) is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-g", "3"], "wrong-output|instead of|key frames"),
        (["-level", "4.0"], "avc1"),
        (["-profile:v", "main", "-x264-params", "8x8dct=0"], "avc1"),
        (["-c:v", "h264_of_nobody"], "Unknown encoder"),
        (["-c:v", "libx265", "-profile:v", "main", "-x265-params", "log-level=none"], "hvc1|not"),
    ],
)
async def test_one_that_does_something_else_is_not(
    runner: Runner, options: list[str], reason: str
) -> None:
    worse = replace(STAND_IN, settings=lambda rendition: [*other_settings(rendition), *options])
    said = await obstacle(runner, worse)
    assert said is not None
    assert any(each in said for each in reason.split("|")), said


async def test_what_is_not_in_this_machine_is_not_used(runner: Runner) -> None:
    nowhere = "/dev/dri/renderD999"
    vaapi = HARDWARE["vaapi"]
    elsewhere = [each.replace(vaapi.devices[0], nowhere) for each in vaapi.before_input]
    missing = replace(vaapi, before_input=tuple(elsewhere), devices=(nowhere,))
    said = await obstacle(runner, missing)
    assert said is not None
    assert nowhere in said
    assert await obstacle(runner, HARDWARE["videotoolbox"]) is not None


class Video:
    """A clip of several segments, encoded piece by piece as its rows would have it."""

    def __init__(self, runner: Runner, path: Path, probed: Probed, made: Plan) -> None:
        self.runner, self.path, self.probed, self.plan = runner, path, probed, made
        self.name = made.renditions[-1].name
        self.inits: dict[str, bytes] = {}
        self.pieces: list[bytes] = []

    async def encode(self, segment: int, encoder: Encoder | None) -> list[Piece]:
        told: list[Piece] = []
        (found,) = await encode_chunk(
            self.runner, local(self.path), index_of(self.probed), self.probed.probe, self.plan,
            [self.name], segment, segment + 1, inits=self.inits, hardware=encoder,
            on_piece=told.append,
        )  # fmt: skip
        assert self.inits.setdefault(self.name, found.init) == found.init
        assert {piece.init for piece in told} == {found.init}
        self.pieces += found.pieces
        return told

    @property
    def encoded(self) -> EncodedRendition:
        return EncodedRendition(self.name, self.inits[self.name], self.pieces)


@pytest.fixture
async def video(runner: Runner, tmp_path: Path) -> Video:
    path = Clip(name="clip.mp4", pictures=PICTURES).make(tmp_path)
    probed = await probe(runner, local(path), path.name)
    return Video(runner, path, probed, plan(probed.probe, PlanOptions(passthrough=False)))


def check(video: Video, folder: Path) -> None:
    """Every picture is there once, and all that was promised is kept."""
    made = video.encoded
    check_times(video.plan, made)
    assert decode(write(folder / "out.mp4", made)) == list(range(PICTURES))
    length_s = PICTURES / Fraction(30)
    declared = Rates(50_000_000, round(sum(map(len, made.pieces)) * 8 / length_s))
    rendition = video.plan.rendition(video.name)
    checks = check_video(video.plan, rendition, track_of(made), declared)
    assert [each for each in checks if not each.passed] == []


async def test_software_goes_on_where_hardware_fails(video: Video, tmp_path: Path) -> None:
    with metered() as meter:
        await video.encode(0, STAND_IN)
        assert meter.troubles == []
        await video.encode(1, BROKEN)
    assert [trouble.partition(":")[0] for trouble in meter.troubles] == ["broken"]
    for segment in range(2, video.plan.segments):
        await video.encode(segment, None if segment % 2 else STAND_IN)
    check(video, tmp_path)
    box = entry_box(read_init(video.encoded.init).stsd, b"avcC", video=True)
    assert len({*parse_avcc(box or b"").sps}) == 2
    # Each segment can be the first that a player gets.
    first, end = video.plan.segment_pieces[1], video.plan.segment_pieces[2]
    alone = EncodedRendition(video.name, video.encoded.init, video.pieces[first:end])
    start, stop = video.plan.segment_frames(1)
    assert decode(write(tmp_path / "alone.mp4", alone)) == list(range(start, stop))


async def test_transport_streams_are_decoded_in_one_order(video: Video) -> None:
    """Hardware makes no B-frames and says so; software's pictures must not come too late."""
    dts: list[int] = []
    for segment in range(video.plan.segments):
        before = len(video.pieces)
        await video.encode(segment, None if segment % 2 else STAND_IN)
        box = entry_box(read_init(video.encoded.init).stsd, b"avcC", video=True)
        samples = [each for piece in video.pieces[before:] for each in samples_of(piece)]
        dts += decode_times(transport.Video(parse_avcc(box or b""), samples, CLOCK_HZ // 30))
    assert len(dts) == PICTURES
    assert all(before < after for before, after in pairwise(dts))


def samples_of(piece: bytes) -> list[Sample]:
    head = read_moof(piece[: next(iter(iter_boxes(piece))).end])
    samples = head.samples
    decoded = head.decode_time + np.cumsum(samples.durations) - samples.durations
    shown = (decoded + samples.composition_offsets) * CLOCK_HZ // TIMESCALE
    return [
        Sample(b"", int(pts), bool(key)) for pts, key in zip(shown, samples.keyframes, strict=True)
    ]


async def test_what_software_began_it_ends(video: Video, tmp_path: Path) -> None:
    await video.encode(0, None)
    assert not is_joined(video.encoded.init)
    with metered() as meter:
        for segment in range(1, video.plan.segments):
            await video.encode(segment, BROKEN)  # is not even tried
    assert meter.troubles == []
    check(video, tmp_path)


async def test_hardware_of_another_kind_is_not_mixed_in(video: Video, tmp_path: Path) -> None:
    """Another card, or another version of its driver, may write other parameter sets."""

    def foreign(rendition: VideoRendition) -> list[str]:
        return [*other_settings(rendition), "-x264-params", "8x8dct=1:scenecut=0:ref=1"]

    await video.encode(0, STAND_IN)
    with metered() as meter:
        for segment in range(1, video.plan.segments):
            await video.encode(segment, replace(STAND_IN, settings=foreign))
    assert len(meter.troubles) == video.plan.segments - 1
    assert all("another encoder's init segment" in each for each in meter.troubles)
    check(video, tmp_path)
