"""The player takes a codec that its browser can decode, and offers each height once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.e2e.test_playback import RATE_HZ, RECORD, becomes
from tests.e2e.watching import misplaced
from tests.fixtures.customer import MASTER, Customer
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import running_telecine
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

SECONDS = 8
PLAYER = "window.telecinePlayer"


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Customer]:
    settings = {"TELECINE_API_PROCESSES": "1", "TELECINE_EXTRA_CODECS": "av1"}
    with running_telecine(tmp_path / "data", settings) as (_, server), Customer(server) as customer:
        yield customer


async def test_av1_plays_picture_by_picture(page: Page, customer: Customer) -> None:
    clip = barcode_mp4(frames=RATE_HZ * SECONDS, width_px=640, height_px=360)
    video_id = customer.upload(clip)

    async def listed() -> bool:
        return "360p-av1/" in customer.get(video_id, MASTER).text

    await until(listed)
    await page.goto(f"{customer.http.base_url}/vod/{video_id}")
    await becomes(page, f"{PLAYER}?.hls?.levels?.length > 0")
    levels = await page.evaluate(f"{PLAYER}.hls.levels.map(level => level.codecSet)")
    assert sorted(codecs.partition(",")[0] for codecs in levels) == ["av01", "av01", "avc1", "avc1"]
    await page.evaluate(RECORD)
    await page.evaluate(f"{PLAYER}.video.play()")
    await becomes(page, f"{PLAYER}.video.currentTime > {SECONDS - 1}")
    used = f"{PLAYER}.hls.levels[{PLAYER}.hls.loadLevel].codecSet"
    assert (await page.evaluate(used)).startswith("av01")
    offered = await page.evaluate(f"{PLAYER}.qualities.map(({{heightPx}}) => heightPx)")
    assert offered == [360, 240]
    recorded = await page.evaluate("window.recorded")
    frames = [frame for frame in recorded["frames"] if frame[2] >= 0]
    assert len(frames) > 0.2 * RATE_HZ * SECONDS
    assert misplaced(frames, RATE_HZ) == []
    assert not [error for error in recorded["errors"] if error[1]]
