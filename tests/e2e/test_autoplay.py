"""A browser that gives no sound to pages which nobody has touched, as all do outside of tests."""

from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.e2e.conftest import PATIENCE_MS, Upload
from tests.e2e.embedding import near_browser
from tests.e2e.player_page import becomes
from tests.fixtures.customer import everywhere
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

VIDEO = "window.telecinePlayer.video"
# Whatever a test evaluates counts as a touch: until it plays the page has to tell by itself.
TELL = """document.addEventListener('playing', ({target: {muted}}) => {
  console.log(`plays ${muted ? 'without' : 'with'} sound`);
}, true)"""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with near_browser(["--autoplay-policy=document-user-activation-required"]) as browser:
        yield browser


@pytest.fixture(scope="module")
async def forced(api: httpx.Client, upload: Upload) -> str:
    """The id of a video whose theme lets it begin by itself."""
    video_id = upload(barcode_mp4(frames=900), "By itself")
    theme = api.post("/players", json={"forceAutoplay": True}).raise_for_status().json()
    named = {"playerId": theme["playerId"]}
    api.patch(f"/videos/{video_id}", json=named).raise_for_status()
    url = f"{api.base_url}/vod/{video_id}"
    await everywhere(
        lambda: '"forceAutoplay": true' in httpx.get(url, timeout=PATIENCE_S).text,
    )
    return video_id


@pytest.mark.parametrize("by", ["url", "theme"])
async def test_it_begins_without_sound_and_offers_it(
    browser: Browser, api: httpx.Client, wide_video: str, forced: str, by: str
) -> None:
    page = await browser.new_page(viewport={"width": 800, "height": 450})
    page.set_default_timeout(PATIENCE_MS)
    await page.add_init_script(TELL)
    told = page.expect_console_message(lambda message: message.text.startswith("plays "))
    async with told as first:
        path = f"{wide_video}#autoplay" if by == "url" else forced
        await page.goto(f"{api.base_url}/vod/{path}", wait_until="commit")
    assert (await first.value).text == "plays without sound"
    unmute = page.get_by_role("button", name="Tap to unmute")
    await expect(unmute).to_be_visible()
    assert await page.evaluate(f"{VIDEO}.muted && !{VIDEO}.paused")
    await unmute.click()
    assert not await page.evaluate(f"{VIDEO}.muted || {VIDEO}.paused")
    await expect(unmute).to_be_hidden()
    now_s = await page.evaluate(f"{VIDEO}.currentTime")
    await becomes(page, f"{VIDEO}.currentTime > {now_s + 0.5}")
    await page.close()


async def test_who_asked_for_silence_is_offered_no_sound(
    browser: Browser, api: httpx.Client, wide_video: str
) -> None:
    page = await browser.new_page(viewport={"width": 800, "height": 450})
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{api.base_url}/vod/{wide_video}?muted=true&autoplay=true")
    await becomes(page, f"{VIDEO}.currentTime > 0.5")
    await expect(page.locator(".bar")).to_have_count(1)
    await expect(page.get_by_role("button", name="Tap to unmute")).to_be_hidden()
    await page.close()
