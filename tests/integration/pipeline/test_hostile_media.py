"""What is made to harm opens nothing, and takes no more than any video may."""

import resource
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Result, Runner
from telecine.formats.mp4.fragment import Fragment, FragmentSplitter, read_init, read_moof
from telecine.pipeline.audio import encode_audio
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.model import Plan
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.poster import poster
from telecine.pipeline.probe import Probed, probe
from telecine.pipeline.similarity import SAMPLE, compare
from telecine.pipeline.sound import write_wav
from telecine.pipeline.storyboard import KeyPicture, sheet, tile_size
from telecine.pipeline.thumbnail import still
from tests.fixtures.media import REPRODUCIBLE, barcode_mp4, make_clip
from tests.integration.ffmpeg.bait import Bait, laid_out
from tests.integration.ffmpeg.conftest import Loopback, loopback
from tests.integration.pipeline.clips import FFMPEG
from tests.integration.pipeline.hostile import BOMBS, MIB, NAMING, concat
from tests.integration.pipeline.test_encode import index_of, local

__all__ = ["loopback"]

pytestmark = pytest.mark.anyio

OF_ITS_OWN = ("subtitles", "samples")
"""Those that have media beside what they name: they play."""

MOST_CPU_S = 10
MOST_MEMORY_BYTES = 768 * MIB
"""Far below the limits of a run, which are for 8K: what is refused shall cost little."""


class Measured(Runner):
    """Remembers what its runs took."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.results: list[Result] = []

    async def run(self, *arguments: Any, **options: Any) -> Result:
        self.results.append(await super().run(*arguments, **options))
        return self.results[-1]

    async def run_python(self, *arguments: Any, **options: Any) -> Result:
        self.results.append(await super().run_python(*arguments, **options))
        return self.results[-1]


def begun() -> int:
    """Return what a run has taken at once: the kernel counts the memory of who started it, ours."""
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) + MIB


def check_what_was_taken(runner: Measured) -> None:
    """No run took more than its share."""
    assert runner.results
    assert max(result.cpu_s for result in runner.results) < MOST_CPU_S
    most_bytes = max(MOST_MEMORY_BYTES, begun())
    assert max(result.peak_memory_bytes for result in runner.results) < most_bytes


async def put_through(runner: Runner, path: Path, folder: Path) -> None:
    """Do all that is ever done with an upload. Raises MediaError."""
    found = await probe(runner, local(path), "upload.mp4")
    heard = replace(found.probe, audio_obstacles=("test",))
    made = plan(heard, PlanOptions(passthrough=False))
    await use(runner, path, replace(found, probe=heard), made, folder)


async def use(runner: Runner, path: Path, found: Probed, made: Plan, folder: Path) -> None:
    """Make one of everything of a source. Raises MediaError: it cannot be decoded."""
    file, samples = local(path), index_of(found)
    if made.audio is not None:
        end = made.audio.segment_packets[1]
        assert len((await encode_audio(runner, file, found.probe, made, 0, end)).packets) == end
        await write_wav(runner, file, found.probe, 1.0, folder / "sound.wav")
    if not made.renditions:
        assert await poster(runner, file, found.probe)
        return
    for at_s in (None, Fraction(0)):
        assert await still(runner, file, samples, found.probe, made, at_s)
    (lowest, *_) = made.renditions
    (encoded,) = await encode_chunk(runner, file, samples, found.probe, made, [lowest.name], 0, 1)
    assert len(encoded.pieces) == made.segment_pieces[1]
    (part,) = FragmentSplitter().feed(encoded.pieces[0])
    assert isinstance(part, Fragment)
    size = int(read_moof(part.moof).samples.sizes[0])
    key = KeyPicture(0, bytes(part.payload[:size]))
    assert await sheet(runner, read_init(encoded.init), [key], tile_size(*lowest.size_px))
    segment = encoded.init + b"".join(encoded.pieces)
    await compare(runner, file, samples, found.probe, made, lowest, 0, segment, extent=SAMPLE)


@pytest.fixture(scope="module")
def bait() -> Iterator[Bait]:
    media = make_clip("bait.ts", "-i", str(barcode_mp4(frames=30)), "-c", "copy", *REPRODUCIBLE)
    with laid_out(media) as bait:
        yield bait


def test_bait_tells_who_comes(bait: Bait) -> None:
    """Without our options ffmpeg does open what a list names."""
    naming = bait.path.with_name("list.txt")
    careless = [FFMPEG, "-v", "error", "-f", "concat", "-safe", "0", "-i", str(naming)]
    for name in (str(bait.path), bait.path.name):
        naming.write_bytes(concat(name))
        subprocess.run([*careless, "-f", "null", "-"], check=True)
        assert bait.visits() > 0


@pytest.mark.parametrize("name", NAMING)
async def test_no_file_is_read_and_nobody_is_called(
    name: str, bait: Bait, loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options alone hold; that each layer of the sandbox does is shown elsewhere."""
    runner = Measured(find_ffmpeg(None), "off")
    monkeypatch.chdir(bait.path.parent)
    uris = (bait.path.as_uri(), f"http://127.0.0.1:{loopback.port}/bait.ts", bait.path.name)
    for number, uri in enumerate(uris):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(NAMING[name](uri))
        if name.startswith(OF_ITS_OWN):
            await put_through(runner, path, tmp_path)
        else:
            with pytest.raises(MediaError, match=r"^(playlist|unreadable|broken-index)\b"):
                await put_through(runner, path, tmp_path)
        assert bait.visits() == 0
        assert loopback.visits() == 0
    check_what_was_taken(runner)


@pytest.mark.parametrize("name", [name for name in NAMING if not name.startswith(OF_ITS_OWN)])
async def test_every_run_refuses_it_by_itself(name: str, bait: Bait, tmp_path: Path) -> None:
    """As if a probe had taken it for a film."""
    runner = Measured(find_ffmpeg(None), "off")
    film = make_clip("film.mkv", "-i", str(barcode_mp4(frames=30)), "-c", "copy", *REPRODUCIBLE)
    found = (await probe(runner, local(film), film.name)).probe
    made = plan(found)
    assert made.audio is not None
    path = tmp_path / "upload.mkv"
    path.write_bytes(NAMING[name](bait.path.as_uri()))
    file, lowest, wav = local(path), made.renditions[0], tmp_path / "sound.wav"
    init_and_piece = film.read_bytes()  # is not looked at before the source
    for run in (
        encode_audio(runner, file, found, made, 0, 10),
        write_wav(runner, file, found, 1.0, wav),
        poster(runner, file, found),
        still(runner, file, None, found, made, None),
        still(runner, file, None, found, made, Fraction(0)),
        encode_chunk(runner, file, None, found, made, [lowest.name], 0, 1),
        compare(runner, file, None, found, made, lowest, 0, init_and_piece, extent=SAMPLE),
    ):
        with pytest.raises(MediaError):
            await run
        assert bait.visits() == 0


@pytest.mark.parametrize("name", BOMBS)
async def test_nothing_takes_more_than_it_may(name: str, tmp_path: Path) -> None:
    make, reason = BOMBS[name]
    path = tmp_path / "upload.mp4"
    path.write_bytes(make())
    runner = Measured(find_ffmpeg(None), "required")
    if reason is None:
        await put_through(runner, path, tmp_path)
    else:
        with pytest.raises(MediaError) as refused:
            await put_through(runner, path, tmp_path)
        assert refused.value.reason == reason
        assert "Traceback" not in refused.value.detail
        assert ".py" not in refused.value.detail
    check_what_was_taken(runner)
