"""A viewer of a live stream goes back on the seek bar, and changes to a transcoded quality.

The pictures carry their numbers, so it is seen which ones are shown.
"""

import statistics
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.test_live import ENDLESS, becomes, open_page
from tests.e2e.test_playback import RECORD
from tests.fixtures.broadcasting import GOP, OnAir, make_live_stream, publishing
from tests.fixtures.media import AAC, make_barcode
from tests.fixtures.server import TelecineServer, running_telecine

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

RATE_HZ = 30
MOST_NUMBERS = 4000
PLAYER = "window.telecinePlayer"
GONE_BACK_S = 18
"""More than what is still taken for live (`web/player/catchup.ts`)."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("window") / "data"
    settings = {"TELECINE_LIVE_LADDER": "90", "TELECINE_API_PROCESSES": "1"}
    with running_telecine(data, settings) as (_, server):
        yield server


@pytest.fixture
async def stream(server: TelecineServer) -> AsyncIterator[OnAir]:
    stream = await make_live_stream(server)
    yield stream
    await stream.complete()


def numbered() -> Path:
    return make_barcode(
        "live-numbers.flv",
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-bf", "0"),
        *("-g", str(GOP), "-sc_threshold", "0", "-pix_fmt", "yuv420p", *AAC),
        frames=MOST_NUMBERS,
    )


async def shown(page: Page, condition: str = "true") -> list[list[Any]]:
    """Wait for ten pictures that can be read and meet a condition; return all such."""
    found = f"window.recorded.frames.filter(frame => frame[2] >= 0 && {condition})"
    await becomes(page, f"{found}.length >= 10")
    frames: list[list[Any]] = await page.evaluate(found)
    return frames


def offset(frames: list[list[Any]]) -> float:
    """Return by how many pictures the numbers are ahead of their time in the player."""
    return statistics.median(float(each[2] - each[1] * RATE_HZ) for each in frames)


async def forget(page: Page) -> None:
    await page.evaluate("window.recorded.frames.length = 0")


async def test_a_viewer_goes_back_and_returns(page: Page, stream: OnAir) -> None:
    async with publishing(stream.publish_url, numbered(), before=ENDLESS):
        rules = await open_page(page, stream)
        await becomes(page, f"{PLAYER}.video.currentTime > 1")
        await page.evaluate(RECORD)
        at_live = offset(await shown(page))
        await becomes(page, f"{PLAYER}.endS - {PLAYER}.beginS > {GONE_BACK_S + 4}")
        await expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible()

        # By the mouse, to the first tenth of the window.
        bar = page.get_by_role("slider", name="Position")
        await page.mouse.move(400, 200)
        await page.mouse.move(400, 210)  # the controls show
        box = await bar.bounding_box()
        assert box is not None
        await forget(page)
        await page.mouse.click(box["x"] + 0.05 * box["width"], box["y"] + box["height"] / 2)
        await becomes(page, f"{PLAYER}.endS - {PLAYER}.video.currentTime > {GONE_BACK_S}")
        old = await shown(page, "frame[1] < 8")
        assert min(each[2] for each in old) < 6 * RATE_HZ
        assert abs(offset(old) - at_live) <= 2
        to_live = page.get_by_role("button", name="Go to live")
        await expect(to_live).to_be_visible()
        assert "behind live" in str(await bar.get_attribute("aria-valuetext"))

        # It goes on from there, and is not pulled back to the newest picture.
        old_s = await page.evaluate(f"{PLAYER}.video.currentTime")
        await becomes(page, f"{PLAYER}.video.currentTime > {old_s} + 1")
        assert not await page.evaluate(f"{PLAYER}.isAtLiveEdge")

        await forget(page)
        await to_live.click()
        await becomes(page, f"{PLAYER}.isAtLiveEdge")
        new = await shown(page, f"frame[1] > {old_s} + 10")
        if max(each[1] for each in new) < MOST_NUMBERS / RATE_HZ - 1:  # they begin anew then
            assert abs(offset(new) - at_live) <= 2
        await expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible()

        # By keys: to the begin, and to the end.
        await bar.focus()
        await forget(page)
        await page.keyboard.press("Home")
        first = await shown(page, "frame[1] < 4")
        assert min(each[2] for each in first) < 2 * RATE_HZ
        assert not await page.evaluate(f"{PLAYER}.isAtLiveEdge")
        await page.keyboard.press("End")
        await becomes(page, f"{PLAYER}.isAtLiveEdge")
        now_s = await page.evaluate(f"{PLAYER}.video.currentTime")
        await becomes(page, f"{PLAYER}.video.currentTime > {now_s} + 1")  # and plays
    assert rules.seen > 1


async def test_a_transcoded_quality_shows_the_same_pictures(page: Page, stream: OnAir) -> None:
    async with publishing(stream.publish_url, numbered(), before=ENDLESS):
        rules = await open_page(page, stream)
        await becomes(page, f"{PLAYER}.hls?.levels?.length === 2")
        await becomes(page, f"{PLAYER}.video.currentTime > 1")
        await page.evaluate(RECORD)
        offsets = []
        for width_px in (160, 320, 160):
            await page.evaluate(
                f"width => {{ const {{hls}} = {PLAYER};"
                " hls.nextLevel = hls.levels.findIndex(level => level.width === width); }",
                width_px,
            )
            await becomes(page, f"{PLAYER}.video.videoWidth === {width_px}")
            await forget(page)
            offsets.append(offset(await shown(page, f"frame[3] === {width_px}")))
        assert max(offsets) - min(offsets) <= 2
        errors = await page.evaluate("window.recorded.errors")
        assert not [error for error in errors if error[1]]
    assert rules.seen > 3
