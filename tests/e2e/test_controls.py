"""What surrounds the picture: buttons, menus, keys, and what is said when nothing plays."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, Route, ViewportSize, expect

from tests.e2e.conftest import PATIENCE_MS, Upload
from tests.fixtures.customer import everywhere
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

PHONE = ViewportSize(width=360, height=203)  # a 16:9 frame across an upright phone


@pytest.fixture
def video_id(wide_video: str) -> str:
    return wide_video


@pytest.fixture
async def strict_page(page: Page) -> AsyncIterator[Page]:
    """A page that must not break its own policy, nor throw."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    yield page
    assert [fault for fault in faults if "Security Policy" in fault or "Error:" in fault] == []


async def becomes(page: Page, expression: str) -> None:
    async def true() -> bool:
        return bool(await page.evaluate(expression))

    await until(true)


async def video(page: Page, name: str) -> Any:
    return await page.evaluate("(name) => window.telecinePlayer.video[name]", name)


async def open_page(page: Page, api: httpx.Client, video_id: str, fragment: str = "") -> None:
    await page.goto(f"{api.base_url}/vod/{video_id}{fragment}")
    await expect(page.get_by_role("button", name="Quality")).to_be_visible()
    # Before its length is known there is no place in it that could be gone to.
    await becomes(page, "window.telecinePlayer.video.readyState >= 1")


