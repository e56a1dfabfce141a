"""Segments of separate processes are those of one sequential pass; sound never drifts.

Two sources and five minutes by default; `--every-input` and `--minutes` ask for more.
"""

import asyncio
import pickle
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import numpy as np
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.codecs.adts import header
from telecine.pipeline.audio import encode_audio
from telecine.pipeline.collector import EncodedRendition
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.spans import audio_spans
from tests.fixtures.media import make_clip
from tests.integration.pipeline.clips import FFMPEG, HEIGHT_PX, WIDTH_PX, numbers, picture
from tests.integration.pipeline.inputs import Input
from tests.integration.pipeline.inputs_of_pictures import PICTURES
from tests.integration.pipeline.inputs_of_streams import STREAMS
from tests.integration.pipeline.test_encode import CLIPS, check_times, index_of, local
from tests.integration.pipeline.test_inputs import decoded

pytestmark = pytest.mark.anyio

AT_ONCE = 2
USUAL = ("long long-gop.mp4", "transport.ts")
EVERY = {each.name: each for each in (*PICTURES, *STREAMS)} | {
    f"long {each.name}": each for each in CLIPS
}
LIKE = 12.0
"""Mean difference of two encodes of one picture, of 255; other pictures have more."""

LATEST_S = 0.001
CLAP_S, PICTURE_HZ = 10, 5
RATE_HZ = 44_100


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-input")
        metafunc.parametrize("name", EVERY if every else USUAL)


async def test_separate_processes_make_what_one_pass_makes(name: str, tmp_path: Path) -> None:
    source = EVERY[name]
    path = source.make() if isinstance(source, Input) else source.make(tmp_path)
    size_px = source.size_px if isinstance(source, Input) else source.size
    runner = Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, local(path), path.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    (lowest, *_) = made.renditions
    (once,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, [lowest.name], 0, made.segments
    )
    order = list(range(made.segments))
    random.Random(name).shuffle(order)
    places, parts = asyncio.Semaphore(AT_ONCE), dict[int, list[bytes]]()

    async def alone(segment: int) -> None:
        out = tmp_path / f"{segment}.pickle"
        module = "tests.integration.pipeline.encoding"
        words = (str(path), str(segment), str(segment + 1), str(out))
        async with places:
            await anyio.run_process([sys.executable, "-m", module, *words])
        init, parts[segment] = pickle.loads(out.read_bytes())
        assert init == once.init

    async with asyncio.TaskGroup() as group:
        for segment in order:
            group.create_task(alone(segment))
    pieces = [piece for segment in sorted(parts) for piece in parts[segment]]
    check_times(made, EncodedRendition(lowest.name, once.init, pieces))
    ours, theirs = (decoded(once.init + b"".join(each), size_px) for each in (pieces, once.pieces))
    assert len(ours) == len(theirs)
    if isinstance(source, Input) and source.concealed:
        return  # what is shown instead depends on where decoding began
    apart = np.abs(ours.astype(float) - theirs).mean((1, 2, 3))
    assert float(apart.max()) < LIKE
    if not isinstance(source, Input) or source.legible:
        grey = [each.mean(3).astype(np.uint8).tobytes() for each in (ours, theirs)]
        assert numbers(grey[0], *size_px) == numbers(grey[1], *size_px)


def claps(minutes: float) -> Path:
    """A film with a clap every ten seconds; what its pictures show is their number."""
    pictures = round(minutes * 60 * PICTURE_HZ)

    def drawn() -> Iterator[bytes]:
        for number in range(pictures):
            yield picture(number % 1024)

    sound = f"aevalsrc='0.8*sin(2*PI*1000*t)*lt(mod(t,{CLAP_S}),0.05)':s={RATE_HZ}"
    raw = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH_PX}x{HEIGHT_PX}")
    return make_clip(
        "claps.mkv",
        *(*raw, "-r", str(PICTURE_HZ), "-i", "pipe:0"),
        *("-f", "lavfi", "-i", f"{sound}:d={minutes * 60}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"),
        *("-c:a", "flac"),
        stdin=drawn,
        made_by=f"claps 1, {pictures} pictures",
    )


async def test_sound_does_not_drift(pytestconfig: pytest.Config) -> None:
    minutes = float(pytestconfig.getoption("--minutes"))
    path, runner = claps(minutes), Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, local(path), path.name)
    made = plan(probed.probe)
    assert made.audio is not None
    assert not made.audio.passthrough
    stream = b""
    for first, end in audio_spans(made):
        packets = made.audio.segment_packets[first], made.audio.segment_packets[end]
        span = await encode_audio(runner, local(path), probed.probe, made, *packets)
        rate_hz = made.audio.sample_rate_hz
        stream += b"".join(header(rate_hz, 2, len(each)) + each for each in span.packets)
    command = [FFMPEG, "-v", "error", "-f", "aac", "-i", "pipe:0", "-f", "s16le", "-ac", "1", "-"]
    raw = (await anyio.run_process(command, input=stream)).stdout
    loud = np.flatnonzero(np.abs(np.frombuffer(raw, "<i2").astype(int)) > 0.2 * 32768)
    begins = loud[1:][np.diff(loud) > made.audio.sample_rate_hz] / made.audio.sample_rate_hz
    assert len(begins) == round(minutes * 60 / CLAP_S) - 1
    late_s = begins - CLAP_S * (1 + np.arange(len(begins)))
    assert float(np.abs(late_s).max()) <= LATEST_S
    # And the pictures are still those of their time at the end.
    last = made.segments - 1
    (name, *_) = [rendition.name for rendition in made.renditions]
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, [name], last, last + 1
    )
    shown = decoded(encoded.init + b"".join(encoded.pieces), (WIDTH_PX, HEIGHT_PX))
    first_frame, end_frame = made.segment_frames(last)
    assert made.frame_rate == PICTURE_HZ
    read = numbers(shown.mean(3).astype(np.uint8).tobytes())
    assert read == [frame % 1024 for frame in range(first_frame, end_frame)]
