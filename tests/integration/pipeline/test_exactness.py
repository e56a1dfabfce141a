"""Segments of separate processes are those of one sequential pass; sound never drifts.

A few sources and five minutes by default; `--every-input` and `--minutes` ask for more.
"""

import asyncio
import pickle
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
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
from telecine.pipeline.model import Plan
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.spans import audio_spans
from tests.fixtures.media import make_clip
from tests.integration.pipeline.clips import (
    FFMPEG,
    HEIGHT_PX,
    WIDTH_PX,
    Clip,
    numbers,
    picture,
)
from tests.integration.pipeline.edit_lists import in_stretches
from tests.integration.pipeline.inputs import RATE, Input
from tests.integration.pipeline.inputs_of_pictures import PICTURES
from tests.integration.pipeline.inputs_of_streams import STREAMS, changing, with_a_gap
from tests.integration.pipeline.test_encode import CLIPS, check_times, index_of, local
from tests.integration.pipeline.test_inputs import Pixels, decoded, read

pytestmark = pytest.mark.anyio

AT_ONCE = 2
LONG = 18 * RATE
"""Six segments, in two chunks of the ladder."""

USUAL = ("long-gop.mp4 (film)", "transport.ts", "variable.mkv", "interlaced.mp4")


def longer(source: Input) -> Input:
    """Return it with more pictures; what is joined to another one has its length."""
    if source.changed in (changing, with_a_gap):
        return source
    if source.name == "two-edits.mp4":
        stretches_ms = [(0, 9000), (11_000, 20_000)]
        return replace(
            source,
            name=f"long-{source.name}",
            pictures=LONG + 2 * RATE,
            changed=lambda data: in_stretches(data, stretches_ms),
        )
    return replace(source, name=f"long-{source.name}", pictures=LONG)


EVERY: dict[str, Input | Clip] = {each.name: longer(each) for each in (*PICTURES, *STREAMS)}
EVERY |= {f"{each.name} (film)": replace(each, pictures=LONG) for each in CLIPS}

LIKE = 2.0
"""Mean difference of two encodes of one picture, of 255; that of neighbours is 2.8 or more.

Mostly it is 0.2. The first picture of a part is deinterlaced without the one before: 1.5.
"""

LATEST_S = 0.001
CLAP_S, PICTURE_HZ = 10, 5
RATE_HZ = 44_100


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-input")
        metafunc.parametrize("name", EVERY if every else USUAL)


Pieces = dict[int, list[bytes]]


class Elsewhere:
    """Encodes parts of a source in processes of their own, a few at a time."""

    def __init__(self, path: Path, made: Plan, folder: Path) -> None:
        self._path = path
        self._made = made
        self._folder = folder
        self._places = asyncio.Semaphore(AT_ONCE)
        self.inits: set[bytes] = set()

    async def encode(self, first: int, end: int, manner: str) -> Pieces:
        """Return the pieces of each of the segments [first, end)."""
        out = self._folder / f"{manner}-{first}.pickle"
        module = "tests.integration.pipeline.encoding"
        words = (str(self._path), str(first), str(end), str(out), manner)
        async with self._places:
            await anyio.run_process([sys.executable, "-m", module, *words])
        init, pieces = pickle.loads(out.read_bytes())
        self.inits.add(init)
        edges = [edge - self._made.segment_pieces[first] for edge in self._made.segment_pieces]
        return {
            segment: pieces[edges[segment] : edges[segment + 1]] for segment in range(first, end)
        }


def far_apart(ours: Pixels, theirs: Pixels) -> float:
    """Return the mean difference of the two pictures that differ most."""
    assert len(ours) == len(theirs)
    each = (np.abs(one.astype(np.int16) - other) for one, other in zip(ours, theirs, strict=True))
    return max(float(difference.mean()) for difference in each)


async def test_separate_processes_make_what_one_pass_makes(name: str, tmp_path: Path) -> None:
    """For viewers, for the ladder, and for viewers who meet pieces of both."""
    source = EVERY[name]
    path = source.make() if isinstance(source, Input) else source.make(tmp_path)
    size_px = source.size_px if isinstance(source, Input) else source.size
    runner = Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, local(path), path.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    if source.pictures == LONG and not (isinstance(source, Input) and source.truncated):
        assert (made.segments, len(made.chunk_segments)) == (6, 3)
    (lowest, *_) = made.renditions
    (once,) = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, [lowest.name], 0, made.segments
    )
    wanted = [(segment, segment + 1, "apart") for segment in range(made.segments)]
    wanted += [(*chunk, "chunk") for chunk in pairwise(made.chunk_segments)]
    random.Random(name).shuffle(wanted)
    elsewhere = Elsewhere(path, made, tmp_path)
    async with asyncio.TaskGroup() as group:
        tasks = [(each[2], group.create_task(elsewhere.encode(*each))) for each in wanted]
    parts: dict[str, Pieces] = {"apart": {}, "chunk": {}}
    for manner, task in tasks:
        parts[manner] |= task.result()
    assert elsewhere.inits == {once.init}

    theirs = decoded(once.init + b"".join(once.pieces), size_px)
    for manners in (("apart", "apart"), ("chunk", "chunk"), ("chunk", "apart")):
        pieces = [
            piece
            for segment in range(made.segments)
            for piece in parts[manners[segment % 2]][segment]
        ]
        check_times(made, EncodedRendition(lowest.name, once.init, pieces))
        ours = decoded(once.init + b"".join(pieces), size_px)
        assert len(ours) == len(theirs)
        if isinstance(source, Input) and source.concealed:
            continue  # what is shown instead depends on where decoding began
        assert far_apart(ours, theirs) < LIKE
        if not isinstance(source, Input) or source.legible:
            assert read(ours, size_px) == read(theirs, size_px)


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
