"""A probe program that was started before there was anything to probe."""

import os
import signal
from pathlib import Path

import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import MediaError, Runner
from telecine.pipeline.probe import Apart, Prober, probe
from telecine.storage.spool import LocalFile
from tests.integration.pipeline.clips import Clip
from tests.integration.processes.family import is_alive

pytestmark = pytest.mark.anyio


def children() -> set[int]:
    """Return the processes that this one has started and that run."""
    me = os.getpid()
    found: set[int] = set()
    for thread in Path(f"/proc/{me}/task").iterdir():
        found.update(map(int, (thread / "children").read_text().split()))
    return {pid for pid in found if is_alive(pid)}


@pytest.fixture
def runner() -> Runner:
    return Runner(find_ffmpeg(None), "required")


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv"])
async def test_it_tells_the_same(runner: Runner, tmp_path: Path, name: str) -> None:
    path = Clip(name=name, pictures=60).make(tmp_path)
    source = LocalFile(path, path.stat().st_size)
    prober = Prober(runner)
    before = children()
    await prober.prepare()
    (waiting,) = children() - before
    await prober.prepare()
    assert children() - before == {waiting}
    assert await prober.probe(source, name) == await probe(runner, source, name)
    assert not is_alive(waiting)


@pytest.mark.parametrize("prepared", [True, False])
async def test_an_index_that_lies_apart_is_found(
    runner: Runner, tmp_path: Path, moov_last_clip: Path, *, prepared: bool
) -> None:
    content = moov_last_clip.read_bytes()
    index = content.rindex(b"moov") - 4
    media, end = tmp_path / "media", tmp_path / "end"
    media.write_bytes(content[: index - 1])  # a byte is missing between them
    end.write_bytes(content[index:])
    prober = Prober(runner)
    if prepared:
        await prober.prepare()
    found = await prober.probe(
        LocalFile(media, index - 1),
        "a.mp4",
        whole=False,
        apart=Apart(index, LocalFile(end, len(content) - index)),
    )
    assert found.sample_index is not None


async def test_each_source_has_a_program_of_its_own(runner: Runner, tmp_path: Path) -> None:
    path = Clip(name="a.mp4", pictures=60).make(tmp_path)
    source = LocalFile(path, path.stat().st_size)
    prober = Prober(runner)
    before = children()
    seen = set()
    for _ in range(2):
        await prober.prepare()
        (waiting,) = children() - before
        seen.add(waiting)
        await prober.probe(source, "a.mp4")
    assert len(seen) == 2
    assert children() == before


async def test_a_refusal_comes_through(runner: Runner, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("no video at all")
    prober = Prober(runner)
    await prober.prepare()
    with pytest.raises(MediaError, match="unreadable"):
        await prober.probe(LocalFile(path, path.stat().st_size), "a.txt")


async def test_one_that_was_killed_is_replaced(runner: Runner, tmp_path: Path) -> None:
    path = Clip(name="a.mp4", pictures=60).make(tmp_path)
    source = LocalFile(path, path.stat().st_size)
    prober = Prober(runner)
    before = children()
    await prober.prepare()
    (waiting,) = children() - before
    os.kill(waiting, signal.SIGKILL)
    while is_alive(waiting):
        await probe(runner, source, "a.mp4")
    assert (await prober.probe(source, "a.mp4")).sample_index is not None
    await prober.prepare()
    assert len(children() - before) == 1
    await prober.close()
    assert children() == before
