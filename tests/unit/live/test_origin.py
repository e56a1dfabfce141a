"""Edges that follow an event: one that does not read is cut off, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from telecine.formats.flv.packets import Coded
from telecine.live import origin as origins
from telecine.live.broadcast import Broadcast
from telecine.live.frames import frame, read_frame
from telecine.live.origin import Origin
from telecine.live.studio import Studio
from telecine.storage.local import LocalStore
from tests.fixtures.waiting import PATIENCE_S, until
from tests.unit.live.test_packager import AUDIO, VIDEO, merged, pictures, sounds
from tests.unit.live.test_studio import Encoder, Memory, admitted

pytestmark = pytest.mark.anyio

PICTURE_BYTES = 50_000


def feed(event: Broadcast, from_ms: int) -> None:
    """Send two seconds of large pictures."""
    event.push(0, VIDEO)
    event.push(0, AUDIO)
    sent = merged(pictures(30, 2, gop_s=1, from_ms=from_ms), sounds(2, from_ms=from_ms))
    for time_ms, packet in sent:
        assert isinstance(packet, Coded)
        size = PICTURE_BYTES if packet.video else 1
        event.push(time_ms, replace(packet, data=bytes(size)))


@pytest.fixture
async def event(tmp_path: Path) -> AsyncIterator[Broadcast]:
    studio = Studio(Memory(), LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=60)
    event = await admitted(studio, Encoder())
    feed(event, 0)
    server = await Origin(studio, tmp_path / "socket").serve()
    yield event
    await studio.close()
    server.close()


async def test_an_edge_that_does_not_read_is_cut_off(
    event: Broadcast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origins, "BACKLOG_BYTES", 5_000_000)
    question = frame("follow", stream=event.stream.public_id)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
    writer.write(question)
    stuck, stuck_writer = await asyncio.open_unix_connection(tmp_path / "socket", limit=1)
    stuck_writer.write(question)
    seen = 0

    async def follow() -> None:
        nonlocal seen
        while (found := await read_frame(reader)) is not None:
            seen += found[0]["kind"] == "Part"

    async def all_seen() -> bool:
        return seen == sum(len(segment.parts) for segment in event.window.segments)

    following = asyncio.ensure_future(follow())
    with capture_logs() as lines:
        for round_ in range(1, 4):
            await until(all_seen)
            feed(event, 2000 * round_)  # three megabytes

        async def cut_off() -> bool:
            return any(each["event"] == "edge cut off" for each in lines)

        await until(cut_off)
    event.end()
    await asyncio.wait_for(following, PATIENCE_S)
    assert await all_seen()  # whoever reads has it all
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asyncio.wait_for(stuck.readexactly(1 << 30), PATIENCE_S)
    for each in (writer, stuck_writer):
        each.close()