async def test_nothing_that_the_page_asks_for_is_missing(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    missing: list[str] = []
    page.on("response", lambda reply: missing.append(reply.url) if reply.status >= 400 else None)
    await open_page(page, api, video_id, "#autoplay;muted")
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.5")
    icon = await page.locator("link[rel=icon]").get_attribute("href")
    for path in (str(icon), "/favicon.ico"):
        reply = await page.request.get(f"{api.base_url}{path}")
        assert reply.ok
        assert reply.headers["content-type"].startswith("image/")
    assert missing == []


async def test_the_video_does_not_wait_for_its_controls(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    arrived = asyncio.Event()

    async def late(route: Route) -> None:
        await arrived.wait()
        await route.continue_()

    await page.route(re.compile(r"/static/assets/controls-[^/]*\.js$"), late)
    await page.goto(f"{api.base_url}/vod/{video_id}#autoplay;muted")
    await becomes(page, "window.telecinePlayer?.video.currentTime > 0.2")
    assert await page.locator(".bar").count() == 0
    arrived.set()
    await expect(page.locator(".bar")).to_have_count(1)


async def test_a_press_plays_and_the_bar_goes_away(
    strict_page: Page, api: httpx.Client, video_id: str
) -> None:
    page = strict_page
    await open_page(page, api, video_id)
    await expect(page.get_by_text("Controls & <b>titles</b>")).to_be_visible()
    assert await video(page, "paused")
    await page.locator(".big-play").click()
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.5")
    await expect(page.locator("#player")).to_have_class("player player--idle")

    async def moved() -> bool:  # it goes away again after a while
        await page.mouse.move(200, 200)
        await page.mouse.move(210, 200)
        return bool(await page.evaluate("document.querySelector('#player').className === 'player'"))

    await until(moved)


async def test_a_quality_is_chosen_from_the_menu(
    strict_page: Page, api: httpx.Client, video_id: str
) -> None:
    page = strict_page
    await open_page(page, api, video_id)
    await page.get_by_role("button", name="Quality").click()
    choices = page.get_by_role("menu", name="Quality").get_by_role("menuitemradio")
    await expect(choices).to_have_text(["480p", "360p", "240p", re.compile("^Auto")])
    await page.get_by_role("menuitemradio", name="240p").click()
    assert not await page.evaluate("window.telecinePlayer.hls.autoLevelEnabled")
    await page.keyboard.press("k")
    await becomes(page, "window.telecinePlayer.video.videoHeight === 240")
    await page.get_by_role("button", name="Quality: 240p").click()
    await page.get_by_role("menuitemradio", name="Auto").click()
    assert await page.evaluate("window.telecinePlayer.hls.autoLevelEnabled")


async def test_the_picture_floats_and_comes_back(
    strict_page: Page, api: httpx.Client, video_id: str
) -> None:
    await open_page(strict_page, api, video_id)
    button = strict_page.get_by_role("button", name="Picture in picture")
    await button.click()
    await becomes(strict_page, "document.pictureInPictureElement === telecinePlayer.video")
    await button.click()
    await becomes(strict_page, "document.pictureInPictureElement === null")


async def test_a_video_is_kept_unless_it_may_not_be(
    page: Page, api: httpx.Client, upload: Upload
) -> None:
    video_id = upload(barcode_mp4(), "To keep")
    mp4 = f"{api.base_url}/vod/{video_id}/mp4/source.mp4"

    async def stored() -> bool:
        return api.head(mp4).status_code == 200

    await until(stored)
    await open_page(page, api, video_id)
    button = page.get_by_role("link", name="Download")
    assert await button.get_attribute("href") == f"{mp4}?dl=1"
    async with page.expect_download() as begun:
        await button.click()
    download = await begun.value
    assert download.suggested_filename == "To keep.mp4"
    assert (await download.path()).read_bytes() == api.get(mp4).content
    assert page.url == f"{api.base_url}/vod/{video_id}", "it is still there"
    api.patch(f"/videos/{video_id}", json={"mp4Support": False}).raise_for_status()
    url = f"{api.base_url}/vod/{video_id}"
    await everywhere(lambda: '"mp4": null' in httpx.get(url, timeout=PATIENCE_S).text)
    await open_page(page, api, video_id)
    await becomes(page, "window.telecinePlayer.state === 'ready'")
    await expect(page.get_by_role("button", name="Speed")).to_be_visible()
    await expect(button).to_be_hidden()


async def test_keys_do_what_they_do_elsewhere(
    strict_page: Page, api: httpx.Client, video_id: str
) -> None:
    page = strict_page
    await open_page(page, api, video_id)
    await page.keyboard.press("m")
    assert await video(page, "muted")
    await page.keyboard.press(">")
    assert await video(page, "playbackRate") == 1.25
    await page.keyboard.press("5")
    await becomes(page, "!window.telecinePlayer.video.seeking")
    assert await video(page, "currentTime") == pytest.approx(5, abs=0.1)
    await page.keyboard.press("ArrowRight")
    assert await video(page, "currentTime") == pytest.approx(10, abs=0.1)
    await page.keyboard.press("Home")
    assert await video(page, "currentTime") == 0
    await page.keyboard.press("Control+m")  # the browser's, not ours
    assert await video(page, "muted")


async def test_options_take_things_away(page: Page, api: httpx.Client, video_id: str) -> None:
    await page.goto(
        f"{api.base_url}/vod/{video_id}?muted=true#hide-title;hide-controls;hotkeys:false"
    )
    await expect(page.locator(".big-play")).to_be_visible()
    await expect(page.locator(".bar")).to_be_hidden()
    await expect(page.locator(".title")).to_be_hidden()
    await page.keyboard.press("k")
    assert await video(page, "paused")
    assert await video(page, "muted")


async def test_a_sequence_starts_and_pauses_where_it_says(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await page.goto(f"{api.base_url}/vod/{video_id}#t=2,3;autoplay")
    await becomes(page, "window.telecinePlayer?.video.currentTime >= 3")
    await becomes(page, "window.telecinePlayer.video.paused")
    assert await video(page, "currentTime") == pytest.approx(3, abs=0.6)


async def test_a_lost_connection_is_told_and_mended_by_a_press(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    async def cut(route: Route) -> None:
        await route.abort()

    await page.route("**/manifest.m3u8", cut)
    await page.goto(f"{api.base_url}/vod/{video_id}")
    retry = page.get_by_role("button", name="Try again")
    await expect(retry).to_be_visible()
    await page.unroute("**/manifest.m3u8")
    await retry.click()
    await expect(page.get_by_role("button", name="Quality")).to_be_visible()
    await expect(retry).to_be_hidden()


async def test_a_waiting_viewer_is_told_so(page: Page, api: httpx.Client) -> None:
    empty = api.post("/videos", json={"title": "Empty"}).json()["videoId"]
    await page.goto(f"{api.base_url}/vod/{empty}")
    await expect(page.get_by_role("status")).to_contain_text("not ready yet")
    await expect(page.get_by_role("button", name="Try again")).to_be_hidden()


async def test_an_early_viewer_follows_the_upload_and_it_starts(
    strict_page: Page, api: httpx.Client, moov_last_clip: Path
) -> None:
    """Every stage of an upload has its words, and the last one is the picture."""
    # Its index comes last, or it would play as it arrives; the first part has to have 5 MiB.
    content = moov_last_clip.read_bytes()
    index = content.rindex(b"moov") - 4
    free = (6 << 20).to_bytes(4) + b"free" + bytes((6 << 20) - 8)
    content = content[:index] + free + content[index:]
    video_id = api.post("/videos", json={"title": "Early"}).json()["videoId"]
    await strict_page.goto(f"{api.base_url}/vod/{video_id}#autoplay;muted")
    told = strict_page.get_by_role("status")
    await expect(told).to_contain_text("not ready yet")
    for number, start in enumerate((0, 5 << 20), 1):
        files = {"file": ("early.mp4", content[start : start + (5 << 20) if number == 1 else None])}
        headers = {"Content-Range": f"part {number}/2"}
        url = f"/videos/{video_id}/source"
        await asyncio.to_thread(api.post, url, files=files, headers=headers)
        if number == 1:
            assert api.get(f"/vod/{video_id}/hls/manifest.m3u8").status_code == 202
            await expect(told).to_contain_text("being uploaded")
    await becomes(strict_page, "() => window.telecinePlayer.video.currentTime > 0.2")
    await expect(told).to_be_hidden()


async def test_an_unknown_video_has_a_page(page: Page, api: httpx.Client) -> None:
    reply = await page.goto(f"{api.base_url}/vod/viAAAAAAAAAAAAAAAAAAAAAA")
    assert reply is not None
    assert reply.status == 404
    await expect(page.get_by_role("heading")).to_have_text("Video not found")


async def test_all_controls_fit_a_phone(
    browser: Browser, api: httpx.Client, video_id: str, tmp_path: Path
) -> None:
    page = await browser.new_page(viewport=PHONE, has_touch=True, is_mobile=True)
    page.set_default_timeout(PATIENCE_MS)
    await open_page(page, api, video_id)
    await page.locator(".big-play").tap()
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.2")
    await page.keyboard.press("k")
    await expect(page.get_by_role("button", name="Play")).to_have_count(2)
    await page.screenshot(path=tmp_path / "phone.png")
    shot = Image.open(tmp_path / "phone.png").convert("L")
    assert shot.size == (PHONE["width"], PHONE["height"])
    for button in await page.locator(".bar button:visible, .bar a:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        assert min(box["width"], box["height"]) >= 36  # for a thumb
        inside = [
            shot.getpixel((int(box["x"]) + x, int(box["y"]) + y))
            for x in range(8, 32)
            for y in (16, 20, 24)
        ]
        assert len(set(inside)) > 3, "there is something on it"
    await page.get_by_role("button", name="More controls").tap()
    await page.get_by_role("button", name="Speed").tap()
    box = await page.get_by_role("menu", name="Speed").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    await page.close()
