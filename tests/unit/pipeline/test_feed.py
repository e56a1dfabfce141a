from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.mp4.fragment import Fragment, FragmentSplitter, InitSegment, read_moof
from telecine.pipeline.feed import FeedError, excerpt, feed
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.sample_index import SampleIndex
from tests.unit.pipeline import sources
from tests.unit.pipeline.test_passthrough import FRAMES, GOP, video_track

PLAN = plan(sources.probe(sources.video(640, 360, seconds=10)), PlanOptions(passthrough=False))
INDEX = SampleIndex(video_track(), None)


@dataclass(frozen=True, slots=True)
class Memory:
    """A source whose bytes tell where they lie."""

    size_bytes: int = 1 << 20
    local_path: Path | None = None

    async def read(self, offset: int, size_bytes: int) -> bytes:
        end = max(offset, min(offset + size_bytes, self.size_bytes))
        return (np.arange(offset, end) % 251).astype(np.uint8).tobytes()


@given(st.integers(0, FRAMES - 1), st.integers(1, 200))
def test_an_excerpt_holds_all_that_is_shown_and_begins_with_a_key(first: int, count: int) -> None:
    track = INDEX.video
    assert track is not None
    end = min(FRAMES, first + count)
    chosen = excerpt(INDEX, PLAN, first, end)
    assert track.keyframes[chosen.first]
    assert chosen.first == first // GOP * GOP
    ticks = (track.pts - track.zero) * 30 // track.timescale
    inside = set(ticks[chosen.first : chosen.end].tolist())
    assert set(range(first, end)) <= inside
    assert max(inside) <= end + 2  # pictures that others are predicted from
    # What is fed, shifted, is our time.
    fed = chosen.dts + chosen.composition_offsets + chosen.shift_ticks
    assert fed.tolist() == (track.pts - track.zero)[chosen.first : chosen.end].tolist()
    assert chosen.dts[0] == 0
    assert (chosen.composition_offsets >= 0).all()
    assert chosen.start_frame == chosen.first


def test_earlier_key_frames_can_be_asked_for() -> None:
    assert excerpt(INDEX, PLAN, 160, 180, earlier_keys=1).first == GOP
    assert excerpt(INDEX, PLAN, 160, 180, earlier_keys=9).first == 0


@pytest.mark.anyio
async def test_the_feed_is_the_samples_bytes() -> None:
    track = INDEX.video
    assert track is not None
    splitter, payload, times = FragmentSplitter(), b"", []
    inits = 0
    async for data in feed(Memory(), INDEX, 80, 170, PLAN):
        for part in splitter.feed(data):
            inits += isinstance(part, InitSegment)
            if isinstance(part, Fragment):
                head = read_moof(part.moof)
                dts = head.decode_time + np.cumsum(head.samples.durations) - head.samples.durations
                times += (dts + head.samples.composition_offsets).tolist()
                payload += part.payload
    splitter.finish()
    chosen = excerpt(INDEX, PLAN, 80, 170)
    assert inits == 1
    assert times == (chosen.dts + chosen.composition_offsets).tolist()
    wanted = b""
    for n in range(chosen.first, chosen.end):
        wanted += await Memory().read(int(track.offsets[n]), int(track.sizes[n]))
    assert payload == wanted


@pytest.mark.anyio
async def test_a_source_that_ends_early_is_an_error() -> None:
    with pytest.raises(FeedError, match="bytes of"):
        async for _ in feed(Memory(size_bytes=5000), INDEX, 0, 170, PLAN):
            pass


def test_without_pictures_there_is_nothing_to_feed() -> None:
    with pytest.raises(FeedError, match="no video"):
        excerpt(SampleIndex(None, None), PLAN, 0, 30)


def test_decode_times_that_run_backwards_do_not_wrap() -> None:
    track = video_track()
    dts = track.dts.copy()
    dts[10:20] -= 5000
    broken = SampleIndex(
        type(track)(**{f: getattr(track, f) for f in track.__slots__} | {"dts": dts}), None
    )
    chosen = excerpt(broken, PLAN, 0, 60)
    assert (np.diff(chosen.dts) >= 0).all()
    fed = chosen.dts + chosen.composition_offsets + chosen.shift_ticks
    assert fed.tolist() == (track.pts - track.zero)[: chosen.end].tolist()


def test_the_last_picture_lasts_until_the_excerpt_ends() -> None:
    chosen = excerpt(INDEX, PLAN, 0, FRAMES)
    until = Fraction(FRAMES, 30) * 15_360
    assert chosen.end_ticks + chosen.shift_ticks >= until - 2 * 512
