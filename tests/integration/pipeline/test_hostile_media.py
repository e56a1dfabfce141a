"""What is made to harm opens nothing, and takes no more than any video may."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Result, Runner
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from tests.fixtures.media import REPRODUCIBLE, barcode_mp4, make_clip
from tests.integration.ffmpeg.bait import Bait, laid_out
from tests.integration.ffmpeg.conftest import Loopback, loopback
from tests.integration.pipeline.clips import FFMPEG
from tests.integration.pipeline.hostile import BOMBS, MIB, NAMING, concat
from tests.integration.pipeline.test_encode import index_of, local

__all__ = ["loopback"]

pytestmark = pytest.mark.anyio

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


async def played(runner: Runner, path: Path) -> int:
    """Do what is done with an upload; return how many pictures were encoded. Raises MediaError."""
    found = await probe(runner, local(path), "upload.mp4")
    made = plan(found.probe, PlanOptions(passthrough=False))
    (lowest, *_) = made.renditions
    (encoded,) = await encode_chunk(
        runner, local(path), index_of(found), found.probe, made, [lowest.name], 0, 1
    )
    assert len(encoded.pieces) == made.segment_pieces[1]
    return made.segment_frames(0)[1]


@pytest.fixture(scope="module")
def bait() -> Iterator[Bait]:
    media = make_clip("bait.ts", "-i", str(barcode_mp4(frames=30)), "-c", "copy", *REPRODUCIBLE)
    with laid_out(media) as bait:
        yield bait


def test_bait_tells_who_comes(bait: Bait, tmp_path: Path) -> None:
    """Without our options ffmpeg does open what a list names."""
    naming = tmp_path / "list.txt"
    naming.write_bytes(concat(str(bait.path)))
    careless = [FFMPEG, "-v", "error", "-f", "concat", "-safe", "0", "-i", str(naming)]
    subprocess.run([*careless, "-f", "null", "-"], check=True)
    assert bait.visits() > 0


@pytest.mark.parametrize("name", NAMING)
async def test_no_file_is_read_and_nobody_is_called(
    name: str, bait: Bait, loopback: Loopback, tmp_path: Path
) -> None:
    """The options alone hold; that each layer of the sandbox does is shown elsewhere."""
    runner = Runner(find_ffmpeg(None), "off")
    uris = (bait.path.as_uri(), f"http://127.0.0.1:{loopback.port}/bait.ts")
    for number, uri in enumerate(uris):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(NAMING[name](uri))
        if name.startswith(("subtitles", "samples")):  # beside media of its own
            assert await played(runner, path) > 0
        else:
            with pytest.raises(MediaError, match=r"^(playlist|unreadable|broken-index)\b"):
                await played(runner, path)
        assert bait.visits() == 0
        assert loopback.visits() == 0


@pytest.mark.parametrize("name", BOMBS)
async def test_nothing_takes_more_than_it_may(name: str, tmp_path: Path) -> None:
    make, reason = BOMBS[name]
    path = tmp_path / "upload.mp4"
    path.write_bytes(make())
    runner = Measured(find_ffmpeg(None), "required")
    if reason is None:
        assert await played(runner, path) > 0
    else:
        with pytest.raises(MediaError) as refused:
            await played(runner, path)
        assert refused.value.reason == reason
        assert "Traceback" not in refused.value.detail
        assert ".py" not in refused.value.detail
    assert runner.results
    assert max(result.cpu_s for result in runner.results) < MOST_CPU_S
    # The kernel counts what the process that started a run, ours, had taken as well.
    our_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    most_bytes = max(MOST_MEMORY_BYTES, our_bytes + MIB)
    assert max(result.peak_memory_bytes for result in runner.results) < most_bytes
