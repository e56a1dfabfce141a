"""An encoder publishes to a running Telecine; viewers read what comes of it."""

import asyncio
import re
import subprocess
import tempfile
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from telecine import ids
from telecine.domains.webhooks.models import Event
from telecine.formats.hls.check_live import check_live, check_live_update
from telecine.formats.hls.check_live_answers import Owed
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.media import FFMPEG, make_clip
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Viewer:
    """Follows a live playlist as players do, and holds every one to the rules."""

    def __init__(self, client: httpx.AsyncClient, stream: OnAir, begun_at: int = 0) -> None:
        self._client = client
        self._begun_at = begun_at
        self._stream = stream
        self._before: str | None = None
        self._owed = Owed()

    @property
    def text(self) -> str:
        assert self._before is not None
        return self._before

    async def playable(self) -> bool:
        answer = await self._client.get(self._stream.master_url)
        assert answer.status_code in (200, 404)
        return answer.status_code == 200

    async def reload(self, **query: Any) -> str:
        text = ""

        async def come() -> bool:
            nonlocal text
            answer = await self._client.get(self._stream.playlist_url, params=query)
            assert answer.status_code in (200, 503), answer.text
            text = answer.text
            return answer.status_code == 200  # else its encoder is late, on a busy machine

        await until(come)
        assert check_live(text, self._begun_at) == [], text
        self._owed.see(text)
        if self._before is not None and "_HLS_skip" not in query:
            assert check_live_update(self._before, text) == [], f"{self._before}\n{text}"
            self._before = text
        self._before = self._before or text
        return text

    async def get(self, name: str) -> bytes:
        answer = await self._client.get(self._stream.playlist_url.rpartition("/")[0] + f"/{name}")
        assert answer.status_code == 200, name
        return answer.content

    async def late_parts(self) -> int:
        """Get all parts that must still be there, named or not; return how many are not."""
        folder, late = self._stream.playlist_url.rpartition("/")[0], len(self._owed.late)
        answers = {uri: await self._client.get(f"{folder}/{uri}") for uri in self._owed.owed}
        await self.reload()  # what was not there may not have had to be any more
        refused = [uri for uri, answer in answers.items() if answer.status_code != 200]
        assert self._owed.check(refused) == []
        return late

    async def media(self, text: str) -> bytes:
        """Return the init segment and all whole segments of a playlist as one file."""
        found = re.search(r'EXT-X-MAP:URI="([^"]+)"', text)
        assert found is not None
        names = re.findall(r"^[^#].*\.m4s$", text, re.MULTILINE)
        return b"".join([await self.get(name) for name in (found[1], *names)])

    async def follow(self, parts: int) -> None:
        """Wait for part after part, as the playlist hints at them."""
        for _ in range(parts):
            hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="\w+-(\d+)\.(\d+)\.m4s"', self.text)
            assert hint is not None
            await self.reload(_HLS_msn=hint[1], _HLS_part=hint[2])


