"""The player page in Firefox, where it is installed."""

import random
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Upload
from tests.e2e.firefox import firefox
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

SECONDS = 8
PLAYER = "page.telecinePlayer"


async def test_it_plays_seeks_and_switches(
    api: httpx.Client, upload: Upload, tmp_path: Path
) -> None:
    video_id = upload(barcode_mp4(frames=30 * SECONDS, width_px=640, height_px=360), "Firefox")

    async def encoded() -> bool:
        qualities = api.get(f"/videos/{video_id}/status").json()["encoding"]["qualities"]
        return {quality["status"] for quality in qualities} == {"encoded"}

    await until(encoded)
    async with firefox(tmp_path) as browser:
        await browser.call("WebDriver:Navigate", url=f"{api.base_url}/vod/{video_id}#autoplay")
        await browser.becomes(f"{PLAYER}?.hls?.levels?.length === 2")
        await browser.becomes(f"{PLAYER}.video.currentTime > 1")
        for level in (0, 1):
            width = await browser.evaluate(f"{PLAYER}.hls.levels[{level}].width")
            await browser.evaluate(f"{PLAYER}.hls.nextLevel = {level}")
            # From the start again: near its end a video has nothing left to switch for.
            await browser.evaluate(f"{PLAYER}.video.currentTime = 0.1")
            await browser.becomes(f"{PLAYER}.video.videoWidth === {width}")
        chance = random.Random(3)
        for _ in range(5):
            target = chance.uniform(0, SECONDS - 1)
            await browser.evaluate(f"{PLAYER}.video.currentTime = {target}")
            await browser.becomes(f"!{PLAYER}.video.seeking && {PLAYER}.video.readyState >= 2")
            now = await browser.evaluate(f"{PLAYER}.video.currentTime")
            assert target - 0.05 <= now <= SECONDS
        assert await browser.evaluate(f"{PLAYER}.video.error") is None
        await browser.becomes(f"{PLAYER}.video.ended || {PLAYER}.video.currentTime > {SECONDS - 1}")
