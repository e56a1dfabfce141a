"""A playlist has the same bytes in each process that renders it, whatever else is watched there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fixtures.waiting import until
from tests.unit.live.test_layers import both, described, feed, second_track
from tests.unit.live.test_packager import merged, pictures, sounds
from tests.unit.live.test_studio import Encoder, Memory, admitted

from telecine.delivery.live_answers import playlist_answer
from telecine.delivery.live_playlists import LivePlaylists
from telecine.formats.flv.packets import Coded
from telecine.live.broadcast import Broadcast
from telecine.live.edge import Edge
from telecine.live.model import SOURCE
from telecine.live.nodes import Owners
from telecine.live.origin import Origin
from telecine.live.record import Recorder
from telecine.live.studio import Studio
from telecine.live.window import Window
from telecine.storage.local import LocalStore

pytestmark = pytest.mark.anyio


def send(event: Broadcast, seconds: float, from_ms: int) -> None:
    """Send two tracks of pictures and one of sound."""
    first = merged(
        pictures(30, seconds, gop_s=1, from_ms=from_ms), sounds(seconds, from_ms=from_ms)
    )
    feed(event, both(first, second_track(first), ahead=True))


@pytest.fixture
async def event(tmp_path: Path) -> AsyncIterator[Broadcast]:
    studio = Studio(Memory(), LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=60)
    event = await admitted(studio, Encoder())
    described(event)
    send(event, 3, 0)
    server = await Origin(studio, tmp_path / "socket").serve()
    yield event
    await studio.close()
    server.close()


@contextlib.asynccontextmanager
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    edge = Edge(Owners(tmp_path / "socket"))
    running = asyncio.ensure_future(edge.run())
    await asyncio.sleep(0)
    yield edge
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def mirrored(edge: Edge, event: Broadcast, rendition: str = SOURCE) -> Window:
    """Return what an edge has of a rendition, once that is all."""
    found: Window | None = None

    async def all_of_it() -> bool:
        nonlocal found
        found = await edge.window(event.stream.public_id, rendition)
        return found is not None and found.edge == event.renditions[rendition].window.edge

    await until(all_of_it)
    assert found is not None
    return found


async def test_processes_that_watch_different_qualities_have_the_same_validator(
    event: Broadcast, tmp_path: Path
) -> None:
    texts = list[str]()
    async with edge(tmp_path) as many, edge(tmp_path) as few:
        for round_ in range(1, 4):
            tags = set[bytes | None]()
            for each, names in ((many, ("track1", SOURCE)), (few, (SOURCE,))):
                for name in names:
                    window = await mirrored(each, event, name)
                body = LivePlaylists().body(event.stream.public_id, window, skip=False, coding=None)
                tags.add(playlist_answer(body, None, blocking=False).etag)
                texts.append(body.decode())
            async with edge(tmp_path) as late:
                window = await mirrored(late, event)
                body = LivePlaylists().body(event.stream.public_id, window, skip=False, coding=None)
                tags.add(playlist_answer(body, None, blocking=False).etag)
            assert len(tags) == 1, texts[-2:]
            send(event, 1.1, 3000 * round_ + 500)
    assert all('REPORT:URI="../li1_track1/index.m3u8",LAST-MSN=' in text for text in texts)


async def test_processes_forget_what_the_owner_no_longer_has(
    event: Broadcast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recorder, "_put", _nothing)  # so nothing lies in a file
    async with edge(tmp_path) as early:
        await mirrored(early, event)
        for second in range(3, 60):
            sent = merged(
                pictures(30, 1, gop_s=1, from_ms=second * 1000), sounds(1, from_ms=second * 1000)
            )
            feed(
                event,
                [(at, replace(each, data=b"1")) for at, each in sent if isinstance(each, Coded)],
            )
        window = await mirrored(early, event)
    assert event.window.segments[0].msn > 20
    assert window.segments[0].msn == event.window.segments[0].msn
    assert window.discontinuities_gone == event.window.discontinuities_gone


async def _nothing(*_: object) -> None:
    """Write nothing."""
