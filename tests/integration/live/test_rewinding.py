"""How far viewers can go back: as far as the setting while it is live, then for its length."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from telecine import clock
from telecine.formats.hls.check_live import read_live
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream
from tests.fixtures.rtmp_encoder import encoding
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import Viewer, recordings
from tests.integration.live.test_reconnect import broadcasts

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

REWIND_S = 30
CLIP_S = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("rewinding") / "data"
    settings = {"TELECINE_LIVE_REWIND_S": str(REWIND_S), "TELECINE_LIVE_LADDER": ""}
    with running_telecine(data, settings) as (_, server):
        yield server


@pytest.fixture
async def stream(server: TelecineServer) -> OnAir:
    return await make_live_stream(server)


def length(text: str) -> Decimal:
    return sum((segment.duration for segment in read_live(text).segments), Decimal(0))


def being_written(server: TelecineServer) -> list[Path]:
    folder = server.data / "media" / "live"
    return [each for each in folder.rglob("*") if each.is_file()]


class GoneBy:
    """What there was of an event: asked for until it is not there any more."""

    def __init__(self, client: httpx.AsyncClient, stream: OnAir) -> None:
        self._client = client
        self._stream = stream

    async def status(self, name: str) -> int:
        folder = self._stream.playlist_url.rpartition("/")[0]
        return (await self._client.get(f"{folder}/{name}")).status_code

    async def all_gone(self) -> bool:
        master = await self._client.get(self._stream.master_url)
        assert master.status_code in (200, 404)
        return master.status_code == 404


async def test_what_is_behind_the_window_leaves_the_playlist(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer, gone_by, end_ms = Viewer(client, stream), GoneBy(client, stream), 0
    async with encoding(stream.publish_url) as encoder:
        end_ms = await encoder.send(live_clip("eight.flv", CLIP_S), 0)
        await until(viewer.playable)
        first = await viewer.reload()
        oldest = read_live(first).segments[0]
        assert oldest.uri is not None

        async def has(seconds: float) -> bool:
            live = read_live(await viewer.reload())
            return live.sequence + len(live.segments) >= seconds - 2

        while end_ms < 2000 * REWIND_S:
            end_ms = await encoder.send(live_clip("eight.flv", CLIP_S), end_ms + 33)
            await until(lambda end_ms=end_ms: has(end_ms / 1000))  # type: ignore[misc]  # at once
        text = await viewer.reload()
        live = read_live(text)
        assert live.sequence >= REWIND_S - CLIP_S
        assert REWIND_S - live.target < length(text) <= REWIND_S + live.target
        assert oldest.uri not in re.findall(r"^[^#].*\.m4s$", text, re.MULTILINE)
        assert await gone_by.status(oldest.uri) == 404
        assert live.segments[0].uri is not None
        assert await gone_by.status(live.segments[0].uri) == 200  # from the recording
    await stream.complete()
    await recordings(client, stream)


async def test_behind_its_end_an_event_can_be_watched_for_as_long_as_it_was(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer, gone_by = Viewer(client, stream), GoneBy(client, stream)
    others = being_written(stream.server)
    async with encoding(stream.publish_url) as encoder:
        await encoder.send(live_clip("eight.flv", CLIP_S), 0)
        await until(viewer.playable)
        await viewer.reload()
        await stream.complete()

    async def ended() -> bool:
        return "#EXT-X-ENDLIST" in await viewer.reload()

    await until(ended)
    text = viewer.text
    names = re.findall(r"^[^#].*\.m4s$", text, re.MULTILINE)
    for name in (names[0], names[-1]):
        assert await gone_by.status(name) == 200
    await until(gone_by.all_gone)
    (event,) = await broadcasts(stream)
    assert event.ended_at is not None
    assert clock.now() - event.ended_at >= timedelta(seconds=float(length(text)))
    assert (await client.get(stream.playlist_url)).status_code == 404
    for name in (names[0], names[-1]):
        assert await gone_by.status(name) == 404
    (video_id,) = await recordings(client, stream)

    async def deleted() -> bool:
        return not {*being_written(stream.server)} - {*others}

    await until(deleted)
    url = f"{stream.server.base_url}/vod/{video_id}/hls/manifest.m3u8"
    assert (await client.get(url)).status_code == 200  # the recording is the video's own
