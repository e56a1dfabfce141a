"""An encode that fails is tried in other manners, and always comes to an end."""

from collections.abc import Callable
from typing import Any

import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.meter import metered
from telecine.ffmpeg.runner import MediaError, Runner, RunnerError
from telecine.pipeline import argv, encode
from telecine.pipeline.argv import MANNERS, Manner
from telecine.pipeline.collector import EncodedRendition
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from tests.fixtures.media import barcode_mp4, frame_numbers
from tests.integration.pipeline.test_encode import index_of, local

pytestmark = pytest.mark.anyio

HANGS = ["-re", "-f", "lavfi", "-i", "color=r=1/1000", "-f", "null", "-"]
"""A decoder that waits for ever, without using the processor."""

FAILS = ["-f", "lavfi", "-i", "nosuchfilter", "-f", "null", "-"]

Arguments = Callable[..., list[str]]


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str], set[Manner]], list[Manner]]:
    """Let encodes in some manners be something else; returns the manners that were tried."""
    real: Arguments = argv.encode
    tried: list[Manner] = []

    def replace(others: list[str], manners: set[Manner]) -> list[Manner]:
        def arguments(*given: Any) -> list[str]:  # as `argv.encode`
            (manner,) = (each for each in given if isinstance(each, Manner))
            tried.append(manner)
            return others if manner in manners else real(*given)

        monkeypatch.setattr(argv, "encode", arguments)
        monkeypatch.setattr(encode, "_STALL_S", 2.0)
        return tried

    return replace


async def encoded(height_px: int = 180) -> list[EncodedRendition]:
    path = barcode_mp4(frames=30, width_px=height_px * 16 // 9, height_px=height_px)
    runner = Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, local(path), path.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    names = [made.renditions[-1].name]
    return await encode.encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, names, 0, made.segments
    )


async def test_a_hung_decoder_is_ended_and_replaced(
    replaced: Callable[[list[str], set[Manner]], list[Manner]],
) -> None:
    tried = replaced(HANGS, {MANNERS[0]})
    with metered() as meter:
        (rendition,) = await encoded()
    assert frame_numbers(rendition.init + b"".join(rendition.pieces)) == list(range(30))
    assert tried == list(MANNERS[:2])
    assert [trouble.partition(":")[0] for trouble in meter.troubles] == ["stalled"]
    assert meter.cpu_s > 0


async def test_one_that_always_hangs_fails_with_its_reason(
    replaced: Callable[[list[str], set[Manner]], list[Manner]],
) -> None:
    tried = replaced(HANGS, set(MANNERS))
    with pytest.raises(RunnerError) as failed:
        await encoded()
    assert failed.value.reason == "stalled"
    assert tried == list(MANNERS)


async def test_the_last_manner_takes_what_it_gets(
    replaced: Callable[[list[str], set[Manner]], list[Manner]],
) -> None:
    replaced(FAILS, set(MANNERS[:2]))
    (rendition,) = await encoded()
    assert frame_numbers(rendition.init + b"".join(rendition.pieces)) == list(range(30))
    assert rendition.concealed


async def test_too_little_memory_is_a_clear_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "memory_limit_bytes", lambda *_: 256 << 20)
    with pytest.raises(MediaError) as failed:
        await encoded(height_px=720)
    assert failed.value.reason == "too-complex"
    assert "MiB" in failed.value.detail
