"""Encoders that publish by SRT, over good ways and bad ones."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from telecine import ids
from tests.fixtures.broadcasting import ENDLESS, OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.lossy import lossy_way
from tests.fixtures.media import FFMPEG, make_clip
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import Viewer, recordings, streams_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def srt_url(stream: OnAir, form: str = "{}", port: int | None = None) -> str:
    """Return where to publish; `form` is that of the stream id."""
    url = stream.server.srt_url if port is None else f"srt://127.0.0.1:{port}"
    return f"{url}?streamid={form.format(stream.key)}"


async def health_of(client: httpx.AsyncClient, stream: OnAir) -> dict[str, Any]:
    """Return how an event is doing, empty if it is not on the air."""
    url = f"{stream.server.base_url}/_/live-streams/{stream.public_id}/health"
    auth = {"Authorization": f"Bearer {stream.server.operator_key}"}
    told: dict[str, Any] = (await client.get(url, headers=auth)).json()
    return told.get("health") or {}


async def is_on_the_air(viewer: Viewer) -> None:
    await until(viewer.playable)
    await viewer.reload()
    await viewer.follow(2)


async def test_what_is_published_is_watched_and_becomes_a_video(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer = Viewer(client, stream)
    async with publishing(srt_url(stream), live_clip(), form="mpegts"):
        await is_on_the_air(viewer)
        said = streams_of(await viewer.media(viewer.text))
        health = await health_of(client, stream)
    assert "320x180" in said
    assert "48000 Hz" in said
    assert (health["protocol"], health["publishing"]) == ("srt", True)
    assert health["link"]["latencyMs"] == 120
    assert [each["type"] for each in health["tracks"]] == ["video", "audio"]
    await stream.complete()
    (video,) = await recordings(client, stream)
    assert video
    log = stream.server.log.read_text()
    assert stream.key not in log
    assert "srt publishes" in log


async def test_hevc_and_pictures_out_of_order(client: httpx.AsyncClient, stream: OnAir) -> None:
    viewer = Viewer(client, stream)
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-g", "30", "-x265-params",
            "log-level=error", "-c:a", "copy")  # fmt: skip
    clip = make_clip("reordered-hevc.ts", "-i", str(live_clip("source.flv", 8)), *x265)
    async with publishing(srt_url(stream, "publish:{}"), clip, form="mpegts"):
        await is_on_the_air(viewer)
        text = (await client.get(stream.master_url)).text
        said = streams_of(await viewer.media(viewer.text))
    assert "hvc1.1.6.L" in text
    assert "RESOLUTION=320x180" in text
    assert "hevc" in said
    await stream.complete()


async def refused(url: str) -> str:
    done = await asyncio.create_subprocess_exec(
        *(str(FFMPEG), "-v", "error", "-nostdin", "-i", str(live_clip()), "-c", "copy"),
        *("-f", "mpegts", url),
        stderr=subprocess.PIPE,
    )
    said = (await done.communicate())[1].decode()
    assert done.returncode != 0, said
    return said


async def test_a_wrong_key_and_one_in_use_are_refused_alike(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer = Viewer(client, stream)
    async with publishing(srt_url(stream), live_clip(), form="mpegts"):
        await until(viewer.playable)
        answers = [
            await refused(url)
            for url in (
                f"{stream.server.srt_url}?streamid={ids.stream_key()}",
                srt_url(stream),
            )
        ]
        await viewer.reload()
        await viewer.follow(3)  # the first one did not notice
    assert all("Application-defined rejection reason" in each for each in answers)
    assert stream.key not in stream.server.log.read_text()
    await stream.complete()


async def test_a_bad_way_loses_nothing(client: httpx.AsyncClient, stream: OnAir) -> None:
    viewer = Viewer(client, stream)
    rate = ("-b:v", "1500k", "-minrate", "1500k", "-maxrate", "1500k", "-bufsize", "500k")
    x264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-x264-params", "nal-hrd=cbr")
    clip = make_clip("busy.ts", "-i", str(live_clip("source.flv", 8)), *x264, *rate, "-c:a", "copy")
    _, _, port = stream.server.srt_url.rpartition(":")
    with lossy_way(int(port), share=0.15) as way:
        # Lost packets have four seconds to come again: a busy machine is late with some.
        url = f"{srt_url(stream, port=way.port)}&latency=4000000"
        async with publishing(url, clip, form="mpegts"):

            async def enough() -> bool:
                told = (await health_of(client, stream)).get("link", {})
                return int(told.get("lostPackets", 0)) >= 100 and way.lost >= 100

            await is_on_the_air(viewer)
            await until(enough)
            link = (await health_of(client, stream))["link"]
            await viewer.reload()
            assert link["droppedPackets"] == 0
            streams_of(await viewer.media(viewer.text))
    assert "EXT-X-DISCONTINUITY\n" not in viewer.text
    await stream.complete()


@contextlib.asynccontextmanager
async def publishing_by_two(stream: OnAir) -> AsyncIterator[asyncio.subprocess.Process]:
    """Publish what another program writes, and yield that one.

    If it is held still, the encoder is silent but alive: it keeps its connection.
    """
    reading, writing = os.pipe()
    command = (str(FFMPEG), "-v", "error", "-nostdin")
    source = await asyncio.create_subprocess_exec(
        *(*command, *ENDLESS, "-i", str(live_clip()), "-c", "copy", "-f", "mpegts", "-"),
        stdout=writing,
    )
    encoder = await asyncio.create_subprocess_exec(
        *(*command, "-i", "pipe:0", "-c", "copy", "-f", "mpegts", srt_url(stream)),
        stdin=reading,
    )
    os.close(reading)
    os.close(writing)
    try:
        yield source
    finally:
        for each in (source, encoder):
            with contextlib.suppress(ProcessLookupError):
                each.kill()
            await each.wait()


async def test_another_encoder_takes_over_from_a_silent_one(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    viewer = Viewer(client, stream)

    async def silent() -> bool:
        return int((await health_of(client, stream)).get("silentMs", 0)) > 3100

    async def taken_over() -> bool:
        told = await health_of(client, stream)
        return bool(told["interruptions"] == 1 and told["silentMs"] < 1000)

    async with publishing_by_two(stream) as source:
        await until(viewer.playable)
        source.send_signal(signal.SIGSTOP)
        await until(silent)
        async with publishing(srt_url(stream), live_clip(), form="mpegts"):
            await until(taken_over)
    assert "another publisher took over" in stream.server.log.read_text()
    await stream.complete()


async def test_garbage_ends_its_own_connection_only(
    client: httpx.AsyncClient, stream: OnAir
) -> None:
    other = await make_live_stream(stream.server)
    viewer = Viewer(client, other)
    raw = ("-c:v", "rawvideo", "-an")
    mp3 = make_clip("mp3.ts", "-i", str(live_clip()), "-c:v", "copy", "-c:a", "libmp3lame")

    def said(reason: str) -> bool:
        lines = stream.server.log.read_text().splitlines()
        ends = [each for each in lines if stream.public_id in each and "srt closed" in each]
        return any(reason in each for each in ends)

    async def refused_for(reason: str, clip: Path, after: tuple[str, ...], form: str) -> None:
        async def told() -> bool:  # again, where a busy machine kept the connection waiting
            async with publishing(srt_url(stream), clip, after=after, form=form) as encoder:
                await encoder.wait()
            return said(reason)

        await until(told)

    async with publishing(srt_url(other), live_clip(), form="mpegts"):
        await until(viewer.playable)
        await refused_for("no MPEG-TS", live_clip(), raw, "rawvideo")
        await refused_for("sound as MP3", mp3, ("-c", "copy"), "mpegts")
        await viewer.reload()
        await viewer.follow(3)
    await other.complete()
