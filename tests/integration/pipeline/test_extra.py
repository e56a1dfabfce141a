"""HEVC and AV1 beside the ladder: the same pictures at the same cuts, and what was said of them."""

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.mp4.boxes import iter_boxes
from telecine.formats.mp4.fragment import FragmentSplitter, InitSegment, read_init, read_moof
from telecine.pipeline.bitstream import codecs_of, coded_size
from telecine.pipeline.collector import EncodedRendition
from telecine.pipeline.conformance import HEAD_BYTES, Rates, Track, check_video
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.encoders import settings
from telecine.pipeline.extra import EXTRA_CODECS, extra_renditions
from telecine.pipeline.ladder import rungs_for
from telecine.pipeline.model import Plan, VideoRendition
from telecine.pipeline.per_title import tuned
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.similarity import compare
from tests.fixtures.media import FFMPEG
from tests.integration.pipeline.clips import Clip, decode
from tests.integration.pipeline.test_encode import (
    check_times,
    encode_in_pieces,
    index_of,
    local,
    write,
)
from tests.unit.pipeline import sources

pytestmark = pytest.mark.anyio

CODECS = tuple(codec.name for codec in EXTRA_CODECS)


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


def alone(made: Plan, codec: str) -> Plan:
    """As if there were nothing but the renditions of one codec."""
    return replace(made, renditions=tuple(each for each in made.extra if each.codec == codec))


def track_of(rendition: EncodedRendition) -> Track:
    moofs, heads = [], []
    for piece in rendition.pieces:
        head, payload = iter_boxes(piece)
        moofs.append(read_moof(piece[: head.end]))
        heads.append(piece[payload.body :][:HEAD_BYTES])
    return Track(rendition.init, moofs, [len(piece) for piece in rendition.pieces], heads)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "clip", [Clip(name="plain.mp4"), Clip(name="fast.mkv", rate="60", pictures=400)],
    ids=lambda clip: clip.name,
)  # fmt: skip
async def test_every_frame_is_the_right_one(
    runner: Runner, tmp_path: Path, clip: Clip, codec: str
) -> None:
    path = clip.make(tmp_path)
    probed = await probe(runner, local(path), clip.name)
    made = alone(plan(probed.probe, PlanOptions(extra_codecs=(codec,), passthrough=False)), codec)
    (rendition,) = made.renditions
    encoded = (await encode_in_pieces(runner, path, probed, made, seed=7))[rendition.name]
    check_times(made, encoded)
    step = rendition.rate_divisor
    shown = decode(write(tmp_path / "out.mp4", encoded))
    assert shown == list(range(0, clip.pictures, step))
    length_s = clip.pictures / Fraction(clip.rate)
    declared = Rates(50_000_000, round(sum(map(len, encoded.pieces)) * 8 / length_s))
    checks = check_video(made, rendition, track_of(encoded), declared)
    assert [check for check in checks if not check.passed] == []


@pytest.mark.parametrize("codec", CODECS)
async def test_what_is_made_with_another_quality_has_the_same_header(
    runner: Runner, tmp_path: Path, codec: str
) -> None:
    path = Clip(name="plain.mp4", pictures=150).make(tmp_path)
    probed = await probe(runner, local(path), path.name)
    made = alone(plan(probed.probe, PlanOptions(extra_codecs=CODECS)), codec)
    name = made.renditions[0].name
    inits = set()
    for crf, segments in ((None, (0, 1)), (18.0, (1, 2)), (45.0, (0, 2))):
        (found,) = await encode_chunk(
            runner, local(path), index_of(probed), probed.probe, tuned(made, {name: crf}), [name],
            *segments,
        )  # fmt: skip
        inits.add(found.init)
    assert len(inits) == 1


@pytest.mark.parametrize("codec", CODECS)
async def test_a_broken_promise_is_named(runner: Runner, tmp_path: Path, codec: str) -> None:
    path = Clip(name="plain.mp4", pictures=150).make(tmp_path)
    probed = await probe(runner, local(path), path.name)
    made = alone(plan(probed.probe, PlanOptions(extra_codecs=CODECS, passthrough=False)), codec)
    rendition = made.renditions[0]
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, [rendition.name], 0,
        made.segments,
    )  # fmt: skip
    track, size = track_of(encoded), sum(map(len, encoded.pieces))
    declared = Rates(50_000_000, round(size * 8 / 5))

    def broken(looked_at: Track, promised: VideoRendition = rendition) -> set[str]:
        checks = check_video(made, promised, looked_at, declared)
        return {check.name for check in checks if not check.passed}

    assert broken(track) == set()
    # The table says key frame, the bytes are those of a picture behind one.
    later = encoded.pieces[1][-int(track.moofs[1].samples.sizes[1:].sum()) :][:HEAD_BYTES]
    assert broken(replace(track, heads=[track.heads[0], later, *track.heads[2:]])) == {"key frames"}
    level = {"hevc": "hvc1.1.6.L120.90", "av1": "av01.0.08M.08"}[codec]
    assert broken(track, replace(rendition, codecs=level)) == {"codecs"}


async def test_they_look_like_the_source(runner: Runner, tmp_path: Path) -> None:
    path = Clip(name="plain.mp4", pictures=150).make(tmp_path)
    probed = await probe(runner, local(path), path.name)
    made = plan(probed.probe, PlanOptions(extra_codecs=CODECS, passthrough=False))
    for rendition in made.extra:
        (encoded,) = await encode_chunk(
            runner, local(path), index_of(probed), probed.probe, made, [rendition.name], 0, 1
        )
        likeness = await compare(
            runner, local(path), index_of(probed), probed.probe, made, rendition, 0,
            encoded.init + b"".join(encoded.pieces),
        )  # fmt: skip
        assert likeness.frames == 60
        assert likeness.vmaf > 85


@pytest.mark.parametrize(
    ("size", "rate"),
    [
        ((1920, 1080), Fraction(60)),
        ((1280, 534), Fraction(30_000, 1001)),
        ((608, 1080), Fraction(24)),
        ((130, 98), Fraction(25)),
    ],
)
def test_names_are_those_of_the_bytes_at_every_rung(
    tmp_path: Path, size: tuple[int, int], rate: Fraction
) -> None:
    """Three pictures each; what they show does not matter."""
    video = sources.video(*size, frame_rate=rate)
    for rendition in extra_renditions(video, rungs_for(video), CODECS):
        width_px, height_px = rendition.size_px
        out = tmp_path / f"{rendition.name}.mp4"
        shown = rate / rendition.rate_divisor
        command: list[str] = [str(FFMPEG), "-v", "error", "-f", "lavfi", "-i"]
        command += [f"testsrc2=s={width_px}x{height_px}:r={shown},format=yuv420p"]
        command += ["-frames:v", "3", *settings(rendition), "-movflags", "+cmaf+frag_keyframe"]
        subprocess.run([*command, str(out)], check=True, env={"SVT_LOG": "1"})
        (init, *_) = FragmentSplitter().feed(out.read_bytes())
        assert isinstance(init, InitSegment)
        stsd = read_init(init.data).stsd
        assert codecs_of(stsd) == rendition.codecs, rendition.name
        assert coded_size(stsd) == rendition.size_px
