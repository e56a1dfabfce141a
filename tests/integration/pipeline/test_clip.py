"""A part of a source begins and ends with the right picture, and its sound with it."""

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.codecs.adts import header
from telecine.pipeline import clip as clips
from telecine.pipeline import passthrough
from telecine.pipeline.audio import encode_audio
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.model import Plan
from telecine.pipeline.passthrough import SegmentIndex
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import Probed, probe
from tests.integration.pipeline.clips import FFMPEG, Clip, decode
from tests.integration.pipeline.inputs import NEAR
from tests.integration.pipeline.test_conformance import likeness
from tests.integration.pipeline.test_encode import (
    X264,
    check_times,
    encode_in_pieces,
    index_of,
    local,
    write,
)

pytestmark = pytest.mark.anyio

RATE_HZ = 48_000

CLIPS = (
    Clip(name="long-gop.mp4"),
    Clip(name="ntsc.mp4", rate="30000/1001"),
    Clip(name="open-gop.mp4", video=(*X264, "-g", "50", "-x264-params", "open-gop=1:bframes=3")),
    Clip(name="edited.mp4", before=("-ss", "1.4")),
    Clip(name="fragmented.mp4", after=("-movflags", "frag_keyframe+empty_moov")),
    Clip(name="matroska.mkv"),
    Clip(name="transport.ts"),
    Clip(name="intra.mov", video=("-c:v", "mjpeg", "-q:v", "3"), audio=("-c:a", "pcm_s16le")),
)


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


def cut(probed: Probed, start_ms: int, end_ms: int | None) -> Probed:
    wanted = clips.Clip(start_ms=start_ms, end_ms=end_ms)
    part, samples = clips.clipped(probed.probe, index_of(probed), wanted)
    return Probed(part, None if samples is None else samples.to_bytes())


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
@pytest.mark.parametrize(("start_ms", "end_ms"), [(4321, 7890), (100, None), (0, 2468)])
async def test_the_first_and_the_last_picture_are_those_asked_for(
    runner: Runner, clip: Clip, start_ms: int, end_ms: int | None, tmp_path: Path
) -> None:
    path = clip.make(tmp_path)
    probed = cut(await probe(runner, local(path), clip.name), start_ms, end_ms)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    offset = 42 if clip.before else 0
    rate = Fraction(clip.rate)
    shown = [
        number
        for number in range(offset, clip.pictures)
        if start_ms <= (number - offset) / rate * 1000 < (end_ms or 99_999)
    ]
    assert made.frames == len(shown)
    encoded = await encode_in_pieces(runner, path, probed, made, seed=5)
    check_times(made, encoded["240p"])
    assert decode(write(tmp_path / "out.mp4", encoded["240p"])) == shown


@pytest.mark.parametrize("name", ["long-gop.mp4", "matroska.mkv"])
async def test_a_part_is_compared_with_the_same_part_of_its_source(
    runner: Runner, name: str, tmp_path: Path
) -> None:
    path = Clip(name=name).make(tmp_path)
    whole = await probe(runner, local(path), name)
    probed = cut(whole, 4321, 7890)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    assert made.segments > 1
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, ["240p"], 0, made.segments
    )
    found = await likeness(runner, path, probed, made, encoded)
    elsewhere = await likeness(runner, path, whole, made, encoded)
    assert found.vmaf > NEAR[0] > elsewhere.vmaf


async def test_a_picture_that_is_held_over_the_start_is_the_first(
    runner: Runner, tmp_path: Path
) -> None:
    late = "setpts='(N+gte(N,20)*150)/30/TB',format=yuv420p"
    clip = Clip(name="slide.mkv", pictures=40, audio=(), late=late)
    path = clip.make(tmp_path)
    probed = cut(await probe(runner, local(path), clip.name), 3000, 5800)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    encoded = await encode_in_pieces(runner, path, probed, made, seed=6)
    shown = decode(write(tmp_path / "out.mp4", encoded["240p"]))
    assert shown == [19] * 80 + [20, 21, 22, 23]