def streams_of(data: bytes) -> str:
    """Return what ffmpeg says of a file after decoding all of it without an error."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(data)
        file.flush()
        done = subprocess.run(
            [str(FFMPEG), "-v", "info", "-nostdin", "-i", file.name, "-f", "null", "-"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr, done.stderr
    return done.stderr


async def recordings(client: httpx.AsyncClient, stream: OnAir, count: int = 1) -> list[str]:
    """Wait until so many videos of a live stream can be played; return their ids."""
    server, found = stream.server, list[str]()

    async def playable() -> bool:
        auth = (server.production_key, "")
        query = {"liveStreamId": stream.public_id}
        listed = await client.get(f"{server.base_url}/videos", params=query, auth=auth)
        found[:] = [video["videoId"] for video in listed.json()["data"]]
        states = [
            (await client.get(f"{server.base_url}/videos/{each}/status", auth=auth)).json()
            for each in found
        ]
        return len(found) >= count and all(state["encoding"]["playable"] for state in states)

    await until(playable)
    return found


async def events_of(stream: OnAir) -> list[str]:
    async with stream.database() as db, db.transaction() as tx:
        rows = select(Event.type).where(Event.media_id == stream.public_id).order_by(Event.id)
        return list(await tx.scalars(rows))


async def test_from_the_encoder_to_viewers_and_into_a_video(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer = Viewer(client, stream)
    assert not await viewer.playable()
    async with publishing(stream.publish_url, live_clip()):
        await until(viewer.playable)
        text = await viewer.reload()
        assert "30 fps" in streams_of(await viewer.media(text))
        await viewer.follow(8)
        await viewer.reload(_HLS_skip="YES")
        part = re.findall(r'EXT-X-PART:DURATION=[\d.]+,URI="([^"]+)"', viewer.text)[-1]
        assert (await viewer.get(part))[4:8] == b"moof"
        far = await client.get(stream.playlist_url, params={"_HLS_msn": 9999})
        assert far.status_code == 400
        assert (await client.get(stream.playlist_url, params={"_HLS_part": 1})).status_code == 400
        await check_files(client, viewer, stream)
        await stream.complete()
        await until(lambda: _ended(viewer))
    late = await client.get(stream.playlist_url, params={"_HLS_msn": 9999, "_HLS_part": 9})
    assert late.status_code == 200  # directives mean nothing behind the end
    assert "#EXT-X-ENDLIST" in late.text
    streams_of(await viewer.media(viewer.text))
    (video_id,) = await recordings(client, stream)
    url = f"{stream.server.base_url}/vod/{video_id}/hls/manifest.m3u8"

    async def is_listed() -> bool:  # the process that is asked may hear of it last
        return "avc1" in (await client.get(url)).text

    await until(is_listed)

    async def all_told() -> bool:
        return len(await events_of(stream)) >= 3

    await until(all_told)
    started, *ends = await events_of(stream)
    assert started == "live-stream.broadcast.started"
    assert ends == ["live-stream.broadcast.ended", "video.source.recorded"]


async def test_parts_are_served_that_playlists_name_no_more(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer = Viewer(client, stream)
    async with publishing(stream.publish_url, live_clip()):
        await until(viewer.playable)
        await viewer.reload()
        late = 0
        while late < 20:  # named for three target durations, and for nearly three more not
            await viewer.follow(5)
            late = await viewer.late_parts()
    await stream.complete()


async def check_files(client: httpx.AsyncClient, viewer: Viewer, stream: OnAir) -> None:
    """Ask for what a playlist hints at, for what nobody hinted at, and for a packed one."""
    await viewer.reload()
    hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="(\w+)-(\d+)\.(\d+)\.m4s"', viewer.text)
    assert hint is not None
    session, msn, part = hint[1], int(hint[2]), int(hint[3])
    folder = stream.playlist_url.rpartition("/")[0]
    hinted, unknown, other = (
        f"{session}-{msn}.{part}.m4s",
        f"{session}-{msn + 9}.0.m4s",
        f"{'0' * 12}-{msn}.{part}.m4s",
    )
    answer = await client.get(f"{folder}/{hinted}")
    # It is over where the segment ended with the part before.
    assert answer.status_code in (200, 404)
    if answer.status_code == 200:
        assert answer.content[4:8] == b"moof"
        assert "immutable" in answer.headers["cache-control"]
    for name in (unknown, other):
        assert (await client.get(f"{folder}/{name}")).status_code == 404
    plain, packed = [
        await client.get(stream.playlist_url, headers={"Accept-Encoding": coding})
        for coding in ("identity", "gzip")
    ]
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert packed.text.startswith("#EXTM3U\n")


async def _ended(viewer: Viewer) -> bool:
    return "#EXT-X-ENDLIST" in await viewer.reload()


async def test_who_comes_back_continues_the_event(client: httpx.AsyncClient, stream: OnAir) -> None:
    viewer = Viewer(client, stream)
    for _ in range(2):
        async with publishing(stream.publish_url, live_clip()):
            await until(viewer.playable)
            await viewer.reload()
            await viewer.follow(8)
    assert viewer.text.count("#EXT-X-DISCONTINUITY\n") == 1
    await stream.complete()
    await until(lambda: _ended(viewer))
    assert len(await recordings(client, stream)) == 1
    assert (await events_of(stream)).count("live-stream.broadcast.started") == 1


async def refused(url: str) -> str:
    """Publish, and return what the encoder says when it is refused."""
    async with publishing(url, live_clip()) as encoder:
        _, said = await asyncio.wait_for(encoder.communicate(), PATIENCE_S)
    assert encoder.returncode
    return re.sub(r"@ 0x\w+|rtmp://\S+", "", said.decode())


async def test_a_wrong_key_and_one_in_use_get_the_same_answer(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer = Viewer(client, stream)
    async with publishing(stream.publish_url, live_clip()):
        await until(viewer.playable)
        unknown = await refused(f"{stream.server.rtmp_url}/{ids.stream_key()}")
        second = await refused(stream.publish_url)
        await viewer.reload()
        await viewer.follow(3)  # the first one did not notice
    assert "refused" in unknown
    assert second == unknown
    log = stream.server.log.read_text()
    assert stream.key not in log
    await stream.complete()


@pytest.mark.parametrize(
    ("name", "arguments", "codecs"),
    [
        ("no-sound.flv", ("-c:v", "copy", "-an"), 'CODECS="avc1.42c00d"'),
        ("sound-alone.flv", ("-vn", "-c:a", "copy"), 'CODECS="mp4a.40.2"'),
        ("reordered.flv", ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30",
                           "-c:a", "copy"), "mp4a.40.2"),
        ("hevc.flv", ("-c:v", "libx265", "-preset", "ultrafast", "-g", "30", "-x265-params",
                      "log-level=error:bframes=0", "-c:a", "copy"), "hvc1.1.6.L"),
        ("opus.flv", ("-c:v", "copy", "-c:a", "libopus"), "opus"),
        ("av1.flv", ("-c:v", "libsvtav1", "-preset", "12", "-g", "30", "-svtav1-params",
                     "pred-struct=1:lp=1", "-c:a", "copy"), "av01.0."),
        ("vp9.flv", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "30",
                     "-lag-in-frames", "0", "-c:a", "copy"), "vp09.00."),
    ],
)  # fmt: skip
async def test_media_of_all_kinds(
    client: httpx.AsyncClient,
    telecine_server: TelecineServer,
    name: str,
    arguments: tuple[str, ...],
    codecs: str,
) -> None:
    stream = await make_live_stream(telecine_server)
    clip = make_clip(name, "-i", str(live_clip("source.flv", 8)), *arguments)
    viewer = Viewer(client, stream)
    async with publishing(stream.publish_url, clip):
        await until(viewer.playable)
        assert codecs in (await client.get(stream.master_url)).text
        await viewer.reload()
        await viewer.follow(5)
        streams_of(await viewer.media(viewer.text))
    await stream.complete()
    await until(lambda: _ended(viewer))


async def test_private_streams_need_a_token(
    client: httpx.AsyncClient, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server, public=False)
    async with publishing(stream.publish_url, live_clip("source.flv", 8)):

        async def on_air() -> bool:
            async with stream.database() as db, db.transaction() as tx:
                told = select(Event.id).where(Event.media_id == stream.public_id)
                return await tx.scalar(told) is not None

        await until(on_air)
        for url in (stream.master_url, stream.playlist_url):
            assert (await client.get(url)).status_code == 404
        page = f"{telecine_server.base_url}/live/{stream.public_id}"
        assert (await client.get(page)).status_code == 404
    await stream.complete()


async def test_other_protocols_are_shown_the_door(telecine_server: TelecineServer) -> None:
    host, _, port = telecine_server.rtmp_url.split("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()
