"""OBS Studio, with the settings that it has by itself; only with `--obs`."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from telecine.formats.hls.check import check_presentation
from tests.fixtures.broadcasting import OnAir, live_clip
from tests.fixtures.customer import Customer
from tests.fixtures.obs import HEIGHT_PX, RATE_HZ, VIDEO_KBPS, WIDTH_PX, obs_streaming
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until
from tests.integration.live.test_encoders import program
from tests.integration.live.test_on_air import Viewer, recordings, streams_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LATE_S = 4.0
"""How much later than it drew a picture OBS may send it: x264 looks ahead, and buffers fill."""


@pytest.fixture
def programs(request: pytest.FixtureRequest) -> tuple[str, str]:
    if not request.config.getoption("--obs"):
        pytest.skip("OBS runs with --obs only")
    return program("obs"), program("Xvfb")


@pytest.fixture
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


@pytest.mark.parametrize("door", ["rtmp", "srt"])
async def test_obs_is_watched_and_becomes_a_video(
    programs: tuple[str, str],
    client: httpx.AsyncClient,
    stream: OnAir,
    customer: Customer,
    tmp_path: Path,
    door: str,
) -> None:
    doors = {
        "rtmp": (stream.server.rtmp_url, stream.key),
        "srt": (f"{stream.server.srt_url}?streamid={stream.key}", ""),
    }
    begun_s = time.monotonic()
    try:
        async with obs_streaming(programs, tmp_path, live_clip(), *doors[door]):
            broadcasting_s = await watched_live(client, stream, customer)
            seen_s = time.monotonic() - broadcasting_s
    except (AssertionError, TimeoutError) as error:
        error.add_note((tmp_path / "obs.log").read_text(errors="replace")[-4000:])
        raise
    ran_s = time.monotonic() - begun_s
    await stream.complete()
    (video_id,) = await recordings(client, stream)
    status = customer.http.get(f"/videos/{video_id}/status").json()
    assert seen_s - LATE_S <= status["encoding"]["metadata"]["duration"] <= ran_s
    await recorded(customer, video_id)


async def watched_live(client: httpx.AsyncClient, stream: OnAir, customer: Customer) -> float:
    """Watch two whole segments; return when the stream was on the air, as seconds."""

    async def broadcasting() -> bool:
        told = customer.http.get(f"/live-streams/{stream.public_id}")
        return bool(told.json()["broadcasting"])

    viewer = Viewer(client, stream)

    async def whole_segments() -> bool:
        await viewer.reload()
        return viewer.text.count("#EXTINF:") >= 2

    await until(broadcasting)
    since_s = time.monotonic()
    await until(viewer.playable)
    master = (await client.get(stream.master_url)).text
    assert 'CODECS="avc1.' in master
    assert f"RESOLUTION={WIDTH_PX}x{HEIGHT_PX}" in master
    await until(whole_segments)
    await viewer.follow(4)
    media = await viewer.media(viewer.text)
    said = streams_of(media)
    for expected in ("Video: h264", f"{WIDTH_PX}x{HEIGHT_PX}", f"{RATE_HZ} fps"):
        assert expected in said
    assert "Audio: aac (LC)" in said
    assert "48000 Hz" in said
    # x264 says in the first picture how it encodes: these are the pictures that OBS made.
    assert f"bitrate={VIDEO_KBPS} ".encode() in media
    assert "EXT-X-DISCONTINUITY\n" not in viewer.text
    return since_s


async def recorded(customer: Customer, video_id: str) -> None:
    """Watch all of the video that a recording became."""

    async def encoded() -> bool:
        qualities = customer.encoding(video_id)["qualities"]
        return {each["status"] for each in qualities} == {"encoded"}

    await until(encoded)
    shown = customer.watch(video_id)
    assert check_presentation(shown.text, shown.media_texts) == []
    for each in shown.streams.values():
        streams_of(each.media)
