"""An encoder sends its sound as MP3, as old ones do: viewers hear it as AAC, in its place."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.fixtures.broadcasting import GOP, OnAir, publishing
from tests.fixtures.media import FFMPEG, make_clip
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import Viewer, events_of, recordings

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FLASH = "lt(mod(t,1),0.1)"
LATEST_S = 0.05
"""A picture lasts 0.033 s, a packet of MP3 0.026."""


def clip(rate_hz: int, *sound: str) -> Path:
    """Return black pictures that flash each second, and a beep as long as each flash."""
    return make_clip(
        f"flashes-{rate_hz}.flv",
        *("-f", "lavfi", "-i", "color=black:size=320x180:rate=30:duration=20"),
        *("-f", "lavfi", "-i", f"aevalsrc='0.8*sin(2*PI*1000*t)*{FLASH}':s={rate_hz}:d=20"),
        *("-vf", f"drawbox=color=white:t=fill:enable='{FLASH}'", "-pix_fmt", "yuv420p"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(GOP)),
        *("-c:a", "libmp3lame", "-b:a", "64k", *sound, "-shortest"),
    )


def begins(media: bytes) -> tuple[list[float], list[float]]:
    """Return when flashes and when beeps begin, in seconds of one timeline."""
    looking = ("-vf", "blackdetect=d=0.3:pix_th=0.5", "-af", "silencedetect=n=-30dB:d=0.3")
    done = subprocess.run(
        [str(FFMPEG), "-nostdin", "-copyts", "-i", "pipe:0", *looking, "-f", "null", "-"],
        input=media,
        capture_output=True,
        check=True,
    )
    assert b"Audio: aac" in done.stderr
    flashes = [float(each) for each in re.findall(rb"black_end:([\d.]+)", done.stderr)]
    beeps = [float(each) for each in re.findall(rb"silence_end: ([\d.]+)", done.stderr)]
    return flashes, beeps


def check_together(media: bytes) -> None:
    flashes, beeps = begins(media)
    # The last flash may be cut off in its middle, and is then the end of the file.
    together = [flash for flash in flashes if any(abs(flash - beep) < LATEST_S for beep in beeps)]
    assert len(together) >= 3, (flashes, beeps)
    assert len(together) >= len(flashes) - 2, (flashes, beeps)


@pytest.mark.parametrize(("rate_hz", "sound"), [(44_100, ()), (22_050, ("-ac", "1"))])
async def test_it_is_heard_beside_its_pictures(
    client: httpx.AsyncClient, stream: OnAir, rate_hz: int, sound: tuple[str, ...]
) -> None:
    viewer = Viewer(client, stream)
    async with publishing(stream.publish_url, clip(rate_hz, *sound)):
        await until(viewer.playable)
        await viewer.reload()
        await viewer.follow(25)
        assert "mp4a.40.2" in (await client.get(stream.master_url)).text
        assert "EXT-X-DISCONTINUITY\n" not in viewer.text
        check_together(await viewer.media(viewer.text))
    await stream.complete()
    (video_id,) = await recordings(client, stream)
    base, auth = stream.server.base_url, (stream.server.production_key, "")
    source = (await client.get(f"{base}/videos/{video_id}/status", auth=auth)).json()
    assert source["encoding"]["metadata"]["audioCodec"] == "aac"


async def test_who_comes_back_is_heard_again(client: httpx.AsyncClient, stream: OnAir) -> None:
    viewer = Viewer(client, stream)
    async with publishing(stream.publish_url, clip(44_100)):
        await until(viewer.playable)
        await viewer.reload()
        await viewer.follow(10)
    async with publishing(stream.publish_url, clip(44_100)):

        async def gone_on() -> bool:
            return "EXT-X-DISCONTINUITY\n" in await viewer.reload()

        await until(gone_on)
        await viewer.follow(25)
        behind = viewer.text.partition("EXT-X-DISCONTINUITY\n")[2]
        init = re.search(r"#EXT-X-MAP:[^\n]+\n", viewer.text)
        assert init is not None
        check_together(await viewer.media(init[0] + behind))
    await stream.complete()
    ended = "live-stream.broadcast.ended"

    async def told() -> bool:
        return ended in await events_of(stream)

    await until(told)
