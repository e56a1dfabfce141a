"""What is encoded beyond the segment that somebody waits for."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from telecine.domains.encodings.handlers.audio import encode_audio_span
from telecine.domains.encodings.jobs import EncodeAudio
from telecine.pipeline import encode
from telecine.pipeline.spans import audio_spans
from tests.fixtures.media import REPRODUCIBLE, barcode_mp4, make_clip
from tests.fixtures.waiting import until
from tests.integration.domains.encodings.cinema import Cinema, planned

pytestmark = pytest.mark.anyio


async def test_whoever_watches_gets_the_next_segment_too(cinema: Cinema) -> None:
    await cinema.segment(0)
    two = set(range(cinema.asset.plan.segment_pieces[2]))

    async def second_is_there() -> bool:
        return await cinema.stored(cinema.asset, "240p") >= two

    await until(second_is_there)
    await until(cinema.idle)


async def test_who_seeks_once_gets_what_they_asked_for(cinema: Cinema) -> None:
    last_but_one = cinema.asset.plan.segments - 2
    await cinema.segment(last_but_one)
    await until(cinema.idle)
    first, end = cinema.asset.plan.segment_pieces[last_but_one : last_but_one + 2]
    assert await cinema.stored(cinema.asset, "240p") == set(range(first, end))


async def test_only_who_keeps_coming_gets_what_is_behind(cinema: Cinema) -> None:
    """Whoever has the segment before it will want the one behind it; a lone seek may not."""
    clip = barcode_mp4(frames=250, rate="5", width_px=640, height_px=360, keyframe_interval=10)
    _, asset = await planned(cinema.bench, clip)
    starts = asset.plan.segment_pieces
    assert asset.plan.segments > 8

    async def stored_after(asked: int) -> set[int]:
        await cinema.body(await cinema.segments.get(asset, asset.renditions["240p"], asked))
        await until(cinema.idle)  # an encode ahead has a want of its own until it ends
        return await cinema.stored(asset, "240p")

    def pieces(*segments: int) -> set[int]:
        return {piece for n in segments for piece in range(starts[n], starts[n + 1])}

    assert await stored_after(2) == pieces(2)
    assert await stored_after(3) == pieces(2, 3, 4)
    assert await stored_after(7) == pieces(2, 3, 4, 7)


async def test_sound_comes_from_where_it_is_wanted(cinema: Cinema) -> None:
    """A span of it is five minutes long, and nobody waits for its beginning or its end."""
    _, asset = await planned(cinema.bench, long_flac())
    audio, wanted = asset.renditions["audio"], asset.plan.segments // 2
    assert len(audio_spans(asset.plan)) == 1
    segment = await cinema.body(await cinema.segments.get(asset, audio, wanted))
    assert b"moof" in segment

    async def made_to_the_end() -> bool:
        return max(await cinema.stored(asset, "audio")) == asset.plan.segments - 1

    await until(made_to_the_end)
    assert await cinema.stored(asset, "audio") == set(range(wanted, asset.plan.segments))
    # The ladder's job makes the rest of the span, and leaves what was served as it is.
    await encode_audio_span(cinema.bench, EncodeAudio(asset_id=asset.id, span=0))
    assert await cinema.stored(asset, "audio") == set(range(asset.plan.segments))
    assert await cinema.body(await cinema.segments.get(asset, audio, wanted)) == segment


def long_flac() -> Path:
    """Return a minute of moving picture with sound that must be encoded."""
    picture = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=5:duration=60")
    sound = ("-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000:duration=60")
    codecs = ("-c:v", "libx264", "-g", "10", "-c:a", "flac")
    return make_clip("long-flac.mkv", *picture, *sound, *codecs, *REPRODUCIBLE)


async def test_first_segments_are_there_before_anybody_asks(cinema: Cinema) -> None:
    clip = barcode_mp4(frames=400, width_px=854, height_px=480, keyframe_interval=60)
    _, asset = await planned(cinema.bench, clip, ahead=True)
    two = set(range(asset.plan.segment_pieces[2]))
    await until(cinema.idle)
    for quality in ("240p", "360p"):
        assert await cinema.stored(asset, quality) == two


async def test_a_viewer_does_not_wait_for_what_is_wanted_ahead(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one place: it is taken by an encode that would never end."""
    encode_chunk, reached = encode.encode_chunk, asyncio.Event()

    async def ahead_never_ends(*given: Any, niceness: int = 0, **others: Any) -> Any:
        if niceness:
            reached.set()
            await asyncio.Event().wait()
        return await encode_chunk(*given, niceness=niceness, **others)

    clip = barcode_mp4(frames=400, width_px=854, height_px=480, keyframe_interval=60)
    with monkeypatch.context() as patched:
        patched.setattr(encode, "encode_chunk", ahead_never_ends)
        _, asset = await planned(cinema.bench, clip, ahead=True)
        await reached.wait()
        found = await cinema.segments.get(asset, asset.renditions["360p"], 2)
        assert await cinema.body(found)
        reached.clear()
        await reached.wait()  # and begins again
    assert await cinema.stored(asset, "360p") >= set(range(*asset.plan.segment_pieces[2:4]))