async def test_what_is_copied_is_the_part_and_nothing_else(runner: Runner, tmp_path: Path) -> None:
    clip = Clip(name="keys.mp4", size=(426, 240), video=(*X264, "-g", "60", "-sc_threshold", "0"))
    path = clip.make(tmp_path)
    whole = await probe(runner, local(path), clip.name)
    for start_ms, end_ms, first, end in ((2000, 6000, 60, 180), (4000, None, 120, 280)):
        probed = cut(whole, start_ms, end_ms)
        made = plan(probed.probe)
        assert [rendition.passthrough for rendition in made.renditions] == [True]
        samples = index_of(probed)
        assert samples is not None
        index = SegmentIndex.from_bytes(passthrough.segment_index(made, samples, "video"))
        media = passthrough.video_init(samples)
        source = path.read_bytes()
        for number in range(len(index)):
            segment = index.segment(number)
            media += segment.head + b"".join(source[at : at + n] for at, n in segment.ranges)
        (tmp_path / "out.mp4").write_bytes(media)
        shown = decode(tmp_path / "out.mp4", width_px=426, height_px=240)
        assert shown == list(range(first, end))


def chirp(seconds: float) -> npt.NDArray[np.float64]:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.4 * np.sin(2 * np.pi * (200 * t + 60 * t * t))


def decoded(packets: list[bytes]) -> npt.NDArray[np.float64]:
    stream = b"".join(header(RATE_HZ, 2, len(packet)) + packet for packet in packets)
    command = [FFMPEG, "-v", "error", "-f", "aac", "-i", "-", "-f", "f32le", "-ac", "1", "-"]
    output = subprocess.run(command, input=stream, capture_output=True, check=True).stdout
    return np.frombuffer(output, "<f4").astype(float)


def lag_samples(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> int:
    """Return by how many samples `ours` is late."""
    window = ours[4096:20_480]
    lags = range(-1500, 1501)
    scores = [float(window @ theirs[4096 + lag : 20_480 + lag]) for lag in lags]
    return -lags[int(np.argmax(scores))]


def without_copying(probed: Probed) -> Plan:
    assert probed.probe.audio is not None
    return plan(replace(probed.probe, audio_obstacles=("test",)), PlanOptions(passthrough=False))


@pytest.mark.parametrize("name", ["sweep.mkv", "sweep.mp4", "sweep.ts"])
async def test_the_sound_is_cut_at_the_instant_of_the_first_picture(
    runner: Runner, name: str, tmp_path: Path
) -> None:
    path = Clip(name=name, pictures=280, audio=SWEEP).make(tmp_path)
    whole = await probe(runner, local(path), name)
    original = without_copying(whole)
    probed = cut(whole, 4321, 7000)
    made = without_copying(probed)
    assert (original.audio is not None, made.audio is not None) == (True, True)
    heard = await sound(runner, path, whole, original)
    ours = await sound(runner, path, probed, made)
    at = round(Fraction(130, 30) * RATE_HZ)  # picture 130 is the first
    assert abs(lag_samples(ours, heard[at:])) <= RATE_HZ // 1000  # some clocks count so
    assert len(ours) // 1024 == -(-80 * 1600 // 1024)  # pictures 130 to 209


SWEEP = ("-af", "aeval='0.4*sin(2*PI*(200*t+60*t*t))':c=same", "-c:a", "aac", "-b:a", "160k")


async def sound(runner: Runner, path: Path, probed: Probed, made: Plan) -> npt.NDArray[np.float64]:
    assert made.audio is not None
    end = made.audio.packets
    span = await encode_audio(runner, local(path), probed.probe, made, 0, end)
    return decoded(span.packets)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.mka"
    samples = (chirp(9) * 32767).astype("<i2").tobytes()
    command = [FFMPEG, "-v", "error", "-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-"]
    subprocess.run([*command, "-c:a", "flac", str(path)], input=samples, check=True)
    return path


async def test_sound_alone_is_cut_to_the_sample(runner: Runner, sweep: Path) -> None:
    path = sweep
    probed = cut(await probe(runner, local(path), path.name), 3250, 6500)
    made = plan(probed.probe)
    assert made.audio is not None
    assert float(made.audio.packets * 1024 / RATE_HZ) == pytest.approx(3.25, abs=1024 / RATE_HZ)
    ours = await sound(runner, path, probed, made)
    assert lag_samples(ours, chirp(9)[round(3.25 * RATE_HZ) :]) == 0
