"""Encoders that people use, as Debian has them: GStreamer, ffmpeg, libsrt's own tool."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream
from tests.fixtures.live_rules import observed
from tests.fixtures.media import FFMPEG
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import Viewer, streams_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PICTURES = (
    "videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=30/1 "
    "! openh264enc gop-size=30 bitrate=300000 ! h264parse ! mux."
)
SOUND = "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse ! mux."
GSTREAMER = {
    "rtmp2sink": "flvmux name=mux streamable=true ! rtmp2sink location={rtmp}/{key}",
    "rtmpsink": "flvmux name=mux streamable=true ! rtmpsink location={rtmp}/{key}",
    "srtsink": "mpegtsmux name=mux alignment=7 ! srtsink uri={srt}?streamid={key}",
}
PACKAGES = {
    "gst-launch-1.0": "gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad}",
    "srt-live-transmit": "srt-tools",
    "ffmpeg": "ffmpeg",
    "obs": "obs-studio",
    "Xvfb": "xvfb",
}


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed (Debian: {PACKAGES[name]})"
        if os.environ.get("TELECINE_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
async def viewer(telecine_server: TelecineServer) -> AsyncIterator[tuple[Viewer, OnAir]]:
    stream = await make_live_stream(telecine_server)
    async with observed() as client:
        yield Viewer(client, stream), stream
    await stream.complete()


@contextlib.asynccontextmanager
async def running(*argv: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an encoder until the block ends."""
    encoder = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield encoder
    finally:
        with contextlib.suppress(ProcessLookupError):
            encoder.kill()
        await encoder.wait()


async def is_watched(viewer: Viewer) -> None:
    await until(viewer.playable)
    await viewer.reload()
    await viewer.follow(2)
    said = streams_of(await viewer.media(viewer.text))
    assert "320x180" in said
    assert "48000 Hz" in said
    assert "EXT-X-DISCONTINUITY\n" not in viewer.text


@pytest.mark.parametrize("sink", GSTREAMER)
async def test_gstreamer_publishes(viewer: tuple[Viewer, OnAir], sink: str) -> None:
    watching, stream = viewer
    server = stream.server
    end = GSTREAMER[sink].format(rtmp=server.rtmp_url, srt=server.srt_url, key=stream.key)
    pipeline = f"{end} {PICTURES} {SOUND}"
    async with running(program("gst-launch-1.0"), "-q", *pipeline.split()):
        await is_watched(watching)


@pytest.mark.parametrize("form", ["flv", "mpegts"])
async def test_debians_ffmpeg_publishes(viewer: tuple[Viewer, OnAir], form: str) -> None:
    watching, stream = viewer
    server = stream.server
    url = stream.publish_url if form == "flv" else f"{server.srt_url}?streamid={stream.key}"
    source = ("-re", "-i", str(live_clip()), "-c", "copy")
    async with running(program("ffmpeg"), "-v", "error", "-nostdin", *source, "-f", form, url):
        await is_watched(watching)


async def test_srt_live_transmit_publishes(viewer: tuple[Viewer, OnAir]) -> None:
    watching, stream = viewer
    url = f"{stream.server.srt_url}?streamid=#!::r={stream.key},m=publish"
    source = f"'{FFMPEG}' -v error -nostdin -re -i '{live_clip()}' -c copy -f mpegts -"
    pipeline = f"{source} | exec '{program('srt-live-transmit')}' -q file://con '{url}'"
    async with running("sh", "-c", pipeline):
        await is_watched(watching)
