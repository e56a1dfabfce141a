"""An encoder sends several tracks of sound: viewers hear the first, and the log says so."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.fixtures.broadcasting import OnAir, live_clip, publishing
from tests.fixtures.media import FFMPEG, make_clip
from tests.fixtures.waiting import until
from tests.integration.live.test_on_air import Viewer, recordings
from tests.integration.live.test_srt import srt_url

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

BOTH = ("-map", "0", "-c", "copy")


def clip() -> Path:
    """Return pictures, a tone, and a second track that is silent."""
    return make_clip(
        "two-sounds.mkv",
        *("-i", str(live_clip("source.flv", 8))),
        *("-f", "lavfi", "-i", "anullsrc=channel_layout=stereo:sample_rate=48000"),
        *("-map", "0:v", "-map", "0:a", "-map", "1:a", "-t", "8"),
        *("-c:v", "copy", "-c:a:0", "copy", "-c:a:1", "aac"),
    )


def loudness_db(media: bytes) -> float:
    done = subprocess.run(
        [str(FFMPEG), "-nostdin", "-i", "pipe:0", "-af", "volumedetect", "-f", "null", "-"],
        input=media,
        capture_output=True,
        check=True,
    )
    assert done.stderr.count(b"Audio: aac") == 1
    return float(re.findall(rb"mean_volume: (-?[\d.]+) dB", done.stderr)[-1])


@pytest.mark.parametrize("form", ["flv", "mpegts"])
async def test_the_first_one_is_heard(client: httpx.AsyncClient, stream: OnAir, form: str) -> None:
    url = stream.publish_url if form == "flv" else srt_url(stream)
    viewer = Viewer(client, stream)
    async with publishing(url, clip(), after=BOTH, form=form):
        await until(viewer.playable)
        await viewer.reload()
        await viewer.follow(8)
        assert loudness_db(await viewer.media(viewer.text)) > -40
        assert 'CODECS="avc1.42c00d,mp4a.40.2"' in (await client.get(stream.master_url)).text
    await stream.complete()
    assert len(await recordings(client, stream)) == 1
    log = stream.server.log.read_text(errors="replace").splitlines()
    told = [line for line in log if "tracks left out" in line and stream.public_id in line]
    assert len(told) >= 1
